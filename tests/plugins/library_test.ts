import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { freePort, persistent } from "../support/broker_process.ts";
import { answerTo, client, Scene } from "./scene.ts";

/** A line of a password file, in the oldest format: the cheapest. */
function passwordLine(userName: string, password: string): string {
  const salt = new TextEncoder().encode("twelve bytes");
  const hash = createHash("sha512").update(password).update(salt).digest("base64");
  return `${userName}:$6$${btoa("twelve bytes")}$${hash}\n`;
}

const SECURITY = "$CONTROL/dynamic-security/v1", BROKER = "$CONTROL/broker/v1";

Deno.test("mosquitto_password_file and mosquitto_acl_file read their files, also anew", async () => {
  await using scene = new Scene();
  const passwords = scene.write("passwords", passwordLine("ann", "1") + passwordLine("bob", "2"));
  const rules = scene.write("rules", "user ann\ntopic readwrite open/#\n");
  const broker = await scene.start([
    // Nothing is loaded: the directory need not even be there.
    "plugin /no/such/directory/mosquitto_password_file.so",
    `plugin_opt_password_file ${passwords}`,
    "plugin C:\\Program Files\\Mosquitto\\mosquitto_acl_file.dll",
    `plugin_opt_acl_file ${rules}`,
  ]);
  const { port } = broker;
  assert.equal(await answerTo(port, "ann", "2"), 0x87);
  assert.equal(await answerTo(port, "eve", "1"), 0x87);
  await using ann = await client(port, "ann", "ann", "1");
  await using bob = await client(port, "bob", "bob", "2");
  assert.equal(await ann.publish("open/1"), 0x10);
  assert.equal(await ann.publish("new/1"), 0x87);
  assert.equal(await bob.publish("open/1"), 0x87);

  // All or nothing, together with the other files.
  Deno.writeTextFileSync(passwords, passwordLine("ann", "1"));
  Deno.writeTextFileSync(rules, "user ann\ntopic readwrite new/#\nnonsense\n");
  let from = broker.lines.length;
  broker.signal("SIGHUP");
  await broker.line(/rules:3/, from);
  await broker.line(/Nothing is reloaded/, from);
  assert.equal(await ann.publish("open/1"), 0x10);
  assert.equal(await bob.publish("open/1"), 0x87);

  Deno.writeTextFileSync(rules, "user ann\ntopic readwrite new/#\n");
  from = broker.lines.length;
  broker.signal("SIGHUP");
  await broker.line(/No option has changed/, from);
  assert.equal((await bob.tcp.next("disconnect")).reason, 0x87);
  assert.equal(await ann.publish("open/1"), 0x87);
  assert.equal(await ann.publish("new/1"), 0x10);
});

Deno.test("a plugin's file with a mistake ends the start with 13, an option's with 3", async () => {
  await using scene = new Scene();
  const wrong = scene.write("wrong", "nonsense\n");
  const plugin = ["plugin mosquitto_acl_file.so", `plugin_opt_acl_file ${wrong}`];
  const ofPlugin = await scene.refused(plugin);
  assert.equal(ofPlugin.status, 13);
  assert.match(ofPlugin.text, /wrong:1/);
  assert.equal((await scene.refused([`acl_file ${wrong}`])).status, 3);
});

/** Lines of a configuration that cannot be had, and what is said. */
const REFUSED: [what: string, lines: string[], said: RegExp][] = [
  [
    "a library of somebody",
    ["plugin /usr/lib/my_auth.so"],
    /Unable to load plugin "\/usr\/lib\/my_auth\.so"\.\n.*broker\.conf:3\.\n.*'plugin FILE\.ts'/,
  ],
  ["a library by its old name", ["auth_plugin my_auth.so"], /Unable to load plugin "my_auth\.so"/],
  ["a library that nobody uses", ["plugin_load n my_auth.so"], /broker\.conf:3/],
  ["the library for SQLite", ["plugin mosquitto_persist_sqlite.so"], /LMDB keeps the state/],
  [
    "several at once",
    ["plugin a.so", "plugin b.so"],
    /"a\.so"[^]*broker\.conf:3[^]*"b\.so"[^]*broker\.conf:4/,
  ],
  [
    "dynamic security without its file",
    ["plugin mosquitto_dynamic_security.so"],
    /has no 'plugin_opt_config_file'/,
  ],
  ["rules without their file", ["plugin mosquitto_acl_file.so"], /no 'plugin_opt_acl_file'/],
  [
    "passwords without their file",
    ["plugin mosquitto_password_file.so"],
    /no 'plugin_opt_password_file'/,
  ],
];

