import assert from "node:assert/strict";
import {
  BrokerProcess,
  eventually,
  pause,
  persistent,
  withDirectory,
} from "../support/broker_process.ts";
import {
  concat,
  connect,
  disconnect,
  hex,
  pingreq,
  publish,
  subscribe,
  type Version,
} from "../support/packets.ts";
import { LastingClient } from "../support/lasting_client.ts";
import { TcpClient } from "../support/tcp_client.ts";

const LINUX = Deno.build.os === "linux";
const MIB = 1024 * 1024;

function withBroker(
  configuration: readonly string[],
  test: (broker: BrokerProcess, directory: string) => Promise<void>,
): Promise<void> {
  return withDirectory(async (directory) => {
    await using broker = await BrokerProcess.start(directory, {
      configuration: [...persistent(directory), ...configuration],
    });
    await test(broker, directory);
    broker.assertNoDefect();
    assert.equal(await broker.end(), 0);
  });
}

function linuxTest(
  name: string,
  configuration: readonly string[],
  test: (broker: BrokerProcess, directory: string) => Promise<void>,
): void {
  Deno.test({ name, ignore: !LINUX, fn: () => withBroker(configuration, test) });
}

async function assertServes(broker: BrokerProcess, clientId = "good"): Promise<void> {
  await using client = await TcpClient.connect(broker.port, 5, { clientId });
  void client.send(pingreq());
  await client.next("pingresp");
}

/** Many sockets, opened some at a time so that the backlog holds them. */
async function openMany(broker: BrokerProcess, count: number): Promise<TcpClient[]> {
  const clients: TcpClient[] = [];
  while (clients.length < count) {
    const some = Math.min(50, count - clients.length);
    clients.push(
      ...await Promise.all(Array.from({ length: some }, () => TcpClient.open(broker.port))),
    );
  }
  return clients;
}

async function settle(broker: BrokerProcess, descriptors: number): Promise<void> {
  await eventually(
    () => broker.fileDescriptors() <= descriptors,
    () => `${broker.fileDescriptors()} descriptors are open, ${descriptors} were before`,
  );
}

linuxTest(
  "500 sockets that announce 256 MiB and fall silent cost little, and are closed in time",
  ["connect_timeout 2"],
  async (broker) => {
    await assertServes(broker);
    const descriptors = broker.fileDescriptors();
    const before = broker.anonymousBytes();
    const sockets = await openMany(broker, 500);
    try {
      // Beyond what CONNECT may have: refused as soon as its length is read.
      for (const socket of sockets.slice(250)) void socket.send(hex("10 FF FF FF 7F"));
      // As large as CONNECT may be: waited for.
      for (const socket of sockets.slice(0, 250)) void socket.send(hex("10 F0 FF 05"));
      await Promise.all(
        Array.from({ length: 20 }, (_, index) => assertServes(broker, `good${index}`)),
      );
      const cost = broker.anonymousBytes() - before;
      assert.ok(cost < 20 * MIB, `${Math.round(cost / MIB)} MiB`);
      for (const socket of sockets) assert.deepEqual(await socket.ended(), []);
      await assertServes(broker);
    } finally {
      for (const socket of sockets) await socket[Symbol.asyncDispose]();
    }
    await settle(broker, descriptors);
  },
);

linuxTest(
  "300 CONNECTs that come byte by byte are cut off at connect_timeout, good clients are served",
  ["connect_timeout 2"],
  async (broker) => {
    await assertServes(broker);
    const descriptors = broker.fileDescriptors();
    const sockets = await openMany(broker, 300);
    try {
      const bytes = connect(4, { clientId: "never whole".repeat(100) });
      let at = 0;
      while (sockets.some(({ isEnded }) => !isEnded)) {
        assert.ok(at < bytes.length - 1, "some are still waited for");
        const byte = bytes.subarray(at, ++at);
        await Promise.all(sockets.map((socket) => socket.isEnded || socket.send(byte)));
        await assertServes(broker);
        await pause(100);
      }
      for (const socket of sockets) assert.deepEqual(await socket.ended(), []);
    } finally {
      for (const socket of sockets) await socket[Symbol.asyncDispose]();
    }
    await settle(broker, descriptors);
  },
);

