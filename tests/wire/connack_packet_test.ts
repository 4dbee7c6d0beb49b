import assert from "node:assert/strict";
import fc from "fast-check";
import {
  readConnack,
  readServerDisconnect,
  readSubscriptionAnswer,
} from "../../src/wire/connack_packet.ts";
import { ProtocolError } from "../../src/wire/protocol_error.ts";
import { concat, Property, property, u16, varint } from "../support/packets.ts";

/** The body of a CONNACK of MQTT 5. */
function body(flags: number, reason: number, ...properties: Uint8Array[]): Uint8Array {
  const list = concat(...properties);
  return concat(flags, reason, varint(list.length), list);
}

function read(bytes: Uint8Array, version: 4 | 5 = 5) {
  return readConnack(bytes, 0, bytes.length, version);
}

Deno.test("a CONNACK of MQTT 3 has two bytes, also as an answer to MQTT 5", () => {
  for (const version of [4, 5] as const) {
    const connack = read(Uint8Array.of(1, 5), version);
    assert.equal(connack.isMqtt5, false);
    assert.equal(connack.sessionPresent, true);
    assert.equal(connack.reason, 5);
    assert.equal(connack.maximumQos, -1);
    assert.equal(connack.retainAvailable, true);
  }
});

Deno.test("a CONNACK of MQTT 5 tells what the server can do", () => {
  const connack = read(body(
    0,
    0,
    property(Property.serverKeepAlive, 9),
    property(Property.assignedClientIdentifier, "me"),
    property(Property.receiveMaximum, 7),
    property(Property.maximumPacketSize, 70_000),
    property(Property.topicAliasMaximum, 3),
    property(Property.maximumQos, 1),
    property(Property.retainAvailable, 0),
    property(Property.userProperty, ["a", "b"]),
    property(Property.reasonString, "why"),
    property(Property.sharedSubscriptionAvailable, 1),
    property(Property.sessionExpiryInterval, 4_294_967_295),
    property(Property.authenticationData, Uint8Array.of(1, 2)),
  ));
  assert.deepEqual(connack, {
    isMqtt5: true,
    sessionPresent: false,
    reason: 0,
    serverKeepAliveSeconds: 9,
    receiveMaximum: 7,
    maximumPacketSize: 70_000,
    topicAliasMaximum: 3,
    maximumQos: 1,
    retainAvailable: false,
    reasonString: "why",
  });
});

Deno.test("what is cut off or unknown is malformed", () => {
  const wrong = [
    Uint8Array.of(0),
    Uint8Array.of(0, 0, 5),
    Uint8Array.of(0, 0, 1, 0x7f),
    Uint8Array.of(0, 0, 2, Property.receiveMaximum, 1),
    Uint8Array.of(0, 0, 4, Property.reasonString, 0, 9, 65),
    Uint8Array.of(0, 0, 0xff, 0xff, 0xff, 0xff, 1),
  ];
  for (const bytes of wrong) assert.throws(() => read(bytes), { reason: 0x81 });
});

Deno.test("SUBACK and DISCONNECT of a server", () => {
  const suback = concat(u16(7), 0, [1, 0x87]);
  assert.deepEqual(readSubscriptionAnswer(suback, 0, suback.length, 5), {
    packetId: 7,
    reasons: [1, 0x87],
  });
  assert.deepEqual(readSubscriptionAnswer(Uint8Array.of(0, 8, 0x80), 0, 3, 4), {
    packetId: 8,
    reasons: [0x80],
  });
  const disconnect = body(0x8b, 0, property(Property.reasonString, "bye")).subarray(1);
  assert.equal(readServerDisconnect(new Uint8Array(), 0, 0).reason, 0);
  assert.equal(readServerDisconnect(Uint8Array.of(0x8b), 0, 1).reason, 0x8b);
  const text = concat(0x8b, disconnect.subarray(1));
  assert.deepEqual(readServerDisconnect(text, 0, text.length), {
    reason: 0x8b,
    reasonString: "bye",
  });
});

Deno.test("any bytes are read or refused", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
    for (const act of [read, (all: Uint8Array) => readServerDisconnect(all, 0, all.length)]) {
      try {
        act(bytes);
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error));
      }
    }
  }));
});
