import assert from "node:assert/strict";
import {
  BrokerProcess,
  configurationText,
  eventually,
  fingerprint,
  freePort,
  persistent,
  withDirectory,
} from "../support/broker_process.ts";
import { concat, connect, pingreq, publish, subscribe } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";

const LINUX = Deno.build.os === "linux";

/** Runs the program to its end. */
async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string[] }> {
  await using broker = BrokerProcess.spawn({ port: 0, args });
  const code = await broker.exitStatus();
  return { code, stdout: broker.stdout, stderr: [...broker.lines] };
}

function writeConfiguration(directory: string, port: number, further: string[]): string {
  const file = `${directory}/other.conf`;
  Deno.writeTextFileSync(file, configurationText(port, further));
  return file;
}

async function canConnect(hostname: string, port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname, port })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
}

/** Publishes at QoS 1 and waits for the PUBACK. */
async function retain(port: number, topic: string, payload: string): Promise<void> {
  await using client = await TcpClient.connect(port, 4, { clientId: "retainer" });
  void client.send(publish(4, { topic, payload, qos: 1, retain: true }));
  await client.next("puback");
}

/** The retained messages, once all of them have come. */
async function retained(port: number): Promise<Record<string, string>> {
  await using client = await TcpClient.connect(port, 4, { clientId: "reader" });
  void client.send(subscribe(4, { filters: [["#", 0]] }));
  await client.next("suback");
  // Behind the retained messages, as QoS 0 keeps its order.
  void client.send(publish(4, { topic: "marker", payload: "all" }));
  const found: Record<string, string> = {};
  for (;;) {
    const { topic, payload } = await client.next("publish");
    if (topic === "marker") return found;
    found[topic!] = new TextDecoder().decode(payload);
  }
}

Deno.test("SIGTERM and SIGINT end it with status 0, everything saved", () =>
  withDirectory(async (directory) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      await using broker = await BrokerProcess.start(directory, {
        configuration: [...persistent(directory), "autosave_interval 0"],
      });
      await retain(broker.port, `by/${signal}`, "kept");
      assert.equal(await broker.end(signal), 0);
      assert.ok(broker.lines.some((line) => line.endsWith(" terminating")));
      broker.assertNoDefect();
      assert.ok(Deno.statSync(`${directory}/store`).isDirectory);
      assert.equal(Deno.readTextFileSync(`${directory}/store/state`).trim(), "clean");
    }
    await using broker = await BrokerProcess.start(directory, {
      configuration: persistent(directory),
    });
    assert.deepEqual(await retained(broker.port), { "by/SIGTERM": "kept", "by/SIGINT": "kept" });
  }));

Deno.test("at SIGTERM MQTT 5 clients are told 0x8B, MQTT 3 clients just closed, Wills sent", () =>
  withDirectory(async (directory) => {
    await using broker = await BrokerProcess.start(directory, {
      configuration: persistent(directory),
    });
    const { port } = broker;
    const will = { topic: "wills/a", payload: "gone", qos: 1, retain: true };
    await using five = await TcpClient.connect(port, 5, { clientId: "five", will });
    await using four = await TcpClient.connect(port, 4, { clientId: "four" });
    await using three = await TcpClient.connect(port, 3, { clientId: "three" });
    await using silent = await TcpClient.open(port);
    assert.equal(await broker.end(), 0);
    assert.deepEqual((await five.ended()).map(({ type, reason }) => [type, reason]), [
      ["disconnect", 0x8b],
    ]);
    for (const client of [four, three, silent]) assert.deepEqual(await client.ended(), []);

    await using again = await BrokerProcess.start(directory, {
      configuration: persistent(directory),
      port,
    });
    assert.deepEqual(await retained(again.port), { "wills/a": "gone" });
  }));

Deno.test("a client that does not read cannot hold up the end", () =>
  withDirectory(async (directory) => {
    await using broker = await BrokerProcess.start(directory);
    await using publisher = await TcpClient.connect(broker.port, 4, { clientId: "publisher" });
    await using deaf = await TcpClient.open(broker.port, 5, false);
    void deaf.send(concat(
      connect(5, { clientId: "deaf" }),
      subscribe(5, { filters: [["flood", 0]] }),
    ));
    await broker.line(/ as deaf /);
    // More than the two sockets' buffers hold.
    for (let sent = 0; sent < 16; sent++) {
      void publisher.send(publish(4, { topic: "flood", payload: new Uint8Array(1_000_000) }));
    }
    void publisher.send(pingreq());
    await publisher.next("pingresp");
    assert.equal(await broker.end(), 0);
  }));

