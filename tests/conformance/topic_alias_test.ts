import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { expectDisconnected, lasting, payloads, text, valueOf } from "../support/messages.ts";
import type { ServerPacket } from "../support/packet_decoder.ts";
import { connect, Property, property, subscribe } from "../support/packets.ts";
import { type FakeClient, World } from "../support/world.ts";

const alias = (value: number) => property(Property.topicAlias, value);
const aliasMaximum = (value: number) => property(Property.topicAliasMaximum, value);

/** Topic and alias of each message. */
function named(client: FakeClient): [topic: string, alias: unknown][] {
  return client.receiveOf("publish").map((packet: ServerPacket) => [
    packet.topic!,
    valueOf(packet, Property.topicAlias),
  ]);
}

/** A subscriber to everything that allows so many aliases, and a publisher. */
function pair(
  maximum: number | undefined,
  options?: ConstructorParameters<typeof World>[0],
): [FakeClient, FakeClient] {
  const world = new World(options);
  const subscriber = world.connect(5, {
    clientId: "subscriber",
    properties: maximum === undefined ? [] : aliasMaximum(maximum),
  });
  subscriber.subscribe("#", 2);
  return [subscriber, world.connect(5, { clientId: "publisher" })];
}

conformance(
  ["MQTT-3.1.2-26", "MQTT-3.3.2-11", "MQTT-3.3.2-8"],
  "topics get the aliases 1, 2, … up to the client's maximum; later ones go by name",
  () => {
    const [subscriber, publisher] = pair(2);
    for (const topic of ["a", "b", "c", "a", "b", "c"]) publisher.publish({ topic, payload: "m" });
    assert.deepEqual(named(subscriber), [
      ["a", 1],
      ["b", 2],
      ["c", undefined],
      ["", 1],
      ["", 2],
      ["c", undefined],
    ]);
  },
);

conformance("MQTT-3.1.2-27", "without a Topic Alias Maximum, or with 0, there is no alias", () => {
  for (const maximum of [undefined, 0]) {
    const [subscriber, publisher] = pair(maximum);
    publisher.publish({ topic: "a", payload: "m" }).publish({ topic: "a", payload: "m" });
    assert.deepEqual(named(subscriber), [["a", undefined], ["a", undefined]]);
  }
});

conformance("MQTT-3.1.2-27", "a client of MQTT 3 gets no alias", () => {
  const [, publisher] = pair(10);
  const old = publisher.world.connect(4, { clientId: "old" });
  old.subscribe("#");
  publisher.publish({ topic: "a", payload: "m", properties: alias(1) });
  publisher.publish({ topic: "", payload: "n", properties: alias(1) });
  assert.deepEqual(old.receive().map((packet) => [packet.topic, text(packet)]), [
    ["a", "m"],
    ["a", "n"],
  ]);
});

Deno.test("max_topic_alias_broker bounds the aliases that are used, 0 switches them off", () => {
  for (const maximum of [0, 1]) {
    const [subscriber, publisher] = pair(10, { listener: { maxTopicAliasBroker: maximum } });
    for (const topic of ["a", "b", "a"]) publisher.publish({ topic, payload: "m" });
    assert.deepEqual(
      named(subscriber),
      maximum === 0
        ? [["a", undefined], ["b", undefined], ["a", undefined]]
        : [["a", 1], ["b", undefined], ["", 1]],
    );
  }
});

conformance(
  "MQTT-3.3.2-11",
  "ten aliases are used by default, though the client allows more",
  () => {
    const [subscriber, publisher] = pair(100);
    for (let number = 1; number <= 11; number++) {
      publisher.publish({ topic: `t/${number}`, payload: "m" });
    }
    assert.deepEqual(
      named(subscriber).map(([, alias]) => alias),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, undefined],
    );
  },
);

conformance("MQTT-3.3.2-7", "the aliases of the server end with the connection", () => {
  const world = new World();
  const fields = { ...lasting(100, aliasMaximum(10)), clientId: "subscriber" };
  const before = world.connect(5, fields);
  before.subscribe("a", 1);
  const publisher = world.connect(5, { clientId: "publisher" });
  publisher.publish({ topic: "a", payload: "1" });
  publisher.publish({ topic: "a", payload: "2", qos: 1 });
  assert.deepEqual(named(before), [["a", 1], ["", 1]]);
  before.vanish();
  const after = world.open(5).send(connect(5, fields));
  assert.deepEqual(named(after), [["a", 1]]);
  after.vanish();
  const without = world.open(5).send(connect(5, { ...lasting(100), clientId: "subscriber" }));
  assert.deepEqual(named(without), [["a", undefined]]);
});

