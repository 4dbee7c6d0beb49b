import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import { allWritten, lasting, payloads, text, valueOf } from "../support/messages.ts";
import { ack, connect, Property, property, subscribe } from "../support/packets.ts";
import { type FakeClient, World } from "../support/world.ts";

const expiry = (seconds: number) => property(Property.messageExpiryInterval, seconds);
const unlimited = { keepAliveSeconds: 0 };
const waiting = { ...lasting(0xffff_ffff), ...unlimited, clientId: "waiting" };

/** Payload and Message Expiry Interval of each message. */
function dated(client: FakeClient): [payload: string, seconds: unknown][] {
  return client.receiveOf("publish").map((packet) => [
    text(packet),
    valueOf(packet, Property.messageExpiryInterval),
  ]);
}

/** One who is away and subscribed to `t`, and a publisher. */
function away(options?: ConstructorParameters<typeof World>[0]): [World, FakeClient] {
  const world = new World(options);
  const client = world.connect(5, waiting);
  client.send(subscribe(5, { filters: [["t", 2]] }));
  client.vanish();
  return [world, world.connect(5, { ...unlimited, clientId: "publisher" })];
}

conformance("MQTT-3.3.2-6", "a message that is delivered at once keeps its Message Expiry", () => {
  const world = new World();
  const client = world.connect(5);
  for (const [qos, seconds] of [[0, 1], [1, 60], [1, 0xffff_ffff], [0, 0]]) {
    client.subscribe("t", qos);
    client.publish({ topic: "t", qos, payload: "m", properties: expiry(seconds) });
    assert.deepEqual(dated(client), [["m", seconds]]);
  }
  client.publish({ topic: "t", payload: "m" });
  assert.deepEqual(dated(client), [["m", undefined]]);
});

conformance("MQTT-3.3.2-6", "what waited goes out with what is left", () => {
  const [world, publisher] = away();
  publisher.publish({ topic: "t", qos: 1, payload: "1", properties: expiry(10) });
  publisher.publish({ topic: "t", qos: 1, payload: "2" });
  publisher.publish({ topic: "t", qos: 2, packetId: 3, payload: "3", properties: expiry(100) });
  world.advanceSeconds(5);
  publisher.send(ack("pubrel", 3));
  world.advanceSeconds(4);
  const after = world.open(5).send(connect(5, waiting));
  assert.deepEqual(dated(after), [["1", 1], ["2", undefined], ["3", 91]]);
});

conformance("MQTT-3.3.2-5", "a message that expired in the queue is dropped", () => {
  const [world, publisher] = away();
  publisher.publish({ topic: "t", qos: 1, payload: "1", properties: expiry(10) });
  publisher.publish({ topic: "t", qos: 1, payload: "2", properties: expiry(11) });
  world.advanceSeconds(10);
  const after = world.open(5).send(connect(5, waiting));
  assert.deepEqual(dated(after), [["2", 1]]);
});

conformance("MQTT-3.3.2-5", "a message that expired behind a full window is dropped", () => {
  const world = new World();
  const client = world.connect(5, {
    ...unlimited,
    properties: property(Property.receiveMaximum, 1),
  });
  client.subscribe("t", 1);
  const publisher = world.connect(5, { ...unlimited, clientId: "publisher" });
  for (const [payload, seconds] of [["1", 2], ["2", 2], ["3", 9]] as const) {
    publisher.publish({ topic: "t", qos: 1, payload, properties: expiry(seconds) });
  }
  assert.deepEqual(dated(client), [["1", 2]]);
  world.advanceSeconds(3);
  client.send(ack("puback", 1));
  assert.deepEqual(dated(client), [["3", 6]]);
});

conformance(
  "MQTT-3.3.2-5",
  "a QoS 2 message that expires before its PUBREL is not delivered",
  () => {
    const world = new World();
    const client = world.connect(5, unlimited);
    client.subscribe("t", 2);
    client.publish({ topic: "t", qos: 2, payload: "m", properties: expiry(5) });
    client.expect("pubrec");
    world.advanceSeconds(5);
    client.send(ack("pubrel", 1));
    client.expect("pubcomp");
  },
);

conformance(
  ["MQTT-3.3.2-5", "MQTT-3.3.2-6"],
  "a retained message goes out with what is left, and no more when it expired",
  () => {
    for (const retainExpiryInterval of [0, 1]) {
      const world = new World({ settings: { retainExpiryInterval } });
      const publisher = world.connect(5, unlimited);
      publisher.publish({ topic: "t", retain: true, payload: "m", properties: expiry(10) });
      const late = world.connect(5, { ...unlimited, clientId: "late" });
      for (const [passed, expected] of [[0, 10], [7, 3], [2, 1], [1, undefined]]) {
        world.advanceSeconds(passed!);
        late.send(subscribe(5, { filters: [["t", 0]] }));
        assert.deepEqual(dated(late), expected === undefined ? [] : [["m", expected]]);
      }
    }
  },
);

Deno.test("retain_expiry_interval removes expired retained messages by itself", () => {
  const world = new World({ settings: { retainExpiryInterval: 60 } });
  const publisher = world.connect(5, unlimited);
  publisher.publish({ topic: "t", retain: true, payload: "m", properties: expiry(10) });
  publisher.publish({ topic: "u", retain: true, payload: "m" });
  world.advanceSeconds(59);
  assert.equal(world.broker.retained.count, 2);
  world.advanceSeconds(1);
  assert.equal(world.broker.retained.count, 1);
});

conformance("MQTT-3.3.2-5", "a queued QoS 0 message expires as others do", () => {
  const [world, publisher] = away({ settings: { queueQos0Messages: true } });
  publisher.publish({ topic: "t", payload: "1", properties: expiry(3) });
  publisher.publish({ topic: "t", payload: "2", properties: expiry(9) });
  world.advanceSeconds(3);
  assert.deepEqual(dated(world.open(5).send(connect(5, waiting))), [["2", 6]]);
});

conformance(
  "MQTT-3.3.2-6",
  "a client of MQTT 3 gets the message without its date, or not at all",
  () => {
    const world = new World();
    const fields = { clean: false, ...unlimited, clientId: "old" };
    const old = world.connect(4, fields);
    old.subscribe("t", 1);
    old.vanish();
    const publisher = world.connect(5, unlimited);
    publisher.publish({ topic: "t", qos: 1, payload: "1", properties: expiry(3) });
    publisher.publish({ topic: "t", qos: 1, payload: "2", properties: expiry(9) });
    world.advanceSeconds(3);
    assert.deepEqual(payloads(world.open(4).send(connect(4, fields))), ["2"]);
  },
);

conformance(["MQTT-3.3.2-5", "MQTT-3.3.2-6"], "time passes while the broker is down", async () => {
  const store = new FaultyStore({ automatic: true });
  const [world, publisher] = away({ store, durability: "sync" });
  publisher.publish({ topic: "t", qos: 1, payload: "1", properties: expiry(100) });
  publisher.publish({ topic: "t", qos: 1, payload: "2", properties: expiry(10) });
  publisher.publish({ topic: "t", qos: 1, retain: true, payload: "3", properties: expiry(200) });
  await allWritten(world);
  const next = new World({
    store: store.crash(),
    durability: "sync",
    startMs: 5,
    wallMs: world.wallMs + 60_000,
  });
  const after = next.open(5).send(connect(5, waiting));
  await next.settle();
  assert.deepEqual(dated(after), [["1", 40], ["3", 140]]);
  after.send(subscribe(5, { filters: [["t", 0]] }));
  await next.settle();
  assert.deepEqual(dated(after), [["3", 140]]);
});
