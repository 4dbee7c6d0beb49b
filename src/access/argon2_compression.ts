/**
 * The compression function of Argon2, RFC 9106, sections 3.5 and 3.6, as a WebAssembly module that is
 * put together here: JavaScript has no fast 64-bit multiplication, and takes four times as long.
 *
 *     compress(a, b, to, keep)   to = G(a, b); with `keep`, that XOR what `to` holds
 *       row(block)               P on 16 words in a row
 *       column(block)            P on 8 pairs of words, 128 bytes apart
 *
 * Blocks are given by their addresses. The first 1024 bytes of the memory are its own.
 * @module
 */

/** Overwrites the block at `to`; all addresses in bytes. */
export type Compress = (a: number, b: number, to: number, keep: 0 | 1) => void;

export const BLOCK_BYTES = 1024;
const WORDS = BLOCK_BYTES / 8;

export function compressIn(memory: WebAssembly.Memory): Compress {
  const module = new WebAssembly.Module(Uint8Array.from(moduleBytes()));
  const { compress } = new WebAssembly.Instance(module, { m: { m: memory } }).exports;
  return compress as unknown as Compress;
}

type Code = readonly number[];

/** Value types and instructions, by their names in the WebAssembly specification. */
const i32 = 0x7f, i64 = 0x7e;
const GET = 0x20, SET = 0x21, I32_CONST = 0x41, I64_CONST = 0x42, CALL = 0x10, IF = 0x04;
const END = 0x0b, NOTHING = 0x40;
const I64_ADD = 0x7c, I64_MUL = 0x7e, I64_AND = 0x83, I64_XOR = 0x85, I64_SHL = 0x86;
const I64_ROTR = 0x8a;

const load = (offset: number): Code => [0x29, 3, ...unsigned(offset)];
const store = (offset: number): Code => [0x37, 3, ...unsigned(offset)];
const LOW_HALF: Code = [I64_CONST, 0xff, 0xff, 0xff, 0xff, 0x0f, I64_AND];

/** Functions by number. */
const COMPRESS = 0, ROW = 1, COLUMN = 2;

function moduleBytes(): number[] {
  const types = [[0x60, 4, i32, i32, i32, i32, 0], [0x60, 1, i32, 0]];
  const name = Array.from("compress", (character) => character.charCodeAt(0));
  return [
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(2, vector([[1, 0x6d, 1, 0x6d, 2, 0, 1]])), // the memory m.m
    ...section(3, vector([[0], [1], [1]])),
    ...section(7, vector([[name.length, ...name, 0, COMPRESS]])),
    ...section(10, vector([compressBody(), permuteBody(rowOffset), permuteBody(columnOffset)])),
  ];
}

function compressBody(): Code {
  const a = 0, b = 1, to = 2, keep = 3;
  const words = Array.from({ length: WORDS }, (_, word) => 8 * word);
  const call = (what: number, block: number): Code => [
    ...[I32_CONST, ...signed(block), CALL, what],
  ];
  const eight = [0, 1, 2, 3, 4, 5, 6, 7];
  return body([], [
    // The own block = a XOR b. With `keep`, to = to XOR a XOR b, else to = a XOR b; to ^= P(own).
    ...words.flatMap((at) => [
      ...[I32_CONST, 0, GET, a, ...load(at), GET, b, ...load(at), I64_XOR, ...store(at)],
    ]),
    ...[GET, keep, IF, NOTHING],
    ...words.flatMap((at) => [
      ...[GET, to, GET, to, ...load(at), I32_CONST, 0, ...load(at), I64_XOR, ...store(at)],
    ]),
    0x05, // else
    ...words.flatMap((at) => [GET, to, I32_CONST, 0, ...load(at), ...store(at)]),
    END,
    ...eight.flatMap((row) => call(ROW, 128 * row)),
    ...eight.flatMap((column) => call(COLUMN, 16 * column)),
    ...words.flatMap((at) => [
      ...[GET, to, GET, to, ...load(at), I32_CONST, 0, ...load(at), I64_XOR, ...store(at)],
    ]),
  ]);
}

const rowOffset = (word: number) => 8 * word;
const columnOffset = (word: number) => 128 * (word >> 1) + 8 * (word & 1);

/** P: loads 16 words into locals, mixes them, stores them. */
function permuteBody(offsetOf: (word: number) => number): Code {
  const block = 0, first = 1;
  const words = Array.from({ length: 16 }, (_, word) => word);
  const quarters = [[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15]];
  const diagonals = [[0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]];
  return body([[16, i64]], [
    ...words.flatMap((word) => [GET, block, ...load(offsetOf(word)), SET, first + word]),
    ...[...quarters, ...diagonals].flatMap((four) => mix(four.map((word) => first + word))),
    ...words.flatMap((word) => [GET, block, GET, first + word, ...store(offsetOf(word))]),
  ]);
}

/** GB of section 3.6, on four locals. */
function mix([a, b, c, d]: number[]): Code {
  return [
    ...[...multiplyAdd(a, b), ...rotate(d, a, 32), ...multiplyAdd(c, d), ...rotate(b, c, 24)],
    ...[...multiplyAdd(a, b), ...rotate(d, a, 16), ...multiplyAdd(c, d), ...rotate(b, c, 63)],
  ];
}

/** x = x + y + 2 * low half of x * low half of y */
function multiplyAdd(x: number, y: number): Code {
  return [
    ...[GET, x, GET, y, I64_ADD],
    ...[GET, x, ...LOW_HALF, GET, y, ...LOW_HALF, I64_MUL, I64_CONST, 1, I64_SHL],
    ...[I64_ADD, SET, x],
  ];
}

/** x = (x XOR y), rotated right */
function rotate(x: number, y: number, bits: number): Code {
  return [GET, x, GET, y, I64_XOR, I64_CONST, ...signed(bits), I64_ROTR, SET, x];
}

function body(locals: readonly Code[], code: Code): Code {
  const all = [...vector(locals), ...code, END];
  return [...unsigned(all.length), ...all];
}

function section(id: number, content: Code): Code {
  return [id, ...unsigned(content.length), ...content];
}

function vector(items: readonly Code[]): Code {
  return [...unsigned(items.length), ...items.flat()];
}

/** LEB128 of a number that is not negative. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [value & 0x7f | 0x80, ...unsigned(value >>> 7)];
}

/** The same where a sign is expected: bit 6 of the last byte is one. */
function signed(value: number): Code {
  return value < 0x40 ? [value] : [value & 0x7f | 0x80, ...signed(value >>> 7)];
}
