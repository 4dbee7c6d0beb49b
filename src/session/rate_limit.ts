/** Longest wait at a time: a client that is held back still gets its PINGREQ answered in time. */
const WAIT_MAXIMUM_MS = 5000;

/** An amount that may be taken per second, up to a second's worth at once. It may be overdrawn. */
class TokenBucket {
  readonly #perSecond: number;
  #balance: number;
  #filledAtMs = 0;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#balance = perSecond;
  }

  /** Takes an amount; returns the milliseconds until the balance is even again. */
  take(amount: number, nowMs: number): number {
    const filled = (nowMs - this.#filledAtMs) / 1000 * this.#perSecond;
    this.#balance = Math.min(this.#perSecond, this.#balance + filled) - amount;
    this.#filledAtMs = nowMs;
    return this.#balance >= 0 ? 0 : Math.ceil(-this.#balance / this.#perSecond * 1000);
  }
}

/** How much may be published per second; 0: as much as comes. */
export interface Rate {
  readonly messages: number;
  /** Payload bytes. */
  readonly bytes: number;
}

/** Holds one or more publishers, together, to a rate. */
export class RateLimit {
  readonly #messages: TokenBucket | null;
  readonly #bytes: TokenBucket | null;

  constructor({ messages, bytes }: Rate) {
    this.#messages = messages > 0 ? new TokenBucket(messages) : null;
    this.#bytes = bytes > 0 ? new TokenBucket(bytes) : null;
  }

  /** A message has come. Returns the milliseconds that its publisher is to wait with the next. */
  take(bytes: number, nowMs: number): number {
    const messages = this.#messages === null ? 0 : this.#messages.take(1, nowMs);
    const waitMs = this.#bytes === null
      ? messages
      : Math.max(messages, this.#bytes.take(bytes, nowMs));
    return Math.min(waitMs, WAIT_MAXIMUM_MS);
  }
}

/** Whether a rate limits anything. */
export function isLimited({ messages, bytes }: Rate): boolean {
  return messages > 0 || bytes > 0;
}
