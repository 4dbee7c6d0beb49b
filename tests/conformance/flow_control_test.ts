/** Flow control by Receive Maximum: MQTT 5.0 section 4.9. */
import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { connectLasting, heard, payloads, reconnect } from "../support/exchange.ts";
import {
  ack,
  concat,
  pingreq,
  Property,
  property,
  publish,
  subscribe,
} from "../support/packets.ts";
import { World } from "../support/world.ts";

const receiveMaximum = (value: number) => property(Property.receiveMaximum, value);

function publishTo(world: World, payloads: readonly string[], qos: 0 | 1 | 2): void {
  for (const payload of payloads) {
    world.broker.publishMessage({ topic: "a", payload: new TextEncoder().encode(payload), qos });
  }
  world.run();
}

conformance(
  ["MQTT-4.9.0-1", "MQTT-4.9.0-2"],
  "no more is in flight than the client's Receive Maximum and max_inflight_messages allow",
  () => {
    const limits: [client: number | null, ours: number, window: number][] = [
      [null, 20, 20],
      [1, 20, 1],
      [5, 20, 5],
      [65_535, 20, 20],
      [7, 0, 7],
      [null, 3, 3],
    ];
    for (const [clients, ours, window] of limits) {
      for (const qos of [1, 2] as const) {
        const world = new World({ settings: { maxInflightMessages: ours } });
        const client = world.connect(5, {
          properties: clients === null ? [] : receiveMaximum(clients),
        });
        client.subscribe("a", 2);
        const numbers = Array.from({ length: 30 }, (_, index) => `${index}`);
        publishTo(world, numbers, qos);
        assert.deepEqual(payloads(client), numbers.slice(0, window));
        if (qos === 2) {
          client.send(ack("pubrec", 1));
          assert.deepEqual(heard(client), ["PUBREL #1"], "PUBREC frees nothing");
          client.send(ack("pubcomp", 1));
        } else client.send(ack("puback", 1));
        const next = numbers.slice(window, window + 1);
        assert.deepEqual(payloads(client), next, "one for one");
      }
    }
  },
);

conformance("MQTT-4.9.0-2", "in MQTT 3 the window is max_inflight_messages", () => {
  for (const version of [3, 4] as const) {
    const world = new World({ settings: { maxInflightMessages: 2 } });
    const client = world.connect(version);
    client.subscribe("a", 2);
    publishTo(world, ["1", "2", "3"], 1);
    assert.deepEqual(payloads(client), ["1", "2"]);
    client.send(ack("puback", 2));
    assert.deepEqual(payloads(client), ["3"]);
  }
});

conformance(
  "MQTT-4.9.0-2",
  "a PUBREC of 0x80 or more frees the place as well, and resent messages count from the start",
  () => {
    const world = new World();
    const client = connectLasting(world, 5, "client", receiveMaximum(3));
    client.subscribe("a", 2);
    publishTo(world, ["1", "2", "3", "4", "5"], 2);
    client.send(ack("pubrec", 2, { reason: 0x80 }), ack("pubrec", 1));
    assert.deepEqual(payloads(client), ["1", "2", "3", "4"]);
    client.vanish();
    const again = reconnect(world, 5, "client", {
      properties: concat(property(Property.sessionExpiryInterval, 60), receiveMaximum(2)),
    });
    assert.deepEqual(heard(again), ["CONNACK 0x00 present", "PUBREL #1", "PUBLISH a 3 q2 #3 dup"]);
    again.send(ack("pubcomp", 1));
    assert.deepEqual(heard(again), ["PUBLISH a 4 q2 #4 dup"]);
    again.send(ack("pubrec", 3), ack("pubcomp", 3));
    assert.deepEqual(heard(again), ["PUBREL #3", "PUBLISH a 5 q2 #5"]);
  },
);

conformance(
  "MQTT-4.9.0-3",
  "at quota 0 everything else is sent and taken: QoS 0, PINGRESP, SUBACK, the client's own PUBLISH",
  () => {
    const world = new World();
    const client = world.connect(5, { properties: receiveMaximum(1) });
    client.subscribe("a", 2);
    publishTo(world, ["1", "2"], 1);
    publishTo(world, ["0"], 0);
    client.send(
      pingreq(),
      subscribe(5, { packetId: 9, filters: [["b", 1]] }),
      publish(5, { topic: "c", qos: 1, packetId: 4 }),
      publish(5, { topic: "c", qos: 2, packetId: 5 }),
      ack("pubrel", 5),
    );
    assert.deepEqual(heard(client), [
      "PUBLISH a 1 q1 #1",
      "PUBLISH a 0 q0",
      "PINGRESP",
      "SUBACK #9 01",
      "PUBACK #4 0x10",
      "PUBREC #5",
      "PUBCOMP #5",
    ]);
    client.send(ack("puback", 1));
    assert.deepEqual(heard(client), ["PUBLISH a 2 q1 #2"]);
  },
);

