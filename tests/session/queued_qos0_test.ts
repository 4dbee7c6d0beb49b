import assert from "node:assert/strict";
import * as packets from "../support/packets.ts";
import { World } from "../support/world.ts";

const { Property, property } = packets;

Deno.test("a QoS 0 message does not overtake those that wait in the queue", () => {
  const world = new World({ settings: { queueQos0Messages: true } });
  const properties = packets.concat(
    property(Property.sessionExpiryInterval, 3600),
    property(Property.receiveMaximum, 1),
  );
  const connect = packets.connect(5, { clientId: "reader", clean: false, properties });
  const away = world.open(5).send(connect);
  away.expect("connack");
  away.subscribe("#", 1);
  away.vanish();
  const publisher = world.connect(5, { clientId: "publisher" });
  for (const topic of ["a", "b"]) publisher.publish({ topic, qos: 1 });
  publisher.publish({ topic: "t", payload: "first" });

  const reader = world.open(5).send(connect);
  const [, sent, ...others] = reader.receive();
  assert.deepEqual([sent.topic, others.length], ["a", 0]);
  publisher.publish({ topic: "t", payload: "second" });
  reader.expectNothing();
  reader.send(packets.ack("puback", sent.packetId!));
  const payloads = reader.receive().map(({ payload }) => new TextDecoder().decode(payload));
  assert.deepEqual(payloads, ["", "first", "second"]);
  publisher.publish({ topic: "t", payload: "third" });
  assert.equal(reader.receive().length, 1, "nothing waits any more");
});
