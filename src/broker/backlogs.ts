import type { Backlog } from "../session/backlog.ts";
import type { Deadlines } from "./deadlines.ts";

const LOOK_MS = 200;

/** The backlogs for which publishers wait, looked at from time to time. */
export class Backlogs {
  readonly #deadlines: Deadlines;
  /** In the order in which they are due. */
  readonly #backlogs = new Set<Backlog>();
  #isLooking = false;

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  add(backlog: Backlog): void {
    this.#backlogs.add(backlog);
    if (this.#isLooking) return;
    this.#isLooking = true;
    const dueAtMs = backlog.lookedAtMs + LOOK_MS;
    this.#deadlines.set(dueAtMs, { due: (nowMs) => this.#look(nowMs) });
  }

  delete(backlog: Backlog): void {
    this.#backlogs.delete(backlog);
  }

  /** Returns when to look again. */
  #look(nowMs: number): number {
    for (const backlog of this.#backlogs) {
      const dueAtMs = backlog.lookedAtMs + LOOK_MS;
      if (nowMs < dueAtMs) return dueAtMs;
      this.#backlogs.delete(backlog);
      if (!backlog.look(nowMs)) this.#backlogs.add(backlog);
    }
    this.#isLooking = false;
    return Infinity;
  }
}
