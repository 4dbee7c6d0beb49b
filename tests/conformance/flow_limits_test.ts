import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { expectDisconnected, lasting, payloads, text, valueOf } from "../support/messages.ts";
import {
  ack,
  connect,
  hex,
  pingreq,
  Property,
  property,
  publish,
  subscribe,
} from "../support/packets.ts";
import { type FakeClient, World, type WorldOptions } from "../support/world.ts";

const receiveMaximum = (value: number) => property(Property.receiveMaximum, value);

/** A subscriber to `t` with that Receive Maximum, and a publisher. */
function pair(maximum: number, options?: WorldOptions): [FakeClient, FakeClient] {
  const world = new World(options);
  const subscriber = world.connect(5, {
    clientId: "subscriber",
    properties: receiveMaximum(maximum),
  });
  subscriber.subscribe("t", 2);
  return [subscriber, world.connect(5, { clientId: "publisher" })];
}

function send(publisher: FakeClient, qos: number, ...contents: string[]): void {
  for (const payload of contents) {
    publisher.publish({ topic: "t", qos, payload });
    if (qos === 2) publisher.send(ack("pubrel", 1));
  }
}

/** A client that is away and subscribed to `t`, and a publisher. */
function away(options?: WorldOptions): [World, FakeClient] {
  const world = new World(options);
  const client = world.connect(5, { ...lasting(1000), clientId: "away" });
  client.subscribe("t", 2);
  client.vanish();
  return [world, world.connect(5, { clientId: "publisher" })];
}

function back(world: World): FakeClient {
  const client = world.open(5).send(connect(5, { ...lasting(1000), clientId: "away" }));
  return client;
}

conformance("MQTT-3.3.4-9", "no more QoS 1 and 2 are unacknowledged than Receive Maximum", () => {
  const [subscriber, publisher] = pair(2);
  send(publisher, 1, "1");
  send(publisher, 2, "2");
  send(publisher, 1, "3", "4", "5");
  assert.deepEqual(payloads(subscriber), ["1", "2"]);
  subscriber.send(ack("puback", 1));
  assert.deepEqual(payloads(subscriber), ["3"]);
  subscriber.send(ack("pubrec", 2));
  assert.deepEqual(payloads(subscriber), [], "PUBREC frees nothing");
  subscriber.send(ack("pubcomp", 2));
  assert.deepEqual(payloads(subscriber), ["4"]);
});

conformance("MQTT-3.3.4-9", "a PUBREC with an error frees its place", () => {
  const [subscriber, publisher] = pair(1);
  send(publisher, 2, "1", "2");
  assert.deepEqual(payloads(subscriber), ["1"]);
  subscriber.send(ack("pubrec", 1, { reason: 0x97 }));
  assert.deepEqual(subscriber.receive().map(text), ["2"]);
});

conformance("MQTT-3.3.4-9", "an acknowledgement of what is not in flight frees nothing", () => {
  const [subscriber, publisher] = pair(1);
  send(publisher, 1, "1", "2");
  subscriber.receive();
  subscriber.send(ack("puback", 9), ack("pubcomp", 7));
  subscriber.expectNothing();
  subscriber.send(ack("puback", 1), ack("puback", 1));
  assert.deepEqual(payloads(subscriber), ["2"]);
});

conformance("MQTT-3.3.4-9", "each connection has the Receive Maximum of its CONNECT", () => {
  const world = new World();
  const before = world.connect(5, lasting(100, receiveMaximum(3)));
  before.subscribe("t", 1);
  send(world.connect(5, { clientId: "publisher" }), 1, "1", "2", "3", "4");
  assert.equal(payloads(before).length, 3);
  before.vanish();
  const after = world.open(5).send(connect(5, lasting(100, receiveMaximum(1))));
  assert.deepEqual(payloads(after), ["1"]);
  after.send(ack("puback", 1));
  assert.deepEqual(payloads(after), ["2"]);
});

