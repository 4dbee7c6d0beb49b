/** Retained messages that a SUBSCRIBE brings: MQTT 5.0 sections 3.3.1.3 and 3.8.4. */
import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { connectLasting, heard, reconnect } from "../support/exchange.ts";
import { ack, Property, property, subscribe, unsubscribe } from "../support/packets.ts";
import { type FakeClient, World } from "../support/world.ts";

const retainHandling = (value: number) => value << 4;

/** A world that retains the topics given, each with its name as payload, in that order. */
function retaining(topics: readonly string[], qos: 0 | 1 | 2 = 0): World {
  const world = new World({ settings: { maxUnsentBytes: 400_000 } });
  for (const topic of topics) {
    world.broker.publishMessage({
      topic,
      payload: new TextEncoder().encode(topic),
      qos,
      retain: true,
    });
  }
  world.run();
  return world;
}

/** The topics of what a new subscription brings. */
function brought(client: FakeClient, filter: string, options = 0): string[] {
  client.send(subscribe(client.version, { filters: [[filter, options]] }));
  const [suback, ...messages] = client.receive();
  assert.equal(suback.type, "suback", "SUBACK goes before the retained messages");
  for (const { type, retain } of messages) assert.deepEqual([type, retain], ["publish", true]);
  return messages.map(({ topic }) => topic!);
}

conformance(
  ["MQTT-3.8.4-4", "MQTT-3.8.4-3 v3", "MQTT-3.3.1-9"],
  "SUBACK comes first, then the retained messages, at the lower QoS and with RETAIN",
  () => {
    for (const version of [3, 4, 5] as const) {
      for (const qos of [0, 1, 2] as const) {
        const client = retaining(["a", "b"], qos).connect(version);
        client.send(subscribe(version, { packetId: 5, filters: [["+", 1]] }));
        const [first, second] = qos === 0 ? ["q0", "q0"] : ["q1 #1", "q1 #2"];
        const expected = [
          "SUBACK #5 01",
          `PUBLISH a a ${first} retain`,
          `PUBLISH b b ${second} retain`,
        ];
        assert.deepEqual(heard(client), expected);
      }
    }
  },
);

conformance(
  ["MQTT-3.3.1-9", "MQTT-3.3.1-10", "MQTT-3.3.1-11", "MQTT-3.8.4-4"],
  "Retain Handling: 0 sends at each SUBSCRIBE, 1 at the first of its filter, 2 never",
  () => {
    const world = retaining(["a"]);
    const client = connectLasting(world, 5, "client");
    assert.deepEqual(brought(client, "a", retainHandling(0)), ["a"]);
    assert.deepEqual(brought(client, "a", retainHandling(0)), ["a"]);
    assert.deepEqual(brought(client, "a", retainHandling(1)), []);
    assert.deepEqual(brought(client, "a", retainHandling(2)), []);
    assert.deepEqual(brought(client, "+", retainHandling(1)), ["a"]);
    assert.deepEqual(brought(client, "+", retainHandling(1)), []);
    assert.deepEqual(brought(client, "#", retainHandling(2)), []);
    assert.deepEqual(brought(client, "#", retainHandling(1)), [], "the subscription is there");
    client.send(unsubscribe(5, { filters: ["+"] }));
    heard(client);
    assert.deepEqual(brought(client, "+", retainHandling(1)), ["a"], "it was not there any more");
    client.vanish();
    const again = reconnect(world, 5, "client");
    assert.deepEqual(heard(again), ["CONNACK 0x00 present"]);
    assert.deepEqual(brought(again, "a", retainHandling(1)), [], "the session has it");
  },
);

conformance(
  "MQTT-3.8.4-3 v3",
  "in MQTT 3.1.1 the same filter again brings the retained messages again",
  () => {
    const client = retaining(["a"]).connect(4);
    assert.deepEqual(brought(client, "a"), ["a"]);
    assert.deepEqual(brought(client, "a"), ["a"]);
  },
);

conformance(
  "MQTT-3.8.4-5",
  "each filter of a SUBSCRIBE brings its own, after one SUBACK",
  () => {
    const client = retaining(["a", "b"]).connect(5);
    client.send(subscribe(5, { filters: [["+", 0], ["$share/g/a", 0], ["a", 0], ["none", 0]] }));
    const expected = ["SUBACK #1 00 00 00 00", "a", "b", "a"];
    const words = heard(client).map((text) => text.startsWith("PUBLISH") ? text[8] : text);
    assert.deepEqual(words, expected);
  },
);

conformance(
  ["MQTT-3.3.1-9", "MQTT-4.7.1-1"],
  "what # brings has parents before their children",
  () => {
    const topics = ["a/b/c", "a/b", "a", "a/x", "b/c", "b"];
    assert.deepEqual(brought(retaining(topics).connect(5), "#"), [
      "a",
      "a/b",
      "a/b/c",
      "a/x",
      "b",
      "b/c",
    ]);
    assert.deepEqual(brought(retaining(topics).connect(5), "a/#"), ["a", "a/b", "a/b/c", "a/x"]);
  },
);

