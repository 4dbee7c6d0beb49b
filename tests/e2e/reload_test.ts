import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { BrokerProcess, freePort } from "../support/broker_process.ts";
import { connect, publish, subscribe } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";

/** A line of a password file, in the oldest format: the cheapest. */
function passwordLine(userName: string, password: string): string {
  const salt = new TextEncoder().encode("twelve bytes");
  const hash = createHash("sha512").update(password).update(salt).digest("base64");
  return `${userName}:$6$${btoa("twelve bytes")}$${hash}\n`;
}

/** A broker and the files that it is to read again. */
class Scene implements AsyncDisposable {
  readonly directory = Deno.makeTempDirSync();
  #broker: BrokerProcess | null = null;

  path(name: string): string {
    return `${this.directory}/${name}`;
  }

  write(name: string, text: string): void {
    Deno.writeTextFileSync(this.path(name), text, { mode: 0o600 });
  }

  async start(configuration: readonly string[]): Promise<BrokerProcess> {
    return this.#broker = await BrokerProcess.start(this.directory, { configuration });
  }

  /** Replaces the lines behind that of the listener. */
  configure(configuration: readonly string[]): void {
    const [listener] = Deno.readTextFileSync(this.path("broker.conf")).split("\n");
    this.write("broker.conf", `${listener}\n${configuration.join("\n")}\n`);
  }

