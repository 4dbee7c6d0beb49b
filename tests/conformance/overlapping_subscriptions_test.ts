import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { lasting, valuesOf } from "../support/messages.ts";
import { ack, connect, Property, property, subscribe } from "../support/packets.ts";
import { type FakeClient, World } from "../support/world.ts";

const identifier = (value: number) => property(Property.subscriptionIdentifier, value);
const duplicates = { settings: { allowDuplicateMessages: true } };

/** QoS and Subscription Identifiers of each message. */
function copies(client: FakeClient): [qos: number, identifiers: number[]][] {
  return client.receiveOf("publish").map((packet) => [
    packet.qos!,
    (valuesOf(packet, Property.subscriptionIdentifier) as number[]).toSorted((a, b) => a - b),
  ]);
}

for (const version of [3, 4, 5] as const) {
  conformance(
    ["MQTT-3.3.4-2", "MQTT-3.3.5-1 v3"],
    `overlapping subscriptions bring one copy at the highest QoS, version ${version}`,
    () => {
      for (const order of [[0, 1, 2], [2, 1, 0], [1, 2, 0]]) {
        const world = new World();
        const client = world.connect(version);
        const filters = ["a/b", "a/+", "#"];
        for (const at of order) client.subscribe(filters[at], at);
        const publisher = world.connect(version, { clientId: "publisher" });
        publisher.publish({ topic: "a/b", qos: 2 }).send(ack("pubrel", 1));
        publisher.publish({ topic: "a/b", qos: 1 });
        publisher.publish({ topic: "a/b", qos: 0 });
        assert.deepEqual(copies(client).map(([qos]) => qos), [2, 1, 0]);
      }
    },
  );
}

conformance("MQTT-3.3.4-3", "the Subscription Identifier goes with the message", () => {
  const world = new World();
  const client = world.connect(5);
  for (const value of [1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455]) {
    client.subscribe("t", 1, { properties: identifier(value) });
    for (const qos of [0, 1]) {
      client.publish({ topic: "t", qos, payload: "m" });
      const [[found, identifiers]] = copies(client);
      assert.deepEqual([found, identifiers], [qos, [value]]);
    }
  }
});

conformance("MQTT-3.3.4-3", "one SUBSCRIBE gives its identifier to all its filters", () => {
  const world = new World();
  const client = world.connect(5);
  client.send(subscribe(5, { filters: [["a", 0], ["b", 0]], properties: identifier(9) }));
  client.receive();
  for (const topic of ["a", "b"]) client.publish({ topic });
  assert.deepEqual(copies(client), [[0, [9]], [0, [9]]]);
});

conformance("MQTT-3.3.4-3", "subscribing again replaces the identifier, or removes it", () => {
  const client = new World().connect(5);
  client.subscribe("t", 0, { properties: identifier(1) });
  client.subscribe("t", 0, { properties: identifier(2) });
  assert.deepEqual(copies(client.publish({ topic: "t" })), [[0, [2]]]);
  client.subscribe("t", 0);
  assert.deepEqual(copies(client.publish({ topic: "t" })), [[0, []]]);
});

conformance("MQTT-3.3.4-3", "retained messages and shared subscriptions have theirs too", () => {
  const world = new World();
  const client = world.connect(5);
  client.publish({ topic: "t", retain: true, payload: "kept" });
  client.send(subscribe(5, { filters: [["t", 0]], properties: identifier(5) }));
  assert.deepEqual(copies(client), [[0, [5]]]);
  client.subscribe("$share/g/s", 0, { properties: identifier(6) });
  client.publish({ topic: "s" });
  assert.deepEqual(copies(client), [[0, [6]]]);
});

conformance(
  "MQTT-3.3.4-3",
  "identifiers stay with a message that waits, and with a session",
  () => {
    const world = new World();
    const before = world.connect(5, lasting(100));
    before.subscribe("t", 1, { properties: identifier(7) });
    before.vanish();
    const publisher = world.connect(5, { clientId: "publisher" });
    publisher.publish({ topic: "t", qos: 1 });
    const after = world.open(5).send(connect(5, lasting(100)));
    publisher.publish({ topic: "t", qos: 1 });
    assert.deepEqual(copies(after), [[1, [7]], [1, [7]]]);
  },
);

conformance("MQTT-3.3.4-4", "one copy carries the identifiers of all that match", () => {
  const world = new World();
  const client = world.connect(5);
  client.subscribe("a/b", 0, { properties: identifier(1) });
  client.subscribe("a/+", 1, { properties: identifier(2) });
  client.subscribe("+/b", 0);
  client.subscribe("#", 0, { properties: identifier(3) });
  client.subscribe("c", 0, { properties: identifier(4) });
  client.publish({ topic: "a/b", qos: 2, packetId: 9 }).send(ack("pubrel", 9));
  assert.deepEqual(copies(client), [[1, [1, 2, 3]]]);
  client.publish({ topic: "c" });
  assert.deepEqual(copies(client), [[0, [3, 4]]]);
});

conformance(
  "MQTT-3.3.4-5",
  "with allow_duplicate_messages each subscription has its copy, QoS and identifier",
  () => {
    const world = new World(duplicates);
    const client = world.connect(5);
    client.subscribe("a/b", 0, { properties: identifier(1) });
    client.subscribe("a/+", 1, { properties: identifier(2) });
    client.subscribe("#", 2);
    client.publish({ topic: "a/b", qos: 2, packetId: 9 }).send(ack("pubrel", 9));
    assert.deepEqual(
      copies(client).toSorted(([a], [b]) => a - b),
      [[0, [1]], [1, [2]], [2, []]],
    );
  },
);

Deno.test("with allow_duplicate_messages each copy has its own Packet Identifier", () => {
  const world = new World(duplicates);
  const client = world.connect(4, { clean: false });
  client.subscribe("a", 1);
  client.subscribe("#", 1);
  client.vanish();
  world.connect(4, { clientId: "publisher" }).publish({ topic: "a", qos: 1 });
  const after = world.open(4).send(connect(4, { clean: false }));
  assert.deepEqual(after.receiveOf("publish").map(({ packetId }) => packetId), [1, 2]);
});

Deno.test("the same filter subscribed twice is one subscription, also with duplicates", () => {
  const client = new World(duplicates).connect(5);
  client.subscribe("t", 0);
  client.subscribe("t", 1);
  client.publish({ topic: "t", qos: 1 });
  assert.deepEqual(copies(client), [[1, []]]);
});

Deno.test("a client of MQTT 3 gets no identifiers, whoever shares its filter", () => {
  const world = new World();
  const old = world.connect(4, { clientId: "old" });
  old.subscribe("t", 1);
  const young = world.connect(5);
  young.subscribe("t", 1, { properties: identifier(1) });
  young.publish({ topic: "t", qos: 1, payload: "m" });
  assert.deepEqual([...old.receiveBytes()], [0x32, 6, 0, 1, 0x74, 0, 1, 0x6d]);
});