conformance(
  "MQTT-3.3.1-9",
  "retained messages bring the subscription's identifier, not those of others that match",
  () => {
    const client = retaining(["a"]).connect(5);
    for (const [filter, identifier] of [["#", 1], ["a", 2]] as const) {
      const properties = property(Property.subscriptionIdentifier, identifier);
      client.send(subscribe(5, { filters: [[filter, 0]], properties }));
      const [message] = client.receiveOf("publish");
      assert.deepEqual(message.properties, [[Property.subscriptionIdentifier, identifier]]);
    }
  },
);

const MANY = 100_000;
const many = Array.from({ length: MANY }, (_, index) => `r/${index}`);

/** Counts each message once: all have to come, in any order, and none twice. */
function countOnce(seen: Set<string>, client: FakeClient): number[] {
  return client.receiveOf("publish").map(({ topic, packetId }) => {
    assert.ok(!seen.has(topic!), `${topic} came twice`);
    seen.add(topic!);
    return packetId ?? 0;
  });
}

conformance(
  ["MQTT-3.3.1-9", "MQTT-3.8.4-4"],
  "100,000 retained messages reach a slow reader of QoS 0, with little of them in memory",
  () => {
    const world = retaining(many);
    const client = world.connect(5);
    client.isStuck = true;
    client.send(subscribe(5, { filters: [["r/#", 0]] }));
    const seen = new Set<string>();
    let highest = 0;
    do {
      highest = Math.max(highest, client.connection.outbox.waiting);
      countOnce(seen, client);
    } while (client.takeOneWrite());
    assert.equal(seen.size, MANY);
    assert.ok(highest < 200_000, `${highest} bytes waited`);
    assert.equal(world.broker.counters.dropped, 0);
  },
);

conformance(
  ["MQTT-3.3.1-9", "MQTT-4.9.0-2"],
  "100,000 retained messages of QoS 1 come through a window of 20 and past a queue of 1000",
  () => {
    const world = retaining(many, 1);
    const client = connectLasting(world, 5, "client");
    client.send(subscribe(5, { filters: [["r/#", 1]] }));
    const seen = new Set<string>();
    for (let ids = countOnce(seen, client); ids.length > 0; ids = countOnce(seen, client)) {
      assert.ok(ids.length <= 20);
      client.send(...ids.map((packetId) => ack("puback", packetId)));
    }
    assert.equal(seen.size, MANY);
    assert.equal(world.broker.counters.dropped, 0);
  },
);

conformance(
  "MQTT-3.10.4-2",
  "UNSUBSCRIBE ends the retained messages that were still to be sent",
  () => {
    const world = retaining(many.slice(0, 20_000));
    const client = world.connect(5);
    client.isStuck = true;
    client.send(subscribe(5, { filters: [["r/#", 0]] }));
    client.takeOneWrite();
    client.send(unsubscribe(5, { filters: ["r/#"] }));
    client.unstick();
    const received = client.receive();
    assert.equal(received.at(-1)!.type, "unsuback", "nothing comes behind UNSUBACK");
    assert.ok(received.length < 20_000);
  },
);

conformance(
  "MQTT-3.8.4-4",
  "subscribing again while retained messages are still to be sent brings each of them once more",
  () => {
    const world = retaining(many.slice(0, 20_000));
    const client = world.connect(5);
    client.isStuck = true;
    client.send(subscribe(5, { packetId: 1, filters: [["r/#", 0]] }));
    client.takeOneWrite();
    client.send(subscribe(5, { packetId: 2, filters: [["r/#", 0]] }));
    client.unstick();
    const received = client.receive();
    const behind = received.slice(received.findIndex(({ packetId }) => packetId === 2) + 1);
    assert.equal(new Set(behind.map(({ topic }) => topic)).size, 20_000);
    assert.equal(behind.length, 20_000, "the first delivery has given way to the second");
  },
);

conformance(
  "MQTT-3.3.1-9",
  "retained messages go on where they were when the client comes back",
  () => {
    const world = retaining(many.slice(0, 5000), 1);
    const client = connectLasting(world, 5, "client");
    client.send(subscribe(5, { filters: [["r/#", 1]] }));
    const seen = new Set<string>();
    const first = countOnce(seen, client);
    client.send(...first.map((packetId) => ack("puback", packetId)));
    client.vanish();
    countOnce(seen, client);
    const again = reconnect(world, 5, "client");
    let ids = again.receiveOf("publish").map((
      { topic, packetId },
    ) => (seen.add(topic!), packetId!));
    while (ids.length > 0) {
      again.send(...ids.map((packetId) => ack("puback", packetId)));
      ids = countOnce(seen, again);
    }
    assert.equal(seen.size, 5000);
  },
);
