/**
 * Argon2id, RFC 9106. On 32-bit halves, since a 64-bit multiplication by BigInt is a hundred times
 * slower. Takes some tenths of a second for the memory that Mosquitto asks for: to be run in a worker.
 * @module
 */
import { blake2b } from "./blake2b.ts";

export interface Argon2Parameters {
  readonly version: 0x10 | 0x13;
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
  readonly salt: Uint8Array;
  /** Wanted length of the result. */
  readonly bytes: number;
  readonly secret?: Uint8Array;
  readonly associatedData?: Uint8Array;
}

/** A block is 1024 bytes: 128 words of 64 bits, the lower half of each first. */
const WORDS = 256;
const SLICES = 4;
/** Argon2id, as it enters the first hash and the addresses. */
const TYPE = 2;

export function argon2id(password: Uint8Array, parameters: Argon2Parameters): Uint8Array {
  const { passes, lanes } = parameters;
  const segment = Math.floor(parameters.memoryKiB / (SLICES * lanes));
  const memory: Memory = {
    words: new Int32Array(segment * SLICES * lanes * WORDS),
    segment,
    laneLength: segment * SLICES,
    parameters,
  };
  fillFirst(memory, firstHash(password, parameters));
  for (let pass = 0; pass < passes; pass++) {
    for (let slice = 0; slice < SLICES; slice++) {
      for (let lane = 0; lane < lanes; lane++) fillSegment(memory, pass, slice, lane);
    }
  }
  const last = new Int32Array(WORDS);
  for (let lane = 0; lane < lanes; lane++) {
    const at = ((lane + 1) * memory.laneLength - 1) * WORDS;
    for (let word = 0; word < WORDS; word++) last[word] ^= memory.words[at + word];
  }
  return variableHash(bytesOf(last), parameters.bytes);
}

interface Memory {
  readonly words: Int32Array;
  /** Blocks in a quarter of a lane. */
  readonly segment: number;
  readonly laneLength: number;
  readonly parameters: Argon2Parameters;
}

/** H0 of section 3.2. */
function firstHash(password: Uint8Array, parameters: Argon2Parameters): Uint8Array {
  const { lanes, bytes, memoryKiB, passes, version, salt } = parameters;
  const numbers = [lanes, bytes, memoryKiB, passes, version, TYPE];
  const none = new Uint8Array(0);
  const { secret = none, associatedData = none } = parameters;
  const fields = [password, salt, secret, associatedData];
  return blake2b(
    concatenate([
      ...numbers.map(int32),
      ...fields.flatMap((field) => [int32(field.length), field]),
    ]),
    64,
  );
}

/** H' of section 3.3: Blake2b with a result of any length. */
function variableHash(input: Uint8Array, length: number): Uint8Array {
  const named = concatenate([int32(length), input]);
  if (length <= 64) return blake2b(named, length);
  const result = new Uint8Array(length);
  let part = blake2b(named, 64);
  let at = 0;
  for (; length - at > 64; at += 32) {
    result.set(part.subarray(0, 32), at);
    part = blake2b(part, Math.min(64, length - at - 32));
  }
  result.set(part, at);
  return result;
}

function fillFirst({ words, laneLength, parameters }: Memory, hash: Uint8Array): void {
  for (let lane = 0; lane < parameters.lanes; lane++) {
    for (let index = 0; index < 2; index++) {
      const input = concatenate([hash, int32(index), int32(lane)]);
      words.set(wordsOf(variableHash(input, 4 * WORDS)), (lane * laneLength + index) * WORDS);
    }
  }
}

/** Section 3.4: the first half of the first pass takes addresses that depend on nothing secret. */
function fillSegment(memory: Memory, pass: number, slice: number, lane: number): void {
  const { words, segment, laneLength, parameters } = memory;
  const independent = pass === 0 && slice < SLICES / 2;
  const input = new Int32Array(WORDS), addresses = new Int32Array(WORDS);
  const zero = new Int32Array(WORDS);
  const { lanes, passes, version } = parameters;
  const header = [pass, lane, slice, lanes * laneLength, passes, TYPE];
  header.forEach((number, index) => input[2 * index] = number);
  const nextAddresses = () => {
    input[12]++;
    compress(zero, 0, input, 0, addresses, 0, false);
    compress(zero, 0, addresses, 0, addresses, 0, false);
  };
  const first = pass === 0 && slice === 0 ? 2 : 0;
  if (independent && first !== 0) nextAddresses();
  for (let index = first; index < segment; index++) {
    if (independent && index % 128 === 0) nextAddresses();
    const column = slice * segment + index;
    const current = (lane * laneLength + column) * WORDS;
    const previous = (lane * laneLength + (column === 0 ? laneLength : column) - 1) * WORDS;
    const from = independent ? addresses : words;
    const at = independent ? 2 * (index % 128) : previous;
    const first32 = from[at] >>> 0, second32 = from[at + 1] >>> 0;
    const ownLane = pass === 0 && slice === 0;
    const otherLane = ownLane ? lane : second32 % lanes;
    const reference = referenceBlock(memory, pass, slice, index, first32, otherLane === lane);
    compress(
      words,
      previous,
      words,
      (otherLane * laneLength + reference) * WORDS,
      words,
      current,
      pass > 0 && version === 0x13,
    );
  }
}

