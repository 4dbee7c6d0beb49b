import assert from "node:assert/strict";
import {
  BrokerProcess,
  eventually,
  freePort,
  pause,
  withDirectory,
} from "../support/broker_process.ts";
import { connect, Property, property, publish, subscribe } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";
import { arrived, messages, withAndWithout } from "./with_and_without.ts";

/** Names in a directory; none while it is not there. */
function namesIn(directory: string): string[] {
  try {
    return [...Deno.readDirSync(directory)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

Deno.test("bind_interface: only the addresses of that interface are listened on", () =>
  withDirectory(async (directory) => {
    const [bound, free] = [freePort(), freePort()];
    const configuration = [
      ...[`listener ${bound}`, "bind_interface lo", "socket_domain ipv4"],
      ...[`listener ${free}`, "socket_domain ipv4"],
    ];
    await using broker = await BrokerProcess.start(directory, { configuration });
    await broker.line(new RegExp(`listen socket on port ${bound} \\(127\\.0\\.0\\.1\\)`));
    await broker.line(new RegExp(`listen socket on port ${free} \\(0\\.0\\.0\\.0\\)`));
  }));

Deno.test("max_pending_connections: at the bound a further one waits for those before it", () =>
  withDirectory(async (directory) => {
    const configuration = ["max_pending_connections 2", "connect_timeout 1"];
    await using broker = await BrokerProcess.start(directory, { configuration });
    const startedAtMs = performance.now();
    await using _first = await TcpClient.open(broker.port);
    await using _second = await TcpClient.open(broker.port);
    await eventually(
      () => broker.lines.filter((line) => /New connection from/.test(line)).length === 2,
      () => "the silent ones do not come in",
    );
    await using third = await TcpClient.open(broker.port);
    void third.send(connect(4, { clientId: "third" }));
    assert.equal((await third.next("connack")).reason, 0);
    // The silent ones are turned out by their time-out, and not a moment sooner.
    assert.ok(performance.now() - startedAtMs >= 900);
  }));

Deno.test("backup_keep: the older backups are removed", () =>
  withDirectory(async (directory) => {
    const configuration = [
      ...["persistence true", `persistence_location ${directory}`, "persistence_file store"],
      ...["backup_interval 1", "backup_keep 1", "persistence_min_free 1"],
    ];
    await using broker = await BrokerProcess.start(directory, { configuration });
    await using client = await TcpClient.connect(broker.port, 4, { clientId: "c" });
    const backups = () =>
      namesIn(`${directory}/store/backup`).filter((name) => !name.startsWith("unfinished"));
    const change = async (payload: string) => {
      void client.send(publish(4, { topic: "t", qos: 1, packetId: 1, retain: true, payload }));
      await client.next("puback");
    };
    await change("1");
    await eventually(() => backups().length === 1, () => "no backup is made");
    const [oldest] = backups();
    await change("2");
    await eventually(() => !backups().includes(oldest), () => "the first backup stays");
    await eventually(() => backups().length === 1, () => `${backups()}`);
  }));

Deno.test("restart_timeout: how long a bridge waits before it tries again", () =>
  withDirectory(async (directory) => {
    // Nobody listens there.
    const address = `address 127.0.0.1:${freePort()}`;
    const configuration = [
      ...["connection constant", address, "topic a out", "restart_timeout 7"],
      ...["connection chance", address, "topic b out"],
    ];
    await using broker = await BrokerProcess.start(directory, { configuration });
    await broker.line(/Bridge constant next backoff will be 7000 ms/);
    const line = await broker.line(/Bridge chance next backoff will be \d+ ms/);
    const [, waitMs] = /be (\d+) ms/.exec(line)!;
    assert.ok(Number(waitMs) >= 5000 && Number(waitMs) <= 15_000, line);
  }));

Deno.test("max_unsent_bytes: what one client's burst brings beyond it is dropped", () =>
  withDirectory(async (directory) => {
    const filters = Array.from({ length: 20 }, (_, index): [string, number] => [
      "+/".repeat(index) + "#",
      0,
    ]);
    const received: number[] = [];
    for (const lines of [["max_unsent_bytes 65536"], []]) {
      const configuration = ["allow_duplicate_messages true", ...lines];
      await using broker = await BrokerProcess.start(directory, { configuration });
      await using client = await TcpClient.connect(broker.port, 4, { clientId: "reader" });
      void client.send(subscribe(4, { filters }));
      await client.next("suback");
      const topic = "a/".repeat(19) + "a";
      void client.send(publish(4, { topic, payload: "x".repeat(20_000) }));
      received.push((await messages(client)).length);
    }
    const [bounded, unbounded] = received;
    assert.equal(unbounded, 20);
    assert.ok(bounded >= 2 && bounded <= 5, `${bounded}`);
  }));

Deno.test("retain_expiry_interval: expired messages are removed by themselves", () =>
  withAndWithout(
    () => ["retain_expiry_interval 1", "sys_interval 1"],
    async ({ set, plain }) => {
      /** Whether there are more retained messages than those below $SYS. */
      const hasMany = async (port: number) => {
        await using client = await TcpClient.connect(port, 4, { clientId: "counter" });
        void client.send(subscribe(4, { filters: [["$SYS/broker/retained messages/count", 0]] }));
        await client.next("suback");
        const { payload } = await client.next("publish");
        return Number(new TextDecoder().decode(payload)) >= 500;
      };
      for (const { port } of [set, plain]) {
        await using client = await TcpClient.connect(port, 5, { clientId: "publisher" });
        const properties = property(Property.messageExpiryInterval, 1);
        for (let number = 0; number < 500; number++) {
          void client.send(
            publish(5, { topic: `short/${number}`, payload: "x", retain: true, properties }),
          );
        }
        await arrived(client);
      }
      for (const { port } of [set, plain]) {
        await eventually(() => hasMany(port), () => "they are not retained");
      }
      // A minute is the shortest interval there is.
      await pause(60_000);
      await eventually(async () => !await hasMany(set.port), () => "they stay");
      assert.equal(await hasMany(plain.port), true);
    },
  ));