  /** Returns the lines that the reload has added to the log, up to the one awaited. */
  async reload(until: RegExp): Promise<string[]> {
    const broker = this.#broker!;
    const from = broker.lines.length;
    broker.signal("SIGHUP");
    await broker.line(until, from);
    return broker.lines.slice(from).map((line) => line.replace(/^\d+: /, ""));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#broker?.[Symbol.asyncDispose]();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

/** The reason that a CONNECT is answered with. */
async function answerTo(port: number, userName: string, password: string): Promise<number> {
  await using client = await TcpClient.open(port, 5);
  void client.send(connect(5, { clientId: crypto.randomUUID(), userName, password }));
  return (await client.next("connack")).reason!;
}

Deno.test("SIGHUP reads passwords, rules and options again, and says what changed", async () => {
  await using scene = new Scene();
  scene.write("passwords", passwordLine("ann", "1") + passwordLine("bob", "2"));
  scene.write("rules", "topic readwrite all/#\nuser ann\ntopic readwrite ann/#\n");
  const files = [`password_file ${scene.path("passwords")}`, `acl_file ${scene.path("rules")}`];
  const { port } = await scene.start(["allow_anonymous true", ...files]);
  await using ann = await TcpClient.connect(port, 5, {
    clientId: "ann",
    userName: "ann",
    password: "1",
  });
  await using bob = await TcpClient.connect(port, 5, {
    clientId: "bob",
    userName: "bob",
    password: "2",
  });
  await using nobody = await TcpClient.connect(port, 5, { clientId: "nobody" });
  void ann.send(subscribe(5, { filters: [["ann/#", 0], ["new/#", 0]] }));
  await ann.next("suback");

  scene.write("passwords", passwordLine("ann", "1") + passwordLine("bob", "other"));
  scene.write("rules", "topic readwrite all/#\nuser ann\ntopic readwrite new/#\n");
  scene.configure([...files, "allow_anonymous false", "max_qos 1", "max_inflight_messages 7"]);
  const lines = await scene.reload(/Changed max_qos/);
  assert.deepEqual(lines.filter((line) => /^(Reload|Changed)/.test(line)), [
    "Reloading config.",
    "Changed allow_anonymous: true -> false.",
    "Changed max_inflight_messages: 20 -> 7.",
    `Changed max_qos (listener ${port} 127.0.0.1): 2 -> 1.`,
  ]);
  // Who may no longer be here is told so and dropped; ann stays, under her new rules.
  for (const client of [bob, nobody]) {
    assert.equal((await client.next("disconnect")).reason, 0x87);
    await client.ended();
  }
  void ann.send(publish(5, { topic: "ann/1", payload: "m" }));
  void ann.send(publish(5, { topic: "new/1", payload: "m" }));
  assert.equal((await ann.next("publish")).topic, "new/1");
  assert.equal(await answerTo(port, "bob", "2"), 0x87);
  assert.equal(await answerTo(port, "bob", "other"), 0);
  await using late = await TcpClient.connect(port, 5, { userName: "bob", password: "other" });
  const told = new Map(late.connack.properties);
  assert.deepEqual([told.get(0x24), told.get(0x21)], [1, 7], "Maximum QoS and Receive Maximum");
});

Deno.test("a reload with a mistake anywhere changes nothing and names them all", async () => {
  await using scene = new Scene();
  scene.write("passwords", passwordLine("ann", "1"));
  scene.write("rules", "topic readwrite #\nuser ann\ntopic readwrite #\n");
  const files = [`password_file ${scene.path("passwords")}`, `acl_file ${scene.path("rules")}`];
  const { port } = await scene.start([...files, "max_inflight_messages 5"]);
  await using ann = await TcpClient.connect(port, 5, { userName: "ann", password: "1" });
  const stays = async () => {
    void ann.send(publish(5, { topic: "t", qos: 1, payload: "m" }));
    assert.equal((await ann.next("puback")).reason, 0x10);
    const fields = { clientId: "late", userName: "ann", password: "1" };
    await using late = await TcpClient.connect(port, 5, fields);
    assert.equal(new Map(late.connack.properties).get(0x21), 5);
  };

  scene.configure([...files, "max_inflight_messages many", "no_such_option 1"]);
  const wrong = await scene.reload(/Nothing is reloaded/);
  const text = wrong.join("\n");
  assert.match(text, /'max_inflight_messages' value not a number/);
  assert.match(text, /Unknown configuration variable 'no_such_option'/);
  assert.match(text, /broker\.conf:\d+/);
  await stays();

  scene.configure([...files, "max_inflight_messages 9"]);
  scene.write("rules", "topic deny\nanything goes\n");
  scene.write("passwords", "ann:plain\n");
  const files2 = (await scene.reload(/Nothing is reloaded/)).join("\n");
  assert.match(files2, /Invalid password hash type for user ann/);
  assert.match(files2, /rules:2/);
  await stays();
});

Deno.test("what takes a restart is named and left as it is", async () => {
  await using scene = new Scene();
  const { port } = await scene.start(["allow_anonymous true"]);
  scene.configure(["allow_anonymous true", "listener 1 127.0.0.1", "persistence true"]);
  const lines = await scene.reload(/Changed listener/);
  assert.deepEqual(lines.filter((line) => line.startsWith("Changed")), [
    "Changed persistence: false -> true; this takes a restart.",
    "Changed listener: none -> 1 127.0.0.1; this takes a restart.",
  ]);
  assert.equal(await answerTo(port, "u", "p"), 0);
});

Deno.test("log options change with the reload that brings them", async () => {
  await using scene = new Scene();
  const { port } = await scene.start(["allow_anonymous true"]);
  const file = scene.path("broker.log");
  scene.configure([
    "allow_anonymous true",
    "log_dest stderr",
    `log_dest file ${file}`,
    "log_type all",
  ]);
  await scene.reload(/Changed log_dest/);
  assert.equal(await answerTo(port, "u", "p"), 0);
  assert.match(Deno.readTextFileSync(file), /Changed log_type: .*\n(.*\n)*.*Sending CONNACK to/);
});

Deno.test("a directory that is gone by the time of a reload ends nothing, and the next one works", async () => {
  await using scene = new Scene();
  const directory = scene.path("www");
  Deno.mkdirSync(directory);
  const web = freePort();
  const options = [
    "allow_anonymous true",
    ...[`listener ${web} 127.0.0.1`, "protocol websockets", `http_dir ${directory}`],
  ];
  const { port } = await scene.start(options);
  Deno.removeSync(directory);
  const lines = await scene.reload(/Nothing is reloaded/);
  assert.match(lines.join("\n"), /cannot listen on .*No such file or directory/);
  assert.equal(await answerTo(port, "u", "p"), 0);
  Deno.mkdirSync(directory);
  await scene.reload(/No option has changed/);
});