linuxTest(
  "one of 20 subscribers does not read: the others get every message, and memory has a bound",
  ["max_unsent_bytes 1000000"],
  async (broker) => {
    const { port } = broker;
    await using stack = new AsyncDisposableStack();
    const MESSAGES = 20_000;
    const payload = new Uint8Array(1024);
    const counts: number[] = [];
    for (let index = 0; index < 19; index++) {
      const reader = stack.use(await TcpClient.connect(port, 4, { clientId: `reader${index}` }));
      void reader.send(subscribe(4, { filters: [["flood", 0]] }));
      await reader.next("suback");
      counts[index] = 0;
      reader.handler = () => counts[index]++;
    }
    const stuck = stack.use(await TcpClient.open(port, 4, false));
    void stuck.send(concat(
      connect(4, { clientId: "stuck", keepAliveSeconds: 0 }),
      subscribe(4, { filters: [["flood", 0]] }),
    ));
    await broker.line(/ as stuck /);
    const publisher = stack.use(await TcpClient.connect(port, 4, { clientId: "publisher" }));
    const before = broker.anonymousBytes();
    const block = concat(Array.from({ length: 20 }, () => publish(4, { topic: "flood", payload })));
    const lost = () => `of ${MESSAGES} came ${counts}`;
    let most = 0;
    for (let sent = 0; sent < MESSAGES; sent += 20) {
      await publisher.send(block);
      // All that is on the way stays below the limit, so that being slow is no reason to lose.
      if (sent % 400 === 0) {
        await eventually(() => counts.every((count) => count > sent - 400), lost);
      }
      most = Math.max(most, broker.anonymousBytes());
    }
    await eventually(() => counts.every((count) => count === MESSAGES), lost);
    await broker.line(/Outgoing messages are being dropped for client stuck/);
    assert.ok(!broker.lines.some((line) => /dropped for client reader/.test(line)));
    assert.ok(most - before < 100 * MIB, `${Math.round((most - before) / MIB)} MiB`);
  },
);

const MORE_THAN_SOCKETS_HOLD = 60 * MIB;

for (
  const [what, packet] of [
    ["PINGREQ", pingreq()],
    ["messages to itself", publish(4, { topic: "mine", payload: new Uint8Array(1000) })],
    ["SUBSCRIBE", subscribe(4, { filters: [["mine", 0]] })],
  ] as const
) {
  linuxTest(
    `a client that writes ${what} and never reads is read no further, and costs little`,
    ["max_unsent_bytes 1000000"],
    async (broker) => {
      await assertServes(broker);
      const before = broker.anonymousBytes();
      await using mute = await TcpClient.open(broker.port, 4, false);
      void mute.send(concat(
        connect(4, { clientId: "mute", keepAliveSeconds: 0 }),
        subscribe(4, { filters: [["mine", 0]] }),
      ));
      await broker.line(/ as mute /);
      const block = new Uint8Array(Math.ceil(65_536 / packet.length) * packet.length);
      for (let at = 0; at < block.length; at += packet.length) block.set(packet, at);
      let written = 0;
      let isOver = false;
      const writing = (async () => {
        for (; written < MORE_THAN_SOCKETS_HOLD && !isOver; written += block.length) {
          await mute.send(block);
        }
      })();
      let seen = -1, most = 0;
      // Until nothing more is taken from it for a while.
      await eventually(async () => {
        seen = written;
        await pause(1000);
        most = Math.max(most, broker.anonymousBytes() - before);
        return seen === written;
      }, () => `${written} bytes were taken, and it goes on`);
      isOver = true;
      assert.ok(written < MORE_THAN_SOCKETS_HOLD, "it was never stopped");
      assert.ok(most < 60 * MIB, `${Math.round(most / MIB)} MiB after ${written} bytes`);
      await assertServes(broker);
      mute.close();
      await writing;
      await broker.line(/Client mute /);
    },
  );
}

