import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { expectClosedSilently } from "../support/messages.ts";
import {
  ack,
  connect,
  disconnect,
  hex,
  pingreq,
  publish,
  subscribe,
  unsubscribe,
} from "../support/packets.ts";
import { World } from "../support/world.ts";

/** Packets of a client with wrong flags in the first byte. */
const wrongFlags: readonly [what: string, bytes: Uint8Array, reason: number][] = [
  ["PUBACK", ack("puback", 1, {}, { header: 0x41 }), 0x81],
  ["PUBREC", ack("pubrec", 1, {}, { header: 0x52 }), 0x81],
  ["PUBREL", ack("pubrel", 1, {}, { header: 0x60 }), 0x82],
  ["PUBCOMP", ack("pubcomp", 1, {}, { header: 0x74 }), 0x81],
  ["PINGREQ", pingreq({ header: 0xc8 }), 0x81],
  ["DISCONNECT", disconnect({}, { header: 0xe1 }), 0x82],
];

for (const [what, bytes, reason] of wrongFlags) {
  conformance(["MQTT-2.1.3-1", "MQTT-2.2.2-2 v3"], `wrong flags of ${what} close`, () => {
    const world = new World();
    const client = world.connect(5).send(bytes);
    assert.equal(client.expect("disconnect").reason, reason);
    client.expectClosed();
    expectClosedSilently(world.connect(4).send(bytes));
  });
}

for (const version of [4, 5] as const) {
  conformance(
    ["MQTT-2.1.3-1", "MQTT-2.2.2-2 v3"],
    `wrong flags of SUBSCRIBE, UNSUBSCRIBE and CONNECT close, version ${version}`,
    () => {
      const world = new World();
      const filters = world.connect(version).send(
        subscribe(version, { filters: [["t", 0]] }, { header: 0x80 }),
      );
      filters.expectClosed();
      assert.deepEqual(filters.receiveOf("suback"), []);
      world.connect(version).send(unsubscribe(version, { filters: ["t"] }, { header: 0xa0 }))
        .expectClosed();
      expectClosedSilently(world.open(version).send(connect(version, {}, { header: 0x11 })));
    },
  );
}

conformance("MQTT-2.1.3-1", "the server's own packets have the flags listed", () => {
  const client = new World().connect(5);
  assert.equal(client.connack!.flags, 0);
  assert.equal(client.subscribe("t", 2).flags, 0);
  client.publish({ topic: "t", qos: 2, packetId: 9 });
  assert.equal(client.expect("pubrec").flags, 0);
  client.send(ack("pubrel", 9));
  const [message, pubcomp] = client.receive();
  assert.equal(pubcomp.flags, 0);
  client.send(ack("pubrec", message.packetId!));
  assert.equal(client.expect("pubrel").flags, 2);
  client.send(unsubscribe(5, { filters: ["t"] }), pingreq());
  assert.deepEqual(client.receive().map(({ type, flags }) => [type, flags]), [
    ["unsuback", 0],
    ["pingresp", 0],
  ]);
});

conformance("MQTT-2.2.1-2", "a QoS 0 PUBLISH goes out without a Packet Identifier", () => {
  const world = new World();
  const subscriber = world.connect(5, { clientId: "subscriber" });
  subscriber.subscribe("t", 0);
  const publisher = world.connect(5, { clientId: "publisher" });
  publisher.publish({ topic: "t", qos: 1, packetId: 0x4142, payload: "m" });
  assert.deepEqual([...subscriber.receiveBytes()], [...hex("30 05 0001 74 00 6d")]);
});

conformance("MQTT-2.2.1-4", "Packet Identifiers count up from 1", () => {
  const world = new World();
  const subscriber = world.connect(5, { clientId: "subscriber" });
  subscriber.subscribe("t", 2);
  const publisher = world.connect(5, { clientId: "publisher" });
  for (let packetId = 100; packetId < 103; packetId++) {
    publisher.publish({ topic: "t", qos: 1, packetId });
  }
  assert.deepEqual(subscriber.receive().map(({ packetId }) => packetId), [1, 2, 3]);
});