conformance("MQTT-3.3.4-10", "a full window holds back nothing but QoS 1 and 2", () => {
  const [subscriber, publisher] = pair(1);
  send(publisher, 2, "1", "2");
  subscriber.receive();
  send(publisher, 0, "at once");
  assert.deepEqual(payloads(subscriber), ["at once"]);
  subscriber.send(
    pingreq(),
    subscribe(5, { filters: [["u", 0]] }),
    publish(5, { topic: "x", qos: 1 }),
    publish(5, { topic: "x", qos: 2, packetId: 2 }),
    ack("pubrel", 2),
    hex("a2 06 0003 00 0001 75"),
    ack("pubrec", 1),
  );
  assert.deepEqual(subscriber.receive().map(({ type }) => type), [
    "pingresp",
    "suback",
    "puback",
    "pubrec",
    "pubcomp",
    "unsuback",
    "pubrel",
  ]);
});

conformance(
  "MQTT-3.3.4-10",
  "on reconnecting every PUBREL is sent, however small the window",
  () => {
    const world = new World();
    const before = world.connect(5, lasting(100));
    before.subscribe("t", 2);
    send(world.connect(5, { clientId: "publisher" }), 2, "1", "2", "3", "4");
    assert.equal(payloads(before).length, 4);
    before.send(ack("pubrec", 1), ack("pubrec", 2), ack("pubrec", 3));
    before.vanish();
    const after = world.open(5).send(connect(5, lasting(100, receiveMaximum(1))));
    const [, ...again] = after.receive();
    assert.deepEqual(
      again.filter(({ type }) => type === "pubrel").map(({ packetId }) => packetId),
      [1, 2, 3],
    );
    for (const packetId of [1, 2, 3]) after.send(ack("pubcomp", packetId));
    const rest = [...again, ...after.receive()].filter(({ type }) => type === "publish");
    assert.deepEqual(rest.map(({ packetId, dup }) => [packetId, dup]), [[4, true]]);
  },
);

Deno.test("max_inflight_messages bounds the window of those who allow more", () => {
  for (const version of [4, 5] as const) {
    const world = new World({ settings: { maxInflightMessages: 3 } });
    const subscriber = world.connect(version);
    subscriber.subscribe("t", 1);
    send(world.connect(5, { clientId: "publisher" }), 1, "1", "2", "3", "4");
    assert.deepEqual(payloads(subscriber), ["1", "2", "3"]);
  }
});

Deno.test("max_inflight_messages 0 leaves the window to the client", () => {
  const [subscriber, publisher] = pair(50, { settings: { maxInflightMessages: 0 } });
  for (let number = 0; number < 60; number++) send(publisher, 1, `${number}`);
  assert.equal(payloads(subscriber).length, 50);
});

Deno.test("max_inflight_bytes bounds the payloads in flight; one always goes", () => {
  const [subscriber, publisher] = pair(20, { settings: { maxInflightBytes: 10 } });
  send(publisher, 1, "a".repeat(100), "bbbb", "cccc", "dddd");
  assert.deepEqual(payloads(subscriber), ["a".repeat(100)]);
  subscriber.send(ack("puback", 1));
  assert.deepEqual(payloads(subscriber), ["bbbb", "cccc"]);
  subscriber.send(ack("puback", 2));
  assert.deepEqual(payloads(subscriber), ["dddd"]);
});

Deno.test("QoS 0 is of no account to max_inflight_bytes", () => {
  const [subscriber, publisher] = pair(20, { settings: { maxInflightBytes: 4 } });
  send(publisher, 1, "aaaa");
  send(publisher, 0, "b".repeat(100));
  assert.equal(payloads(subscriber).length, 2);
});

// The queue

for (const version of [4, 5] as const) {
  Deno.test(`max_queued_messages keeps the oldest and drops the rest, version ${version}`, () => {
    const world = new World({ settings: { maxQueuedMessages: 3 } });
    const fields = version === 5 ? lasting(1000) : { clean: false };
    const before = world.connect(version, fields);
    before.subscribe("t", 1);
    before.vanish();
    const publisher = world.connect(5, { clientId: "publisher" });
    send(publisher, 1, "1", "2", "3", "4", "5");
    assert.ok(publisher.receive().every(({ reason }) => reason === 0));
    assert.equal(world.broker.counters.dropped, 2);
    const after = world.open(version).send(connect(version, fields));
    assert.deepEqual(payloads(after), ["1", "2", "3"]);
  });
}

