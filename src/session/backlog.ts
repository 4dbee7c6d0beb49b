import type { Connection } from "./connection.ts";
import type { Host } from "./ports.ts";

/** What a backlog sees of the queue that it is about. */
export interface LongQueue {
  readonly queued: number;
  readonly queuedBytes: number;
  /** Nobody waits for it any longer. `isLong`: although it is long. */
  waitedEnough(isLong: boolean): void;
}

/**
 * The queue of a connected receiver that publishers are faster than, and those of them that get no
 * PUBACK or PUBCOMP until it is shorter: their own send windows hold them back, and nothing has to be
 * dropped. They are read on, for what they acknowledge themselves comes by the same connection. Nobody
 * waits long for a receiver that does not catch up: its queue then grows to its bounds.
 */
export class Backlog {
  /** When the queue was short, or began to be long. */
  sinceMs: number;
  readonly #host: Host;
  readonly #queue: LongQueue;
  #publishers: Connection[] = [];
  /** The turn in which publishers went on. */
  #turn = -1;

  constructor(host: Host, readonly receiver: Connection, queue: LongQueue) {
    this.#host = host;
    this.#queue = queue;
    this.sinceMs = host.nowMs;
  }

  /** The queue is so long that publishers are to wait. */
  static isLong({ settings: { longQueue } }: Host, { queued, queuedBytes }: LongQueue): boolean {
    return queued > longQueue.messages || queuedBytes > longQueue.bytes;
  }

  get queued(): number {
    return this.#queue.queued;
  }

  /** Whoever publishes more to it is not even to be read. */
  get isNearlyFull(): boolean {
    const { maxQueuedMessages, maxQueuedBytes } = this.#host.settings;
    const { queued, queuedBytes } = this.#queue;
    return maxQueuedMessages > 0 && queued > maxQueuedMessages / 2 ||
      maxQueuedBytes > 0 && queuedBytes > maxQueuedBytes / 2;
  }

  /** A publisher waits, until {@linkcode Connection.proceed}. */
  add(publisher: Connection): void {
    this.#publishers.push(publisher);
  }

  /**
   * The receiver has taken a message, so that the queue has become shorter. Publishers go on in their
   * order, in each turn as many as there is room for. True: it is short, and nobody waits any more.
   */
  taken(): boolean {
    if (!this.#isShort) return false;
    const { turn, nowMs } = this.#host;
    this.sinceMs = nowMs;
    const publishers = this.#publishers;
    if (publishers.length === 0) return true;
    if (this.#turn === turn) return false;
    this.#turn = turn;
    let room = this.#host.settings.longQueue.messages - this.queued, count = 0;
    while (count < publishers.length && room >= 0) room -= publishers[count++].proceed(this);
    this.#publishers = publishers.slice(count);
    return this.#publishers.length === 0;
  }

  /** It has been long for so long that nobody waits any longer. */
  overdue(): void {
    this.#queue.waitedEnough(!this.#isShort);
  }

  /** All publishers go on. */
  end(): void {
    const publishers = this.#publishers;
    this.#publishers = [];
    for (const publisher of publishers) publisher.proceed(this);
  }

  get #isShort(): boolean {
    const { messages, bytes } = this.#host.settings.longQueue;
    const { queued, queuedBytes } = this.#queue;
    return queued <= messages / 2 && queuedBytes <= bytes / 2;
  }
}
