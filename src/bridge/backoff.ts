import type { BridgeBackoff } from "./settings.ts";

/**
 * How long to wait before the next attempt: always the same, or by chance between the base and three
 * times the last delay, up to a cap, so that many bridges do not come back at once.
 */
export class Backoff {
  readonly #settings: BridgeBackoff;
  readonly #chance: () => number;
  #lastMs: number;

  /** @param chance a number from 0 to 1 */
  constructor(settings: BridgeBackoff, chance: () => number) {
    this.#settings = settings;
    this.#chance = chance;
    this.#lastMs = settings.baseSeconds * 1000;
  }

  /** The delays grow. */
  get grows(): boolean {
    return this.#settings.capSeconds > this.#settings.baseSeconds;
  }

  /** Whole milliseconds until the next attempt. */
  nextMs(): number {
    const { baseSeconds, capSeconds } = this.#settings;
    const baseMs = baseSeconds * 1000;
    const drawn = baseMs + Math.floor(this.#chance() * (3 * this.#lastMs - baseMs));
    return this.#lastMs = Math.min(capSeconds * 1000, drawn);
  }

  /** A connection has lasted so long. True: the delays begin with the base again. */
  lasted(ms: number): boolean {
    if (!this.grows || ms < this.#settings.stableSeconds * 1000) return false;
    this.reset();
    return true;
  }

  reset(): void {
    this.#lastMs = this.#settings.baseSeconds * 1000;
  }
}