Deno.test("what cannot be loaded ends the start with 13 and says what to do instead", async () => {
  await using scene = new Scene();
  for (const [what, lines, said] of REFUSED) {
    const { status, text } = await scene.refused(lines);
    assert.equal(status, 13, what);
    assert.match(text, said, what);
  }
});

Deno.test("mosquitto_dynamic_security makes its file at a first start and refuses a broken one", async () => {
  await using scene = new Scene();
  const file = scene.path("dynsec.json");
  const lines = ["plugin mosquitto_dynamic_security.so", `plugin_opt_config_file ${file}`];
  const password = "a password of the environment";
  const broker = await scene.start(lines, { MOSQUITTO_DYNSEC_PASSWORD: password });
  assert.equal(await answerTo(broker.port, "admin", "wrong"), 0x87);
  await using admin = await client(broker.port, "admin", "admin", password);
  const request = { commands: [{ command: "listClients" }] };
  assert.deepEqual(await admin.control(SECURITY, request), {
    responses: [{ command: "listClients", data: { totalCount: 1, clients: ["admin"] } }],
  });
  await broker.end();

  const initial = scene.write("initial", "another password\n");
  Deno.removeSync(file);
  const second = await scene.start([...lines, `plugin_opt_password_init_file ${initial}`]);
  assert.equal(await answerTo(second.port, "admin", "another password"), 0);
  await second.end();

  Deno.writeTextFileSync(file, "{");
  const refused = await scene.refused(lines);
  assert.equal(refused.status, 13);
  assert.match(refused.text, /dynsec\.json/);
});

Deno.test("with dynamic security a reload drops the nameless who may no longer come, and nobody else", async () => {
  await using scene = new Scene();
  const lines = (port: number, allowAnonymous: boolean) => [
    `listener ${port} 127.0.0.1`,
    `allow_anonymous ${allowAnonymous}`,
    "plugin mosquitto_dynamic_security.so",
    `plugin_opt_config_file ${scene.path("dynsec.json")}`,
    `plugin_opt_password_init_file ${scene.write("initial", "the administrator\n")}`,
  ];
  const broker = await scene.startWith((port) => lines(port, true));
  await using admin = await client(broker.port, "admin", "admin", "the administrator");
  await using nobody = await client(broker.port, "nobody");
  scene.write("own.conf", `${lines(broker.port, false).join("\n")}\n`);
  broker.signal("SIGHUP");
  assert.equal((await nobody.tcp.next("disconnect")).reason, 0x87);
  await broker.line(/Changed allow_anonymous: true -> false\./);
  const request = { commands: [{ command: "getDefaultACLAccess" }] };
  assert.match(JSON.stringify(await admin.control(SECURITY, request)), /"acls"/);
});

