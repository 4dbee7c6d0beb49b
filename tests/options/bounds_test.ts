import assert from "node:assert/strict";
import { BrokerProcess, eventually, freePort, withDirectory } from "../support/broker_process.ts";
import { connect, publish } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";

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
