import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeEntry,
  decodeMessage,
  decodeReceived,
  decodeSession,
  decodeSubscription,
  encodeEntry,
  encodeMessage,
  encodeReceived,
  encodeSession,
  encodeSubscription,
  type MessageRecord,
} from "../../src/store/records.ts";

const text = fc.string({ unit: "binary", maxLength: 40 });
const bytes = fc.uint8Array({ maxLength: 60 });
const number = fc.maxSafeNat();
const packetId = fc.integer({ min: 0, max: 65_535 });
const qos = fc.constantFrom(0, 1, 2);
/** Wall-clock milliseconds; Infinity: never. */
const time = fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: 2 ** 50 }));

/** Reads the record out of the middle of other bytes, as a memory map hands it over. */
function within(value: Uint8Array): Uint8Array {
  const whole = new Uint8Array(value.length + 9).fill(0xee);
  whole.set(value, 5);
  return whole.subarray(5, 5 + value.length);
}

function roundTrip<T extends object>(
  name: string,
  records: fc.Arbitrary<T>,
  encode: (record: T) => Uint8Array,
  decode: (value: Uint8Array) => T,
) {
  Deno.test(`${name} comes back from its bytes`, () => {
    fc.assert(
      fc.property(records, (fields) => {
        const record = { ...fields };
        assert.deepEqual(decode(within(encode(record))), record);
      }),
      { numRuns: 500 },
    );
  });
}

/** The record with copies of the parts that it has as offsets. */
function wholeMessage(value: Uint8Array): MessageRecord {
  const { topicStart, topicEnd, propertiesStart, payloadStart, ...others } = decodeMessage(value);
  return {
    ...others,
    topic: value.slice(topicStart, topicEnd),
    properties: value.slice(propertiesStart, payloadStart),
    payload: value.slice(payloadStart),
  };
}

roundTrip(
  "a message",
  fc.record({
    topic: bytes,
    properties: bytes,
    payload: bytes,
    qos,
    retain: fc.boolean(),
    expiresAtMs: time,
    clientId: text,
    userName: text,
  }),
  encodeMessage,
  wholeMessage,
);
roundTrip(
  "a session",
  fc.record({
    clientId: text,
    userName: text,
    version: fc.constantFrom(3, 4, 5),
    sessionExpirySeconds: fc.integer({ min: 0, max: 0xffff_ffff }),
    disconnectedAtMs: time,
    packetId,
  }),
  encodeSession,
  decodeSession,
);
roundTrip(
  "a subscription",
  fc.record({
    session: number,
    filter: text,
    qos,
    noLocal: fc.boolean(),
    retainAsPublished: fc.boolean(),
    identifier: fc.integer({ min: 0, max: 268_435_455 }),
  }),
  encodeSubscription,
  decodeSubscription,
);
roundTrip(
  "an entry",
  fc.record({
    session: number,
    message: number,
    packetId,
    qos,
    retain: fc.boolean(),
    state: fc.constantFrom(0, 1, 2),
    identifiers: fc.option(
      fc.array(fc.integer({ min: 1, max: 268_435_455 }), { minLength: 1, maxLength: 5 }),
    ),
  }),
  encodeEntry,
  decodeEntry,
);
roundTrip(
  "a QoS 2 message received",
  fc.record({ session: number, message: number, packetId }),
  encodeReceived,
  decodeReceived,
);

Deno.test("a message of any size comes back", () => {
  for (const length of [0, 1, 1900, 65_535, 1_000_000]) {
    const payload = Uint8Array.from({ length }, (_, index) => index * 7);
    const record = {
      topic: new Uint8Array(65_535).fill(0x61),
      properties: Uint8Array.of(1),
      payload,
      qos: 2,
      retain: true,
      expiresAtMs: Infinity,
      clientId: "é".repeat(30_000),
      userName: "",
    };
    const found = wholeMessage(encodeMessage(record));
    assert.equal(found.clientId, record.clientId);
    assert.equal(found.topic.length, 65_535);
    assert.ok(found.payload.length === length && found.payload.every((b, at) => b === payload[at]));
  }
});
