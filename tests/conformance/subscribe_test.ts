/** SUBSCRIBE and SUBACK: MQTT 5.0 sections 3.8 and 3.9. */
import assert from "node:assert/strict";
import { hookAccess } from "../support/access.ts";
import { conformance } from "../support/conformance.ts";
import { connectLasting, heard, payloads, reconnect } from "../support/exchange.ts";
import {
  ack,
  concat,
  field,
  hex,
  Property,
  property,
  publish,
  subscribe,
  type Version,
} from "../support/packets.ts";
import { World } from "../support/world.ts";

const NO_LOCAL = 4, RETAIN_AS_PUBLISHED = 8;
const retainHandling = (value: number) => value << 4;

/** Sends bytes after a good CONNECT; the broker has to close, with that reason in MQTT 5. */
function assertCloses(version: Version, bytes: Uint8Array, reason: number, what: string): void {
  const client = new World().connect(version).send(bytes);
  client.expectClosed();
  const told = version === 5 ? [`DISCONNECT 0x${reason.toString(16)}`] : [];
  assert.deepEqual(heard(client), told, `${what}, version ${version}`);
}

conformance("MQTT-3.8.1-1", "SUBSCRIBE has the flags 0010 and no others", () => {
  for (const version of [4, 5] as const) {
    for (let flags = 0; flags < 16; flags++) {
      if (flags === 2) continue;
      const packet = subscribe(version, { filters: [["a", 0]] }, { header: 0x80 | flags });
      assertCloses(version, packet, 0x81, `flags ${flags}`);
    }
  }
});

conformance("MQTT-3.8.3-1", "a filter that is not UTF-8 is malformed", () => {
  for (const version of [3, 4, 5] as const) {
    for (const bytes of [hex("ff"), hex("c0 80"), hex("ed a0 80"), hex("61 00")]) {
      assertCloses(version, subscribe(version, { filters: [[bytes, 0]] }), 0x81, bytes.join(" "));
    }
  }
});

conformance(["MQTT-3.8.3-2", "MQTT-3.8.3-3 v3"], "SUBSCRIBE has at least one filter", () => {
  for (const version of [3, 4, 5] as const) {
    assertCloses(version, subscribe(version, { filters: [] }), 0x81, "no filter");
  }
});

conformance(
  ["MQTT-3.8.3-5", "MQTT-3.8.3-4 v3"],
  "reserved bits in the options, QoS 3 and Retain Handling 3 are malformed",
  () => {
    for (const version of [4, 5] as const) {
      const allowed = version === 5 ? 0x2f : 0x03;
      for (let options = 0; options < 256; options++) {
        const qos = options & 3, handling = options >> 4 & 3;
        const isGood = (options & ~0x3f) === 0 && qos < 3 && handling < 3 &&
          (version === 5 || (options & ~allowed) === 0);
        const packet = subscribe(version, { filters: [["a", options]] });
        if (!isGood) assertCloses(version, packet, 0x81, `options ${options}`);
        else {
          const client = new World().connect(version).send(packet);
          assert.deepEqual(heard(client), [`SUBACK #1 0${qos}`], `options ${options}`);
        }
      }
    }
  },
);

conformance("MQTT-3.8.3-3", "No Local keeps a client's own messages from it, and no others", () => {
  const world = new World();
  const client = world.connect(5, { clientId: "client" });
  const other = world.connect(5, { clientId: "other" });
  client.subscribe("a", 2 | NO_LOCAL);
  for (let qos = 0; qos <= 2; qos++) {
    client.publish({ topic: "a", payload: "own", qos }).send(ack("pubrel", 1));
    other.publish({ topic: "a", payload: `other ${qos}`, qos }).send(ack("pubrel", 1));
  }
  assert.deepEqual(payloads(client), ["other 0", "other 1", "other 2"]);
  client.publish({ topic: "a", qos: 1 });
  assert.deepEqual(heard(client), ["PUBACK #1 0x10"], "nobody else subscribed");
  client.subscribe("a", 2);
  client.publish({ topic: "a", payload: "own" });
  assert.deepEqual(payloads(client), ["own"], "the new subscription replaces the option");
});

