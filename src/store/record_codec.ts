/**
 * How a record lies in LMDB. A value that does not fit into one entry is cut: a head and numbered
 * chunks, always written in one commit.
 *
 *     key    kind (1) · number (8, big-endian) · in chunks also the chunk's index from 1 (4, big-endian)
 *     value  version (1) · CRC-32C of key and all that follows (4) · length of the whole value (4) · bytes
 *
 * So iteration is by kind, then by number, and a head comes right before its chunks. The number of
 * chunks follows from the length, so a missing one is noticed. LMDB has no checksums of its own, and a
 * damaged page mostly reads as wrong bytes without an error: ours are the only guard.
 */
import { assert } from "../assert.ts";
import { crc32c } from "./crc32c.ts";

/** lmdb 3.5.6 loses commits and can crash when values that do not fit inline in a page come and go. */
export const ENTRY_BYTES_MAXIMUM = 1900;
export const KEY_BYTES_MAXIMUM = 511;

export const HEAD_KEY_BYTES = 9;
export const CHUNK_KEY_BYTES = 13;

const VERSION = 1;
const CRC_AT = 1;
const LENGTH_AT = 5;
const HEADER_BYTES = 9;
const PAYLOAD_BYTES_MAXIMUM = ENTRY_BYTES_MAXIMUM - HEADER_BYTES;

/** How many chunks follow the head of a value of `length` bytes. */
export function chunkCount(length: number): number {
  return length <= PAYLOAD_BYTES_MAXIMUM ? 0 : Math.ceil(length / PAYLOAD_BYTES_MAXIMUM) - 1;
}

/** Bytes of the entry with index `index` (0 the head) of a value of `length` bytes. */
export function entryBytes(length: number, index: number): number {
  const from = index * PAYLOAD_BYTES_MAXIMUM;
  return HEADER_BYTES + Math.min(length - from, PAYLOAD_BYTES_MAXIMUM);
}

export function writeHeadKey(key: Uint8Array, kind: number, number: number): void {
  assert(Number.isInteger(kind) && kind >= 0 && kind <= 200, "a kind is 0 to 200");
  assert(Number.isSafeInteger(number) && number >= 0, "a number is a safe integer ≥ 0");
  key[0] = kind;
  writeUint32(key, 1, Math.floor(number / 0x1_0000_0000));
  writeUint32(key, 5, number);
}

export function writeChunkKey(key: Uint8Array, kind: number, number: number, index: number): void {
  writeHeadKey(key, kind, number);
  writeUint32(key, HEAD_KEY_BYTES, index);
}

export function keyNumber(key: Uint8Array): number {
  return readUint32(key, 1) * 0x1_0000_0000 + readUint32(key, 5);
}

/** 0 for a head. */
export function keyChunkIndex(key: Uint8Array): number {
  return key.length === HEAD_KEY_BYTES ? 0 : readUint32(key, HEAD_KEY_BYTES);
}

/** Whether the key has the shape of ours. */
export function isKey(key: Uint8Array): boolean {
  return key.length === HEAD_KEY_BYTES || key.length === CHUNK_KEY_BYTES;
}

/** Writes the entry `index` of `value` to `entry`, which has exactly {@linkcode entryBytes} bytes. */
export function writeEntry(
  entry: Uint8Array,
  key: Uint8Array,
  value: Uint8Array,
  index: number,
): void {
  assert(entry.length <= ENTRY_BYTES_MAXIMUM, "an entry fits inline in a page");
  assert(key.length <= KEY_BYTES_MAXIMUM, "a key fits");
  const from = index * PAYLOAD_BYTES_MAXIMUM;
  entry[0] = VERSION;
  writeUint32(entry, LENGTH_AT, value.length);
  if (index === 0 && value.length <= PAYLOAD_BYTES_MAXIMUM) entry.set(value, HEADER_BYTES);
  else entry.set(value.subarray(from, from + entry.length - HEADER_BYTES), HEADER_BYTES);
  writeUint32(entry, CRC_AT, checksum(entry, key));
}

/** What is wrong with an entry, or null. `lengthExpected` is −1 for a head. */
export function entryProblem(
  entry: Uint8Array,
  key: Uint8Array,
  index: number,
  lengthExpected: number,
): string | null {
  if (entry.length < HEADER_BYTES) return `has ${entry.length} bytes only`;
  if (entry[0] !== VERSION) return `has the record version ${entry[0]}, known is ${VERSION}`;
  if (readUint32(entry, CRC_AT) !== checksum(entry, key)) return "has a wrong checksum";
  const length = readUint32(entry, LENGTH_AT);
  if (lengthExpected >= 0 && length !== lengthExpected) return "belongs to another value";
  if (entry.length !== entryBytes(length, index)) return "has a wrong length";
  return null;
}

/** Bytes of the whole value, from a head or a chunk that was checked. */
export function valueLength(entry: Uint8Array): number {
  return readUint32(entry, LENGTH_AT);
}

/** The value bytes in an entry that was checked: a view. */
export function payload(entry: Uint8Array): Uint8Array {
  return new Uint8Array(
    entry.buffer,
    entry.byteOffset + HEADER_BYTES,
    entry.length - HEADER_BYTES,
  );
}

/** Copies the value bytes in the entry with `index` to their place in the whole value. */
export function copyPayload(entry: Uint8Array, index: number, whole: Uint8Array): void {
  whole.set(payload(entry), index * PAYLOAD_BYTES_MAXIMUM);
}

/** For messages: `record 3/1024`, `record 3/1024, chunk 2`. */
export function keyText(key: Uint8Array): string {
  if (!isKey(key)) return `entry with a foreign key of ${key.length} bytes`;
  const index = keyChunkIndex(key);
  return `record ${key[0]}/${keyNumber(key)}${index === 0 ? "" : `, chunk ${index}`}`;
}

function checksum(entry: Uint8Array, key: Uint8Array): number {
  return crc32c(crc32c(0, key, 0, key.length), entry, LENGTH_AT, entry.length);
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) >>> 0;
}
