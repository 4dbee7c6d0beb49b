/** A connection from which no CONNECT has been accepted yet. */
export interface Pending {
  /** When its socket was accepted, in monotonic milliseconds. */
  readonly sinceMs: number;
  /** It became a client's, or has ended. */
  readonly isSettled: boolean;
  /** Cuts it off. */
  destroy(): void;
}

/** A connection that is this old is cut off when there is no room for a new one. */
const PATIENCE_MS = 5000;
/** Between looks for room. */
const LOOK_MS = 20;
/** Fewer are not looked through for those that are settled. */
const SWEEP_MINIMUM = 64;

/**
 * Bounds the connections of one listener that have not come as far as their CONNECT. At the bound new
 * ones wait in the system's backlog until others are through or have had their time. So neither does a
 * storm of clients that all come back at once starve itself, nor can anybody keep clients out by
 * opening connections and leaving them there.
 */
export class PendingConnections {
  readonly #maximum: () => number;
  readonly #nowMs: () => number;
  /** Some of them may be settled: they are swept out when they may be half of all. */
  #pending: Pending[] = [];
  #sweepAt = SWEEP_MINIMUM;
  #wake: (() => void) | null = null;

  /** @param maximum 0: no bound */
  constructor(maximum: () => number, nowMs: () => number) {
    this.#maximum = maximum;
    this.#nowMs = nowMs;
  }

  /** There is no room for one more. */
  get isFull(): boolean {
    const maximum = this.#maximum();
    const isFull = () => maximum > 0 && this.#pending.length >= maximum;
    if (isFull()) this.#sweep(false);
    if (isFull()) this.#sweep(true);
    return isFull();
  }

  add(pending: Pending): void {
    this.#pending.push(pending);
    if (this.#pending.length >= this.#sweepAt) this.#sweep(false);
  }

  /** Waits until there is room for one more, or until {@linkcode wake}. */
  async room(): Promise<void> {
    let isWoken = false;
    while (!isWoken && this.isFull) {
      isWoken = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(false), LOOK_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve(true);
        };
      });
      this.#wake = null;
    }
  }

  /** Ends the wait for room, for nobody is to be let in any more. */
  wake(): void {
    this.#wake?.();
  }

  /** Removes those that are settled and, to make room, those that have had their time. */
  #sweep(makesRoom: boolean) {
    const oldestMs = this.#nowMs() - PATIENCE_MS;
    const waiting: Pending[] = [];
    for (const one of this.#pending) {
      if (one.isSettled) continue;
      if (makesRoom && one.sinceMs <= oldestMs) one.destroy();
      else waiting.push(one);
    }
    this.#pending = waiting;
    this.#sweepAt = Math.max(SWEEP_MINIMUM, waiting.length * 2);
  }
}
