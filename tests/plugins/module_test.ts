import assert from "node:assert/strict";
import { eventually, freePort } from "../support/broker_process.ts";
import { client, Scene } from "./scene.ts";

/** A plugin with all hooks, which writes what it is told to a file. */
const ALL_HOOKS = `
export function createPlugin(options: Record<string, string>, host: {
  publish(topic: string, payload: string, options?: object): void;
  log(type: string, text: string): void;
  disconnect(clientId: string): void;
}) {
  const note = (text: string) => Deno.writeTextFileSync(options.notes, text + "\\n", { append: true });
  let ticks = 0;
  host.log("notice", "made with " + options.greeting);
  host.publish("early", "bird", { retain: true });
  return {
    async authenticate({ clientId, userName }: { clientId: string; userName?: string }, password?: Uint8Array) {
      await Promise.resolve();
      if (userName === undefined) return undefined;
      return new TextDecoder().decode(password) === options.password && clientId !== "banned";
    },
    authorizePublish({ clientId }: { clientId: string }, { topic, qos }: { topic: string; qos: number }) {
      if (topic === "throw") throw new Error("thrown in a hook");
      return topic.startsWith(clientId + "/") && qos === 1;
    },
    authorizeSubscribe(_client: unknown, { filter }: { filter: string }) {
      return filter === "closed/#" ? false : filter === "slow/#" ? 0 : true;
    },
    authorizeReceive(_client: unknown, topic: string) {
      return !topic.endsWith("/secret");
    },
    onMessage({ client, message }: {
      client: { clientId: string; userName?: string };
      message: { topic: string; retain: boolean; properties: { contentType?: string }; text(): string };
    }) {
      note([client.clientId, client.userName, message.topic, message.text()].join(" "));
      if (message.text() === "echo") host.publish("echoes", message.topic);
      if (message.text() === "leave") host.disconnect(client.clientId);
    },
    tick(nowMs: number) {
      if (++ticks === 1) host.publish("ticks", String(Math.abs(Date.now() - nowMs) < 60_000), { retain: true });
      if (ticks === 2) throw new Error("thrown in a tick");
    },
    reload(given: Record<string, string>) {
      note("reloaded " + given.greeting);
    },
    async close() {
      await Promise.resolve();
      note("closed");
    },
  };
}
`;

/** Waits for a line in the plugin's notes. */
async function noted(path: string, line: string): Promise<void> {
  const notes = () => Deno.readTextFileSync(path).split("\n");
  await eventually(() => notes().includes(line), () => `${line} in:\n${notes().join("\n")}`);
}

