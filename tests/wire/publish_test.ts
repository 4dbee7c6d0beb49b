import assert from "node:assert/strict";
import fc from "fast-check";
import { Properties, Property as Id } from "../../src/wire/properties.ts";
import { ProtocolError } from "../../src/wire/protocol_error.ts";
import { Publish } from "../../src/wire/publish.ts";
import { concat, property, publish as publishPacket, type Version } from "../support/packets.ts";
import { bodyStartOf, forwardedProperties, generate, message, parse } from "./messages.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const properties = new Properties();

/** Reads a packet that stands in the middle of other bytes. */
function read(bytes: Uint8Array, version: Version): Publish {
  const around = 7;
  const whole = concat(new Uint8Array(around).fill(0x33), bytes, 0x33, 0x33);
  const publish = new Publish();
  const end = around + bytes.length;
  publish.read(whole, around, around + bodyStartOf(bytes), end, version, properties);
  return publish;
}

for (const version of [3, 4, 5] as const) {
  Deno.test(`a PUBLISH of version ${version} is read as mqtt-packet writes and reads it`, () => {
    fc.assert(
      fc.property(message, (fields) => {
        const bytes = generate(fields, version);
        const publish = read(bytes, version);
        const packet = parse(bytes, version);
        assert.equal(
          decoder.decode(publish.bytes.subarray(publish.topicStart, publish.topicEnd)),
          packet.topic,
        );
        assert.deepEqual(publish.payload(), Uint8Array.from(packet.payload as Uint8Array));
        assert.equal(publish.payloadLength, fields.payload.length);
        assert.deepEqual(
          [publish.qos, publish.dup, publish.retain, publish.packetId],
          [packet.qos, packet.dup, packet.retain, packet.messageId ?? 0],
        );
        const expiry = version === 5 ? packet.properties?.messageExpiryInterval : undefined;
        assert.equal(publish.messageExpirySeconds, expiry ?? -1);
        assert.equal(publish.topicAlias, -1);
      }),
      { numRuns: 500 },
    );
  });
}

Deno.test("properties are forwarded byte for byte, without Message Expiry and Topic Alias", () => {
  const taken = fc.record({
    expiry: fc.option(fc.integer({ min: 0, max: 0xffff_ffff }), { nil: undefined }),
    alias: fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }),
    /** Where among the others they stand. */
    expiryAt: fc.nat(6),
    aliasAt: fc.nat(6),
  });
  fc.assert(
    fc.property(message, taken, (fields, { expiry, alias, expiryAt, aliasAt }) => {
      const forwarded = forwardedProperties({ ...fields, userProperties: [] });
      const users = fields.userProperties.map((pair) => property(Id.UserProperty, pair));
      const list = [forwarded, ...users];
      const expected = concat(list);
      if (expiry !== undefined) {
        list.splice(expiryAt, 0, property(Id.MessageExpiryInterval, expiry));
      }
      if (alias !== undefined) list.splice(aliasAt, 0, property(Id.TopicAlias, alias));
      const bytes = publishPacket(5, {
        ...fields,
        properties: list,
        packetId: fields.packetId || undefined,
      });
      const publish = read(bytes, 5);
      assert.deepEqual(publish.forwarded(), expected);
      assert.equal(publish.messageExpirySeconds, expiry ?? -1);
      assert.equal(publish.topicAlias, alias ?? -1);
      const copy = publish.copy();
      assert.deepEqual(copy.forwarded(), expected);
      assert.deepEqual(copy.payload(), fields.payload);
    }),
    { numRuns: 500 },
  );
});

Deno.test("a copy outlives the bytes it was read from, together with others or alone", () => {
  fc.assert(fc.property(fc.array(message, { minLength: 1, maxLength: 10 }), (list) => {
    const copies = list.map((fields, index) => {
      const publish = read(generate(fields, 5), 5);
      const copy = publish.copy();
      publish.bytes.fill(0xff);
      if (index % 3 === 0) copy.detach();
      if (index % 3 === 1) copy.detachToWait();
      return copy;
    });
    copies.forEach((copy, index) => {
      const { payload, qos, retain } = list[index];
      assert.deepEqual(copy.payload(), payload);
      assert.deepEqual([copy.qos, copy.retain], [qos, retain]);
      assert.equal(copy.size, copy.forwarded().length + payload.length);
      copy.detachToWait();
      assert.deepEqual(copy.payload(), payload);
      assert.ok(copy.bytes.length === copy.size || copy.bytes.length === 2048 && copy.size <= 256);
      copy.detach();
      assert.deepEqual(copy.payload(), payload);
      assert.equal(copy.bytes.length, copy.size, "detached, it holds nothing else");
    });
  }));
});

Deno.test("a large message that came in bytes of its own stays in them, whole", () => {
  const user = property(Id.UserProperty, ["k", "v"]);
  const expiry = property(Id.MessageExpiryInterval, 9);
  const rows: [version: Version, properties: Uint8Array, length: number, isShared: boolean][] = [
    [4, concat(), 16_384, true],
    [4, concat(), 16_383, false],
    [5, concat(), 20_000, true],
    [5, user, 20_000, true],
    // Its properties stand elsewhere, without those that are not forwarded as they came.
    [5, concat(expiry, user), 20_000, false],
  ];
  for (const [version, list, length, isShared] of rows) {
    const payload = new Uint8Array(length).map((_, index) => index);
    const bytes = publishPacket(version, { topic: "t", qos: 1, payload, properties: list });
    for (const owned of [true, false]) {
      const publish = new Publish();
      publish.read(bytes, 0, bodyStartOf(bytes), bytes.length, version, properties);
      publish.owned = owned;
      const copy = publish.copy();
      assert.equal(copy.bytes === bytes, owned && isShared, `${version} ${length} ${owned}`);
      assert.deepEqual(copy.payload(), payload);
      assert.deepEqual(copy.forwarded(), publish.forwarded());
      assert.deepEqual([copy.qos, copy.size], [1, publish.size]);
      copy.detach();
      assert.deepEqual(copy.payload(), payload);
    }
  }
  // A long topic would be held with it.
  const topic = "t".repeat(10_000);
  const bytes = publishPacket(4, { topic, payload: new Uint8Array(20_000) });
  const publish = new Publish();
  publish.read(bytes, 0, bodyStartOf(bytes), bytes.length, 4, properties);
  publish.owned = true;
  assert.notEqual(publish.copy().bytes, bytes);
});

Deno.test("a PUBLISH cut anywhere is an error or a shorter payload, never something else", () => {
  fc.assert(
    fc.property(message, fc.constantFrom<Version>(3, 4, 5), (fields, version) => {
      const whole = generate(fields, version);
      const bodyStart = bodyStartOf(whole);
      for (let end = bodyStart; end < whole.length; end++) {
        const publish = new Publish();
        try {
          publish.read(whole, 0, bodyStart, end, version, properties);
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error));
          continue;
        }
        const cut = publish.payload();
        assert.deepEqual(cut, fields.payload.subarray(0, cut.length));
        assert.equal(whole.length - end, fields.payload.length - cut.length);
      }
    }),
    { numRuns: 60 },
  );
});
