import { createHash } from "node:crypto";

const BLOCK_BYTES = 128;
const MASK = 0xffff_ffff_ffff_ffffn;
const INITIAL = [
  ...[0x6a09e667f3bcc908n, 0xbb67ae8584caa73bn, 0x3c6ef372fe94f82bn, 0xa54ff53a5f1d36f1n],
  ...[0x510e527fade682d1n, 0x9b05688c2b3e6c1fn, 0x1f83d9abfb41bd6bn, 0x5be0cd19137e2179n],
];
/** The words of the message that each round takes, in hexadecimal digits. */
const ORDERS = [
  ...["0123456789abcdef", "ea489fd61c02b753", "b8c052fdae367194", "7931dcbe265a40f8"],
  ...["905724afe1bc683d", "2c6a0b834d75fe19", "c51fed4a0763928b", "db7ec13950f4862a"],
  ...["6fe9b308c2d714a5", "a2847615fb9e3cd0"],
];
const ROUNDS = 12;

/**
 * BLAKE2b without a key, RFC 7693, of 1 to 64 bytes. The platform has it for 64 bytes only; the other
 * lengths are computed plainly: they are asked for a few times in a whole argon2id.
 */
export function blake2b(input: Uint8Array, bytes: number): Uint8Array {
  if (bytes === 64) return new Uint8Array(createHash("blake2b512").update(input).digest());
  const state = INITIAL.slice();
  state[0] ^= BigInt(0x01010000 | bytes);
  const blocks = Math.max(1, Math.ceil(input.length / BLOCK_BYTES));
  const padded = new Uint8Array(blocks * BLOCK_BYTES);
  padded.set(input);
  const view = new DataView(padded.buffer);
  for (let block = 1; block <= blocks; block++) {
    const message = Array.from(
      { length: 16 },
      (_, word) => view.getBigUint64((block - 1) * BLOCK_BYTES + 8 * word, true),
    );
    const last = block === blocks;
    compress(state, message, last ? input.length : block * BLOCK_BYTES, last);
  }
  const result = new DataView(new ArrayBuffer(64));
  state.forEach((word, index) => result.setBigUint64(8 * index, word, true));
  return new Uint8Array(result.buffer, 0, bytes);
}

function compress(state: bigint[], message: readonly bigint[], count: number, last: boolean): void {
  const v = [...state, ...INITIAL];
  v[12] ^= BigInt(count);
  if (last) v[14] ^= MASK;
  const mix = (a: number, b: number, c: number, d: number, x: bigint, y: bigint) => {
    v[a] = v[a] + v[b] + x & MASK;
    v[d] = rotateRight(v[d] ^ v[a], 32n);
    v[c] = v[c] + v[d] & MASK;
    v[b] = rotateRight(v[b] ^ v[c], 24n);
    v[a] = v[a] + v[b] + y & MASK;
    v[d] = rotateRight(v[d] ^ v[a], 16n);
    v[c] = v[c] + v[d] & MASK;
    v[b] = rotateRight(v[b] ^ v[c], 63n);
  };
  for (let round = 0; round < ROUNDS; round++) {
    const words = Array.from(ORDERS[round % 10], (digit) => message[parseInt(digit, 16)]);
    for (let i = 0; i < 4; i++) {
      mix(i, 4 + i, 8 + i, 12 + i, words[2 * i], words[2 * i + 1]);
    }
    for (let i = 0; i < 4; i++) {
      const [b, c, d] = [4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4];
      mix(i, b, c, d, words[8 + 2 * i], words[9 + 2 * i]);
    }
  }
  for (let i = 0; i < 8; i++) state[i] ^= v[i] ^ v[8 + i];
}

function rotateRight(word: bigint, bits: bigint): bigint {
  return (word >> bits | word << 64n - bits) & MASK;
}
