/** The exchanges of QoS 0, 1 and 2, both ways: MQTT 5.0 section 4.3. */
import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { connectLasting, heard, payloads, reconnect } from "../support/exchange.ts";
import { ack, concat, Property, property, publish, type Version } from "../support/packets.ts";
import { type FakeClient, World } from "../support/world.ts";

interface Pair {
  world: World;
  publisher: FakeClient;
  reader: FakeClient;
}

/** A publisher and a reader of `a` at that QoS, both with lasting sessions. */
function pair(version: Version, qos: number, properties: Uint8Array = concat()): Pair {
  const world = new World();
  const reader = connectLasting(world, version, "reader", properties);
  reader.subscribe("a", qos);
  return { world, reader, publisher: connectLasting(world, version, "publisher") };
}

conformance(
  ["MQTT-4.3.1-1", "MQTT-4.3.2-2", "MQTT-4.3.3-2"],
  "what is sent for the first time has DUP 0, whatever the publisher set",
  () => {
    for (const version of [3, 4, 5] as const) {
      for (const published of [1, 2]) {
        for (let granted = 0; granted <= 2; granted++) {
          const { publisher, reader } = pair(version, granted);
          publisher.publish({ topic: "a", payload: "x", qos: published, dup: true });
          publisher.send(ack("pubrel", 1));
          const qos = Math.min(published, granted);
          const packetId = qos === 0 ? "" : " #1";
          assert.deepEqual(heard(reader), [`PUBLISH a x q${qos}${packetId}`]);
        }
      }
    }
  },
);

conformance(
  ["MQTT-4.3.2-1", "MQTT-4.3.3-1", "MQTT-2.2.1-4"],
  "a new message never takes an identifier in use, nor 0, when the numbers begin again",
  () => {
    const world = new World({ settings: { maxInflightMessages: 0, maxUnsentBytes: 1 << 26 } });
    const reader = world.connect(5, { clientId: "reader" });
    reader.subscribe("a", 2);
    const publisher = world.connect(5, { clientId: "publisher" });
    publisher.publish({ topic: "a", qos: 1, packetId: 1 });
    publisher.publish({ topic: "a", qos: 2, packetId: 2 }).send(ack("pubrel", 2));
    publisher.publish({ topic: "a", qos: 2, packetId: 3 }).send(ack("pubrel", 3));
    reader.send(ack("pubrec", 3));
    assert.deepEqual(reader.receive().map(({ packetId }) => packetId), [1, 2, 3, 3]);
    // 1 awaits PUBACK, 2 PUBREC, 3 PUBCOMP. All the others come and are acknowledged.
    const ids: number[] = [];
    const chunk = concat(Array.from({ length: 1000 }, () => publish(5, { topic: "a", qos: 1 })));
    while (ids.length < 66_000) {
      publisher.send(chunk);
      const received = reader.receive().map(({ packetId }) => packetId!);
      reader.send(...received.map((packetId) => ack("puback", packetId)));
      ids.push(...received);
    }
    assert.deepEqual(ids.slice(0, 3), [4, 5, 6]);
    const wrap = ids.indexOf(65_535);
    assert.deepEqual(ids.slice(wrap, wrap + 4), [65_535, 4, 5, 6]);
  },
);

conformance(
  ["MQTT-4.3.2-4", "MQTT-4.3.2-5", "MQTT-4.3.2-2 v3"],
  "QoS 1: PUBACK takes the message, and its identifier again is a new message, DUP or not",
  () => {
    for (const version of [4, 5] as const) {
      const { publisher, reader } = pair(version, 1);
      for (const [payload, dup] of [["one", false], ["one", true], ["two", true]] as const) {
        publisher.publish({ topic: "a", payload, qos: 1, packetId: 9, dup });
        assert.deepEqual(heard(publisher), ["PUBACK #9"]);
      }
      assert.deepEqual(payloads(reader), ["one", "one", "two"]);
    }
  },
);

conformance(
  ["MQTT-4.3.3-8", "MQTT-4.3.3-10", "MQTT-4.3.3-11", "MQTT-4.3.3-12", "MQTT-4.3.3-2 v3"],
  "QoS 2: the same identifier is the same message until PUBREL, and a new one after PUBCOMP",
  () => {
    for (const version of [4, 5] as const) {
      const { publisher, reader } = pair(version, 2);
      const message = { topic: "a", payload: "one", qos: 2, packetId: 9 };
      publisher.publish(message).publish({ ...message, dup: true });
      assert.deepEqual(heard(publisher), ["PUBREC #9", "PUBREC #9"]);
      publisher.send(ack("pubrel", 9));
      assert.deepEqual(heard(publisher), ["PUBCOMP #9"]);
      assert.deepEqual(payloads(reader), ["one"]);
      publisher.send(ack("pubrel", 9));
      assert.deepEqual(heard(publisher), ["PUBCOMP #9"], "PUBREL again is PUBCOMP again");
      assert.deepEqual(payloads(reader), []);
      publisher.publish({ ...message, dup: true }).send(ack("pubrel", 9));
      assert.deepEqual(heard(publisher), ["PUBREC #9", "PUBCOMP #9"]);
      assert.deepEqual(payloads(reader), ["one"], "after PUBCOMP it is a new message");
    }
  },
);

