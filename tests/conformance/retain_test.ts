import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { lasting, payloads, text } from "../support/messages.ts";
import {
  ack,
  connect,
  disconnect,
  subscribe,
  unsubscribe,
  type Version,
} from "../support/packets.ts";
import { type FakeClient, World, type WorldOptions } from "../support/world.ts";

const versions = [3, 4, 5] as const;
const retainAsPublished = 0x08;
const handling = (value: 0 | 1 | 2) => value << 4;

/** A world with a publisher of that version, and messages retained by it: topic and payload. */
function retaining(
  version: Version,
  messages: readonly (readonly [topic: string, payload: string, qos?: number])[],
  options?: WorldOptions,
): [World, FakeClient] {
  const world = new World(options);
  const publisher = world.connect(version, { clientId: "publisher", keepAliveSeconds: 0 });
  for (const [topic, payload, qos = 0] of messages) {
    publisher.publish({ topic, payload, qos, retain: true });
    if (qos === 2) publisher.send(ack("pubrel", 1));
  }
  publisher.receive();
  return [world, publisher];
}

/** What a subscription brings, SUBACK apart: payload, QoS, RETAIN. */
function brings(client: FakeClient, filter: string, options: number): [string, number, boolean][] {
  client.send(subscribe(client.version, { filters: [[filter, options]] }));
  const [suback, ...messages] = client.receive();
  assert.equal(suback.type, "suback", "the SUBACK goes before the retained messages");
  return messages.map((packet) => [text(packet), packet.qos!, packet.retain!]);
}

for (const version of versions) {
  conformance(
    ["MQTT-3.3.1-5", "MQTT-3.3.1-5 v3", "MQTT-3.3.1-7 v3"],
    `the last retained message of a topic is kept with its QoS, version ${version}`,
    () => {
      for (const qos of [0, 1, 2]) {
        const [world] = retaining(version, [["t", "first", 2], ["t", "last", qos], ["u", "other"]]);
        assert.equal(world.broker.retained.count, 2);
        assert.deepEqual(brings(world.connect(version), "t", 2), [["last", qos, true]]);
      }
    },
  );

  conformance(
    ["MQTT-3.3.1-6", "MQTT-3.3.1-7"],
    `an empty retained message removes, goes out, and is not kept, version ${version}`,
    () => {
      const [world, publisher] = retaining(version, [["t", "kept"]]);
      const live = world.connect(version, { clientId: "live" });
      assert.equal(brings(live, "t", 1).length, 1);
      publisher.publish({ topic: "t", payload: "", qos: 1, retain: true });
      const message = live.expect("publish");
      assert.deepEqual([text(message), message.retain], ["", false]);
      assert.equal(world.broker.retained.count, 0);
      assert.deepEqual(brings(world.connect(version, { clientId: "late" }), "t", 1), []);
      publisher.publish({ topic: "never", payload: "", retain: true });
      assert.equal(world.broker.retained.count, 0);
    },
  );

  conformance("MQTT-3.3.1-8", `RETAIN 0 leaves what is retained, version ${version}`, () => {
    const [world, publisher] = retaining(version, [["t", "kept"]]);
    publisher.publish({ topic: "t", payload: "live" }).publish({ topic: "t", payload: "" });
    publisher.publish({ topic: "u", payload: "live" });
    assert.deepEqual(brings(world.connect(version), "#", 0), [["kept", 0, true]]);
  });

  conformance(
    ["MQTT-3.3.1-9", "MQTT-3.3.1-6 v3", "MQTT-3.3.1-8 v3"],
    `a subscription brings all that is retained and matches, parents first, version ${version}`,
    () => {
      const [world] = retaining(version, [
        ["a/b/c", "abc"],
        ["a", "a"],
        ["a/b", "ab"],
        ["b/b", "bb"],
        ["$x/b", "$"],
      ]);
      const client = world.connect(version);
      const payloadsOf = (filter: string) => brings(client, filter, 0).map(([payload]) => payload);
      assert.deepEqual(payloadsOf("a/#"), ["a", "ab", "abc"]);
      assert.deepEqual(payloadsOf("+/b").sort(), ["ab", "bb"]);
      assert.deepEqual(payloadsOf("#").sort(), ["a", "ab", "abc", "bb"]);
      assert.deepEqual(payloadsOf("$x/#"), ["$"]);
      assert.deepEqual(payloadsOf("a/b/c/d"), []);
    },
  );

  conformance(
    ["MQTT-3.3.1-12", "MQTT-3.3.1-9 v3"],
    `a live message goes out with RETAIN 0, version ${version}`,
    () => {
      const [world, publisher] = retaining(version, []);
      const live = world.connect(version);
      live.subscribe("t", 2);
      for (const qos of [0, 1]) publisher.publish({ topic: "t", payload: "m", qos, retain: true });
      assert.deepEqual(live.receive().map(({ retain }) => retain), [false, false]);
    },
  );
}

conformance("MQTT-3.3.1-9", "Retain Handling 0 brings them at every subscribing", () => {
  const [world] = retaining(5, [["t", "kept"]]);
  const client = world.connect(5);
  for (let times = 0; times < 2; times++) {
    assert.deepEqual(brings(client, "t", handling(0)), [["kept", 0, true]]);
  }
});