Deno.test("mistakes of a configuration end with status 3, file and line on stderr", () =>
  withDirectory(async (directory) => {
    const file = writeConfiguration(directory, freePort(), ["max_qeued_messages 5", "listener"]);
    for (const args of [["-c", file], ["--test-config", "-c", file], ["check-config", file]]) {
      const { code, stdout, stderr } = await run(...args);
      assert.equal(code, 3, args.join(" "));
      assert.equal(stdout, "");
      assert.match(stderr.join("\n"), /^Error: .*max_qeued_messages/m);
      assert.match(stderr.join("\n"), /other\.conf:3/);
      assert.match(stderr.join("\n"), /other\.conf:4/, "the second mistake is told as well");
    }
    const missing = await run("-c", `${directory}/none.conf`);
    assert.equal(missing.code, 3);
    assert.match(missing.stderr.join("\n"), /^Error: .*none\.conf/m);
  }));

Deno.test("a good configuration is told to be good, and nothing is started or made", () =>
  withDirectory(async (directory) => {
    const file = writeConfiguration(directory, freePort(), persistent(directory));
    for (const args of [["--test-config", "-c", file], ["check-config", "-c", file]]) {
      const { code, stdout, stderr } = await run(...args);
      assert.deepEqual([code, stdout, stderr], [0, "", ["Configuration file is OK."]]);
    }
    assert.deepEqual([...Deno.readDirSync(directory)].map(({ name }) => name), ["other.conf"]);
  }));

Deno.test("--version and -h speak on stdout with status 0; unknown options end with 3", async () => {
  const version = await run("--version");
  assert.equal(version.code, 0);
  assert.match(version.stdout, /^sabethes version \d+\.\d+\.\d+\n$/);
  assert.deepEqual(version.stderr, []);
  const help = await run("-h");
  assert.equal(help.code, 0);
  assert.match(help.stdout, /^Usage: sabethes/);
  const unknown = await run("--unheard-of");
  assert.equal(unknown.code, 3);
  assert.match(unknown.stderr.join("\n"), /^Error: Unknown option '--unheard-of'/m);
});

Deno.test("a port that is taken ends with status 1; a first start leaves no directory behind", () =>
  withDirectory(async (directory) => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: freePort() });
    const { port } = taken.addr as Deno.NetAddr;
    const file = writeConfiguration(directory, port, persistent(directory));
    const { code, stderr } = await run("-c", file);
    assert.equal(code, 1);
    assert.match(stderr.join("\n"), new RegExp(`^Error: .*127\\.0\\.0\\.1:${port}`, "m"));
    assert.deepEqual([...Deno.readDirSync(directory)].map(({ name }) => name), ["other.conf"]);
  }));

Deno.test("failed starts, checks and --version leave a store byte for byte as it was", () =>
  withDirectory(async (directory) => {
    {
      await using broker = await BrokerProcess.start(directory, {
        configuration: persistent(directory),
      });
      await retain(broker.port, "kept", "x".repeat(5000));
      // Left behind by a crash it has most to lose.
      await broker.end("SIGKILL");
    }
    using taken = Deno.listen({ hostname: "127.0.0.1", port: freePort() });
    const { port } = taken.addr as Deno.NetAddr;
    const good = writeConfiguration(directory, port, persistent(directory));
    const bad = `${directory}/bad.conf`;
    Deno.writeTextFileSync(bad, configurationText(port, [...persistent(directory), "nonsense 1"]));
    const before = await fingerprint(`${directory}/store`);
    const statuses: number[] = [];
    for (
      const args of [
        ["-c", good],
        ["-c", bad],
        ["check-config", good],
        ["--test-config", "-c", good],
        ["--version"],
        ["-h"],
      ]
    ) {
      statuses.push((await run(...args)).code);
      assert.deepEqual(await fingerprint(`${directory}/store`), before, args.join(" "));
    }
    assert.deepEqual(statuses, [1, 3, 0, 0, 0, 0]);
  }));

