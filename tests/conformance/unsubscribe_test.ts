/** UNSUBSCRIBE and UNSUBACK: MQTT 5.0 sections 3.10 and 3.11. */
import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { connectLasting, heard, payloads, reconnect } from "../support/exchange.ts";
import {
  ack,
  hex,
  Property,
  property,
  publish,
  unsubscribe,
  type Version,
} from "../support/packets.ts";
import { World } from "../support/world.ts";

function assertCloses(version: Version, bytes: Uint8Array, what: string): void {
  const client = new World().connect(version).send(bytes);
  client.expectClosed();
  const told = version === 5 ? ["DISCONNECT 0x81"] : [];
  assert.deepEqual(heard(client), told, `${what}, version ${version}`);
}

conformance("MQTT-3.10.1-1", "UNSUBSCRIBE has the flags 0010 and no others", () => {
  for (const version of [4, 5] as const) {
    for (let flags = 0; flags < 16; flags++) {
      if (flags === 2) continue;
      const packet = unsubscribe(version, { filters: ["a"] }, { header: 0xa0 | flags });
      assertCloses(version, packet, `flags ${flags}`);
    }
  }
});

conformance("MQTT-3.10.3-1", "a filter that is not UTF-8 is malformed", () => {
  for (const version of [3, 4, 5] as const) {
    for (const bytes of [hex("ff"), hex("c0 80"), hex("ed a0 80"), hex("61 00")]) {
      assertCloses(version, unsubscribe(version, { filters: [bytes] }), bytes.join(" "));
    }
  }
});

conformance(["MQTT-3.10.3-2", "MQTT-3.10.3-2 v3"], "UNSUBSCRIBE has at least one filter", () => {
  for (const version of [3, 4, 5] as const) {
    assertCloses(version, unsubscribe(version, { filters: [] }), "no filter");
  }
});

conformance(
  ["MQTT-3.10.4-1", "MQTT-3.11.3-1", "MQTT-3.11.3-2"],
  "only a filter that is equal character by character is removed, and UNSUBACK tells which",
  () => {
    const client = new World().connect(5);
    for (const filter of ["a", "a/b", "+/b", "#", "$share/g/a"]) client.subscribe(filter, 0);
    const filters = ["A", "a/", "a/b", "+", "+/b", "a/b", "g/a", "$share/h/a", "$share/g/a", "b"];
    client.send(unsubscribe(5, { packetId: 9, filters }));
    assert.deepEqual(heard(client), ["UNSUBACK #9 11 11 00 11 00 11 11 11 00 11"]);
    assert.equal(client.world.broker.tree.count, 2, "a and # are left");
    assert.equal(client.world.broker.tree.sharedCount, 0);
  },
);

conformance(
  ["MQTT-3.10.4-2", "MQTT-3.10.4-4", "MQTT-2.2.1-6"],
  "after UNSUBACK, with its identifier, no message comes for that filter",
  () => {
    for (const version of [3, 4, 5] as const) {
      const client = new World().connect(version);
      client.subscribe("a", 1);
      client.subscribe("b", 1);
      client.send(
        publish(version, { topic: "a", payload: "before" }),
        unsubscribe(version, { packetId: 65_535, filters: ["a"] }),
        publish(version, { topic: "a", payload: "after" }),
        publish(version, { topic: "b", payload: "other" }),
      );
      const unsuback = version === 5 ? "UNSUBACK #65535 00" : "UNSUBACK #65535";
      assert.deepEqual(heard(client), ["PUBLISH a before q0", unsuback, "PUBLISH b other q0"]);
    }
  },
);

conformance(
  "MQTT-3.10.4-3",
  "deliveries that were begun are finished, those in flight and those queued",
  () => {
    for (const version of [4, 5] as const) {
      const world = new World({ settings: { maxInflightMessages: 1 } });
      const client = connectLasting(world, version, "client");
      client.subscribe("a", 2);
      const publisher = world.connect(5, { clientId: "publisher" });
      for (const payload of ["one", "two"]) {
        publisher.publish({ topic: "a", payload, qos: 2 }).send(ack("pubrel", 1));
      }
      client.send(unsubscribe(version, { filters: ["a"] }));
      publisher.publish({ topic: "a", payload: "three", qos: 2 }).send(ack("pubrel", 1));
      heard(client);
      client.send(ack("pubrec", 1));
      assert.deepEqual(heard(client), ["PUBREL #1"]);
      client.vanish();
      const again = reconnect(world, version, "client").send(ack("pubcomp", 1));
      assert.deepEqual(heard(again), ["CONNACK 0x00 present", "PUBREL #1", "PUBLISH a two q2 #2"]);
      again.send(ack("pubrec", 2), ack("pubcomp", 2));
      assert.deepEqual(heard(again), ["PUBREL #2"]);
    }
  },
);

conformance(
  ["MQTT-3.10.4-5", "MQTT-3.10.4-5 v3"],
  "UNSUBACK comes even where nothing was removed",
  () => {
    for (const version of [3, 4, 5] as const) {
      const client = new World().connect(version);
      for (const filter of ["a", "#", "$share/g", "$share/g/a", "$share/+/a", "$SYS/#"]) {
        client.send(unsubscribe(version, { packetId: 3, filters: [filter] }));
        assert.deepEqual(heard(client), [version === 5 ? "UNSUBACK #3 11" : "UNSUBACK #3"], filter);
      }
    }
  },
);

conformance(
  "MQTT-3.10.4-6",
  "several filters, the same one twice among them, are removed with one UNSUBACK",
  () => {
    for (const version of [3, 4, 5] as const) {
      const client = new World().connect(version);
      for (const filter of ["a", "b", "c"]) client.subscribe(filter, 0);
      client.send(unsubscribe(version, { packetId: 3, filters: ["a", "a", "c", "d"] }));
      const codes = version === 5 ? " 00 11 00 11" : "";
      assert.deepEqual(heard(client), [`UNSUBACK #3${codes}`]);
      for (const topic of ["a", "b", "c"]) client.publish({ topic, payload: topic });
      assert.deepEqual(payloads(client), ["b"]);
    }
  },
);

conformance(
  ["MQTT-3.11.2-1", "MQTT-3.11.2-2"],
  "UNSUBACK fits a client that takes 16 bytes at most: no Reason String, no user properties",
  () => {
    const client = new World().connect(5, { properties: property(Property.maximumPacketSize, 16) });
    client.send(unsubscribe(5, { filters: ["a", "b", "c"] }));
    const unsuback = client.expect("unsuback");
    assert.deepEqual(unsuback.properties, []);
    assert.equal(unsuback.raw.length, 2 + 2 + 1 + 3);
  },
);
