import type { Deadline, Settings } from "../session/ports.ts";
import type { Deadlines } from "./deadlines.ts";

/** What recurs. */
export interface Chores {
  updateSys(): void;
  /** Of retained messages those that have expired. */
  removeExpired(nowMs: number): void;
  /** Null: nothing is kept. */
  readonly tickJournal: (() => void) | null;
}

const JOURNAL_TICK_MS = 100;

/** Has what recurs done at its time: updates of $SYS, the scan of retained messages, the journal's ticks. */
export class Housekeeping {
  #settings: Settings;
  readonly #deadlines: Deadlines;
  readonly #clock: { readonly nowMs: number; readonly wallOffsetMs: number };
  readonly #chores: Chores;
  #sysUpdate: Deadline | null = null;
  #retainedScan: Deadline | null = null;

  constructor(
    settings: Settings,
    deadlines: Deadlines,
    clock: { readonly nowMs: number; readonly wallOffsetMs: number },
    chores: Chores,
  ) {
    this.#settings = settings;
    this.#deadlines = deadlines;
    this.#clock = clock;
    this.#chores = chores;
  }

  start(): void {
    const { updateSys, tickJournal } = this.#chores;
    if (this.#settings.sysInterval > 0) updateSys();
    this.configure(this.#settings);
    if (tickJournal === null) return;
    this.#deadlines.set(this.#clock.nowMs + JOURNAL_TICK_MS, {
      due: (at) => {
        tickJournal();
        return at + JOURNAL_TICK_MS;
      },
    });
  }

  /** Intervals may have changed: those that recur begin anew. */
  configure(settings: Settings): void {
    this.#settings = settings;
    this.#deadlines.cancel(this.#sysUpdate);
    this.#deadlines.cancel(this.#retainedScan);
    this.#sysUpdate = this.#retainedScan = null;
    const { sysInterval, retainExpiryInterval } = settings;
    if (sysInterval > 0) {
      this.#sysUpdate = this.#deadlines.set(this.#nextSysUpdateMs(), {
        due: () => {
          this.#chores.updateSys();
          return this.#nextSysUpdateMs();
        },
      });
    }
    if (retainExpiryInterval > 0) {
      const everyMs = retainExpiryInterval * 1000;
      this.#retainedScan = this.#deadlines.set(this.#clock.nowMs + everyMs, {
        due: (at) => {
          this.#chores.removeExpired(at);
          return at + everyMs;
        },
      });
    }
  }

  /** $SYS is updated when Unix time is a multiple of the interval. */
  #nextSysUpdateMs(): number {
    const everyMs = this.#settings.sysInterval * 1000;
    const { nowMs, wallOffsetMs } = this.#clock;
    return nowMs + everyMs - (nowMs + wallOffsetMs) % everyMs;
  }
}
