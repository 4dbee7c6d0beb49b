import assert from "node:assert/strict";
import fc from "fast-check";
import { crc32c } from "../../src/store/crc32c.ts";
import {
  CHUNK_KEY_BYTES,
  chunkCount,
  copyPayload,
  ENTRY_BYTES_MAXIMUM,
  entryBytes,
  entryProblem,
  HEAD_KEY_BYTES,
  keyChunkIndex,
  keyNumber,
  valueLength,
  writeChunkKey,
  writeEntry,
  writeHeadKey,
} from "../../src/store/record_codec.ts";
import { bytes, equal, pattern } from "./contract.ts";

Deno.test("CRC-32C gives the published values", () => {
  const of = (value: Uint8Array) => crc32c(0, value, 0, value.length);
  assert.equal(of(bytes("123456789")), 0xe3069283);
  assert.equal(of(new Uint8Array(0)), 0);
  // From RFC 3720, B.4.
  assert.equal(of(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(of(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assert.equal(of(Uint8Array.from({ length: 32 }, (_, at) => at)), 0x46dd794e);
});

Deno.test("CRC-32C in parts equals the whole", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(60), (value, cut) => {
    const middle = Math.min(cut, value.length);
    const first = crc32c(0, value, 0, middle);
    assert.equal(crc32c(first, value, middle, value.length), crc32c(0, value, 0, value.length));
  }));
});

Deno.test("keys sort by kind, then number, then chunk", () => {
  const part = fc.tuple(
    fc.integer({ min: 0, max: 200 }),
    fc.maxSafeNat(),
    fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  );
  const key = ([kind, number, index]: [number, number, number]) => {
    const key = new Uint8Array(index === 0 ? HEAD_KEY_BYTES : CHUNK_KEY_BYTES);
    if (index === 0) writeHeadKey(key, kind, number);
    else writeChunkKey(key, kind, number, index);
    assert.deepEqual([key[0], keyNumber(key), keyChunkIndex(key)], [kind, number, index]);
    return key;
  };
  fc.assert(fc.property(part, part, (a, b) => {
    const order = a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
    assert.equal(Math.sign(compare(key(a), key(b))), Math.sign(order));
  }));
});

/** As LMDB compares: by bytes, the shorter first. */
function compare(a: Uint8Array, b: Uint8Array): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    if (a[at] !== b[at]) return a[at] - b[at];
  }
  return a.length - b.length;
}

Deno.test("a value of any length is cut into entries that fit and come together again", () => {
  const edges = [0, 1, 1890, 1891, 1892, 3781, 3782, 3783, 5673, 5674, 65_535, 1024 * 1024];
  for (const length of edges) {
    const value = pattern(length);
    const whole = new Uint8Array(length);
    for (let index = 0; index <= chunkCount(length); index++) {
      const key = new Uint8Array(index === 0 ? HEAD_KEY_BYTES : CHUNK_KEY_BYTES);
      if (index === 0) writeHeadKey(key, 7, 9);
      else writeChunkKey(key, 7, 9, index);
      const entry = new Uint8Array(entryBytes(length, index));
      assert.ok(entry.length <= ENTRY_BYTES_MAXIMUM);
      assert.ok(index === 0 || entry.length > 9, "no chunk is empty");
      writeEntry(entry, key, value, index);
      assert.equal(entryProblem(entry, key, index, length), null);
      assert.equal(valueLength(entry), length);
      copyPayload(entry, index, whole);
    }
    assert.ok(equal(whole, value), `${length} bytes`);
  }
});

Deno.test("any flipped bit, in key or entry, is found", () => {
  const key = new Uint8Array(HEAD_KEY_BYTES);
  writeHeadKey(key, 7, 9);
  const entry = new Uint8Array(entryBytes(20, 0));
  writeEntry(entry, key, pattern(20), 0);
  for (const part of [key, entry]) {
    for (let bit = 0; bit < part.length * 8; bit++) {
      part[bit >> 3] ^= 1 << (bit & 7);
      assert.notEqual(entryProblem(entry, key, 0, -1), null);
      part[bit >> 3] ^= 1 << (bit & 7);
    }
  }
  assert.equal(entryProblem(entry, key, 0, -1), null);
  for (let length = 0; length < entry.length; length++) {
    assert.notEqual(entryProblem(entry.subarray(0, length), key, 0, -1), null);
  }
});

Deno.test("a chunk of another value is found", () => {
  const key = new Uint8Array(CHUNK_KEY_BYTES);
  writeChunkKey(key, 7, 9, 1);
  const entry = new Uint8Array(entryBytes(2000, 1));
  writeEntry(entry, key, pattern(2000), 1);
  assert.equal(entryProblem(entry, key, 1, 2000), null);
  assert.match(entryProblem(entry, key, 1, 2001)!, /another value/);
});
