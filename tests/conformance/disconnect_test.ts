/** DISCONNECT, from the client and from the server: MQTT 5.0 section 3.14. */
import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { connectLasting, heard, payloads, reconnect } from "../support/exchange.ts";
import {
  ack,
  type AckFields,
  auth,
  connect,
  disconnect,
  hex,
  pingreq,
  Property,
  property,
  publish,
  subscribe,
} from "../support/packets.ts";
import { type FakeClient, World } from "../support/world.ts";

/** Each way in which the server ends a connection of MQTT 5 by itself, and the reason it gives. */
const endings: [what: string, reason: number, end: (client: FakeClient) => void][] = [
  ["malformed packet", 0x81, (client) => client.send(subscribe(5, { filters: [] }))],
  ["protocol error", 0x82, (client) => client.send(auth())],
  ["server shutting down", 0x8b, ({ world }) => {
    world.broker.stop();
    world.run();
  }],
  ["keep alive timeout", 0x8d, ({ world }) => world.advanceSeconds(91)],
  ["session taken over", 0x8e, ({ world }) => void world.connect(5, { clientId: "client" })],
  [
    "topic alias invalid",
    0x94,
    (client) => client.publish({ topic: "a", properties: property(Property.topicAlias, 11) }),
  ],
  ["packet too large", 0x95, (client) => client.send(hex("30 ff ff ff 7f"))],
];

conformance(
  ["MQTT-3.14.2-1", "MQTT-3.14.2-2", "MQTT-3.14.2-3", "MQTT-3.14.2-4", "MQTT-3.14.4-2"],
  "a server's DISCONNECT is a reason and nothing else, and then it closes",
  () => {
    for (const [what, reason, end] of endings) {
      const world = new World();
      const client = world.connect(5, {
        clientId: "client",
        properties: property(Property.maximumPacketSize, 16),
      });
      end(client);
      assert.deepEqual([...client.receiveBytes()], [0xe0, 0x01, reason], what);
      client.expectClosed();
    }
  },
);

conformance("MQTT-3.14.4-2", "MQTT 3.1 and 3.1.1 have no server DISCONNECT: it just closes", () => {
  for (const version of [3, 4] as const) {
    for (const [what, , end] of endings) {
      if (what === "topic alias invalid") continue;
      const client = new World().connect(version, { clientId: "client" });
      if (what === "protocol error") client.send(hex("20 02 00 00"));
      else if (what === "malformed packet") client.send(subscribe(version, { filters: [] }));
      else end(client);
      assert.deepEqual([...client.receiveBytes()], [], what);
      client.expectClosed();
    }
  }
});

conformance("MQTT-3.14.0-1", "no DISCONNECT is sent before a CONNACK that accepts", () => {
  for (
    const first of [hex("c0 00"), hex("00 00"), hex("30 ff ff ff 7f"), publish(5, { topic: "a" })]
  ) {
    const client = new World().open().send(first);
    client.expectClosed();
    assert.deepEqual([...client.receiveBytes()], []);
  }
  const silent = new World().open();
  silent.world.advanceSeconds(31);
  silent.expectClosed();
  assert.deepEqual([...silent.receiveBytes()], []);

  const open = new World().open();
  open.world.broker.stop();
  open.world.run();
  open.expectClosed();
  assert.deepEqual([...open.receiveBytes()], []);

  const refused = new World().open();
  refused.send(connect(5, { properties: property(Property.receiveMaximum, 0) }));
  assert.deepEqual(heard(refused), ["CONNACK 0x82"]);
  refused.expectClosed();
});

conformance(
  ["MQTT-3.14.1-1", "MQTT-3.14.1-1 v3"],
  "reserved bits of DISCONNECT are checked: it is no DISCONNECT, and the will is sent",
  () => {
    for (const version of [4, 5] as const) {
      for (let flags = 1; flags < 16; flags++) {
        const world = new World();
        const reader = world.connect(5, { clientId: "reader" });
        reader.subscribe("will");
        const client = world.connect(version, { will: { topic: "will", payload: "gone" } });
        client.send(disconnect({}, { header: 0xe0 | flags }));
        client.expectClosed();
        assert.deepEqual(heard(client), version === 5 ? ["DISCONNECT 0x82"] : []);
        assert.deepEqual(payloads(reader), ["gone"]);
      }
    }
  },
);