conformance("MQTT-3.3.1-10", "Retain Handling 1 brings them when the subscription is new", () => {
  const [world] = retaining(5, [["t", "kept"]]);
  const client = world.connect(5, lasting(100));
  assert.equal(brings(client, "t", handling(1)).length, 1);
  assert.equal(brings(client, "t", handling(1) | 1).length, 0);
  assert.equal(brings(client, "#", handling(1)).length, 1, "another filter is a new subscription");
  client.vanish();
  const again = world.connect(5, lasting(100));
  assert.equal(brings(again, "t", handling(1)).length, 0, "the session had it");
  again.send(unsubscribe(5, { filters: ["t"] })).receive();
  assert.equal(brings(again, "t", handling(1)).length, 1);
});

conformance(
  "MQTT-3.3.1-11",
  "Retain Handling 2 brings none, and live messages all the same",
  () => {
    const [world, publisher] = retaining(5, [["t", "kept"]]);
    const client = world.connect(5);
    assert.deepEqual(brings(client, "t", handling(2)), []);
    publisher.publish({ topic: "t", payload: "live" });
    assert.deepEqual(payloads(client), ["live"]);
  },
);

conformance("MQTT-3.3.1-13", "Retain As Published leaves RETAIN as it came", () => {
  const [world, publisher] = retaining(5, []);
  const client = world.connect(5);
  client.subscribe("t", 2 | retainAsPublished);
  for (const retain of [true, false]) {
    for (const qos of [0, 1]) publisher.publish({ topic: "t", payload: "m", qos, retain });
  }
  assert.deepEqual(client.receive().map(({ retain }) => retain), [true, true, false, false]);
});

conformance(["MQTT-3.3.1-12", "MQTT-3.3.1-13"], "the same holds for what waited in a queue", () => {
  const [world, publisher] = retaining(5, []);
  for (const [clientId, options] of [["with", retainAsPublished], ["without", 0]] as const) {
    const client = world.connect(5, { ...lasting(100), clientId });
    client.subscribe("t", 1 | options);
    client.vanish();
  }
  publisher.publish({ topic: "t", payload: "m", qos: 1, retain: true });
  publisher.publish({ topic: "t", payload: "m", qos: 1 });
  for (
    const [clientId, expected] of [["with", [true, false]], ["without", [false, false]]] as const
  ) {
    const client = world.open(5).send(connect(5, { ...lasting(100), clientId }));
    assert.deepEqual(client.receiveOf("publish").map(({ retain }) => retain), expected);
  }
});

conformance("MQTT-3.3.1-9", "a shared subscription brings no retained messages", () => {
  const [world] = retaining(5, [["t", "kept"]]);
  assert.deepEqual(brings(world.connect(5), "$share/g/t", 0), []);
});

conformance("MQTT-3.3.1-9", "retained messages come at the lower QoS, as many as are taken", () => {
  const messages = Array.from({ length: 50 }, (_, n) => [`t/${n}`, `${n}`, 2] as const);
  const [world] = retaining(4, messages);
  const client = world.connect(4);
  const first = brings(client, "t/+", 1);
  assert.equal(first.length, 20, "the window of max_inflight_messages");
  assert.deepEqual(first[0].slice(1), [1, true]);
  const found = first.map(([payload]) => payload);
  for (let packetId = 1; packetId <= 50; packetId++) {
    found.push(...payloads(client.send(ack("puback", packetId))));
  }
  assert.deepEqual(found.toSorted(), messages.map(([, payload]) => payload).toSorted());
});

Deno.test("more retained messages than one slice reach a client that takes them", () => {
  const messages = Array.from({ length: 700 }, (_, n) => [`t/${n}`, `${n}`] as const);
  const [world] = retaining(4, messages);
  assert.equal(brings(world.connect(4), "t/#", 0).length, 700);
});

Deno.test("upgrade_outgoing_qos raises messages to the QoS of the subscription", () => {
  const [world, publisher] = retaining(5, [["t", "kept"]], {
    settings: { upgradeOutgoingQos: true },
  });
  const client = world.connect(5);
  assert.deepEqual(brings(client, "t", 2), [["kept", 2, true]]);
  assert.deepEqual(brings(client, "u", 1), []);
  publisher.publish({ topic: "u", payload: "live" });
  const message = client.expect("publish");
  assert.deepEqual([message.qos, message.packetId], [1, 2]);
});

Deno.test("without upgrade_outgoing_qos a message never gains QoS", () => {
  const [world, publisher] = retaining(5, [["t", "kept"]]);
  const client = world.connect(5);
  assert.deepEqual(brings(client, "t", 2), [["kept", 0, true]]);
  publisher.publish({ topic: "t", payload: "live" });
  assert.equal(client.expect("publish").qos, 0);
});

Deno.test("max_retained_messages refuses one more, and still replaces and removes", () => {
  const [world, publisher] = retaining(5, [["a", "1"], ["b", "2"]], {
    settings: { maxRetainedMessages: 2 },
  });
  publisher.publish({ topic: "c", payload: "3", qos: 1, retain: true });
  assert.equal(publisher.expect("puback").reason, 0x97);
  publisher.publish({ topic: "a", payload: "4", qos: 1, retain: true });
  assert.equal(publisher.expect("puback").reason, 0x10);
  publisher.publish({ topic: "b", payload: "", qos: 1, retain: true });
  publisher.publish({ topic: "c", payload: "5", qos: 1, retain: true });
  const client = world.connect(5);
  assert.deepEqual(brings(client, "#", 0).map(([payload]) => payload).sort(), ["4", "5"]);
});

Deno.test("retained messages remain when their publisher's session ends", () => {
  const [world, publisher] = retaining(5, [["t", "kept"]]);
  publisher.send(disconnect());
  world.advanceSeconds(1_000_000);
  assert.equal(brings(world.connect(5), "t", 0).length, 1);
});
