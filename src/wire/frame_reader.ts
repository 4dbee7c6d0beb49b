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

/** The beginning of a frame whose rest has not come yet. */
class PartialFrame {
  bytes: Uint8Array;
  /** How many bytes are filled. */
  gathered: number;
  /** Length of the whole frame; 0 while its header is incomplete. */
  total: number;

  constructor(bytes: Uint8Array, gathered: number, total: number) {
    this.bytes = bytes;
    this.gathered = gathered;
    this.total = total;
  }
}
export type { PartialFrame };

/**
 * Cuts the bytes of a Network Connection into packets. One reader serves many connections, one after
 * the other: what a connection has to keep between two chunks is its `partial`.
 *
 *     reader.feed(chunk, length, partial);
 *     while (reader.next() === Frame.Complete) use(reader.bytes, reader.bodyStart, reader.end);
 *     partial = reader.partial;
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
  /** What is left of the chunk since {@linkcode stop}. */
  #stopped: Uint8Array | null = null;
  /** The beginning of a frame that the end of the chunk has cut. */
  partial: PartialFrame | null = null;

  constructor(limits: Uint32Array) {
    this.limits = limits;
  }

  /** Hands over the next bytes of a connection, and what it kept of those before. */
  feed(chunk: Uint8Array, length: number, partial: PartialFrame | null = this.partial): void {
    this.#chunk = chunk;
    this.#at = 0;
    this.#length = length;
    this.#stopped = null;
    this.partial = partial;
  }

  /** Finds no further packet in this chunk: what is left of it is to wait for a while. */
  stop(): void {
    if (this.#at === this.#length) return;
    // The packet that is handled now may still be looked at: its bytes stay where they are.
    this.#stopped = this.#chunk.slice(this.#at, this.#length);
    this.#at = this.#length;
  }

  /** What was left when the reader was stopped; null: it has been through the whole chunk. */
  takeStopped(): Uint8Array | null {
    const stopped = this.#stopped;
    this.#stopped = null;
    return stopped;
  }

  /** A copy of what is left of the chunk, for packets that have to wait; the chunk is used up. */
  takeRest(): Uint8Array {
    const rest = this.takeStopped() ?? this.#chunk.slice(this.#at, this.#length);
    this.#waitForMore();
    return rest;
  }

  next(): number {
    if (this.partial !== null) return this.#gather(this.partial);
    const at = this.#at;
    const length = this.#length;
    if (at >= length) return this.#waitForMore();
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
    const bytes = new Uint8Array(total === 0 ? 8 : startSize(total, rest));
    copyBytes(bytes, 0, this.#chunk, this.#at, this.#length);
    this.partial = new PartialFrame(bytes, rest, total);
    return this.#waitForMore();
  }

  #gather(partial: PartialFrame): number {
    while (partial.total === 0) {
      if (this.#at >= this.#length) return this.#waitForMore();
      const byte = this.#chunk[this.#at++];
      partial.bytes[partial.gathered++] = byte;
      if (byte >= 0x80) {
        if (partial.gathered === 5) return Frame.Malformed;
        continue;
      }
      partial.total = totalLength(partial.bytes);
      const firstByte = partial.bytes[0];
      if (partial.total > this.limits[firstByte >>> 4]) return this.#refuse(firstByte);
    }
    const taken = Math.min(partial.total - partial.gathered, this.#length - this.#at);
    grow(partial, partial.gathered + taken);
    const { bytes } = partial;
    copyBytes(bytes, partial.gathered, this.#chunk, this.#at, this.#at + taken);
    partial.gathered += taken;
    this.#at += taken;
    if (partial.gathered < partial.total) return this.#waitForMore();
    this.bytes = bytes;
    this.firstByte = bytes[0];
    this.start = 0;
    let bodyStart = 1;
    while (bytes[bodyStart++] >= 0x80);
    this.bodyStart = bodyStart;
    this.end = partial.total;
    this.owned = true;
    this.partial = null;
    return Frame.Complete;
  }

  #waitForMore(): number {
    this.#at = this.#length = 0;
    this.#chunk = this.bytes = EMPTY;
    return Frame.None;
  }
}

function grow(partial: PartialFrame, needed: number) {
  const wanted = Math.max(needed, startSize(partial.total, needed));
  if (partial.bytes.length >= wanted) return;
  const grown = new Uint8Array(wanted);
  grown.set(partial.bytes.subarray(0, partial.gathered));
  partial.bytes = grown;
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