conformance(
  "MQTT-3.8.3-3",
  "No Local is the client's, not the connection's, and survives it",
  () => {
    const world = new World();
    const client = connectLasting(world, 5, "client");
    client.subscribe("a", 1 | NO_LOCAL);
    client.vanish();
    const again = reconnect(world, 5, "client");
    heard(again);
    again.publish({ topic: "a" });
    assert.deepEqual(heard(again), []);
  },
);

conformance("MQTT-3.8.3-4", "No Local on a shared subscription is a protocol error", () => {
  assertCloses(5, subscribe(5, { filters: [["$share/g/a", NO_LOCAL]] }), 0x82, "alone");
  const second = subscribe(5, { filters: [["a", 0], ["$share/g/a", 1 | NO_LOCAL]] });
  assertCloses(5, second, 0x82, "behind a good one");
});

conformance(
  ["MQTT-3.8.4-1", "MQTT-3.8.4-2", "MQTT-2.2.1-6"],
  "SUBSCRIBE is answered by one SUBACK with its identifier, whatever comes between",
  () => {
    for (const version of [3, 4, 5] as const) {
      const client = new World().connect(version);
      for (const packetId of [1, 2, 255, 256, 65_535]) {
        client.send(subscribe(version, { packetId, filters: [["a", 1]] }));
        assert.deepEqual(heard(client), [`SUBACK #${packetId} 01`]);
      }
      client.send(
        subscribe(version, { packetId: 7, filters: [["b", 0]] }),
        publish(version, { topic: "b", payload: "x" }),
        subscribe(version, { packetId: 8, filters: [["c", 0]] }),
      );
      assert.deepEqual(heard(client), ["SUBACK #7 00", "PUBLISH b x q0", "SUBACK #8 00"]);
    }
  },
);

conformance(
  [
    "MQTT-3.8.4-5",
    "MQTT-3.8.4-6",
    "MQTT-3.8.4-7",
    "MQTT-3.9.3-1",
    "MQTT-3.9.3-2",
    "MQTT-3.8.4-5 v3",
    "MQTT-3.9.3-2 v3",
  ],
  "one SUBACK has a code for each filter, in their order: the QoS granted or a failure",
  () => {
    const access = hookAccess(
      { authorizeSubscribe: (_client, { filter }) => filter === "lower" ? 0 : filter !== "no" },
      true,
      (error) => {
        throw error;
      },
    );
    for (const version of [3, 4, 5] as const) {
      const world = new World({ access, settings: { maxSubscriptionsPerClient: 5 } });
      const client = world.connect(version);
      const filters = [
        "0",
        "1",
        "2",
        "lower",
        "no",
        "$share/g",
        "$share/+/a",
        "5",
        "too many",
        "0",
      ];
      const asked = [0, 1, 2, 2, 2, 2, 2, 2, 2, 2];
      client.send(subscribe(version, {
        packetId: 7,
        filters: filters.map((filter, index) => [filter, asked[index]]),
      }));
      const codes = version === 5
        ? "00 01 02 00 87 8f 8f 02 97 02"
        : "00 01 02 00 80 80 80 02 80 02";
      assert.deepEqual(heard(client), [`SUBACK #7 ${codes}`]);
      for (const topic of filters.filter((filter) => !filter.startsWith("$"))) {
        client.publish({ topic, payload: "x" });
      }
      const got = client.receiveOf("publish").map(({ topic }) => topic);
      assert.deepEqual(got, ["0", "1", "2", "lower", "5", "0"]);
    }
  },
);