/** Section 3.4.2: which block of the lane, of those that are filled, the nearer the likelier. */
function referenceBlock(
  { segment, laneLength }: Memory,
  pass: number,
  slice: number,
  index: number,
  random: number,
  sameLane: boolean,
): number {
  let area = pass === 0 ? slice * segment : laneLength - segment;
  if (sameLane) area += index - 1;
  else if (index === 0) area--;
  const square = multiplyHigh(random, random) >>> 0;
  const relative = area - 1 - (multiplyHigh(area, square) >>> 0);
  const start = pass === 0 || slice === SLICES - 1 ? 0 : (slice + 1) * segment;
  return (start + relative) % laneLength;
}

const mixed = new Int32Array(WORDS);

/** G of section 3.5: `to` = G(a, b), or that XOR what `to` holds. */
function compress(
  a: Int32Array,
  atA: number,
  b: Int32Array,
  atB: number,
  to: Int32Array,
  at: number,
  withOld: boolean,
): void {
  for (let word = 0; word < WORDS; word++) mixed[word] = a[atA + word] ^ b[atB + word];
  // `mixed` is overwritten, so what is XORed at the end goes to its place before.
  if (withOld) { for (let word = 0; word < WORDS; word++) to[at + word] ^= mixed[word]; }
  else for (let word = 0; word < WORDS; word++) to[at + word] = mixed[word];
  for (let row = 0; row < 8; row++) permute(32 * row, 4);
  for (let column = 0; column < 8; column++) permute(4 * column, 32);
  for (let word = 0; word < WORDS; word++) to[at + word] ^= mixed[word];
}

/** P of section 3.6 on 8 pairs of 64-bit words, the pairs `step` apart. */
function permute(at: number, step: number): void {
  const v0 = at, v2 = v0 + step, v4 = v2 + step, v6 = v4 + step;
  const v8 = v6 + step, v10 = v8 + step, v12 = v10 + step, v14 = v12 + step;
  const v1 = v0 + 2, v3 = v2 + 2, v5 = v4 + 2, v7 = v6 + 2;
  const v9 = v8 + 2, v11 = v10 + 2, v13 = v12 + 2, v15 = v14 + 2;
  mix(v0, v4, v8, v12);
  mix(v1, v5, v9, v13);
  mix(v2, v6, v10, v14);
  mix(v3, v7, v11, v15);
  mix(v0, v5, v10, v15);
  mix(v1, v6, v11, v12);
  mix(v2, v7, v8, v13);
  mix(v3, v4, v9, v14);
}

/** GB of section 3.6. Each 64-bit word in two halves: `…l` and `…h`. */
function mix(a: number, b: number, c: number, d: number): void {
  let al = mixed[a], ah = mixed[a + 1], bl = mixed[b], bh = mixed[b + 1];
  let cl = mixed[c], ch = mixed[c + 1], dl = mixed[d], dh = mixed[d + 1];
  let low: number, high: number;

  low = (al >>> 0) + (bl >>> 0) + 2 * (Math.imul(al, bl) >>> 0);
  high = multiplyHigh(al, bl);
  ah = ah + bh + 2 * high + (low / 0x100000000 | 0) | 0;
  al = low | 0;
  low = dl ^ al, high = dh ^ ah;
  dl = high, dh = low; // rotated by 32

  low = (cl >>> 0) + (dl >>> 0) + 2 * (Math.imul(cl, dl) >>> 0);
  high = multiplyHigh(cl, dl);
  ch = ch + dh + 2 * high + (low / 0x100000000 | 0) | 0;
  cl = low | 0;
  low = bl ^ cl, high = bh ^ ch;
  bl = low >>> 24 | high << 8, bh = high >>> 24 | low << 8; // by 24

  low = (al >>> 0) + (bl >>> 0) + 2 * (Math.imul(al, bl) >>> 0);
  high = multiplyHigh(al, bl);
  ah = ah + bh + 2 * high + (low / 0x100000000 | 0) | 0;
  al = low | 0;
  low = dl ^ al, high = dh ^ ah;
  dl = low >>> 16 | high << 16, dh = high >>> 16 | low << 16; // by 16

  low = (cl >>> 0) + (dl >>> 0) + 2 * (Math.imul(cl, dl) >>> 0);
  high = multiplyHigh(cl, dl);
  ch = ch + dh + 2 * high + (low / 0x100000000 | 0) | 0;
  cl = low | 0;
  low = bl ^ cl, high = bh ^ ch;
  bl = high >>> 31 | low << 1, bh = low >>> 31 | high << 1; // by 63

  mixed[a] = al, mixed[a + 1] = ah, mixed[b] = bl, mixed[b + 1] = bh;
  mixed[c] = cl, mixed[c + 1] = ch, mixed[d] = dl, mixed[d + 1] = dh;
}

/** The upper 32 bits of the product of two unsigned numbers. */
function multiplyHigh(a: number, b: number): number {
  const a0 = a & 0xffff, a1 = a >>> 16, b0 = b & 0xffff, b1 = b >>> 16;
  const middle = Math.imul(a1, b0);
  const sum = (Math.imul(a0, b0) >>> 16) + (middle & 0xffff) + (Math.imul(a0, b1) >>> 0);
  return Math.imul(a1, b1) + (middle >>> 16) + (sum >>> 16) | 0;
}

function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) (all.set(part, at), at += part.length);
  return all;
}

/** Not a view: the machine's byte order may be another one. */
function wordsOf(bytes: Uint8Array): Int32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Int32Array.from({ length: bytes.length / 4 }, (_, word) => view.getInt32(4 * word, true));
}

function bytesOf(words: Int32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * words.length));
  words.forEach((word, index) => view.setInt32(4 * index, word, true));
  return new Uint8Array(view.buffer);
}
