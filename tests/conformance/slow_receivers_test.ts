/** Clients that read slowly or not at all, and half-open ones: nobody waits for ever, memory is bounded. */
import assert from "node:assert/strict";
import { hookAccess } from "../support/access.ts";
import type { PolicyAccess } from "../../src/access/policy_access.ts";
import { conformance } from "../support/conformance.ts";
import { connectLasting, heard, payloads } from "../support/exchange.ts";
import { ack, concat, connect, pingreq, publish } from "../support/packets.ts";
import { type FakeClient, World } from "../support/world.ts";

const KILOBYTE = "x".repeat(1000);
/** Publishers wait from a quarter of it on. */
const UNSENT = 40_000;

interface Scene {
  world: World;
  reader: FakeClient;
  publisher: FakeClient;
  drops: string[];
}

/** A reader of `a` that takes nothing for the moment, and a publisher. */
function scene(
  { qos = 0, keepAliveSeconds = 0, maxUnsentBytes = UNSENT, access }: {
    qos?: number;
    keepAliveSeconds?: number;
    maxUnsentBytes?: number;
    access?: PolicyAccess;
  } = {},
): Scene {
  const drops: string[] = [];
  const world = new World({
    settings: { maxUnsentBytes },
    access,
    observer: {
      connected: () => {},
      disconnected: () => {},
      subscribed: () => {},
      unsubscribed: () => {},
      published: null,
      dropped: ({ clientId }, reason) => void drops.push(`${clientId}: ${reason}`),
    },
  });
  const reader = world.connect(5, { clientId: "reader", keepAliveSeconds: 0 });
  reader.subscribe("a", qos);
  reader.isStuck = true;
  const publisher = world.connect(5, { clientId: "publisher", keepAliveSeconds });
  return { world, reader, publisher, drops };
}

/** PUBLISHes of one kilobyte, each with its number in front. */
function numbered(from: number, to: number): Uint8Array {
  const packets = [];
  for (let number = from; number < to; number++) {
    packets.push(publish(5, { topic: "a", payload: `${number} ${KILOBYTE}` }));
  }
  return concat(packets);
}

const numbersOf = (client: FakeClient) => payloads(client).map((text) => parseInt(text));

conformance(
  ["MQTT-4.5.0-1", "MQTT-4.3.1-1"],
  "publishers wait for a slow reader, which gets everything, with little of it in memory",
  () => {
    const { world, reader, publisher, drops } = scene();
    for (let number = 0; number < 500; number += 5) publisher.send(numbered(number, number + 5));
    assert.ok(publisher.isPaused);
    const taken: number[] = [];
    do {
      assert.ok(reader.connection.outbox.waiting < UNSENT / 2);
      taken.push(...numbersOf(reader));
    } while (reader.takeOneWrite());
    assert.deepEqual(taken, Array.from({ length: 500 }, (_, index) => index));
    assert.ok(!publisher.isPaused);
    assert.deepEqual([drops, world.broker.counters.dropped], [[], 0]);
  },
);

conformance(
  "MQTT-4.3.1-1",
  "what one burst brings beyond max_unsent_bytes is dropped, counted and logged once",
  () => {
    const { world, reader, publisher, drops } = scene();
    publisher.send(numbered(0, 100));
    assert.ok(reader.connection.outbox.waiting <= UNSENT + 2000);
    const { dropped } = world.broker.counters;
    assert.equal(drops.length, dropped);
    assert.deepEqual(new Set(drops), new Set(["reader: does not read"]));
    assert.equal(world.log.filter((line) => line.includes("dropped for client reader")).length, 1);
    reader.unstick();
    const taken = numbersOf(reader);
    assert.deepEqual(taken, Array.from({ length: 100 - dropped }, (_, index) => index));
    assert.ok(dropped > 50 && taken.length > 35);
    reader.publish({ topic: "other", qos: 1 });
    assert.deepEqual(heard(reader), ["PUBACK #1 0x10"], "the connection lives");
  },
);