Deno.test({
  name: "mosquitto_ctrl dynsec administers the program, whose clients are told so",
  ignore: !isFile("/usr/bin/mosquitto_ctrl"),
  async fn() {
    await using scene = new Scene();
    const file = scene.path("dynsec.json");
    const lines = ["plugin mosquitto_dynamic_security.so", `plugin_opt_config_file ${file}`];
    const env = { MOSQUITTO_DYNSEC_PASSWORD: "the administrator" };
    const broker = await scene.start(lines, env);
    const { port } = broker;
    const ctrl = (...words: string[]) => runCtrl(port, "the administrator", ...words);
    await ctrl("createRole", "sensor");
    await ctrl("addRoleACL", "sensor", "publishClientSend", "data/%c", "allow");
    await ctrl("addRoleACL", "sensor", "subscribePattern", "#", "allow");
    await ctrl("createClient", "s1", "-p", "secret");
    await ctrl("addClientRole", "s1", "sensor");

    await using sensor = await client(port, "c1", "s1", "secret");
    assert.equal(await sensor.subscribe("data/#"), 0);
    assert.equal(await sensor.publish("data/c2"), 0x87);
    assert.match(await ctrl("getClient", "s1"), /sensor/);
    // The rights have changed: the client has to come anew.
    await ctrl("removeRoleACL", "sensor", "publishClientSend", "data/%c");
    assert.equal((await sensor.tcp.next("disconnect")).reason, 0x98);
    await using again = await client(port, "c1", "s1", "secret");
    assert.equal(await again.publish("data/c1"), 0x87);
    await ctrl("disableClient", "s1");
    assert.equal((await again.tcp.next("disconnect")).reason, 0x98);
    assert.equal(await answerTo(port, "s1", "secret"), 0x87);
    await broker.end();

    // What was changed is kept, and the file is Mosquitto's.
    const second = await scene.start(lines, env);
    assert.equal(await answerTo(second.port, "s1", "secret"), 0x87);
    await runCtrl(second.port, "the administrator", "enableClient", "s1");
    assert.equal(await answerTo(second.port, "s1", "secret"), 0);
  },
});

Deno.test("dynamic security of one listener does not touch another's clients", async () => {
  await using scene = new Scene();
  const other = freePort();
  const initial = scene.write("initial", "the administrator\n");
  const broker = await scene.startWith((port) => [
    "per_listener_settings true",
    `listener ${port} 127.0.0.1`,
    "allow_anonymous true",
    "plugin mosquitto_dynamic_security.so",
    `plugin_opt_config_file ${scene.path("dynsec.json")}`,
    `plugin_opt_password_init_file ${initial}`,
    `listener ${other} 127.0.0.1`,
    "allow_anonymous true",
  ]);
  await using admin = await client(broker.port, "admin", "admin", "the administrator");
  await using stranger = await client(other, "stranger", "admin");
  assert.equal(await stranger.publish("anything"), 0x10);
  const request = { commands: [{ command: "getClient", username: "admin" }] };
  assert.deepEqual(await stranger.control(SECURITY, request), {
    error: "endpoint not available",
  });
  // Of two connected clients of that name, one is this administration's.
  const told = JSON.stringify(await admin.control(SECURITY, request));
  assert.match(told, /"connections":\[\{"address":"127\.0\.0\.1"\}\]/);
  const change = {
    commands: [{ command: "removeClientRole", username: "admin", rolename: "sys-observe" }],
  };
  await admin.control(SECURITY, change);
  assert.equal((await admin.tcp.next("disconnect")).reason, 0x98);
  assert.equal(await stranger.publish("anything"), 0x10);
});

Deno.test("mosquitto_sparkplug_aware keeps birth certificates that nobody can forge", async () => {
  await using scene = new Scene();
  const certificates = "$sparkplug/certificates/spBv1.0/g";
  const lines = ["plugin mosquitto_sparkplug_aware.so", ...persistent(scene.directory)];
  let broker = await scene.start([...lines]);
  {
    await using node = await client(broker.port, "node");
    assert.equal(await node.publish("spBv1.0/g/NBIRTH/n", "old"), 0x10);
    assert.equal(await node.publish("spBv1.0/g/NBIRTH/n", "node"), 0x10);
    assert.equal(await node.publish("spBv1.0/g/DBIRTH/n/d", "device"), 0x10);
    for (const type of ["NDATA/n", "NDEATH/n", "NBIRTH/n/d", "DBIRTH/n", "DDATA/n/d"]) {
      assert.equal(await node.publish(`spBv1.0/g/${type}`, "none"), 0x10);
    }
    assert.equal(await node.publish(`${certificates}/NBIRTH/n`, "", true), 0x87);
    assert.equal(await node.publish(`${certificates}/NBIRTH/m`, "forged"), 0x87);
    assert.equal(await node.publish("other", "m"), 0x10);
  }
  // What was acknowledged outlives the process.
  await broker.end("SIGKILL");
  broker = await scene.start([...lines]);
  await using host = await client(broker.port, "host");
  assert.equal(await host.subscribe("$sparkplug/certificates/#"), 0);
  const kept = [await host.message(), await host.message()].sort();
  assert.deepEqual(kept, [
    `${certificates}/DBIRTH/n/d device retained`,
    `${certificates}/NBIRTH/n node retained`,
  ]);
  await using node = await client(broker.port, "node");
  assert.equal(await node.publish("spBv1.0/g/NBIRTH/n", "newer"), 0x10);
  assert.equal(await host.message(), `${certificates}/NBIRTH/n newer`);
  assert.equal(host.tcp.waiting, 0);
});