conformance(
  "MQTT-4.3.3-10",
  "QoS 2: the same identifier with another topic, payload or QoS replaces the message",
  () => {
    for (const version of [4, 5] as const) {
      const { publisher, reader } = pair(version, 2);
      const first = { topic: "a", payload: "old", qos: 2, packetId: 9 };
      publisher.publish(first).publish({ ...first, payload: "new" }).send(ack("pubrel", 9));
      assert.deepEqual(payloads(reader), ["new"]);
      publisher.publish({ ...first, topic: "b" }).publish(first).send(ack("pubrel", 9));
      assert.deepEqual(payloads(reader), ["old"]);
      publisher.publish(first).publish({ ...first, qos: 1 });
      assert.deepEqual(payloads(reader), ["old"]);
      publisher.send(ack("pubrel", 9));
      assert.deepEqual(payloads(reader), [], "the QoS 2 message is forgotten");
      publisher.expectOpen();
    }
  },
);

conformance(
  ["MQTT-4.3.3-4", "MQTT-4.3.3-5", "MQTT-4.3.3-6"],
  "QoS 2: PUBREC is answered by PUBREL, which comes again until PUBCOMP; PUBLISH does not",
  () => {
    for (const version of [4, 5] as const) {
      const { world, publisher, reader } = pair(version, 2);
      publisher.publish({ topic: "a", payload: "x", qos: 2 }).send(ack("pubrel", 1));
      assert.deepEqual(heard(reader), ["PUBLISH a x q2 #1"]);
      reader.send(ack("pubrec", 1));
      assert.deepEqual(heard(reader), ["PUBREL #1"]);
      for (let time = 0; time < 2; time++) {
        reader.vanish();
        const again = reconnect(world, version, "reader");
        assert.deepEqual(heard(again), ["CONNACK 0x00 present", "PUBREL #1"]);
        again.vanish();
      }
      const last = reconnect(world, version, "reader").send(ack("pubcomp", 1));
      heard(last);
      last.vanish();
      assert.deepEqual(heard(reconnect(world, version, "reader")), ["CONNACK 0x00 present"]);
    }
  },
);

conformance(
  "MQTT-4.3.3-7",
  "QoS 1 and 2: a message that was sent does not expire, one that was not does",
  () => {
    for (const qos of [1, 2]) {
      const { world, publisher, reader } = pair(5, qos, property(Property.receiveMaximum, 1));
      const properties = property(Property.messageExpiryInterval, 10);
      for (const payload of ["sent", "queued"]) {
        publisher.publish({ topic: "a", payload, qos, properties }).send(ack("pubrel", 1));
      }
      assert.deepEqual(heard(reader), [`PUBLISH a sent q${qos} #1`]);
      reader.vanish();
      world.advanceSeconds(11);
      const again = reconnect(world, 5, "reader");
      assert.deepEqual(heard(again), ["CONNACK 0x00 present", `PUBLISH a sent q${qos} #1 dup`]);
      again.send(ack(qos === 1 ? "puback" : "pubrec", 1), ack("pubcomp", 1));
      assert.deepEqual(heard(again), qos === 1 ? [] : ["PUBREL #1"], "the other has expired");
    }
  },
);

conformance(
  "MQTT-4.3.3-13",
  "QoS 2: the exchange is finished though the message expired meanwhile",
  () => {
    const { world, publisher, reader } = pair(5, 2);
    const properties = property(Property.messageExpiryInterval, 10);
    publisher.publish({ topic: "a", qos: 2, packetId: 5, properties });
    assert.deepEqual(heard(publisher), ["PUBREC #5"]);
    world.advanceSeconds(11);
    publisher.send(ack("pubrel", 5));
    assert.deepEqual(heard(publisher), ["PUBCOMP #5"]);
    assert.deepEqual(heard(reader), []);
  },
);

conformance(
  ["MQTT-4.3.2-4", "MQTT-4.3.3-8"],
  "a client that publishes to itself gets the PUBLISH before its PUBACK or PUBCOMP",
  () => {
    for (const version of [3, 4, 5] as const) {
      for (const granted of [0, 1, 2]) {
        const client = new World().connect(version);
        client.subscribe("a", granted);
        client.publish({ topic: "a", payload: "x", qos: 1, packetId: 7 });
        const once = Math.min(1, granted);
        const first = `PUBLISH a x q${once}${once === 0 ? "" : " #1"}`;
        assert.deepEqual(heard(client), [first, "PUBACK #7"]);
        client.publish({ topic: "a", payload: "x", qos: 2, packetId: 8 });
        assert.deepEqual(heard(client), ["PUBREC #8"], "nobody has it before PUBREL");
        client.send(ack("pubrel", 8));
        const second = `PUBLISH a x q${granted}${granted === 0 ? "" : " #2"}`;
        assert.deepEqual(heard(client), [second, "PUBCOMP #8"]);
      }
    }
  },
);

conformance(
  "MQTT-4.5.0-1",
  "a message is added to every session that matches, also of those away, and to no other",
  () => {
    for (const qos of [1, 2]) {
      const world = new World();
      const filters = ["a/b", "a/+", "#", "b"];
      const readers = filters.map((filter) => {
        const reader = connectLasting(world, 5, filter);
        reader.subscribe(filter, 2);
        return reader;
      });
      readers[1].vanish();
      const publisher = world.connect(4, { clientId: "publisher" });
      publisher.publish({ topic: "a/b", payload: "x", qos }).send(ack("pubrel", 1));
      const message = `PUBLISH a/b x q${qos} #1`;
      assert.deepEqual(heard(readers[0]), [message]);
      assert.deepEqual(heard(readers[2]), [message]);
      assert.deepEqual(heard(readers[3]), []);
      assert.deepEqual(heard(reconnect(world, 5, "a/+")), ["CONNACK 0x00 present", message]);
    }
  },
);
