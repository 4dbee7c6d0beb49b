import type { Links } from "./links.ts";
import type { BridgeSettings } from "./settings.ts";

/** How often the first address is tried while another is in use. */
const PROBE_MS = 5000;

/** Looks whether the first address of a bridge can be reached again, while another is in use. */
export class PrimaryProbe {
  readonly #links: Links;
  #atMs = Infinity;
  #cancel: (() => void) | null = null;

  constructor(links: Links) {
    this.#links = links;
  }

  /** A connection has been made. */
  begin(nowMs: number): void {
    this.#atMs = nowMs + PROBE_MS;
  }

  /** Tries if it is time to; calls when the address can be reached. Returns when to try next. */
  look(nowMs: number, settings: BridgeSettings, reached: () => void): number {
    if (nowMs < this.#atMs || this.#cancel !== null) return this.#atMs;
    this.#atMs = nowMs + PROBE_MS;
    this.#cancel = this.#links.probe(settings.addresses[0], settings, (reachable) => {
      this.#cancel = null;
      if (reachable) reached();
    });
    return this.#atMs;
  }

  /** The connection is gone. */
  end(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}