Deno.test("a second broker on the same store ends with status 3; the first is undisturbed", () =>
  withDirectory(async (directory) => {
    await using first = await BrokerProcess.start(directory, {
      configuration: persistent(directory),
    });
    await retain(first.port, "kept", "by the first");
    await using client = await TcpClient.connect(first.port, 5, { clientId: "watching" });
    const before = await fingerprint(`${directory}/store`);
    const file = writeConfiguration(directory, freePort(), persistent(directory));
    const { code, stderr } = await run("-c", file);
    assert.equal(code, 3);
    assert.match(
      stderr.join("\n"),
      new RegExp(`^Error: another broker \\(pid ${first.pid}\\)`, "m"),
    );
    assert.deepEqual(await fingerprint(`${directory}/store`), before);
    assert.equal(client.isEnded, false);
    await first.end("SIGKILL");

    // The lock dies with its process.
    await using second = await BrokerProcess.start(directory, {
      configuration: persistent(directory),
    });
    assert.deepEqual(await retained(second.port), { kept: "by the first" });
  }));

Deno.test("a store whose lock and state files were removed is still one broker's alone", () =>
  withDirectory(async (directory) => {
    const configuration = persistent(directory);
    await using first = await BrokerProcess.start(directory, { configuration });
    await retain(first.port, "before", "1");
    for (const name of ["broker.lock", "state"]) Deno.removeSync(`${directory}/store/${name}`);
    const file = writeConfiguration(directory, freePort(), configuration);
    const { code, stderr } = await run("-c", file);
    assert.equal(code, 3);
    assert.match(stderr.join("\n"), /^Error: another broker/m);
    await retain(first.port, "after", "2");
    await first.end("SIGKILL");
    await using second = await BrokerProcess.start(directory, { configuration });
    assert.deepEqual(await retained(second.port), { before: "1", after: "2" });
    assert.equal(await second.end(), 0);
  }));

Deno.test("a database of Mosquitto's is left alone, and the broker starts beside it", () =>
  withDirectory(async (directory) => {
    const foreign = `${directory}/mosquitto.db`;
    const bytes = new TextEncoder().encode("\u0000?\u0000mosquitto db and what is in it");
    bytes[1] = 0xb5;
    Deno.writeFileSync(foreign, bytes);
    const configuration = ["persistence true", `persistence_location ${directory}/`];
    for (const expected of [{}, { a: "1" }] as Record<string, string>[]) {
      await using broker = await BrokerProcess.start(directory, { configuration });
      assert.ok(broker.lines.some((line) => /Warning: .*Mosquitto/.test(line)));
      assert.deepEqual(await retained(broker.port), expected);
      await retain(broker.port, "a", "1");
      assert.equal(await broker.end(), 0);
      assert.deepEqual(Deno.readFileSync(foreign), bytes);
    }
  }));

Deno.test("the store's files are its owner's alone", () =>
  withDirectory(async (directory) => {
    await using broker = await BrokerProcess.start(directory, {
      configuration: [
        "persistence true",
        `persistence_location ${directory}/new/deep`,
        "persistence_file store",
      ],
    });
    await retain(broker.port, "a", "1");
    const modes = (path: string) => Deno.statSync(path).mode! & 0o777;
    assert.equal(modes(`${directory}/new/deep/store`), 0o700);
    const names = [...Deno.readDirSync(`${directory}/new/deep/store`)].map(({ name }) => name);
    assert.deepEqual(names.sort(), ["broker.lock", "data.mdb", "lock.mdb", "state"]);
    for (const name of names) assert.equal(modes(`${directory}/new/deep/store/${name}`), 0o600);
  }));

