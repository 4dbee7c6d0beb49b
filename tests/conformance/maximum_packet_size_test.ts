import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { lasting, payloads, valueOf } from "../support/messages.ts";
import {
  ack,
  concat,
  connect,
  Property,
  property,
  publish,
  subscribe,
} from "../support/packets.ts";
import { type FakeClient, World } from "../support/world.ts";

const size = (value: number) => property(Property.maximumPacketSize, value);

/** A subscriber to everything with that Maximum Packet Size, and a publisher. */
function pair(maximum: number, qos = 2): [FakeClient, FakeClient] {
  const world = new World();
  const subscriber = world.connect(5, { clientId: "subscriber", properties: size(maximum) });
  subscriber.subscribe("#", qos);
  return [subscriber, world.connect(5, { clientId: "publisher" })];
}

conformance("MQTT-3.1.2-24", "a message of just that size is sent, one byte more is not", () => {
  for (const qos of [0, 1, 2]) {
    const [subscriber, publisher] = pair(50);
    const room = 50 - publish(5, { topic: "t", qos }).length;
    for (const length of [room, room + 1, room]) {
      publisher.publish({ topic: "t", qos, payload: "x".repeat(length) });
      if (qos === 2) publisher.send(ack("pubrel", 1));
    }
    assert.deepEqual(subscriber.receive().map(({ raw }) => raw.length), [50, 50]);
    subscriber.expectOpen();
  }
});

conformance("MQTT-3.1.2-24", "identifiers, expiry and alias count towards the size", () => {
  const world = new World();
  const limit = 60;
  const subscriber = world.connect(5, {
    clientId: "subscriber",
    properties: concat(size(limit), property(Property.topicAliasMaximum, 5)),
  });
  subscriber.subscribe("t", 0, { properties: property(Property.subscriptionIdentifier, 300) });
  const publisher = world.connect(5, { clientId: "publisher" });
  const properties = property(Property.messageExpiryInterval, 10);
  for (let length = 30; length <= 60; length++) {
    publisher.publish({ topic: "t", payload: "x".repeat(length), properties });
  }
  const sizes = subscriber.receive().map(({ raw }) => raw.length);
  assert.equal(Math.max(...sizes), limit);
  assert.ok(sizes.length < 31);
});

conformance(
  "MQTT-3.1.2-25",
  "what is too large counts as sent: acknowledged, and others go on",
  () => {
    const [subscriber, publisher] = pair(50);
    publisher.publish({ topic: "t", qos: 1, payload: "x".repeat(100) });
    assert.deepEqual([...publisher.receiveBytes()], [0x40, 2, 0, 1]);
    publisher.publish({ topic: "t", qos: 1, payload: "small" });
    const message = subscriber.expect("publish");
    assert.equal(message.packetId, 2, "its identifier is left out");
    assert.equal(publisher.world.broker.sessions.get("subscriber")!.outbound.inFlight, 1);
  },
);

conformance("MQTT-3.1.2-25", "what is too large holds no place in the window", () => {
  const world = new World();
  const subscriber = world.connect(5, {
    clientId: "subscriber",
    properties: concat(size(50), property(Property.receiveMaximum, 1)),
  });
  subscriber.subscribe("t", 1);
  const publisher = world.connect(5, { clientId: "publisher" });
  for (const payload of ["1", "x".repeat(100), "y".repeat(100), "2"]) {
    publisher.publish({ topic: "t", qos: 1, payload });
  }
  assert.deepEqual(payloads(subscriber), ["1"]);
  subscriber.send(ack("puback", 1));
  assert.deepEqual(payloads(subscriber), ["2"]);
});

conformance("MQTT-3.1.2-25", "a queue with messages too large is emptied all the same", () => {
  const world = new World();
  const fields = { ...lasting(100, size(50)), clientId: "away" };
  const before = world.connect(5, fields);
  before.subscribe("t", 2);
  before.vanish();
  const publisher = world.connect(5, { clientId: "publisher" });
  for (const payload of ["x".repeat(100), "1", "x".repeat(100), "2", "x".repeat(100)]) {
    publisher.publish({ topic: "t", qos: 1, payload });
  }
  const after = world.open(5).send(connect(5, fields));
  assert.deepEqual(payloads(after), ["1", "2"]);
  assert.equal(world.broker.sessions.get("away")!.outbound.queued, 0);
  for (const packetId of [2, 4]) after.send(ack("puback", packetId));
  assert.equal(world.broker.statistics().storeMessages, 0);
});

conformance("MQTT-3.1.2-24", "a retained message too large is left out", () => {
  const [subscriber, publisher] = pair(50, 1);
  for (const [topic, payload] of [["a", "x".repeat(100)], ["b", "small"]]) {
    publisher.publish({ topic, payload, qos: 1, retain: true });
  }
  subscriber.receive();
  subscriber.send(subscribe(5, { filters: [["+", 1]] }));
  assert.deepEqual(payloads(subscriber), ["small"]);
});

conformance(
  "MQTT-3.1.2-24",
  "an alias of a message that was too large is not taken for known",
  () => {
    const world = new World();
    const subscriber = world.connect(5, {
      clientId: "subscriber",
      properties: concat(size(50), property(Property.topicAliasMaximum, 5)),
    });
    subscriber.subscribe("#");
    const publisher = world.connect(5, { clientId: "publisher" });
    for (const payload of ["x".repeat(100), "1", "2"]) publisher.publish({ topic: "t", payload });
    assert.deepEqual(
      subscriber.receive().map((packet) => [packet.topic, valueOf(packet, Property.topicAlias)]),
      [["t", 1], ["", 1]],
    );
  },
);

conformance("MQTT-3.1.2-24", "a SUBACK too large for the client is not sent", () => {
  const world = new World();
  const limit = 30;
  const subscriber = world.connect(5, { properties: size(limit) });
  const filters = Array.from({ length: 40 }, (_, n) => [`${n}`, 0] as const);
  subscriber.send(subscribe(5, { filters }));
  assert.ok(subscriber.receiveBytes().length <= limit);
});

conformance("MQTT-3.1.2-24", "shared payloads of 64 KiB are measured as well", () => {
  const payload = "x".repeat(70_000);
  for (const maximum of [70_000, 70_010]) {
    const [subscriber, publisher] = pair(maximum);
    const other = publisher.world.connect(5, { clientId: "other" });
    other.subscribe("t", 1);
    publisher.publish({ topic: "t", qos: 1, payload });
    assert.equal(subscriber.receive().length, maximum === 70_000 ? 0 : 1);
    assert.equal(other.expect("publish").payload!.length, 70_000);
  }
});
