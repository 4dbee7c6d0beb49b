import { decodeUtf8, encodeUtf8, equalBytes } from "../wire/bytes.ts";
import { isTopicName } from "../wire/utf8.ts";
import { Topic } from "./topic.ts";

const FIRST_CAPACITY = 1024;
/** Bytes of all names: a client may send 65,535 with each message. A name is held twice. */
const NAME_BYTES_MAXIMUM = 33_554_432;

/**
 * Topic Names by their bytes: one hash in place of decoding, validating and matching. Holds at most
 * `maximum` names, and 32 MiB of them; then it starts afresh, which costs each name in use one look-up by the slow way.
 * A `Topic` may live on where it is still held, so identity is no equality.
 */
export class TopicTable {
  readonly #maximum: number;
  /** Makes collisions unpredictable for whoever chooses the names. */
  readonly #seed: number;
  #slots: (Topic | null)[] = new Array(FIRST_CAPACITY).fill(null);
  #mask = FIRST_CAPACITY - 1;
  #size = 0;
  #nameBytes = 0;

  /** @param seed any integer, by chance */
  constructor(maximum: number, seed: number) {
    this.#maximum = maximum;
    this.#seed = seed | 0;
  }

  get size(): number {
    return this.#size;
  }

  /** The topic whose name is `bytes[start, end)`; null when that is no Topic Name. */
  lookup(bytes: Uint8Array, start: number, end: number): Topic | null {
    const hash = this.#hash(bytes, start, end);
    const slots = this.#slots;
    for (let at = hash & this.#mask;; at = at + 1 & this.#mask) {
      const topic = slots[at];
      if (topic === null) return this.#intern(bytes, start, end, hash);
      if (topic.hash === hash && equalBytes(topic.bytes, bytes, start, end)) return topic;
    }
  }

  /** The topic of that name, which the caller knows to be a Topic Name. */
  named(name: string): Topic {
    const bytes = encodeUtf8(name);
    return this.lookup(bytes, 0, bytes.length) ?? new Topic(name, bytes, 0);
  }

  /** Starts afresh. */
  forget(): void {
    this.#slots = new Array(FIRST_CAPACITY).fill(null);
    this.#mask = FIRST_CAPACITY - 1;
    this.#size = this.#nameBytes = 0;
  }

  #intern(bytes: Uint8Array, start: number, end: number, hash: number): Topic | null {
    if (!isTopicName(bytes, start, end)) return null;
    if (this.#size >= this.#maximum || this.#nameBytes + end - start > NAME_BYTES_MAXIMUM) {
      this.forget();
    } else if (this.#size * 2 > this.#mask) this.#grow();
    const topic = new Topic(decodeUtf8(bytes, start, end), bytes.slice(start, end), hash);
    this.#insert(topic);
    this.#size++;
    this.#nameBytes += topic.bytes.length;
    return topic;
  }

  #insert(topic: Topic) {
    let at = topic.hash & this.#mask;
    while (this.#slots[at] !== null) at = at + 1 & this.#mask;
    this.#slots[at] = topic;
  }

  #grow() {
    const before = this.#slots;
    this.#mask = before.length * 2 - 1;
    this.#slots = new Array(before.length * 2).fill(null);
    for (const topic of before) if (topic !== null) this.#insert(topic);
  }

  #hash(bytes: Uint8Array, start: number, end: number): number {
    let hash = this.#seed ^ end - start;
    for (; start + 4 <= end; start += 4) {
      hash = Math.imul(
        hash ^ (bytes[start] | bytes[start + 1] << 8 | bytes[start + 2] << 16 |
          bytes[start + 3] << 24),
        0x9e3779b1,
      );
      hash ^= hash >>> 15;
    }
    for (; start < end; start++) hash = Math.imul(hash ^ bytes[start], 0x01000193);
    hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
    return hash ^ hash >>> 13;
  }
}
