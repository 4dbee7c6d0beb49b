import assert from "node:assert/strict";
import { decodePackets } from "./packet_decoder.ts";
import * as packets from "./packets.ts";
import { hex, Property, property } from "./packets.ts";

function check(built: Uint8Array, expected: string) {
  assert.deepEqual(built, hex(expected));
}

Deno.test("a variable byte integer is written in its shortest form unless it is padded", () => {
  assert.deepEqual(packets.varint(0), [0]);
  assert.deepEqual(packets.varint(127), [0x7f]);
  assert.deepEqual(packets.varint(128), [0x80, 0x01]);
  assert.deepEqual(packets.varint(268_435_455), [0xff, 0xff, 0xff, 0x7f]);
  assert.deepEqual(packets.varint(0, 2), [0x80, 0x00]);
});

Deno.test("CONNECT is written for each version", () => {
  check(packets.connect(3), "10 0f 0006 4d5149736470 03 02 003c 0001 63");
  check(packets.connect(4), "10 0d 0004 4d515454 04 02 003c 0001 63");
  check(packets.connect(5), "10 0e 0004 4d515454 05 02 003c 00 0001 63");
  check(
    packets.connect(5, {
      clean: false,
      properties: property(Property.sessionExpiryInterval, 5),
      will: { topic: "w", payload: "x", qos: 1, retain: true },
      userName: "u",
      password: "p",
    }),
    "10 20 0004 4d515454 05 ec 003c 05 11 00000005 0001 63 00 0001 77 0001 78 0001 75 0001 70",
  );
});

Deno.test("other packets are written field by field", () => {
  check(packets.publish(4, { topic: "a", payload: "x" }), "30 04 0001 61 78");
  check(
    packets.publish(5, { topic: "a", qos: 2, dup: true, retain: true, packetId: 7 }),
    "3d 06 0001 61 0007 00",
  );
  check(packets.ack("pubrel", 7), "62 02 0007");
  check(packets.ack("puback", 7, { reason: 0x10, properties: [] }), "40 04 0007 10 00");
  check(packets.subscribe(4, { filters: [["a", 1]] }), "82 06 0001 0001 61 01");
  check(packets.subscribe(5, { filters: [["a", 1]] }), "82 07 0001 00 0001 61 01");
  check(packets.unsubscribe(5, { filters: ["a"] }), "a2 06 0001 00 0001 61");
  check(packets.disconnect({ reason: 4 }), "e0 01 04");
  check(packets.pingreq(), "c0 00");
});

Deno.test("a packet can lie about itself", () => {
  check(packets.pingreq({ header: 0xc1, remainingLength: [0x80, 0x00] }), "c1 80 00");
  check(packets.pingreq({ trailing: hex("aa") }), "c0 01 aa");
  check(packets.publish(4, { topic: "abc" }, { cutTo: 3 }), "30 03 0003 61");
  check(
    packets.publish(5, { topic: "a", properties: { length: 9, bytes: [] } }),
    "30 04 0001 61 09",
  );
});

Deno.test("what a server sends is read back, packet by packet, the rest kept", () => {
  const { packets: read, rest } = decodePackets(
    hex("20 06 01 00 03 22 000a 32 0b 0001 61 0007 03 23 0001 78 79 90 04 0007 00 01 d0"),
    5,
  );
  const [connack, publish, suback] = read;
  assert.equal(read.length, 3);
  assert.deepEqual(rest, hex("d0"));
  assert.deepEqual(
    [connack.sessionPresent, connack.reason, connack.properties],
    [true, 0, [[Property.topicAliasMaximum, 10]]],
  );
  assert.deepEqual([publish.topic, publish.qos, publish.packetId], ["a", 1, 7]);
  assert.deepEqual(suback.reasons, [1]);
});

Deno.test("a server's malformed packet is not read as a good one", () => {
  for (const bytes of ["30 03 0004 61", "10 00", "d0 80 80 80 80 01", "20 05 00 00 02 22 00"]) {
    assert.throws(() => decodePackets(hex(bytes), 5), SyntaxError, bytes);
  }
});