conformance(
  ["MQTT-3.8.4-3", "MQTT-3.8.4-4", "MQTT-3.8.4-3 v3"],
  "the same filter again replaces the subscription: one copy, at the new QoS, nothing lost",
  () => {
    for (const version of [3, 4, 5] as const) {
      const world = new World();
      const client = world.connect(version, { clientId: "client" });
      const publisher = world.connect(5, { clientId: "publisher" });
      const send = () => publisher.publish({ topic: "a", payload: "x", qos: 1 });
      client.subscribe("a", 1);
      send();
      assert.deepEqual(heard(client), ["PUBLISH a x q1 #1"]);
      client.subscribe("a", 0);
      send();
      assert.deepEqual(heard(client), ["PUBLISH a x q0"]);
      client.subscribe("a", 2);
      send();
      assert.deepEqual(heard(client), ["PUBLISH a x q1 #2"]);
      assert.equal(world.broker.tree.count, 1);
      client.vanish();
      assert.equal(world.broker.tree.count, 0);
    }
  },
);

conformance(
  "MQTT-3.8.4-3",
  "replacing replaces the Subscription Identifier, and takes it away where there is none",
  () => {
    const client = new World().connect(5);
    const identifierOf = () => {
      client.publish({ topic: "a" });
      return client.expect("publish").properties;
    };
    const identifier = (value: number) => property(Property.subscriptionIdentifier, value);
    client.subscribe("a", 0, { properties: identifier(7) });
    assert.deepEqual(identifierOf(), [[Property.subscriptionIdentifier, 7]]);
    client.subscribe("a", 0, { properties: identifier(268_435_455) });
    assert.deepEqual(identifierOf(), [[Property.subscriptionIdentifier, 268_435_455]]);
    client.subscribe("a", 0);
    assert.deepEqual(identifierOf(), []);
  },
);

conformance(
  "MQTT-3.8.4-8",
  "messages come at the lower of the QoS published and the QoS granted",
  () => {
    for (const version of [3, 4, 5] as const) {
      for (let granted = 0; granted <= 2; granted++) {
        for (let published = 0; published <= 2; published++) {
          const world = new World();
          const client = world.connect(version, { clientId: "client" });
          client.subscribe("a", granted);
          const publisher = world.connect(4, { clientId: "publisher" });
          publisher.publish({ topic: "a", qos: published }).send(ack("pubrel", 1));
          assert.equal(client.expect("publish").qos, Math.min(granted, published));
        }
      }
    }
  },
);

conformance(
  "MQTT-3.8.4-8",
  "a listener's max_qos lowers what is granted",
  () => {
    const client = new World({ listener: { maxQos: 1 } }).connect(5);
    client.send(subscribe(5, { filters: [["a", 2], ["b", 0]] }));
    assert.deepEqual(heard(client), ["SUBACK #1 01 00"]);
  },
);

conformance(
  ["MQTT-3.9.2-1", "MQTT-3.9.2-2"],
  "SUBACK fits a client that takes 16 bytes at most: no Reason String, no user properties",
  () => {
    const client = new World().connect(5, { properties: property(Property.maximumPacketSize, 16) });
    const filters = ["a", "$share/g", "$share//a", "b"].map((filter) => [filter, 1] as const);
    client.send(subscribe(5, { filters }));
    const suback = client.expect("suback");
    assert.deepEqual(suback.properties, []);
    assert.equal(suback.raw.length, 2 + 2 + 1 + filters.length);
  },
);

conformance(
  ["MQTT-3.3.1-12", "MQTT-3.3.1-13"],
  "Retain As Published keeps the RETAIN flag of what is delivered live, else it is 0",
  () => {
    const world = new World();
    const client = world.connect(5, { clientId: "client" });
    const publisher = world.connect(5, { clientId: "publisher" });
    for (const options of [0, RETAIN_AS_PUBLISHED]) {
      client.subscribe("a", options | retainHandling(2));
      for (const retain of [true, false]) {
        publisher.publish({ topic: "a", payload: "x", retain });
        assert.equal(client.expect("publish").retain, options !== 0 && retain);
      }
    }
  },
);

conformance(
  "MQTT-3.8.4-5",
  "a SUBSCRIBE whose last filter is malformed does nothing at all",
  () => {
    const world = new World();
    const client = world.connect(5);
    const trailing = concat(field("b/#/c"), 0);
    client.send(subscribe(5, { filters: [["a", 0]] }, { trailing }));
    assert.deepEqual(heard(client), ["DISCONNECT 0x81"]);
    assert.equal(world.broker.tree.count, 0);
  },
);
