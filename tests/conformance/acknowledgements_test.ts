/** PUBACK, PUBREC, PUBREL and PUBCOMP: MQTT 5.0 sections 3.4 to 3.7. */
import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { connectLasting, heard, reconnect } from "../support/exchange.ts";
import { ack, type ackHeaders, Property, property, type Version } from "../support/packets.ts";
import { type FakeClient, World } from "../support/world.ts";

type AckType = keyof typeof ackHeaders;
const ackTypes: readonly AckType[] = ["puback", "pubrec", "pubrel", "pubcomp"];

conformance(
  ["MQTT-3.4.2-1", "MQTT-3.5.2-1", "MQTT-3.6.2-1", "MQTT-3.7.2-1", "MQTT-2.2.1-5"],
  "acknowledgements say what was done in the specification's codes, with the PUBLISH's identifier",
  () => {
    const world = new World({ settings: { maxRetainedMessages: 1 } });
    world.connect(5, { clientId: "reader" }).subscribe("read/#", 2);
    const client = world.connect(5, { clientId: "c" });
    const answerTo = (topic: string, qos: number, packetId: number, retain = false) => {
      client.publish({ topic, payload: "x", qos, packetId, retain });
      return heard(client);
    };
    assert.deepEqual(answerTo("read/a", 1, 1), ["PUBACK #1"]);
    assert.deepEqual(answerTo("nobody", 1, 2), ["PUBACK #2 0x10"]);
    assert.deepEqual(answerTo("nobody", 1, 3, true), ["PUBACK #3 0x10"], "also when it is kept");
    assert.deepEqual(answerTo("another", 1, 4, true), ["PUBACK #4 0x97"]);
    assert.deepEqual(answerTo("$SYS/a", 1, 5), ["PUBACK #5 0x87"]);
    assert.deepEqual(answerTo("$share/a/b", 1, 6), ["PUBACK #6 0x87"]);
    assert.deepEqual(answerTo("read/a", 2, 7), ["PUBREC #7"]);
    assert.deepEqual(answerTo("nobody", 2, 65_535), ["PUBREC #65535"], "never 0x10");
    assert.deepEqual(answerTo("another", 2, 9, true), ["PUBREC #9 0x97"]);
    assert.deepEqual(answerTo("$SYS/a", 2, 10), ["PUBREC #10 0x87"]);
    client.send(ack("pubrel", 7), ack("pubrel", 65_535), ack("pubrec", 300));
    assert.deepEqual(heard(client), ["PUBCOMP #7", "PUBCOMP #65535", "PUBREL #300"]);
  },
);

conformance(
  [
    "MQTT-3.4.2-2",
    "MQTT-3.4.2-3",
    "MQTT-3.5.2-2",
    "MQTT-3.5.2-3",
    "MQTT-3.6.2-2",
    "MQTT-3.6.2-3",
    "MQTT-3.7.2-2",
    "MQTT-3.7.2-3",
  ],
  "a client that takes packets of 16 bytes at most gets every acknowledgement",
  () => {
    const world = new World();
    const client = world.connect(5, { properties: property(Property.maximumPacketSize, 16) });
    client.publish({ topic: "$SYS/a", qos: 1, packetId: 1 });
    client.publish({ topic: "$SYS/a", qos: 2, packetId: 2 });
    client.publish({ topic: "a", qos: 1, packetId: 3 });
    client.publish({ topic: "a", qos: 2, packetId: 4 });
    client.send(ack("pubrel", 4), ack("pubrec", 5), ack("pubrel", 6));
    const received = client.receive();
    assert.deepEqual(received.map(({ type, packetId }) => `${type} ${packetId}`), [
      "puback 1",
      "pubrec 2",
      "puback 3",
      "pubrec 4",
      "pubcomp 4",
      "pubrel 5",
      "pubcomp 6",
    ]);
    for (const { type, properties, raw } of received) {
      assert.deepEqual(properties, [], type);
      assert.ok(raw.length <= 5, `${type} has ${raw.length} bytes`);
    }
  },
);

conformance(
  ["MQTT-3.6.1-1", "MQTT-2.1.3-1"],
  "PUBREL is sent with the flags 0010 and is accepted with no others",
  () => {
    for (const version of [4, 5] as const) {
      for (let flags = 0; flags < 16; flags++) {
        const client = new World().connect(version);
        client.send(ack("pubrel", 1, {}, { header: 0x60 | flags }));
        if (flags !== 2) {
          client.expectClosed();
          assert.deepEqual(heard(client), version === 5 ? ["DISCONNECT 0x82"] : [], `${flags}`);
        } else assert.deepEqual(heard(client), ["PUBCOMP #1"]);
      }
      const client = new World().connect(version);
      client.send(ack("pubrec", 1));
      assert.equal(client.expect("pubrel").raw[0], 0x62);
    }
  },
);

