import assert from "node:assert/strict";
import { BrokerProcess, freePort, withDirectory } from "../support/broker_process.ts";
import { connect, publish, subscribe, type Version } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";
import { answer, messages, withAndWithout } from "./with_and_without.ts";

/** Whether a further connection is served while `others` are open. */
async function admits(port: number, others: number, version: Version = 4): Promise<boolean> {
  const clients: TcpClient[] = [];
  try {
    for (let i = 0; i < others; i++) {
      clients.push(await TcpClient.connect(port, version, { clientId: `other-${i}` }));
    }
    return (await answer(port, version, { clientId: "one more" }))?.reason === 0;
  } finally {
    for (const client of clients) await client[Symbol.asyncDispose]();
  }
}

Deno.test("options of each listener", (t) => {
  const ports = { few: freePort(), modern: freePort(), named: freePort(), mounted: freePort() };
  const lines = [
    ...[`listener ${ports.few} 127.0.0.1`, "max_connections 1", "listener_auto_id_prefix few-"],
    ...[`listener ${ports.modern} 127.0.0.1`, "accept_protocol_versions 5"],
    ...[`listener ${ports.named} 127.0.0.1`, "use_username_as_clientid true"],
    "listener_allow_anonymous true",
    ...[`listener ${ports.mounted} 127.0.0.1`, "mount_point below/"],
  ];
  return withAndWithout(() => lines, async ({ set, plain }) => {
    await t.step("max_connections: a further one is closed, on this listener alone", async () => {
      assert.equal(await admits(ports.few, 1), false);
      assert.equal(await admits(set.port, 1), true);
    });
    await t.step("accept_protocol_versions: others are refused", async () => {
      assert.equal((await answer(ports.modern, 4))?.reason, 1);
      assert.equal((await answer(ports.modern, 5))?.reason, 0);
      assert.equal((await answer(plain.port, 4))?.reason, 0);
    });
    await t.step("listener_auto_id_prefix: begins the identifiers of this listener", async () => {
      await using client = await TcpClient.connect(ports.few, 5, { clientId: "" });
      const assigned = client.connack.properties.find(([id]) => id === 0x12)?.[1];
      assert.match(String(assigned), /^few-/);
      const other = await answer(set.port, 5, { clientId: "" });
      assert.match(String(other?.properties.find(([id]) => id === 0x12)?.[1]), /^auto-/);
    });
    await t.step("use_username_as_clientid: without a name nobody comes in", async () => {
      assert.equal((await answer(ports.named, 4, { clientId: "x" }))?.reason, 5);
      assert.equal((await answer(set.port, 4, { clientId: "x" }))?.reason, 0);
    });
    await t.step("mount_point: stands before what the others see", async () => {
      await using watcher = await TcpClient.connect(set.port, 4, { clientId: "watcher" });
      void watcher.send(subscribe(4, { filters: [["#", 0]] }));
      await watcher.next("suback");
      await using client = await TcpClient.connect(ports.mounted, 4, { clientId: "mounted" });
      void client.send(publish(4, { topic: "a", qos: 1 }));
      await client.next("puback");
      assert.deepEqual((await messages(watcher)).map(({ topic }) => topic), ["below/a"]);
    });
  });
});