Deno.test("a module's hooks decide, are told, publish and disconnect", async () => {
  await using scene = new Scene();
  const notes = scene.write("notes", "");
  const broker = await scene.start([
    `plugin ${scene.write("all hooks.ts", ALL_HOOKS)}`,
    `plugin_opt_notes ${notes}`,
    "plugin_opt_greeting a word and another",
    "plugin_opt_password right",
  ]);
  await broker.line(/: plugin .*all hooks\.ts: made with a word and another$/);
  const { port } = broker;

  await assert.rejects(client(port, "ann", "ann", "wrong"), /refused: 135/);
  await assert.rejects(client(port, "banned", "ann", "right"), /refused: 135/);
  await using ann = await client(port, "ann", "ann", "right");
  // Of whom the hook has no opinion allow_anonymous decides.
  await using nobody = await client(port, "nobody");

  assert.equal(await ann.subscribe("closed/#"), 0x87);
  assert.equal(await ann.subscribe("slow/#", 2), 0);
  assert.equal(await nobody.subscribe("ann/#", 1), 1);
  assert.equal(await ann.publish("bob/x"), 0x87);
  assert.equal(await ann.publish("throw"), 0x87);
  assert.equal(await ann.publish("ann/secret", "hidden"), 0);
  assert.equal(await ann.publish("ann/open", "seen"), 0);
  assert.equal(await nobody.message(), "ann/open seen");
  const error = await broker.line(/: Error: plugin .*, in authorizePublish: Error: thrown in a/);
  assert.doesNotMatch(error, /defect/);

  await noted(notes, "ann ann ann/secret hidden");
  await noted(notes, "ann ann ann/open seen");
  assert.doesNotMatch(Deno.readTextFileSync(notes), /bob\/x/, "what was refused is not told");

  assert.equal(await nobody.subscribe("echoes"), 0);
  assert.equal(await ann.publish("ann/1", "echo"), 0);
  assert.equal(await nobody.message(), "ann/1 echo");
  assert.equal(await nobody.message(), "echoes ann/1");
  // What it publishes itself it is not told of.
  assert.doesNotMatch(Deno.readTextFileSync(notes), /echoes/);

  assert.equal(await nobody.subscribe("early"), 0);
  assert.equal(await nobody.message(), "early bird retained");
  await broker.line(/in tick: Error: thrown in a tick/);
  assert.equal(await nobody.subscribe("ticks"), 0);
  assert.equal(await nobody.message(), "ticks true retained");

  assert.equal(await ann.publish("ann/2", "leave"), 0);
  assert.equal((await ann.tcp.next("disconnect")).reason, 0x98);
  await ann.tcp.ended();

  broker.signal("SIGHUP");
  await noted(notes, "reloaded a word and another");
  assert.equal(await broker.end(), 0);
  assert.match(Deno.readTextFileSync(notes), /\nclosed\n$/);
  assert.doesNotMatch(broker.lines.join("\n"), /defect|Uncaught|panicked/);
});

Deno.test("a module may export its hooks by name, and one without hooks for a question has no say in it", async () => {
  await using scene = new Scene();
  scene.write(
    "plain.mjs",
    "export const authorizeSubscribe = (client, { filter }) => filter !== 'no';\n",
  );
  const broker = await scene.startWith((port) => [
    `listener ${port} 127.0.0.1`,
    "allow_anonymous true",
    // Relative to the working directory.
    "plugin plain.mjs",
  ]);
  await using one = await client(broker.port, "one");
  await using two = await client(broker.port, "two");
  assert.equal(await one.subscribe("no"), 0x87);
  assert.equal(await one.subscribe("yes"), 0);
  assert.equal(await two.publish("yes", "m"), 0);
  assert.equal(await one.message(), "yes m");
});

Deno.test("a promise of authorizeReceive does not pass for true", async () => {
  await using scene = new Scene();
  const module = scene.write(
    "late.js",
    "export async function authorizeReceive() { return true; }\n",
  );
  const broker = await scene.start([`plugin ${module}`]);
  await using one = await client(broker.port, "one");
  await using two = await client(broker.port, "two");
  assert.equal(await one.subscribe("#"), 0);
  assert.equal(await two.publish("t", "m"), 0);
  await broker.line(/in authorizeReceive: TypeError: authorizeReceive has to answer at once/);
  assert.equal(one.tcp.waiting, 0);
});

Deno.test("plugins are asked in the order of the file, then the access files", async () => {
  await using scene = new Scene();
  const plugin = (name: string, answers: string) =>
    scene.write(
      `${name}.js`,
      `export const authorizePublish = (client, { topic }) => (${answers})[topic];`,
    );
  const broker = await scene.start([
    `acl_file ${scene.write("acl", "topic write third\ntopic write first\n")}`,
    `plugin ${plugin("a", "{ first: false, second: true }")}`,
    `auth_plugin ${plugin("b", "{ first: true, second: false, fourth: true }")}`,
  ]);
  await using one = await client(broker.port, "one");
  const reasons = [];
  for (const topic of ["first", "second", "third", "fourth", "fifth"]) {
    reasons.push(await one.publish(topic));
  }
  assert.deepEqual(reasons, [0x87, 0x10, 0x10, 0x10, 0x87]);
});