conformance(
  "MQTT-4.5.0-1",
  "a reader that takes nothing for 200 ms holds nobody any longer; when it reads, they wait again",
  () => {
    const { world, reader, publisher } = scene();
    const other = world.connect(5, { clientId: "other" });
    other.subscribe("a");
    publisher.send(numbered(0, 15));
    assert.ok(publisher.isPaused);
    publisher.send(numbered(15, 20));
    assert.equal(payloads(other).length, 15);
    world.advanceMs(400);
    assert.ok(!publisher.isPaused);
    assert.equal(payloads(other).length, 5, "those behind got what was held up");
    for (let number = 20; number < 60; number++) publisher.send(numbered(number, number + 1));
    assert.ok(!publisher.isPaused, "from now on messages for the reader are dropped instead");
    assert.equal(payloads(other).length, 40);
    assert.ok(world.broker.counters.dropped > 10);
    reader.unstick();
    heard(reader);
    reader.isStuck = true;
    publisher.send(numbered(60, 75));
    assert.ok(publisher.isPaused, "it has read, so it is worth waiting for");
    reader.unstick();
    assert.ok(!publisher.isPaused);
  },
);

conformance(
  "MQTT-4.5.0-1",
  "of two slow readers the slower one sets the pace, and both get everything",
  () => {
    for (const slowest of [0, 1]) {
      const { world, reader, publisher, drops } = scene();
      const second = world.connect(5, { clientId: "second", keepAliveSeconds: 0 });
      second.subscribe("a");
      const readers = [reader, second];
      second.isStuck = true;
      const taken: number[][] = [[], []];
      for (let number = 0; number < 500; number += 5) publisher.send(numbered(number, number + 5));
      for (let step = 0; step < 500; step++) {
        readers[1 - slowest].takeOneWrite();
        if (step % 3 === 0) readers[slowest].takeOneWrite();
        readers.forEach((one, index) => taken[index].push(...numbersOf(one)));
      }
      const all = Array.from({ length: 500 }, (_, index) => index);
      assert.deepEqual(taken, [all, all]);
      assert.deepEqual(drops, []);
    }
  },
);

conformance(
  "MQTT-4.5.0-1",
  "a reader that goes away releases those that waited for it",
  () => {
    const { reader, publisher } = scene();
    publisher.send(numbered(0, 15));
    assert.ok(publisher.isPaused);
    reader.vanish();
    assert.ok(!publisher.isPaused);
    publisher.send(pingreq());
    assert.deepEqual(heard(publisher), ["PINGRESP"]);
  },
);

conformance(
  ["MQTT-3.1.2-22", "MQTT-3.1.2-24 v3"],
  "a publisher that is kept waiting is not taken for silent",
  () => {
    const { world, reader, publisher } = scene({ keepAliveSeconds: 2, maxUnsentBytes: 4_000_000 });
    // Lowered to QoS 0 the messages are written one by one, in parts of 64 KiB.
    const message = publish(5, { topic: "a", payload: KILOBYTE, qos: 1 });
    publisher.send(...Array(3500).fill(message)).send(pingreq());
    let steps = 0;
    for (; publisher.isPaused; steps++) {
      world.advanceMs(150);
      publisher.expectOpen();
      reader.takeOneWrite();
    }
    assert.ok(steps > 30, "it waited for more than one and a half times Keep Alive");
    publisher.expectOpen();
    assert.equal(publisher.receiveOf("pingresp").length, 1);
    assert.equal(world.broker.counters.dropped, 0);
    world.advanceSeconds(4);
    assert.deepEqual(heard(publisher), ["DISCONNECT 0x8d"], "from then on it has to speak again");
  },
);

conformance(
  "MQTT-4.5.0-1",
  "a publisher that waits for two things at once is read on when both have come",
  async () => {
    for (const answerFirst of [false, true]) {
      const answers: ((allowed: boolean) => void)[] = [];
      const asked = new Promise<boolean>((resolve) => answers.push(resolve));
      const authorizePublish = (_client: unknown, { topic }: { topic: string }) =>
        topic === "ask" ? asked : true;
      const access = hookAccess({ authorizePublish }, true, () => {});
      const { world, reader, publisher } = scene({ access });
      publisher.send(numbered(0, 15), publish(5, { topic: "ask", qos: 1, packetId: 9 }));
      assert.ok(publisher.isPaused);
      const steps = [() => reader.unstick(), () => answers[0](true)];
      for (const step of answerFirst ? steps.reverse() : steps) {
        assert.ok(publisher.isPaused);
        step();
        await world.settle();
      }
      assert.ok(!publisher.isPaused);
      assert.deepEqual(heard(publisher), ["PUBACK #9 0x10"]);
      assert.equal(payloads(reader).length, 15);
    }
  },
);