Deno.test("options of the whole broker that bound who comes in", (t) =>
  withAndWithout(() => [
    ...["global_max_connections 3", "global_max_clients 2", "connect_timeout 1"],
    ...["clientid_prefixes o", "allow_zero_length_clientid false"],
  ], async ({ set, plain }) => {
    await t.step("global_max_clients: a further session is refused", async () => {
      assert.equal(await admits(set.port, 2, 5), false);
      assert.equal(await admits(plain.port, 2, 5), true);
    });
    await t.step("global_max_connections: a further one is closed", async () => {
      const openAt = async (port: number) => {
        const silent = [];
        for (let i = 0; i < 3; i++) silent.push(await TcpClient.open(port));
        try {
          return await answer(port, 4, { clientId: "o" });
        } finally {
          for (const client of silent) await client[Symbol.asyncDispose]();
        }
      };
      assert.equal(await openAt(set.port), null);
      assert.equal((await openAt(plain.port))?.reason, 0);
    });
    await t.step("connect_timeout: who says nothing is closed", async () => {
      await using patient = await TcpClient.open(plain.port);
      await using client = await TcpClient.open(set.port);
      await client.ended();
      assert.equal(patient.isEnded, false);
    });
    await t.step("clientid_prefixes: other identifiers are refused", async () => {
      assert.equal((await answer(set.port, 4, { clientId: "x" }))?.reason, 5);
      assert.equal((await answer(set.port, 4, { clientId: "ox" }))?.reason, 0);
      assert.equal((await answer(plain.port, 4, { clientId: "x" }))?.reason, 0);
    });
    await t.step("allow_zero_length_clientid: an empty identifier is refused", async () => {
      assert.equal((await answer(set.port, 4, { clientId: "" }))?.reason, 2);
      assert.equal((await answer(plain.port, 4, { clientId: "" }))?.reason, 0);
    });
  }));

Deno.test("allow_anonymous: false lets in nobody without a name", () =>
  withDirectory(async (directory) => {
    await using broker = await BrokerProcess.start(directory, {
      configuration: ["allow_anonymous false"],
    });
    assert.equal((await answer(broker.port, 4))?.reason, 5);
    await withDirectory(async (other) => {
      await using plain = await BrokerProcess.start(other);
      assert.equal((await answer(plain.port, 4))?.reason, 0);
    });
  }));

Deno.test("max_packet_size: a larger packet ends the connection", () =>
  withAndWithout(() => ["max_packet_size 100"], async ({ set, plain }) => {
    const isEnded = async (port: number) => {
      await using client = await TcpClient.connect(port, 4);
      void client.send(publish(4, { topic: "t", payload: "x".repeat(100), qos: 1 }));
      try {
        await client.next("puback");
        return false;
      } catch (error) {
        if (client.isEnded) return true;
        throw error;
      }
    };
    assert.deepEqual([await isEnded(set.port), await isEnded(plain.port)], [true, false]);
  }));

Deno.test("retain_available: false refuses retained messages", () =>
  withAndWithout(() => ["retain_available false"], async ({ set, plain }) => {
    const reason = async (port: number) => {
      await using client = await TcpClient.connect(port, 5);
      void client.send(publish(5, { topic: "t", payload: "x", qos: 1, retain: true }));
      const { type, reason } = await client.next();
      return [type, reason];
    };
    assert.deepEqual(await reason(set.port), ["disconnect", 0x9a]);
    assert.equal((await reason(plain.port))[0], "puback");
  }));

Deno.test("include_dir, port and bind_address: make the listener that they say", () =>
  withDirectory(async (directory) => {
    const port = freePort();
    Deno.mkdirSync(`${directory}/d`);
    Deno.writeTextFileSync(`${directory}/d/a.conf`, "allow_anonymous true\nmax_keepalive 30\n");
    const file = `${directory}/main.conf`;
    Deno.writeTextFileSync(
      file,
      `port ${port}\nbind_address 127.0.0.1\ninclude_dir ${directory}/d\n`,
    );
    await using broker = BrokerProcess.spawn({ port, args: ["-c", file] });
    await broker.line(/ running$/);
    assert.equal((await answer(port, 4, { keepAliveSeconds: 31 }))?.reason, 2);
    await assert.rejects(Deno.connect({ hostname: "127.0.0.2", port }));
  }));

Deno.test("persistence, persistence_location and persistence_file: where the state is kept", () =>
  withAndWithout((directory) => [
    ...["persistence true", `persistence_location ${directory}`, "persistence_file here"],
    "persistence_min_free 1048576",
  ], async ({ set, plain, directory }) => {
    for (const { port } of [set, plain]) {
      await using client = await TcpClient.open(port, 4);
      void client.send(connect(4));
      void client.send(publish(4, { topic: "t", payload: "x", qos: 1, retain: true }));
      await client.next("connack");
      await client.next("puback");
    }
    assert(Deno.statSync(`${directory}/here`).isDirectory);
    assert(plain.lines.some((line) => line.includes("Persistence is off")));
  }));