Deno.test("auth_plugin_deny_special_chars keeps names with wildcards from a module", async () => {
  await using scene = new Scene();
  const module = scene.write("yes.js", "export const authorizePublish = () => true;\n");
  for (const [setting, reason] of [[[], 0x10], [["auth_plugin_deny_special_chars true"], 0x87]]) {
    const broker = await scene.start([`plugin ${module}`, ...setting as string[]]);
    await using plain = await client(broker.port, "plain");
    assert.equal(await plain.publish("t"), 0x10);
    for (const clientId of ["a+", "#", "a/b"]) {
      await using one = await client(broker.port, clientId);
      assert.equal(await one.publish("t"), reason, clientId);
    }
    await broker.end();
  }
});

Deno.test("plugins of one listener leave the others alone", async () => {
  await using scene = new Scene();
  const plugin = (name: string, topic: string) =>
    scene.write(
      `${name}.js`,
      `export const authorizePublish = (client, { topic }) => topic === "${topic}" || undefined;`,
    );
  const [second, third] = [freePort(), freePort()];
  const broker = await scene.startWith((first) => [
    "per_listener_settings true",
    `plugin_load named ${plugin("named", "named")}`,
    `listener ${first} 127.0.0.1`,
    "allow_anonymous true",
    `plugin ${plugin("own", "own")}`,
    `listener ${second} 127.0.0.1`,
    "allow_anonymous true",
    "plugin_use named",
    `listener ${third} 127.0.0.1`,
    "allow_anonymous true",
    `global_plugin ${plugin("global", "global")}`,
  ]);
  const reasons = [];
  for (const port of [broker.port, second, third]) {
    await using one = await client(port, "one");
    const row = [];
    for (const topic of ["own", "named", "global"]) row.push(await one.publish(topic));
    reasons.push(row);
  }
  assert.deepEqual(reasons, [[0x10, 0x87, 0x10], [0x87, 0x10, 0x10], [0x87, 0x87, 0x10]]);
});

Deno.test("what a module is told is what came by its listener", async () => {
  await using scene = new Scene();
  const notes = scene.write("notes", "");
  const module = scene.write(
    "told.js",
    `export const createPlugin = ({ notes }) => ({ onMessage: ({ message }) =>
      Deno.writeTextFileSync(notes, message.topic + "\\n", { append: true }) });`,
  );
  const other = freePort();
  const broker = await scene.startWith((port) => [
    `plugin_load told ${module}`,
    `plugin_opt_notes ${notes}`,
    "allow_anonymous true",
    `listener ${port} 127.0.0.1`,
    "plugin_use told",
    `listener ${other} 127.0.0.1`,
  ]);
  await using there = await client(other, "there");
  assert.equal(await there.publish("there"), 0x10);
  await using here = await client(broker.port, "here");
  assert.equal(await here.publish("here"), 0x10);
  await noted(notes, "here");
  assert.equal(Deno.readTextFileSync(notes), "here\n");
});

/** Modules that are none, and what is said of them. */
const REFUSED: [what: string, text: string | null, said: RegExp][] = [
  ["is not there", null, /Module not found/],
  ["is not written well", "export const tick = (;", /Expression expected|Unexpected token/],
  ["throws", "throw new Error('not today');", /not today/],
  ["exports no hook", "export const onmessage = 1;", /it exports none of authenticate, /],
  ["exports a hook that is no function", "export const tick = 1;", /exports as 'tick' is no func/],
  ["makes nothing", "export const createPlugin = () => {};", /it returns from 'createPlugin' none/],
  ["throws later", "export async function createPlugin() { throw new Error('late'); }", /late/],
];

Deno.test("a module that cannot be used ends the start with 13 and says why", async () => {
  await using scene = new Scene();
  for (const [what, text, said] of REFUSED) {
    const path = scene.path(`${crypto.randomUUID()}.ts`);
    if (text !== null) Deno.writeTextFileSync(path, text);
    const refused = await scene.refused([`plugin ${path}`]);
    assert.equal(refused.status, 13, what);
    assert.ok(refused.text.includes(`Error: Unable to load plugin "${path}".`), refused.text);
    assert.match(refused.text, /Error found at .*broker\.conf:3\./, what);
    assert.match(refused.text, said, what);
  }
});
