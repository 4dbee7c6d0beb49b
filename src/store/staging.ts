const SLAB_BYTES = 256 * 1024;

/**
 * Memory for the entries of the commit in flight: lmdb's worker thread reads it until the commit ends.
 * Slices of a few large buffers instead of one buffer an entry, since lmdb asks for the address of each.
 */
export class Staging {
  #slab = new Uint8Array(SLAB_BYTES);
  #used = 0;
  /** Filled slabs of this commit, kept from the collector until it ends. */
  #full: Uint8Array[] = [];

  take(length: number): Uint8Array {
    if (this.#used + length > this.#slab.length) {
      this.#full.push(this.#slab);
      this.#slab = new Uint8Array(Math.max(SLAB_BYTES, length));
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    return this.#slab.subarray(start, this.#used);
  }

  /** The commit has ended: all of it may be written again. */
  reset(): void {
    this.#used = 0;
    this.#full = [];
  }

  /** The outcome is unknown and the worker may still read: leaves the memory to the collector. */
  discard(): void {
    this.#slab = new Uint8Array(SLAB_BYTES);
    this.reset();
  }
}