conformance(
  "MQTT-4.9.0-2",
  "max_inflight_bytes counts with the messages, until PUBACK or PUBCOMP; one message always goes",
  () => {
    for (const lasting of [false, true]) {
      const world = new World({ settings: { maxInflightBytes: 10 } });
      const client = lasting
        ? connectLasting(world, 5, "client")
        : world.connect(5, { clientId: "client" });
      client.subscribe("a", 2);
      publishTo(world, ["four", "five5"], 2);
      assert.deepEqual(payloads(client), ["four", "five5"]);
      client.send(ack("pubrec", 1), ack("pubrec", 2));
      publishTo(world, ["six666", "far too large for it"], 2);
      assert.deepEqual(payloads(client), [], "PUBREC has freed nothing");
      client.send(ack("pubcomp", 1));
      assert.deepEqual(payloads(client), [], "5 + 6 are too much");
      client.send(ack("pubcomp", 2));
      assert.deepEqual(payloads(client), ["six666"]);
      publishTo(world, ["x"], 2);
      client.send(ack("pubrec", 3), ack("pubcomp", 3));
      assert.deepEqual(payloads(client), ["far too large for it"]);
      client.send(ack("pubrec", 4), ack("pubcomp", 4));
      assert.deepEqual(payloads(client), ["x"]);
    }
  },
);

conformance(
  "MQTT-4.9.0-2",
  "after a reconnect the bytes of a message that was released count no longer",
  () => {
    const world = new World({ settings: { maxInflightBytes: 10 } });
    const client = connectLasting(world, 5, "client");
    client.subscribe("a", 2);
    publishTo(world, ["four"], 2);
    client.send(ack("pubrec", 1)).vanish();
    const again = reconnect(world, 5, "client");
    publishTo(world, ["five5", "nine99999"], 2);
    assert.deepEqual(payloads(again), ["five5"]);
    again.send(ack("pubcomp", 1));
    assert.deepEqual(payloads(again), [], "5 + 9 are too much");
    again.send(ack("pubrec", 2), ack("pubcomp", 2));
    assert.deepEqual(payloads(again), ["nine99999"]);
  },
);

conformance(
  ["MQTT-4.9.0-2", "MQTT-4.5.0-1"],
  "beyond the window messages queue, up to max_queued_messages or bytes; the newest are dropped",
  () => {
    const queued: [settings: object, kept: string[]][] = [
      [{ maxQueuedMessages: 2 }, ["1", "22", "333"]],
      [{ maxQueuedBytes: 4 }, ["1", "22", "55"]],
      [{ maxQueuedMessages: 0 }, ["1", "22", "333", "4444", "55"]],
    ];
    for (const [settings, kept] of queued) {
      const world = new World({ settings: { maxInflightMessages: 1, ...settings } });
      const client = world.connect(5);
      client.subscribe("a", 1);
      publishTo(world, ["1", "22", "333", "4444", "55"], 1);
      const taken: string[] = [];
      for (let packetId = 1; packetId <= 5; packetId++) {
        taken.push(...payloads(client));
        client.send(ack("puback", packetId));
      }
      assert.deepEqual(taken, kept);
      assert.equal(world.broker.counters.dropped, 5 - kept.length);
    }
  },
);

conformance(
  "MQTT-4.9.0-3",
  "a client beyond our Receive Maximum is tolerated, or told 0x93 where the option asks for it",
  () => {
    for (const strictReceiveMaximum of [false, true]) {
      const world = new World({ settings: { strictReceiveMaximum } });
      const client = world.connect(5);
      for (let packetId = 1; packetId <= 20; packetId++) {
        client.publish({ topic: "a", qos: 2, packetId });
      }
      assert.equal(client.receiveOf("pubrec").length, 20);
      client.publish({ topic: "a", qos: 2, packetId: 1, dup: true });
      assert.deepEqual(heard(client), ["PUBREC #1"], "it came before");
      client.publish({ topic: "a", qos: 2, packetId: 21 });
      assert.deepEqual(heard(client), [strictReceiveMaximum ? "DISCONNECT 0x93" : "PUBREC #21"]);
    }
  },
);

conformance(
  "MQTT-4.9.0-3",
  "unreleased QoS 2 messages are kept up to a number of bytes, then 0x93",
  () => {
    const world = new World({ settings: { maxUnreleasedBytes: 100_000 } });
    const client = world.connect(5);
    const payload = "x".repeat(10_000);
    for (let time = 0; time < 30; time++) {
      client.publish({ topic: "a", payload: payload + time, qos: 2, packetId: 1 });
    }
    client.expectOpen(); // Each has replaced the one before.
    let packetId = 1;
    while (!client.isClosed && packetId < 100) {
      client.publish({ topic: "a", payload, qos: 2, packetId: packetId++ });
    }
    assert.equal(heard(client).at(-1), "DISCONNECT 0x93");
    assert.ok(packetId > 8 && packetId < 13, `${packetId}`);
  },
);