conformance("MQTT-2.2.1-4", "after 65,535 comes the first identifier that is free", () => {
  const world = new World();
  const subscriber = world.connect(5, { clientId: "subscriber" });
  subscriber.subscribe("t", 2);
  const publisher = world.connect(5, { clientId: "publisher" });
  publisher.publish({ topic: "t", qos: 1 }).publish({ topic: "t", qos: 2 }).send(ack("pubrel", 1));
  assert.deepEqual(subscriber.receive().map(({ packetId }) => packetId), [1, 2]);
  subscriber.send(ack("pubrec", 2));
  assert.equal(subscriber.expect("pubrel").packetId, 2);
  world.broker.sessions.get("subscriber")!.outbound.restorePacketId(0xfffe);
  publisher.publish({ topic: "t", qos: 1 }).publish({ topic: "t", qos: 1 });
  assert.deepEqual(subscriber.receive().map(({ packetId }) => packetId), [0xffff, 3]);
});

conformance(
  "MQTT-2.2.1-5",
  "PUBACK, PUBREC, PUBREL and PUBCOMP carry the PUBLISH's identifier",
  () => {
    for (const version of [3, 4, 5] as const) {
      const client = new World().connect(version);
      client.subscribe("t", 2);
      client.publish({ topic: "other", qos: 1, packetId: 0x1234 });
      assert.equal(client.expect("puback").packetId, 0x1234);
      client.publish({ topic: "t", qos: 2, packetId: 0xabcd });
      assert.equal(client.expect("pubrec").packetId, 0xabcd);
      client.send(ack("pubrel", 0xabcd));
      const [message, pubcomp] = client.receive();
      assert.equal(pubcomp.packetId, 0xabcd);
      client.send(ack("pubrec", message.packetId!));
      assert.equal(client.expect("pubrel").packetId, message.packetId);
    }
  },
);

conformance("MQTT-2.2.1-6", "SUBACK and UNSUBACK carry the identifier of their request", () => {
  for (const version of [3, 4, 5] as const) {
    const client = new World().connect(version);
    client.send(subscribe(version, { packetId: 0xfffe, filters: [["t", 0]] }));
    assert.equal(client.expect("suback").packetId, 0xfffe);
    client.send(unsubscribe(version, { packetId: 0x0100, filters: ["t"] }));
    assert.equal(client.expect("unsuback").packetId, 0x0100);
  }
});

conformance("MQTT-2.2.2-1", "no properties are written as a length of zero", () => {
  const world = new World();
  const subscriber = world.connect(5, { clientId: "subscriber" });
  subscriber.send(subscribe(5, { packetId: 7, filters: [["t", 1]] }));
  assert.deepEqual([...subscriber.receiveBytes()], [...hex("90 04 0007 00 01")]);
  const publisher = world.connect(4, { clientId: "publisher" });
  publisher.publish({ topic: "t", payload: "m" });
  assert.deepEqual([...subscriber.receiveBytes()], [...hex("30 05 0001 74 00 6d")]);
  publisher.publish({ topic: "t", payload: "m", qos: 1 });
  assert.deepEqual([...subscriber.receiveBytes()], [...hex("32 07 0001 74 0001 00 6d")]);
  subscriber.send(unsubscribe(5, { packetId: 8, filters: ["t"] }));
  assert.deepEqual([...subscriber.receiveBytes()], [...hex("b0 04 0008 00 00")]);
});

conformance("MQTT-2.3.1-1 v3", "Packet Identifier 0 closes", () => {
  const world = new World();
  for (
    const bytes of [
      publish(4, { topic: "t", qos: 1, packetId: 0 }),
      publish(4, { topic: "t", qos: 2, packetId: 0 }),
      subscribe(4, { packetId: 0, filters: [["t", 0]] }),
      unsubscribe(4, { packetId: 0, filters: ["t"] }),
    ]
  ) expectClosedSilently(world.connect(4).send(bytes));
});