Deno.test("the log goes to stderr with Unix time, and says what is kept and where", () =>
  withDirectory(async (directory) => {
    await using broker = await BrokerProcess.start(directory, {
      configuration: persistent(directory),
    });
    const client = await TcpClient.connect(broker.port, 4, { clientId: "seen" });
    await client[Symbol.asyncDispose]();
    await broker.line(/Client seen \[/);
    for (const line of broker.lines) assert.match(line, /^\d{10}: /);
    const log = broker.lines.join("\n");
    assert.match(log, /New client connected from 127\.0\.0\.1:\d+ as seen \(p4, c1, k60\)\./);
    assert.match(log, new RegExp(`listen socket on port ${broker.port}`));
    assert.match(log, new RegExp(`Store: ${directory}/store`));
    assert.match(log, /Durability: sync/);
    assert.equal(await broker.end(), 0);
    assert.equal(broker.stdout, "");
  }));

Deno.test("-v logs all types, -q nothing", () =>
  withDirectory(async (directory) => {
    const file = writeConfiguration(directory, freePort(), []);
    const [, port] = /listener (\d+)/.exec(Deno.readTextFileSync(file))!;
    {
      await using verbose = await BrokerProcess.start(directory, {
        args: ["-v", "-c", file],
        port: Number(port),
      });
      await retained(verbose.port);
      await verbose.line(/^\d+: reader 0 #$/);
      assert.equal(await verbose.end(), 0);
    }
    await using quiet = BrokerProcess.spawn({ args: ["-q", "-c", file], port: Number(port) });
    await eventually(() => canConnect("127.0.0.1", quiet.port), () => "not listening");
    await retain(quiet.port, "a", "1");
    assert.equal(await quiet.end(), 0);
    assert.deepEqual(quiet.lines, []);
  }));

Deno.test("without a configuration -p listens on loopback alone, takes anybody, keeps nothing", () =>
  withDirectory(async (directory) => {
    const port = freePort();
    await using broker = await BrokerProcess.start(directory, {
      args: ["-p", String(port)],
      port,
      cwd: directory,
    });
    await retain(port, "a", "1");
    assert.deepEqual(await retained(port), { a: "1" });
    for (const { address, family } of Deno.networkInterfaces()) {
      if (family !== "IPv4") continue;
      assert.equal(await canConnect(address, port), address === "127.0.0.1", address);
    }
    assert.equal(await canConnect("127.0.0.1", 18083), false, "no port that was not asked for");
    assert.equal(await broker.end(), 0);
    assert.deepEqual([...Deno.readDirSync(directory)].map(({ name }) => name), ["broker.conf"]);
  }));

Deno.test("-p is ignored when the configuration has a listener", () =>
  withDirectory(async (directory) => {
    const other = freePort();
    const port = freePort();
    const file = writeConfiguration(directory, port, []);
    await using broker = await BrokerProcess.start(directory, {
      args: ["-p", String(other), "-c", file],
      port,
    });
    assert.equal(await canConnect("127.0.0.1", broker.port), true);
    assert.equal(await canConnect("127.0.0.1", other), false);
  }));

Deno.test("the HTTP interface is open where admin_listener says so, and nowhere else", () =>
  withDirectory(async (directory) => {
    const admin = freePort();
    await using broker = await BrokerProcess.start(directory, {
      configuration: [`admin_listener ${admin}`],
    });
    const answer = await fetch(`http://127.0.0.1:${admin}/readyz`);
    assert.deepEqual([answer.status, await answer.json()], [200, { ready: true, reason: "" }]);
    assert.equal(await broker.end(), 0);
    assert.equal(await canConnect("127.0.0.1", admin), false);
  }));

Deno.test({
  name: "SIGHUP and SIGUSR2 do not end it",
  ignore: !LINUX,
  fn: () =>
    withDirectory(async (directory) => {
      await using broker = await BrokerProcess.start(directory);
      await using client = await TcpClient.connect(broker.port, 5, { clientId: "watching" });
      const from = broker.lines.length;
      broker.signal("SIGHUP");
      await broker.line(/Reload/, from);
      broker.signal("SIGUSR2");
      await eventually(() => broker.stdout !== "", () => "no tree on stdout");
      await retain(broker.port, "a", "1");
      assert.deepEqual([broker.hasEnded, client.isEnded], [false, false]);
      assert.equal(await broker.end(), 0);
    }),
});

Deno.test("a CONNECT that comes while the broker starts is served", () =>
  withDirectory(async (directory) => {
    const port = freePort();
    const file = writeConfiguration(directory, port, persistent(directory));
    await using broker = BrokerProcess.spawn({ args: ["-c", file], port });
    let client: TcpClient | null = null;
    await eventually(async () => {
      client = await TcpClient.connect(port, 4, { clientId: "early" }).catch((error) => {
        if (error instanceof Deno.errors.ConnectionRefused) return null;
        throw error;
      });
      return client !== null;
    }, () => broker.lines.join("\n"));
    await client![Symbol.asyncDispose]();
    assert.equal(await broker.end(), 0);
  }));
