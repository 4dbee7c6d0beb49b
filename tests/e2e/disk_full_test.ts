import assert from "node:assert/strict";
import {
  BrokerProcess,
  eventually,
  freePort,
  pause,
  persistent,
  withDirectory,
} from "../support/broker_process.ts";
import { LastingClient } from "../support/lasting_client.ts";
import { concat, pingreq, publish, subscribe } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";

const MIB = 1024 * 1024;
const DISK = 48 * MIB;
const MINIMUM_FREE = 16 * MIB;

function mount(directory: string): boolean {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  const args = ["-t", "tmpfs", "-o", `size=${DISK}`, "tmpfs", directory];
  try {
    return new Deno.Command("mount", { args, stderr: "null" }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function unmount(directory: string): void {
  new Deno.Command("umount", { args: ["-l", directory] }).outputSync();
}

/** Mounting needs root and the right to it, which containers often lack. */
const CAN_MOUNT = (() => {
  const directory = Deno.makeTempDirSync();
  const can = mount(directory);
  if (can) unmount(directory);
  Deno.removeSync(directory);
  return can;
})();

/** A broker with its store on a small disk of its own, and an HTTP interface at `admin`. */
function testOnSmallDisk(
  name: string,
  test: (
    start: () => Promise<BrokerProcess>,
    disk: string,
    readiness: () => Promise<{ status: number; reason: string }>,
  ) => Promise<void>,
): void {
  const fn = () =>
    withDirectory(async (directory) => {
      const disk = `${directory}/disk`;
      Deno.mkdirSync(disk);
      assert.ok(mount(disk));
      const admin = freePort();
      const configuration = [
        ...persistent(disk).filter((line) => !line.startsWith("persistence_min_free")),
        `persistence_min_free ${MINIMUM_FREE}`,
        "max_queued_messages 0",
        `admin_listener ${admin}`,
      ];
      const readiness = async () => {
        const answer = await fetch(`http://127.0.0.1:${admin}/readyz`);
        return { status: answer.status, reason: (await answer.json()).reason as string };
      };
      try {
        await test(() => BrokerProcess.start(directory, { configuration }), disk, readiness);
      } finally {
        unmount(disk);
      }
    });
  Deno.test({ name, ignore: !CAN_MOUNT, fn });
}

/** A client that is away, and whose session gets everything published to "kept/#". */
async function subscriberAway(port: number): Promise<LastingClient> {
  const subscriber = new LastingClient(4, "away");
  await subscriber.connect(port);
  await new Promise<void>((resolve) => subscriber.subscribe("kept/#", 1, resolve));
  await subscriber.disconnect();
  return subscriber;
}

/** Publishes at QoS 1 and returns the reason in the PUBACK. */
async function reasonFor(client: TcpClient, number: number, bytes = 1000): Promise<number> {
  const payload = `${number} `.padEnd(bytes, ".");
  void client.send(publish(5, { topic: "kept/a", payload, qos: 1, packetId: 1 + number % 1000 }));
  return (await client.next("puback")).reason!;
}

/** What the subscriber took, by number, after it has taken the message with this number. */
async function numbersUpTo(subscriber: LastingClient, last: number): Promise<number[]> {
  const numbers = () => subscriber.taken.map(({ text }) => parseInt(text));
  await eventually(() => numbers().includes(last), () => `${numbers()} without ${last}`);
  return numbers();
}

testOnSmallDisk(
  "too little room: what must be kept is refused with 0x97, QoS 0 flows, and it is over with room",
  async (start, disk, readiness) => {
    await using broker = await start();
    const { port } = broker;
    await using subscriber = await subscriberAway(port);
    await using live = await TcpClient.connect(port, 5, { clientId: "live" });
    void live.send(subscribe(5, { filters: [["passing", 0]] }));
    await live.next("suback");
    await using publisher = await TcpClient.connect(port, 5, { clientId: "publisher" });
    await using old = await TcpClient.connect(port, 4, { clientId: "old" });
    assert.deepEqual(await readiness(), { status: 200, reason: "" });

    const acknowledged: number[] = [];
    let number = 0;
    const publishNext = async () => {
      const reason = await reasonFor(publisher, ++number);
      assert.ok(reason === 0 || reason === 0x97, `reason ${reason}`);
      if (reason === 0) acknowledged.push(number);
      return reason;
    };
    for (let count = 0; count < 20; count++) assert.equal(await publishNext(), 0);

    // Another program fills the disk below what we leave free.
    Deno.writeFileSync(`${disk}/ballast`, new Uint8Array(DISK - MINIMUM_FREE));
    await eventually(async () => await publishNext() === 0x97, () => "it goes on acknowledging");
    const { status, reason } = await readiness();
    assert.equal(status, 503);
    assert.match(reason, /free for .*minimum/);
    // MQTT 3 has no word for it: no PUBACK, but the connection lives.
    void old.send(concat(
      publish(4, { topic: "kept/old", payload: "0", qos: 1, packetId: 9 }),
      pingreq(),
    ));
    await old.next("pingresp");
    // Retained messages must be kept as well; QoS 2 is refused in its PUBREC.
    void publisher.send(
      publish(5, { topic: "r", payload: "x", retain: true, qos: 1, packetId: 5 }),
    );
    assert.equal((await publisher.next("puback")).reason, 0x97);
    void publisher.send(publish(5, { topic: "kept/two", payload: "0", qos: 2, packetId: 6 }));
    assert.equal((await publisher.next("pubrec")).reason, 0x97);
    // What need not be kept goes its way.
    void publisher.send(publish(5, { topic: "passing", payload: "by" }));
    assert.equal((await live.next("publish")).topic, "passing");

    Deno.removeSync(`${disk}/ballast`);
    await eventually(async () => await publishNext() === 0, () => "it never goes on");
    await eventually(async () => (await readiness()).status === 200, () => "it is never ready");
    assert.equal(await publishNext(), 0);
    broker.assertNoDefect();
    await broker.end("SIGKILL");

    await using again = await start();
    await subscriber.connect(again.port);
    const came = await numbersUpTo(subscriber, number);
    assert.deepEqual(acknowledged.filter((one) => !came.includes(one)), []);
    assert.deepEqual(came, [...came].sort((a, b) => a - b));
  },
);

testOnSmallDisk(
  "a disk that fills up at once: nothing is acknowledged that is not kept, nobody dies of it",
  async (start, disk, readiness) => {
    await using broker = await start();
    await using subscriber = await subscriberAway(broker.port);
    await using publisher = await TcpClient.connect(broker.port, 5, { clientId: "publisher" });
    const acknowledged: number[] = [];
    let number = 0;
    assert.equal(await reasonFor(publisher, ++number), 0);
    acknowledged.push(number);

    // Faster than the broker looks: it meets the full disk in the middle of a commit.
    using ballast = Deno.openSync(`${disk}/ballast`, { write: true, create: true });
    const fill = () => {
      const block = new Uint8Array(MIB);
      try {
        for (;;) ballast.writeSync(block.subarray(ballast.writeSync(block)));
      } catch (error) {
        // No space left: as it should be.
        if (!(error instanceof Error)) throw error;
      }
    };
    publisher.handler = (packet) => {
      if (packet.type === "puback" && packet.reason === 0) acknowledged.push(packet.packetId!);
    };
    const send = () => {
      const payload = `${++number} `.padEnd(20_000, ".");
      return publisher.send(
        publish(5, { topic: "kept/a", payload, qos: 1, packetId: number }),
      );
    };
    for (let count = 0; count < 100; count++) {
      if (count === 20) fill();
      await send();
    }
    await eventually(async () => (await readiness()).status === 503, () => "it is ready");
    assert.equal(broker.hasEnded, false);
    await using other = await TcpClient.connect(broker.port, 4, { clientId: "other" });
    void other.send(pingreq());
    await other.next("pingresp");

    ballast.truncateSync(0);
    Deno.removeSync(`${disk}/ballast`);
    await eventually(async () => (await readiness()).status === 200, () => "it is never ready");
    const before = acknowledged.length;
    await eventually(async () => {
      await send();
      await pause(50);
      return acknowledged.length > before;
    }, () => "nothing is acknowledged any more");
    broker.assertNoDefect();
    await broker.end("SIGKILL");

    await using again = await start();
    await subscriber.connect(again.port);
    const came = await numbersUpTo(subscriber, Math.max(...acknowledged));
    assert.deepEqual(acknowledged.filter((one) => !came.includes(one)), []);
  },
);
