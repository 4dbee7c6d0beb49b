/**
 * Argon2id, RFC 9106. It takes tens of milliseconds for the memory that Mosquitto asks for: to be run
 * in a worker.
 * @module
 */
import { BLOCK_BYTES, type Compress, compressIn } from "./argon2_compression.ts";
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

const SLICES = 4;
/** Argon2id, as it enters the first hash and the addresses. */
const TYPE = 2;
const PAGE_BYTES = 65_536;
/** Addresses in one block. */
const ADDRESSES = BLOCK_BYTES / 8;

/** Where what stands before the lanes begins; at 0 the compression has its own block. */
const ZERO_AT = BLOCK_BYTES, INPUT_AT = 2 * BLOCK_BYTES, ADDRESSES_AT = 3 * BLOCK_BYTES;
const LANES_AT = 4 * BLOCK_BYTES;

/** @throws {RangeError} when there is not that much memory */
export function argon2id(password: Uint8Array, parameters: Argon2Parameters): Uint8Array {
  const { passes, lanes } = parameters;
  const matrix = new Matrix(parameters);
  matrix.begin(firstHash(password, parameters));
  for (let pass = 0; pass < passes; pass++) {
    for (let slice = 0; slice < SLICES; slice++) {
      for (let lane = 0; lane < lanes; lane++) matrix.fill(pass, slice, lane);
    }
  }
  return variableHash(matrix.lastBlocks(), parameters.bytes);
}

/**
 * Used again by the next call, since collecting it comes late: ten calls would take ten times as much.
 * What is left in it does no harm, as every block is written before it is read.
 */
let room: { readonly memory: WebAssembly.Memory; readonly compress: Compress } | null = null;

/** The blocks, lane by lane; each lane in four segments, one for each slice of a pass. */
class Matrix {
  readonly #parameters: Argon2Parameters;
  readonly #segmentLength: number;
  readonly #laneLength: number;
  readonly #bytes: Uint8Array;
  /** Of the same memory; it is little-endian, as every machine is that Deno runs on. */
  readonly #words: Uint32Array;
  readonly #compress: Compress;

  constructor(parameters: Argon2Parameters) {
    this.#parameters = parameters;
    this.#segmentLength = Math.floor(parameters.memoryKiB / (SLICES * parameters.lanes));
    this.#laneLength = this.#segmentLength * SLICES;
    const bytes = LANES_AT + this.#laneLength * parameters.lanes * BLOCK_BYTES;
    if (room === null || room.memory.buffer.byteLength < bytes) {
      const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE_BYTES) });
      room = { memory, compress: compressIn(memory) };
    }
    this.#bytes = new Uint8Array(room.memory.buffer);
    this.#words = new Uint32Array(room.memory.buffer);
    this.#compress = room.compress;
  }

  /** The first two blocks of each lane. */
  begin(hash: Uint8Array): void {
    for (let lane = 0; lane < this.#parameters.lanes; lane++) {
      for (let index = 0; index < 2; index++) {
        const input = concatenate([hash, int32(index), int32(lane)]);
        this.#bytes.set(variableHash(input, BLOCK_BYTES), this.#addressOf(lane, index));
      }
    }
  }

  /** Section 3.4: in the first half of the first pass addresses depend on nothing secret. */
  fill(pass: number, slice: number, lane: number): void {
    const { lanes, version } = this.#parameters;
    const independent = pass === 0 && slice < SLICES / 2;
    if (independent) this.#beginAddresses(pass, slice, lane);
    const first = pass === 0 && slice === 0 ? 2 : 0;
    if (independent && first > 0) this.#nextAddresses();
    for (let index = first; index < this.#segmentLength; index++) {
      if (independent && index % ADDRESSES === 0) this.#nextAddresses();
      const column = slice * this.#segmentLength + index;
      const before = (column === 0 ? this.#laneLength : column) - 1;
      const previous = this.#addressOf(lane, before);
      const word = (independent ? ADDRESSES_AT + 8 * (index % ADDRESSES) : previous) / 4;
      const otherLane = pass === 0 && slice === 0 ? lane : this.#words[word + 1] % lanes;
      const other = this.#reference(pass, slice, index, this.#words[word], otherLane === lane);
      this.#compress(
        previous,
        this.#addressOf(otherLane, other),
        this.#addressOf(lane, column),
        pass > 0 && version === 0x13 ? 1 : 0,
      );
    }
  }

  /** All lanes' last blocks XORed. */
  lastBlocks(): Uint8Array {
    const last = new Uint8Array(BLOCK_BYTES);
    for (let lane = 0; lane < this.#parameters.lanes; lane++) {
      const at = this.#addressOf(lane, this.#laneLength - 1);
      for (let byte = 0; byte < BLOCK_BYTES; byte++) last[byte] ^= this.#bytes[at + byte];
    }
    return last;
  }

  #addressOf(lane: number, column: number): number {
    return LANES_AT + (lane * this.#laneLength + column) * BLOCK_BYTES;
  }

  /** Section 3.4.1.2: the input from which blocks of addresses are made; the last is their count. */
  #beginAddresses(pass: number, slice: number, lane: number): void {
    const { lanes, passes } = this.#parameters;
    const numbers = [pass, lane, slice, lanes * this.#laneLength, passes, TYPE, 0];
    numbers.forEach((number, index) => this.#words[INPUT_AT / 4 + 2 * index] = number);
  }

  #nextAddresses(): void {
    this.#words[INPUT_AT / 4 + 12]++;
    this.#compress(ZERO_AT, INPUT_AT, ADDRESSES_AT, 0);
    this.#compress(ZERO_AT, ADDRESSES_AT, ADDRESSES_AT, 0);
  }

  /** Section 3.4.2: which column, of those that are filled; the nearer, the likelier. */
  #reference(pass: number, slice: number, index: number, random: number, sameLane: boolean) {
    const length = this.#segmentLength;
    let area = pass === 0 ? slice * length : this.#laneLength - length;
    if (sameLane) area += index - 1;
    else if (index === 0) area--;
    const relative = area - 1 - multiplyHigh(area, multiplyHigh(random, random));
    const start = pass === 0 || slice === SLICES - 1 ? 0 : (slice + 1) * length;
    return (start + relative) % this.#laneLength;
  }
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

/** The upper 32 bits of the product of two numbers of 32 bits. */
function multiplyHigh(a: number, b: number): number {
  const a0 = a & 0xffff, a1 = a >>> 16, b0 = b & 0xffff, b1 = b >>> 16;
  const middle = a1 * b0 + Math.floor(a0 * b0 / 0x10000);
  const low = a0 * b1 + middle % 0x10000;
  return a1 * b1 + Math.floor(middle / 0x10000) + Math.floor(low / 0x10000);
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
