import type { Backlog } from "../session/backlog.ts";
import type { Deadlines } from "./deadlines.ts";

/** How long publishers wait for a receiver, which may be busy with something else for a moment. */
const PATIENCE_MS = 1000;

/** The backlogs for which publishers wait, and their time. */
export class Backlogs {
  readonly #deadlines: Deadlines;
  readonly #backlogs = new Set<Backlog>();
  #isWaiting = false;

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  add(backlog: Backlog): void {
    this.#backlogs.add(backlog);
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    const dueAtMs = backlog.sinceMs + PATIENCE_MS;
    this.#deadlines.set(dueAtMs, { due: (nowMs) => this.#due(nowMs) });
  }

  delete(backlog: Backlog): void {
    this.#backlogs.delete(backlog);
  }

  /** Returns when to look again. */
  #due(nowMs: number): number {
    let nextMs = Infinity;
    for (const backlog of this.#backlogs) {
      const dueAtMs = backlog.sinceMs + PATIENCE_MS;
      if (nowMs < dueAtMs) nextMs = Math.min(nextMs, dueAtMs);
      else {
        this.#backlogs.delete(backlog);
        backlog.overdue();
      }
    }
    this.#isWaiting = nextMs < Infinity;
    return nextMs;
  }
}