conformance(
  "MQTT-3.14.4-1",
  "nothing is sent after DISCONNECT, from whichever side it came",
  () => {
    for (const version of [4, 5] as const) {
      const world = new World();
      const client = world.connect(version, { clientId: "client" });
      client.subscribe("a", 1);
      const reader = world.connect(5, { clientId: "reader" });
      reader.subscribe("b");
      client.send(
        disconnect(),
        publish(version, { topic: "a", qos: 1 }),
        publish(version, { topic: "b" }),
        pingreq(),
      );
      reader.publish({ topic: "a", qos: 1 });
      assert.deepEqual([...client.receiveBytes()], []);
      client.expectClosed();
      assert.deepEqual(heard(reader), ["PUBACK #1 0x10"], "what follows DISCONNECT is not taken");
    }
    for (const [what, reason, end] of endings) {
      const world = new World();
      const client = world.connect(5, { clientId: "client" });
      client.subscribe("a", 1);
      end(client);
      client.send(pingreq(), publish(5, { topic: "a", qos: 1 }));
      world.broker.publishMessage({ topic: "a", payload: new Uint8Array(1), qos: 1 });
      world.run();
      assert.deepEqual(heard(client), [`DISCONNECT 0x${reason.toString(16)}`], what);
    }
  },
);

const properties = [property(Property.userProperty, ["a", "b"])];

conformance(
  ["MQTT-3.14.4-3", "MQTT-3.14.4-3 v3"],
  "DISCONNECT with reason 0, in every form, discards the will; any other sends it",
  () => {
    const forms: [version: 3 | 4 | 5, fields: AckFields, sent: boolean][] = [
      [3, {}, false],
      [4, {}, false],
      [5, {}, false],
      [5, { reason: 0 }, false],
      [5, { reason: 0, properties: [] }, false],
      [5, { reason: 0, properties }, false],
      [5, { reason: 0x04 }, true],
      [5, { reason: 0x04, properties }, true],
      [5, { reason: 0x81 }, true],
      [5, { reason: 0x93, properties: [] }, true],
    ];
    for (const [version, fields, sent] of forms) {
      const world = new World();
      const reader = world.connect(5, { clientId: "reader" });
      reader.subscribe("will");
      const client = world.connect(version, { will: { topic: "will", payload: "gone" } });
      client.send(disconnect(fields));
      client.expectClosed();
      assert.deepEqual(payloads(reader), sent ? ["gone"] : [], JSON.stringify(fields));
      world.advanceSeconds(1000);
      assert.deepEqual(payloads(reader), []);
    }
  },
);

conformance(
  "MQTT-3.14.4-3",
  "DISCONNECT with reason 0 discards a delayed will as well",
  () => {
    const world = new World();
    const reader = world.connect(5, { clientId: "reader", keepAliveSeconds: 0 });
    reader.subscribe("will");
    for (const [reason, sent] of [[0, []], [4, ["gone"]]] as const) {
      const client = world.connect(5, {
        clientId: "client",
        properties: property(Property.sessionExpiryInterval, 100),
        will: {
          topic: "will",
          payload: "gone",
          properties: property(Property.willDelayInterval, 5),
        },
      });
      client.send(disconnect({ reason }));
      assert.deepEqual(payloads(reader), []);
      world.advanceSeconds(6);
      assert.deepEqual(payloads(reader), sent);
    }
  },
);

conformance(
  ["MQTT-4.1.0-2", "MQTT-3.1.2-23"],
  "DISCONNECT may change the Session Expiry Interval, but not from 0",
  () => {
    const world = new World();
    const expiry = (seconds: number) => property(Property.sessionExpiryInterval, seconds);
    connectLasting(world, 5, "client").send(disconnect({ reason: 0, properties: expiry(10) }));
    world.advanceSeconds(9);
    const kept = reconnect(world, 5, "client");
    assert.deepEqual(heard(kept), ["CONNACK 0x00 present"]);
    kept.send(disconnect({ reason: 0, properties: expiry(0) }));
    assert.deepEqual(heard(reconnect(world, 5, "client")), ["CONNACK 0x00"], "0 ends it at once");
    const raises = world.connect(5, { clientId: "other", clean: false });
    raises.send(disconnect({ reason: 0, properties: expiry(10) }));
    assert.deepEqual(heard(raises), ["DISCONNECT 0x82"]);
    assert.deepEqual(heard(reconnect(world, 5, "other")), ["CONNACK 0x00"]);
  },
);

conformance("MQTT-3.14.4-2", "what the client acknowledged before its DISCONNECT counts", () => {
  const world = new World();
  const client = connectLasting(world, 5, "client");
  client.subscribe("a", 1);
  world.connect(5, { clientId: "publisher" }).publish({ topic: "a", qos: 1 });
  client.expect("publish");
  client.send(ack("puback", 1), disconnect());
  assert.deepEqual(heard(reconnect(world, 5, "client")), ["CONNACK 0x00 present"]);
});
