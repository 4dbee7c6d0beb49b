import assert from "node:assert/strict";
import {
  ack,
  connect,
  disconnect,
  pingreq,
  publish,
  subscribe,
  unsubscribe,
} from "../support/packets.ts";
import { hookAccess } from "../support/access.ts";
import { World } from "../support/world.ts";

/** The lines that something adds to the log. */
function linesOf(world: World, act: () => void): string[] {
  const before = world.log.length;
  act();
  return world.log.slice(before);
}

Deno.test("log_type debug has a line for each packet, in Mosquitto's words", () => {
  const world = new World({ debug: true });
  const client = world.open(5);
  const lines = linesOf(world, () => {
    client.send(connect(5, { clientId: "c" }));
    client.send(subscribe(5, { packetId: 1, filters: [["t/+", 2], ["u", 0]] }));
    client.send(publish(5, { topic: "t/1", qos: 1, packetId: 7, payload: "hello" }));
    client.send(ack("puback", 1));
    client.send(publish(5, { topic: "t/2", qos: 2, packetId: 8, retain: true, payload: "m" }));
    client.send(ack("pubrel", 8), ack("pubrec", 2), ack("pubcomp", 2), pingreq());
    client.send(unsubscribe(5, { packetId: 9, filters: ["u"] }), disconnect());
  });
  assert.deepEqual(lines.filter((line) => !/^New client|^c \d|^c u$/.test(line)), [
    "Sending CONNACK to c (0, 0)",
    "Received SUBSCRIBE from c",
    "\tt/+ (QoS 2)",
    "\tu (QoS 0)",
    "Sending SUBACK to c",
    "Received PUBLISH from c (d0, q1, r0, m7, 't/1', ... (5 bytes))",
    "Sending PUBLISH to c (d0, q1, r0, m1, 't/1', ... (5 bytes))",
    "Sending PUBACK to c (m7, rc0)",
    "Received PUBACK from c (Mid: 1, RC:0)",
    "Received PUBLISH from c (d0, q2, r1, m8, 't/2', ... (1 bytes))",
    "Sending PUBREC to c (m8, rc0)",
    "Received PUBREL from c (Mid: 8, RC:0)",
    "Sending PUBLISH to c (d0, q2, r0, m2, 't/2', ... (1 bytes))",
    "Sending PUBCOMP to c (m8, rc0)",
    "Received PUBREC from c (Mid: 2, RC:0)",
    "Sending PUBREL to c (m2, rc0)",
    "Received PUBCOMP from c (Mid: 2, RC:0)",
    "Received PINGREQ from c",
    "Sending PINGRESP to c",
    "Received UNSUBSCRIBE from c",
    "\tu",
    "Sending UNSUBACK to c",
    "Received DISCONNECT from c",
    "Client c [127.0.0.1:50000] disconnected.",
  ]);
});

Deno.test("what is denied is told, and what is too large for the client is not said to be sent", () => {
  const access = hookAccess(
    { authorizePublish: (_client, { topic }) => topic.startsWith("open") },
    true,
    () => {},
  );
  const world = new World({ debug: true, access });
  const client = world.connect(5, { properties: [0x27, 0, 0, 0, 40] });
  client.subscribe("#");
  const denied = linesOf(world, () => client.publish({ topic: "closed", payload: "m" }));
  assert.deepEqual(denied, [
    "Received PUBLISH from c (d0, q0, r0, m0, 'closed', ... (1 bytes))",
    "Denied PUBLISH from c (d0, q0, r0, m0, 'closed', ... (1 bytes))",
  ]);
  const large = linesOf(world, () => client.publish({ topic: "open", payload: "m".repeat(100) }));
  assert.equal(large.some((line) => line.startsWith("Sending PUBLISH")), false);
});

Deno.test("without log_type debug no packet is logged", () => {
  const world = new World();
  const lines = linesOf(world, () => world.connect(5).publish({ topic: "t" }).send(pingreq()));
  assert.deepEqual(lines.map((line) => line.replace(/ .*/, "")), ["New"]);
});