linuxTest(
  "for a client that is away exactly max_queued_messages are kept, the rest is dropped and counted",
  ["max_queued_messages 1000", "max_inflight_messages 20", "sys_interval 1"],
  async (broker, directory) => {
    const MESSAGES = 20_000, KEPT = 1000, BYTES = 1000;
    await using away = new LastingClient(4, "away");
    await away.connect(broker.port);
    await new Promise<void>((resolve) => away.subscribe("many", 1, resolve));
    await away.disconnect();
    await using publisher = new LastingClient(4, "publisher");
    await publisher.connect(broker.port);
    await new Promise<void>((resolve) => {
      let sent = 0, acknowledged = 0;
      const next = () => {
        const payload = `${++sent} `.padEnd(BYTES, ".");
        publisher.publish({ topic: "many", qos: 1, payload }, () => {
          if (++acknowledged === MESSAGES) resolve();
          else if (sent < MESSAGES) next();
        });
      };
      while (sent < 500) next();
    });
    const { size } = Deno.statSync(`${directory}/store/data.mdb`);
    assert.ok(size < 3 * KEPT * BYTES, `${size} bytes on disk`);
    // $SYS has its own clock: it has counted them when it is updated next.
    await using watching = await TcpClient.connect(broker.port, 4, { clientId: "watching" });
    void watching.send(subscribe(4, { filters: [["$SYS/broker/publish/messages/dropped", 0]] }));
    await watching.next("suback");
    while (Number(await nextText(watching)) < MESSAGES - KEPT);
    await away.connect(broker.port);
    await eventually(() => away.taken.length >= KEPT, () => `${away.taken.length} came`);
    await new Promise<void>((resolve) => {
      away.onTaken = ({ text }) => text === "mark" && resolve();
      publisher.publish({ topic: "many", qos: 1, payload: "mark" }, () => {});
    });
    const expected = Array.from({ length: KEPT }, (_, index) => index + 1);
    assert.deepEqual(away.taken.slice(0, -1).map(({ text }) => parseInt(text)), expected);
  },
);

const PRLIMIT = "/usr/bin/prlimit";
const HAS_PRLIMIT = (() => {
  try {
    return Deno.statSync(PRLIMIT).isFile;
  } catch {
    return false;
  }
})();

Deno.test({
  name: "at the limit of open files the broker pauses accepting, and goes on when there is room",
  ignore: !LINUX || !HAS_PRLIMIT,
  fn: () =>
    withBroker([], async (broker) => {
      await assertServes(broker);
      const limit = broker.fileDescriptors() + 30;
      const { success } = new Deno.Command(PRLIMIT, {
        args: ["--pid", String(broker.pid), `--nofile=${limit}:${limit}`],
      }).outputSync();
      assert.ok(success);
      await using faithful = await TcpClient.connect(broker.port, 4, { clientId: "faithful" });
      const sockets = await openMany(broker, 60);
      try {
        await broker.line(/cannot accept: .*open files/i);
        void faithful.send(pingreq());
        await faithful.next("pingresp");
      } finally {
        for (const socket of sockets) await socket[Symbol.asyncDispose]();
      }
      await assertServes(broker);
      assert.equal(faithful.isEnded, false);
      assert.ok(broker.lines.filter((line) => line.includes("cannot accept")).length < 20);
    }),
});

/** A client that watches for Wills and messages, once its subscription is there. */
async function watcher(broker: BrokerProcess, version: Version = 4): Promise<TcpClient> {
  const client = await TcpClient.connect(broker.port, version, { clientId: "watcher" });
  void client.send(subscribe(version, { filters: [["#", 1]] }));
  await client.next("suback");
  return client;
}

async function nextText(client: TcpClient): Promise<string> {
  return new TextDecoder().decode((await client.next("publish")).payload);
}