conformance(
  ["MQTT-3.12.4-1", "MQTT-4.3.2-4"],
  "a client that never reads its PINGRESP or PUBACK is read no further",
  () => {
    const world = new World({ settings: { maxUnsentBytes: UNSENT } });
    const endless: [what: string, chunk: Uint8Array][] = [
      ["PINGREQ", pingreq()],
      ["PUBLISH", publish(5, { topic: "nobody", qos: 1 })],
      ["PUBREC", ack("pubrec", 7)],
      ["PUBREL", ack("pubrel", 7)],
    ];
    for (const [what, packet] of endless) {
      const client = world.connect(5, { clientId: what });
      client.isStuck = true;
      const chunk = concat(Array(100).fill(packet));
      for (let round = 0; round < 1000; round++) client.send(chunk);
      assert.ok(client.isPaused, what);
      const { waiting } = client.connection.outbox;
      assert.ok(waiting < UNSENT, `${what}: ${waiting} bytes wait`);
      client.unstick();
      assert.ok(!client.isPaused);
      assert.equal(heard(client).length, 100_000, "all of it is answered when it reads again");
    }
  },
);

conformance(
  "MQTT-4.9.0-2",
  "QoS 1 and 2 to a reader that takes nothing queue within their limits and are not lost",
  () => {
    const { world, reader, publisher } = scene({ qos: 1 });
    for (let number = 0; number < 300; number++) {
      publisher.publish({ topic: "a", payload: `${number} ${KILOBYTE}`, qos: 1 });
    }
    // Nobody waits for it for long.
    world.advanceMs(1000);
    assert.equal(publisher.receiveOf("puback").length, 300);
    assert.ok(reader.connection.outbox.waiting < 21 * 1100);
    reader.unstick();
    const taken: number[] = [];
    for (let got = reader.receive(); got.length > 0; got = reader.receive()) {
      taken.push(...got.map(({ payload }) => parseInt(new TextDecoder().decode(payload))));
      reader.send(...got.map(({ packetId }) => ack("puback", packetId!)));
    }
    assert.deepEqual(taken, Array.from({ length: 300 }, (_, index) => index));
    assert.equal(world.broker.counters.dropped, 0);
  },
);

conformance(
  ["MQTT-3.1.2-22", "MQTT-3.1.4-3"],
  "a half-open client is ended by Keep Alive or taken over by its successor, and loses nothing",
  () => {
    for (const successor of [false, true]) {
      const { world, publisher } = scene();
      const lost = connectLasting(world, 5, "lost");
      lost.subscribe("a", 1);
      lost.isStuck = true;
      publisher.publish({ topic: "a", payload: "x", qos: 1 });
      if (!successor) world.advanceSeconds(91);
      const again = world.open();
      again.send(connect(5, { clientId: "lost", clean: false }));
      lost.expectClosed();
      assert.deepEqual(heard(again), ["CONNACK 0x00 present", "PUBLISH a x q1 #1 dup"]);
      assert.equal(world.broker.connections.has(lost.connection), false);
    }
  },
);

conformance(
  "MQTT-3.1.2-22",
  "a client that sends a packet byte by byte and never ends it is silent",
  () => {
    const client = new World().connect(5, { keepAliveSeconds: 10 });
    client.send(Uint8Array.of(0x30, 0x7f));
    for (let seconds = 0; seconds < 14; seconds++) {
      client.world.advanceSeconds(1);
      client.send(Uint8Array.of(0));
    }
    client.expectOpen();
    client.world.advanceSeconds(2);
    client.expectClosed();
    assert.deepEqual(heard(client), ["DISCONNECT 0x8d"]);
  },
);

conformance(
  "MQTT-3.1.2-22",
  "a client that is read no further because it does not read ends by Keep Alive all the same",
  () => {
    const { world } = scene();
    const client = world.connect(5, { clientId: "client", keepAliveSeconds: 10 });
    client.isStuck = true;
    for (let round = 0; round < 100; round++) client.send(...Array(100).fill(pingreq()));
    assert.ok(client.isPaused);
    world.advanceSeconds(14);
    client.expectOpen();
    client.send(pingreq());
    world.advanceSeconds(2);
    client.expectClosed();
    assert.equal(world.broker.connections.has(client.connection), false);
  },
);
