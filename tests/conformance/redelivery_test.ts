/** What a session that is resumed sends and takes again: MQTT 5.0 section 4.4. */
import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { connectLasting, heard, payloads, reconnect } from "../support/exchange.ts";
import { ack, Property, property } from "../support/packets.ts";
import { type FakeClient, World } from "../support/world.ts";

/** Publishes to `a`, with the release where the QoS asks for one. */
function send(publisher: FakeClient, payload: string, qos: number): void {
  publisher.publish({ topic: "a", payload, qos });
  if (qos === 2) publisher.send(ack("pubrel", 1));
}

conformance(
  ["MQTT-4.4.0-1", "MQTT-4.4.0-1 v3", "MQTT-4.6.0-1"],
  "unfinished messages come right after CONNACK, in their order, with DUP and their identifiers",
  () => {
    for (const version of [3, 4, 5] as const) {
      const world = new World();
      const reader = connectLasting(world, version, "reader");
      reader.subscribe("a", 2);
      const publisher = world.connect(5, { clientId: "publisher" });
      for (const [index, qos] of [1, 2, 1, 2, 2, 1].entries()) send(publisher, `${index}`, qos);
      assert.equal(reader.receive().length, 6);
      reader.send(ack("puback", 3), ack("pubrec", 4), ack("pubrec", 5), ack("pubcomp", 5));
      assert.deepEqual(heard(reader), ["PUBREL #4", "PUBREL #5"]);
      reader.vanish();
      send(publisher, "away", 1);
      const expected = [
        version === 3 ? "CONNACK 0x00" : "CONNACK 0x00 present",
        "PUBLISH a 0 q1 #1 dup",
        "PUBLISH a 1 q2 #2 dup",
        "PUBREL #4",
        "PUBLISH a 5 q1 #6 dup",
      ];
      const again = reconnect(world, version, "reader");
      assert.deepEqual(heard(again), [...expected, "PUBLISH a away q1 #7"]);
      again.vanish();
      const third = reconnect(world, version, "reader");
      assert.deepEqual(heard(third), [...expected, "PUBLISH a away q1 #7 dup"]);
      assert.deepEqual(heard(publisher).at(-1), "PUBACK #1");
    }
  },
);

conformance(
  ["MQTT-4.4.0-1", "MQTT-4.4.0-1 v3"],
  "at no other time is anything sent again",
  () => {
    for (const version of [4, 5] as const) {
      const world = new World();
      const reader = world.connect(version, {
        clientId: "reader",
        clean: false,
        keepAliveSeconds: 0,
      });
      reader.subscribe("a", 2);
      const publisher = world.connect(5, { clientId: "publisher", keepAliveSeconds: 0 });
      for (const qos of [1, 2, 2]) send(publisher, "x", qos);
      reader.send(ack("pubrec", 3));
      heard(reader);
      world.advanceSeconds(100_000);
      assert.deepEqual(heard(reader), []);
      reader.expectOpen();
    }
  },
);

conformance(
  ["MQTT-4.4.0-1", "MQTT-2.2.1-4"],
  "identifiers count up from 1 through reconnects; what is dropped leaves a gap",
  () => {
    const world = new World();
    const fields = property(Property.maximumPacketSize, 40);
    const reader = connectLasting(world, 5, "reader", fields);
    reader.subscribe("a", 1);
    const publisher = world.connect(5, { clientId: "publisher" });
    send(publisher, "one", 1);
    send(publisher, "too large for this client, so that it is dropped", 1);
    send(publisher, "two", 1);
    assert.deepEqual(heard(reader), ["PUBLISH a one q1 #1", "PUBLISH a two q1 #3"]);
    assert.deepEqual(heard(publisher), ["PUBACK #1", "PUBACK #1", "PUBACK #1"]);
    reader.send(ack("puback", 1), ack("puback", 3));
    reader.vanish();
    const properties = property(Property.messageExpiryInterval, 5);
    publisher.publish({ topic: "a", payload: "expires", qos: 1, properties });
    send(publisher, "three", 1);
    world.advanceSeconds(6);
    const again = reconnect(world, 5, "reader");
    assert.deepEqual(heard(again), ["CONNACK 0x00 present", "PUBLISH a three q1 #5"]);
    send(publisher, "four", 1);
    assert.deepEqual(heard(again), ["PUBLISH a four q1 #6"]);
  },
);

conformance(
  ["MQTT-4.3.3-10", "MQTT-4.3.3-12", "MQTT-4.4.0-1"],
  "a QoS 2 message sent again over a new connection is the same message",
  () => {
    for (const version of [4, 5] as const) {
      const world = new World();
      const reader = world.connect(5, { clientId: "reader" });
      reader.subscribe("a", 2);
      const message = { topic: "a", payload: "x", qos: 2, packetId: 5 };
      const first = connectLasting(world, version, "publisher").publish(message);
      assert.deepEqual(heard(first), ["PUBREC #5"]);
      // It may come twice on each connection: the client cannot know what arrived.
      for (let time = 0; time < 3; time++) {
        const again = reconnect(world, version, "publisher");
        again.publish({ ...message, dup: true });
        assert.deepEqual(heard(again), ["CONNACK 0x00 present", "PUBREC #5"]);
        again.vanish();
      }
      assert.deepEqual(payloads(reader), []);
      const last = reconnect(world, version, "publisher").send(ack("pubrel", 5));
      assert.deepEqual(heard(last), ["CONNACK 0x00 present", "PUBCOMP #5"]);
      assert.deepEqual(payloads(reader), ["x"]);
    }
  },
);

conformance(
  ["MQTT-3.1.2-4", "MQTT-3.1.2-6 v3"],
  "a clean start forgets what was received and not released, and what was in flight",
  () => {
    for (const version of [4, 5] as const) {
      const world = new World();
      const reader = world.connect(5, { clientId: "reader" });
      reader.subscribe("a", 2);
      const message = { topic: "a", payload: "x", qos: 2, packetId: 5 };
      const client = connectLasting(world, version, "client");
      client.subscribe("b", 1);
      client.publish(message).publish({ topic: "b", qos: 1 }).vanish();
      const clean = reconnect(world, version, "client", { clean: true });
      assert.deepEqual(heard(clean), ["CONNACK 0x00"]);
      clean.send(ack("pubrel", 5));
      assert.deepEqual(heard(clean), ["PUBCOMP #5"]);
      assert.deepEqual(payloads(reader), [], "the message of the old session is gone");
      clean.publish(message).send(ack("pubrel", 5));
      assert.deepEqual(payloads(reader), ["x"], "its identifier is free");
    }
  },
);

conformance(
  "MQTT-4.3.2-4",
  "a QoS 1 PUBLISH cut off by the end of the connection was never taken",
  () => {
    const world = new World();
    const reader = world.connect(5, { clientId: "reader" });
    reader.subscribe("a", 1);
    const publisher = connectLasting(world, 5, "publisher");
    publisher.send(new Uint8Array([0x32, 0x07, 0x00, 0x01, 0x61, 0x00]));
    publisher.vanish();
    assert.deepEqual(payloads(reader), []);
    const again = reconnect(world, 5, "publisher");
    again.publish({ topic: "a", payload: "x", qos: 1, dup: true });
    assert.deepEqual(heard(again), ["CONNACK 0x00 present", "PUBACK #1"]);
    assert.deepEqual(payloads(reader), ["x"]);
  },
);
