/** Malformed packets, protocol errors and faults: MQTT 5.0 section 4.13, MQTT 3.1.1 section 4.8. */
import assert from "node:assert/strict";
import { hookAccess } from "../support/access.ts";
import { conformance } from "../support/conformance.ts";
import { heard, payloads } from "../support/exchange.ts";
import { ack, concat, hex, Property, property, publish, subscribe } from "../support/packets.ts";
import { World } from "../support/world.ts";

conformance(
  ["MQTT-4.13.1-1", "MQTT-4.13.2-1", "MQTT-4.8.0-1 v3"],
  "each kind of error closes the connection it came on, with its reason in MQTT 5, and no other",
  () => {
    const errors: [what: string, reason: number, bytes: Uint8Array][] = [
      ["a wildcard in a Topic Name", 0x81, publish(5, { topic: "a/#" })],
      ["QoS 3", 0x81, publish(5, { topic: "a", qos: 3 })],
      ["identifier 0", 0x82, publish(5, { topic: "a", qos: 1, packetId: 0 })],
      ["an unknown property", 0x81, publish(5, { topic: "a", properties: hex("7f 00") })],
      ["a property out of place", 0x82, publish(5, { topic: "a", properties: hex("21 0001") })],
      ["no filter", 0x81, subscribe(5, { filters: [] })],
      ["a reserved bit", 0x81, subscribe(5, { filters: [["a", 0x40]] })],
      ["flags of PUBREL", 0x82, ack("pubrel", 1, {}, { header: 0x60 })],
      ["a packet that clients do not send", 0x82, hex("d0 00")],
      ["an unknown reason", 0x82, ack("puback", 1, { reason: 0x7f })],
      ["too large", 0x95, hex("30 ff ff ff 7f")],
      [
        "an unknown alias",
        0x82,
        publish(5, { topic: "", properties: property(Property.topicAlias, 1) }),
      ],
    ];
    const world = new World();
    const bystander = world.connect(5, { clientId: "bystander" });
    bystander.subscribe("#", 2);
    for (const [what, reason, bytes] of errors) {
      const client = world.connect(5, {
        clientId: "client",
        will: { topic: "will", payload: what },
      });
      client.send(bytes, publish(5, { topic: "behind" }));
      client.expectClosed();
      assert.deepEqual(heard(client), [`DISCONNECT 0x${reason.toString(16)}`], what);
      assert.deepEqual(
        payloads(bystander),
        [what],
        "the will is sent, and nothing behind the error",
      );
      bystander.expectOpen();
    }
    assert.equal(world.broker.counters.protocolErrors, errors.length);
    for (const version of [3, 4] as const) {
      for (const topic of ["a/#", "a/+", "", hex("ff")]) {
        const client = world.connect(version).send(publish(version, { topic }));
        client.expectClosed();
        assert.deepEqual(heard(client), []);
      }
    }
  },
);

conformance(
  ["MQTT-4.8.0-2 v3", "MQTT-4.13.2-1"],
  "a fault while a packet is handled closes that connection, is counted, and harms no other",
  () => {
    const access = hookAccess({}, true, () => {});
    Object.defineProperty(access, "maySubscribe", {
      value: () => {
        throw new Error("out of luck");
      },
    });
    for (const version of [4, 5] as const) {
      const world = new World({ access });
      const other = world.connect(5, { clientId: "other" });
      const client = world.connect(version, { clientId: "client" });
      client.send(subscribe(version, { filters: [["a", 0]] }), publish(version, { topic: "a" }));
      client.expectClosed();
      assert.equal(world.broker.counters.faults, 1);
      assert.ok(world.log.some((line) => line.includes("out of luck")), "the log has the stack");
      other.publish({ topic: "a", qos: 1 });
      assert.deepEqual(heard(other), ["PUBACK #1 0x10"]);
    }
  },
);

conformance(
  ["MQTT-4.8.0-2 v3", "MQTT-4.13.2-1"],
  "a fault after an answer that came late closes that connection, is counted, and harms no other",
  () => {
    const access = hookAccess({}, true, () => {});
    let answer: ((reason: number) => void) | null = null;
    Object.defineProperty(access, "maySubscribe", {
      value: (_identity: unknown, _request: unknown, later: (reason: number) => void) => {
        if (answer !== null) throw new Error("out of luck");
        answer = later;
      },
    });
    const world = new World({ access });
    const other = world.connect(5, { clientId: "other" });
    const client = world.connect(5, { clientId: "client" });
    client.send(subscribe(5, { filters: [["a", 0], ["b", 0]] }));
    client.expectOpen();
    answer!(0);
    world.run();
    client.expectClosed();
    assert.equal(world.broker.counters.faults, 1);
    other.publish({ topic: "a", qos: 1 });
    assert.deepEqual(heard(other), ["PUBACK #1 0x10"]);
  },
);

conformance(
  "MQTT-4.13.1-1",
  "what came before the error in the same bytes is done and answered",
  () => {
    const client = new World().connect(5);
    client.send(concat(
      subscribe(5, { filters: [["a", 1]] }),
      publish(5, { topic: "a", payload: "x", qos: 1, packetId: 3 }),
      publish(5, { topic: "a", qos: 1, packetId: 0 }),
    ));
    assert.deepEqual(heard(client), [
      "SUBACK #1 01",
      "PUBLISH a x q1 #1",
      "PUBACK #3",
      "DISCONNECT 0x82",
    ]);
  },
);
