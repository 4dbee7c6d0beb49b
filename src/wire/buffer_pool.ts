/**
 * Buffers that connections borrow while they have something to send or much to read. An idle
 * connection holds none, so that memory follows the traffic and not the number of clients.
 */
const BUFFER_SIZES = [1024, 8192, 65_536] as const;
export const LARGEST_BUFFER = 65_536;

/** Free buffers kept for each size: 2 MiB, 4 MiB, 16 MiB. */
const KEPT = [2048, 512, 256];
const free: Uint8Array<ArrayBuffer>[][] = [[], [], []];

/** A buffer of the smallest size that holds `length`; above 64 KiB one of exactly that length. */
export function borrowBuffer(length: number): Uint8Array<ArrayBuffer> {
  for (let index = 0; index < BUFFER_SIZES.length; index++) {
    if (length <= BUFFER_SIZES[index]) {
      return free[index].pop() ?? new Uint8Array(BUFFER_SIZES[index]);
    }
  }
  return new Uint8Array(length);
}

/** The length of the buffer that `borrowBuffer` hands out. */
export function bufferLength(length: number): number {
  for (let index = 0; index < BUFFER_SIZES.length; index++) {
    if (length <= BUFFER_SIZES[index]) return BUFFER_SIZES[index];
  }
  return length;
}

/** Gives a buffer back. It must not be used afterwards. */
export function returnBuffer(buffer: Uint8Array<ArrayBuffer>): void {
  const index = (BUFFER_SIZES as readonly number[]).indexOf(buffer.length);
  if (index >= 0 && free[index].length < KEPT[index]) free[index].push(buffer);
}

/** Bytes of an idle connection's read buffer. */
export const IDLE_BUFFER_BYTES = 256;
const SLAB_BYTES = 65_536;
const freeIdle: Uint8Array<ArrayBuffer>[] = [];

/**
 * A read buffer for an idle connection. They are cut from slabs, since an ArrayBuffer of its own
 * would weigh more than the 256 bytes.
 */
export function borrowIdleBuffer(): Uint8Array<ArrayBuffer> {
  if (freeIdle.length === 0) {
    const slab = new ArrayBuffer(SLAB_BYTES);
    for (let at = 0; at < SLAB_BYTES; at += IDLE_BUFFER_BYTES) {
      freeIdle.push(new Uint8Array(slab, at, IDLE_BUFFER_BYTES));
    }
  }
  return freeIdle.pop()!;
}

export function returnIdleBuffer(buffer: Uint8Array<ArrayBuffer>): void {
  freeIdle.push(buffer);
}