/** A message with the identifier 1 on its way to the client, in each state that there is. */
const states = ["nothing", "awaits PUBACK", "awaits PUBREC", "awaits PUBCOMP"] as const;

/** What the client hears to an acknowledgement of that message; "closes" and "done" say the rest. */
const outcomes: Record<typeof states[number], Record<AckType, string>> = {
  "nothing": { puback: "", pubrec: "PUBREL #1", pubrel: "PUBCOMP #1", pubcomp: "" },
  "awaits PUBACK": { puback: "done", pubrec: "closes", pubrel: "PUBCOMP #1", pubcomp: "closes" },
  "awaits PUBREC": {
    puback: "closes",
    pubrec: "PUBREL #1",
    pubrel: "PUBCOMP #1",
    pubcomp: "closes",
  },
  "awaits PUBCOMP": {
    puback: "closes",
    pubrec: "PUBREL #1",
    pubrel: "PUBCOMP #1",
    pubcomp: "done",
  },
};

function inState(state: typeof states[number], version: Version, lasting: boolean): FakeClient {
  // One message in flight at a time: the next one comes when the first is done.
  const world = new World({ settings: { maxInflightMessages: 1 } });
  const client = lasting
    ? connectLasting(world, version, "reader")
    : world.connect(version, { clientId: "reader" });
  client.subscribe("a", 2);
  if (state === "nothing") return client;
  const publisher = world.connect(5, { clientId: "publisher" });
  const qos = state === "awaits PUBACK" ? 1 : 2;
  publisher.publish({ topic: "a", qos, packetId: 1 }).send(ack("pubrel", 1));
  publisher.publish({ topic: "a", payload: "next", qos: 1, packetId: 2 });
  assert.equal(client.expect("publish").packetId, 1);
  if (state === "awaits PUBCOMP") {
    client.send(ack("pubrec", 1));
    client.expect("pubrel");
  }
  return client;
}

conformance(
  ["MQTT-4.3.2-3", "MQTT-4.3.3-3", "MQTT-4.3.3-4", "MQTT-4.3.3-5", "MQTT-4.13.1-1"],
  "each acknowledgement in each state, with the right identifier and with another",
  () => {
    for (const version of [4, 5] as const) {
      for (const lasting of [false, true]) {
        for (const state of states) {
          for (const type of ackTypes) {
            const where = `${type} where it ${state}, version ${version}, lasting ${lasting}`;
            const other = inState(state, version, lasting);
            other.send(ack(type, 77));
            const answer = { pubrec: ["PUBREL #77"], pubrel: ["PUBCOMP #77"] }[type as string];
            assert.deepEqual(heard(other), answer ?? [], `${where}, another identifier`);
            other.expectOpen();

            const client = inState(state, version, lasting);
            client.send(ack(type, 1));
            const outcome = outcomes[state][type];
            if (outcome === "closes") {
              client.expectClosed();
              assert.deepEqual(heard(client), version === 5 ? ["DISCONNECT 0x82"] : [], where);
            } else if (outcome === "done") {
              assert.deepEqual(heard(client), ["PUBLISH a next q1 #2"], where);
            } else {
              assert.deepEqual(heard(client), outcome === "" ? [] : [outcome], where);
              client.expectOpen();
            }
          }
        }
      }
    }
  },
);

conformance(
  ["MQTT-4.4.0-2", "MQTT-4.3.3-9"],
  "PUBACK or PUBREC of 0x80 or more ends the message and frees its place; no PUBREL follows",
  () => {
    for (const [qos, type] of [[1, "puback"], [2, "pubrec"]] as const) {
      const world = new World({ settings: { maxInflightMessages: 1 } });
      const client = connectLasting(world, 5, "reader");
      client.subscribe("a", 2);
      const publisher = world.connect(5, { clientId: "publisher" });
      for (let packetId = 1; packetId <= 2; packetId++) {
        publisher.publish({ topic: "a", qos, packetId }).send(ack("pubrel", packetId));
      }
      assert.deepEqual(heard(client), [`PUBLISH a  q${qos} #1`]);
      client.send(ack(type, 1, { reason: 0x80 }));
      assert.deepEqual(heard(client), [`PUBLISH a  q${qos} #2`]);
      client.vanish();
      const again = reconnect(world, 5, "reader");
      assert.deepEqual(heard(again), ["CONNACK 0x00 present", `PUBLISH a  q${qos} #2 dup`]);
    }
  },
);