conformance("MQTT-3.3.2-7", "the aliases of a client end with its connection", () => {
  const world = new World();
  world.connect(5, lasting(100)).publish({ topic: "a", properties: alias(1) }).vanish();
  const after = world.connect(5, lasting(100)).publish({ topic: "", properties: alias(1) });
  expectDisconnected(after, 0x82);
});

conformance("MQTT-3.3.2-7", "each connection has aliases of its own", () => {
  const [subscriber, one] = pair(0);
  const other = one.world.connect(5, { clientId: "other" });
  one.publish({ topic: "a", payload: "1", properties: alias(1) });
  other.publish({ topic: "b", payload: "2", properties: alias(1) });
  one.publish({ topic: "", payload: "3", properties: alias(1) });
  assert.deepEqual(named(subscriber).map(([topic]) => topic), ["a", "b", "a"]);
});

conformance("MQTT-3.3.2-12", "a client may set every alias up to the maximum, and no more", () => {
  const [subscriber, publisher] = pair(0);
  for (let value = 1; value <= 10; value++) {
    publisher.publish({ topic: `t/${value}`, payload: "m", properties: alias(value) });
  }
  subscriber.receive();
  for (let value = 10; value >= 1; value--) {
    publisher.publish({ topic: "", payload: "m", qos: value % 2, properties: alias(value) });
  }
  assert.deepEqual(
    named(subscriber).map(([topic]) => topic),
    [10, 9, 8, 7, 6, 5, 4, 3, 2, 1].map((value) => `t/${value}`),
  );
  publisher.receive();
  expectDisconnected(publisher.publish({ topic: "t", properties: alias(11) }), 0x94);
});

conformance("MQTT-3.3.2-12", "max_topic_alias says how many a client may set", () => {
  for (const maximum of [0, 300]) {
    const [subscriber, publisher] = pair(0, { listener: { maxTopicAlias: maximum } });
    assert.equal(
      valueOf(publisher.connack!, Property.topicAliasMaximum),
      maximum === 0 ? undefined : maximum,
    );
    if (maximum > 0) publisher.publish({ topic: "t", payload: "m", properties: alias(maximum) });
    assert.deepEqual(payloads(subscriber), maximum > 0 ? ["m"] : []);
    expectDisconnected(publisher.publish({ topic: "t", properties: alias(maximum + 1) }), 0x94);
  }
});

conformance("MQTT-3.3.2-8", "alias 0 from a client is refused", () => {
  expectDisconnected(new World().connect(5).publish({ topic: "t", properties: alias(0) }), 0x94);
});

Deno.test("an alias that was never set is a protocol error, no topic and no alias malformed", () => {
  const world = new World();
  expectDisconnected(world.connect(5).publish({ topic: "", properties: alias(3) }), 0x82);
  expectDisconnected(world.connect(5).publish({ topic: "" }), 0x81);
});

Deno.test("an alias may be given to another topic", () => {
  const [subscriber, publisher] = pair(0);
  for (const topic of ["a", "", "b", ""]) {
    publisher.publish({ topic, payload: "m", properties: alias(1) });
  }
  assert.deepEqual(named(subscriber).map(([topic]) => topic), ["a", "a", "b", "b"]);
});

Deno.test("a message that came by alias is retained and queued under its topic", () => {
  const [, publisher] = pair(0);
  const { world } = publisher;
  const waiting = world.connect(5, { ...lasting(100), clientId: "waiting" });
  waiting.subscribe("a", 1);
  waiting.vanish();
  publisher.publish({ topic: "a", payload: "1", properties: alias(1) });
  publisher.publish({ topic: "", payload: "2", qos: 1, retain: true, properties: alias(1) });
  const after = world.open(5).send(connect(5, { ...lasting(100), clientId: "waiting" }));
  assert.deepEqual(named(after), [["a", undefined]]);
  const late = world.connect(5, { clientId: "late" }).send(subscribe(5, { filters: [["a", 0]] }));
  assert.deepEqual(named(late), [["a", undefined]]);
});
