import { borrowBuffer, LARGEST_BUFFER, returnBuffer } from "../../wire/buffer_pool.ts";

/** A full buffer of plaintext with what its records add: four of 16 KiB, at most 325 bytes each. */
const OVERSIZE_BYTES = LARGEST_BUFFER + 4 * 325;
/** Free ones that are kept: 1 MiB. */
const KEPT = 16;
const free: Uint8Array<ArrayBuffer>[] = [];

/** A buffer for `length` bytes of ciphertext; like those of the pool, but one size more. */
export function borrowCiphertextBuffer(length: number): Uint8Array<ArrayBuffer> {
  if (length <= LARGEST_BUFFER || length > OVERSIZE_BYTES) return borrowBuffer(length);
  return free.pop() ?? new Uint8Array(OVERSIZE_BYTES);
}

/** Gives a buffer back. It must not be used afterwards. */
export function returnCiphertextBuffer(buffer: Uint8Array<ArrayBuffer>): void {
  if (buffer.length !== OVERSIZE_BYTES) returnBuffer(buffer);
  else if (free.length < KEPT) free.push(buffer);
}