Deno.test("max_queued_messages 0 drops nothing", () => {
  const [world, publisher] = away({ settings: { maxQueuedMessages: 0 } });
  for (let number = 0; number < 2000; number++) send(publisher, 1, `${number}`);
  back(world);
  assert.equal(world.broker.sessions.get("away")!.outbound.queued, 1980);
});

Deno.test("a client that is connected has a queue behind its window", () => {
  const [subscriber, publisher] = pair(1, { settings: { maxQueuedMessages: 2 } });
  send(publisher, 1, "1", "2", "3", "4");
  const found = payloads(subscriber);
  for (let packetId = 1; packetId < 4; packetId++) {
    found.push(...payloads(subscriber.send(ack("puback", packetId))));
  }
  assert.deepEqual(found, ["1", "2", "3"]);
});

Deno.test("max_queued_bytes bounds the payloads that wait", () => {
  const [world, publisher] = away({ settings: { maxQueuedBytes: 10 } });
  send(publisher, 1, "aaaa", "bbbb", "cccc", "dd", "e");
  assert.deepEqual(payloads(back(world)), ["aaaa", "bbbb", "dd"]);
});

Deno.test("queue_qos0_messages keeps QoS 0 in its place among the others", () => {
  for (const queueQos0Messages of [false, true]) {
    const [world, publisher] = away({ settings: { queueQos0Messages } });
    send(publisher, 1, "1");
    send(publisher, 0, "zero");
    send(publisher, 2, "2");
    const client = back(world);
    assert.deepEqual(payloads(client), queueQos0Messages ? ["1", "zero", "2"] : ["1", "2"]);
    assert.equal(world.broker.sessions.get("away")!.outbound.queued, 0);
  }
});

Deno.test("queue_qos0_messages keeps within max_queued_messages", () => {
  const [world, publisher] = away({
    settings: { queueQos0Messages: true, maxQueuedMessages: 2 },
  });
  send(publisher, 0, "1", "2", "3");
  assert.deepEqual(payloads(back(world)), ["1", "2"]);
});

// What a client may send

conformance(
  "MQTT-3.3.4-9",
  "the server's own Receive Maximum is told, and tolerant by default",
  () => {
    const world = new World({ settings: { maxInflightMessages: 2 } });
    const client = world.connect(5);
    assert.equal(valueOf(client.connack!, Property.receiveMaximum), 2);
    for (let packetId = 1; packetId <= 5; packetId++) {
      client.publish({ topic: "t", qos: 2, packetId });
      assert.equal(client.expect("pubrec").packetId, packetId);
    }
  },
);

Deno.test("a strict Receive Maximum ends who exceeds it by 0x93", () => {
  const world = new World({ settings: { maxInflightMessages: 2, strictReceiveMaximum: true } });
  const client = world.connect(5);
  for (let packetId = 1; packetId <= 2; packetId++) {
    client.publish({ topic: "t", qos: 2, packetId });
  }
  client.send(ack("pubrel", 1), publish(5, { topic: "t", qos: 2, packetId: 3 }));
  assert.deepEqual(client.receive().map(({ type }) => type), [
    "pubrec",
    "pubrec",
    "pubcomp",
    "pubrec",
  ]);
  expectDisconnected(client.publish({ topic: "t", qos: 2, packetId: 4 }), 0x93);
});

Deno.test("unreleased QoS 2 messages are bounded in bytes", () => {
  const client = new World({ settings: { maxUnreleasedBytes: 1000 } }).connect(5);
  const payload = "x".repeat(400);
  client.publish({ topic: "t", qos: 2, packetId: 1, payload });
  client.publish({ topic: "t", qos: 2, packetId: 2, payload });
  assert.equal(client.receiveOf("pubrec").length, 2);
  expectDisconnected(client.publish({ topic: "t", qos: 2, packetId: 3, payload }), 0x93);
});