for (const version of [3, 4, 5] as const) {
  const will = { topic: "will", payload: "gone", qos: 0 };

  Deno.test(`version ${version}: FIN behind CONNECT and PUBLISH; all answers still come`, () =>
    withBroker([], async (broker) => {
      await using watching = await watcher(broker);
      await using client = await TcpClient.open(broker.port, version);
      void client.send(concat(
        connect(version, { clientId: "leaving", will }),
        subscribe(version, { packetId: 1, filters: [["own", 1]] }),
        publish(version, { topic: "own", payload: "said", qos: 1, packetId: 2 }),
      ));
      await client.closeWrite();
      const types = (await client.ended()).map(({ type }) => type);
      assert.deepEqual(types, ["connack", "suback", "publish", "puback"]);
      assert.equal(await nextText(watching), "said");
      // It went without DISCONNECT.
      assert.equal(await nextText(watching), "gone");
    }));

  Deno.test(`version ${version}: PUBLISH, DISCONNECT and FIN at once: delivered, and no Will`, () =>
    withBroker([], async (broker) => {
      await using watching = await watcher(broker);
      for (let count = 0; count < 20; count++) {
        await using client = await TcpClient.open(broker.port, version);
        void client.send(concat(
          connect(version, { clientId: `polite${count}`, will }),
          publish(version, { topic: "t", payload: `${count}`, qos: count % 2 }),
          disconnect(),
        ));
        await client.closeWrite();
        await client.ended();
        assert.equal(await nextText(watching), `${count}`);
      }
      await broker.line(/Client polite19 \[.*disconnected\.$/);
      assert.equal(watching.waiting, 0);
    }));

  Deno.test(`version ${version}: a reset behind PUBLISH: delivered if it came, and the Will is sent`, () =>
    withBroker([], async (broker) => {
      await using watching = await watcher(broker);
      const client = await TcpClient.connect(broker.port, version, { clientId: "reset", will });
      void client.send(subscribe(version, { filters: [["t", 0]] }));
      await client.next("suback");
      // A message back that is not read makes the close a reset.
      await using deaf = await TcpClient.open(broker.port, version, false);
      await deaf.send(concat(
        connect(version, { clientId: "deaf", will }),
        subscribe(version, { filters: [["t", 0]] }),
        publish(version, { topic: "t", payload: "last words" }),
      ));
      assert.equal(await nextText(watching), "last words");
      deaf.close();
      assert.equal(await nextText(watching), "gone");
      await client[Symbol.asyncDispose]();
      assert.equal(await nextText(watching), "gone");
      await assertServes(broker);
    }));

  Deno.test(`version ${version}: a refused CONNECT is answered, then ended with FIN`, () =>
    withBroker(["max_keepalive 10", "allow_zero_length_clientid false"], async (broker) => {
      await using client = await TcpClient.open(broker.port, version);
      // What is sent behind it must not turn the end into a reset that takes the answer away.
      void client.send(concat(
        connect(version, { clientId: "", keepAliveSeconds: 5 }),
        publish(version, { topic: "t", payload: new Uint8Array(50_000) }),
      ));
      const [connack, ...more] = await client.ended();
      assert.equal(connack?.type, "connack");
      assert.equal(connack.reason, version === 5 ? 0x80 : 2);
      assert.deepEqual(more, []);
    }));
}

linuxTest("connections that come and go in every way leave nothing behind", [], async (broker) => {
  await assertServes(broker);
  const descriptors = broker.fileDescriptors();
  const ways: ((client: TcpClient) => Promise<unknown>)[] = [
    (client) => Promise.resolve(client.close()),
    (client) => client.closeWrite(),
    (client) => client.send(hex("00 00")),
    (client) => client.send(connect(4, { clientId: "churn", clean: true })),
    (client) => client.send(concat(connect(5, { clientId: "other" }), disconnect())),
    (client) => client.send(concat(connect(4, { clientId: "churn" }), connect(4))),
    (client) => client.send(connect(5, { clientId: "\u0001" })),
  ];
  for (let round = 0; round < 60; round++) {
    await Promise.all(ways.map(async (way) => {
      await using client = await TcpClient.open(broker.port);
      await way(client);
      if (round % 2 === 0) client.close();
    }));
  }
  await settle(broker, descriptors);
  await assertServes(broker);
});
