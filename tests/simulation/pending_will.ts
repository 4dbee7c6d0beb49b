import type { Ledger } from "./ledger.ts";
import type { Message } from "./message.ts";

/** The Will of a client whose connection has ended: when it is due, and whether it ever will be. */
export class PendingWill {
  readonly #ledger: Ledger;
  #pending: { readonly will: Message; readonly dueAtMs: number } | null = null;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** The connection has ended without a word, at that time. */
  begin(will: Message, nowMs: number, delaySeconds: number, expirySeconds: number): void {
    // [MQTT-3.1.3-9]: no later than the session's end.
    const seconds = Math.min(delaySeconds, expirySeconds);
    if (seconds === 0) this.#ledger.willDue(will);
    else this.#pending = { will, dueAtMs: nowMs + seconds * 1000 };
  }

  /** Time has passed. */
  look(nowMs: number): void {
    if (this.#pending === null || nowMs < this.#pending.dueAtMs) return;
    this.#ledger.willDue(this.#pending.will);
    this.#pending = null;
  }

  /** The client is back; `ends`: in a new session, so that the old one ends at once. */
  clientIsBack(ends: boolean): void {
    if (this.#pending === null) return;
    if (ends) this.#ledger.willDue(this.#pending.will);
    else this.#pending.will.cancelled = true;
    this.#pending = null;
  }

  /** The process has died: a Will that was not sent is not kept. */
  crashed(): void {
    if (this.#pending !== null) this.#pending.will.cancelled = true;
    this.#pending = null;
  }
}