Deno.test("without mosquitto_sparkplug_aware a birth is a message like any other", async () => {
  await using scene = new Scene();
  const broker = await scene.start([]);
  await using one = await client(broker.port, "one");
  assert.equal(await one.subscribe("$sparkplug/#"), 0);
  assert.equal(await one.publish("spBv1.0/g/NBIRTH/n", "birth"), 0x10);
});

Deno.test("enable_control_api lists plugins and listeners, from a reload on or no longer", async () => {
  await using scene = new Scene();
  const request = { commands: [{ command: "listPlugins" }, { command: "listListeners" }] };
  const module = scene.write("my hooks.ts", "export const tick = () => {};\n");
  const lines = (port: number) => [
    `listener ${port} 127.0.0.1`,
    "allow_anonymous true",
    `plugin_load mine ${module}`,
    "plugin_use mine",
    "plugin mosquitto_sparkplug_aware.so",
  ];
  const broker = await scene.startWith((port) => [...lines(port), "enable_control_api true"]);
  const { port } = broker;
  await using one = await client(port, "one");
  assert.deepEqual(await one.control(BROKER, request), {
    responses: [{
      command: "listPlugins",
      data: {
        plugins: [
          { name: "sparkplug-aware", "control-endpoints": [] },
          { name: "my hooks", port, "control-endpoints": [] },
        ],
      },
    }, {
      command: "listListeners",
      data: { listeners: [{ port, protocol: "mqtt", "bind-address": "127.0.0.1", tls: false }] },
    }],
  });
  scene.write("own.conf", `${lines(port).join("\n")}\n`);
  broker.signal("SIGHUP");
  await broker.line(/Changed enable_control_api: true -> false\./);
  assert.deepEqual(await one.control(BROKER, request), { error: "endpoint not available" });
});

Deno.test({
  name: "started as root, plugins are opened by the account that the broker becomes",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using scene = new Scene();
    Deno.chmodSync(scene.directory, 0o777);
    const initial = scene.write("initial", "the administrator\n");
    const module = scene.write(
      "whoami.ts",
      `export function createPlugin(_options: object, host: { log(type: string, text: string): void }) {
        host.log("notice", \`uid \${Deno.uid()}\`);
        return { tick() {} };
      }`,
    );
    for (const path of [initial, module]) Deno.chmodSync(path, 0o644);
    const broker = await scene.start([
      "user nobody",
      `plugin ${module}`,
      "plugin mosquitto_dynamic_security.so",
      `plugin_opt_config_file ${scene.path("dynsec.json")}`,
      `plugin_opt_password_init_file ${initial}`,
    ]);
    const line = await broker.line(/uid \d+$/);
    assert.doesNotMatch(line, /uid 0$/);
    assert.equal(Deno.statSync(scene.path("dynsec.json")).uid, Number(/\d+$/.exec(line)![0]));
    // It can write what it has made.
    await using admin = await client(broker.port, "admin", "admin", "the administrator");
    const request = { commands: [{ command: "createRole", rolename: "r" }] };
    assert.deepEqual(await admin.control(SECURITY, request), {
      responses: [{ command: "createRole" }],
    });
  },
});

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** What the tool prints; it fails when the broker says that a command failed. */
async function runCtrl(port: number, password: string, ...words: string[]): Promise<string> {
  const at = ["-h", "127.0.0.1", "-p", String(port), "-u", "admin", "-P", password];
  const command = new Deno.Command("/usr/bin/mosquitto_ctrl", {
    args: [...at, "dynsec", ...words],
    stdin: "null",
  });
  const { code, stdout, stderr } = await command.output();
  const text = [stderr, stdout].map((bytes) => new TextDecoder().decode(bytes)).join("");
  assert.equal(code, 0, text);
  assert.doesNotMatch(text, /Error/, text);
  return text;
}
