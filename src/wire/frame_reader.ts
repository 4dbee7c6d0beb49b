import { copyBytes, EMPTY } from "./bytes.ts";

/** What {@linkcode FrameReader.next} found. */
export const Frame = {
  /** The chunk is used up; the rest of a cut frame is kept. */
  None: 0,
  /** A whole packet: see the reader's fields. */
  Complete: 1,
  /** The type is not admitted, or the packet is longer than its type may be. */
  Refused: 2,
  /** A Remaining Length of more than four bytes [MQTT-1.5.5-1]. */
  Malformed: 3,
} as const;

/** A frame is given its final buffer once this much of it has come: announcing is not enough. */
const TRUSTED_BYTES = 65_536;

/**
 * Cuts the bytes of a Network Connection into packets.
 *
 *     reader.feed(chunk, length);
 *     while (reader.next() === Frame.Complete) use(reader.bytes, reader.bodyStart, reader.end);
 *
 * `bytes` is the chunk, or a buffer of its own for a frame that came in pieces: then `owned` is true
 * and the bytes may be kept. Otherwise they are borrowed until the chunk is used again; after the
 * loop the reader has copied what it needs.
 */
export class FrameReader {
  bytes: Uint8Array = EMPTY;
  firstByte = 0;
  start = 0;
  bodyStart = 0;
  end = 0;
  owned = false;

  /** Largest whole packet by packet type, 0 where the type is not admitted. Shared, never written. */
  limits: Uint32Array;

  #chunk: Uint8Array = EMPTY;
  #at = 0;
  #length = 0;
  /** The beginning of a cut frame; `#gathered` bytes of it are filled. */
  #partial: Uint8Array | null = null;
  #gathered = 0;
  /** Length of the frame that is gathered, 0 while its header is incomplete. */
  #total = 0;

  constructor(limits: Uint32Array) {
    this.limits = limits;
  }

  /** Hands over the next bytes. The chunk before it must be used up. */
  feed(chunk: Uint8Array, length: number): void {
    this.#chunk = chunk;
    this.#at = 0;
    this.#length = length;
  }

  /** Bytes kept of a frame that is not complete. */
  get pendingBytes(): number {
    return this.#gathered;
  }

  /** Copies what is left of the chunk, so that the chunk may be reused while packets wait. */
  keepRest(): void {
    this.#chunk = this.#chunk.slice(this.#at, this.#length);
    this.#length -= this.#at;
    this.#at = 0;
  }

  next(): number {
    if (this.#partial !== null) return this.#gather();
    const at = this.#at;
    const length = this.#length;
    if (at >= length) {
      this.#chunk = this.bytes = EMPTY;
      this.#at = this.#length = 0;
      return Frame.None;
    }
    const chunk = this.#chunk;
    const firstByte = chunk[at];
    const limit = this.limits[firstByte >>> 4];
    if (limit === 0) return this.#refuse(firstByte);
    // The usual packet has one length byte; the loop is for the others.
    let position = at + 1;
    let remaining = 0;
    for (let shift = 0;; shift += 7) {
      if (position >= length) return this.#keep(0);
      const byte = chunk[position++];
      remaining |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
      if (shift === 21) return Frame.Malformed;
    }
    const end = position + remaining;
    if (end - at > limit) return this.#refuse(firstByte);
    if (end > length) return this.#keep(end - at);
    this.bytes = chunk;
    this.firstByte = firstByte;
    this.start = at;
    this.bodyStart = position;
    this.end = this.#at = end;
    this.owned = false;
    return Frame.Complete;
  }

  #refuse(firstByte: number): number {
    this.firstByte = firstByte;
    return Frame.Refused;
  }

  #keep(total: number): number {
    const rest = this.#length - this.#at;
    this.#partial = new Uint8Array(total === 0 ? 8 : startSize(total, rest));
    copyBytes(this.#partial, 0, this.#chunk, this.#at, this.#length);
    this.#gathered = rest;
    this.#total = total;
    this.#at = this.#length = 0;
    this.#chunk = this.bytes = EMPTY;
    return Frame.None;
  }

  #gather(): number {
    while (this.#total === 0) {
      if (this.#at >= this.#length) return this.#waitForMore();
      const byte = this.#chunk[this.#at++];
      this.#partial![this.#gathered++] = byte;
      if (byte >= 0x80) {
        if (this.#gathered === 5) return Frame.Malformed;
        continue;
      }
      this.#total = totalLength(this.#partial!);
      const firstByte = this.#partial![0];
      if (this.#total > this.limits[firstByte >>> 4]) return this.#refuse(firstByte);
    }
    const taken = Math.min(this.#total - this.#gathered, this.#length - this.#at);
    this.#grow(this.#gathered + taken);
    const partial = this.#partial!;
    copyBytes(partial, this.#gathered, this.#chunk, this.#at, this.#at + taken);
    this.#gathered += taken;
    this.#at += taken;
    if (this.#gathered < this.#total) return this.#waitForMore();
    this.bytes = partial;
    this.firstByte = partial[0];
    this.start = 0;
    let bodyStart = 1;
    while (partial[bodyStart++] >= 0x80);
    this.bodyStart = bodyStart;
    this.end = this.#total;
    this.owned = true;
    this.#partial = null;
    this.#gathered = this.#total = 0;
    return Frame.Complete;
  }

  #waitForMore(): number {
    this.#at = this.#length = 0;
    this.#chunk = this.bytes = EMPTY;
    return Frame.None;
  }

  #grow(needed: number) {
    const partial = this.#partial!;
    const wanted = Math.max(needed, startSize(this.#total, needed));
    if (partial.length >= wanted) return;
    const grown = new Uint8Array(wanted);
    grown.set(partial.subarray(0, this.#gathered));
    this.#partial = grown;
  }
}

/** Memory follows the bytes that came, not the length that was announced. */
function startSize(total: number, received: number): number {
  return total <= TRUSTED_BYTES || received >= TRUSTED_BYTES
    ? total
    : Math.min(total, Math.max(1024, received * 2));
}

function totalLength(header: Uint8Array): number {
  let remaining = 0, at = 1;
  for (;; at++) {
    remaining |= (header[at] & 0x7f) << 7 * (at - 1);
    if (header[at] < 0x80) break;
  }
  return at + 1 + remaining;
}
