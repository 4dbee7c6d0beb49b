/** setTimeout counts in 31 bits. */
const TIMER_MAXIMUM_MS = 1e9;
/** A timer that is later than this was held up with the whole process: stopped, suspended, starved. */
const LATE_MS = 250;
/** Then sockets get this long to be read before anybody is judged by the time that has passed. */
const READ_FIRST_MS = 500;

/** Wakes the broker when the first of its deadlines is due. Milliseconds are those of `performance`. */
export class WakeTimer {
  readonly #wake: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #atMs = Infinity;
  /** Until then what came while the process was held up is read, and nothing is due. */
  #readUntilMs = -Infinity;

  constructor(wake: () => void) {
    this.#wake = wake;
  }

  /** At that time, or before if it was asked for an earlier one. */
  wakeAt(askedAtMs: number): void {
    const atMs = Math.max(askedAtMs, this.#readUntilMs);
    if (atMs >= this.#atMs) return;
    clearTimeout(this.#timer);
    this.#atMs = atMs;
    const delay = Math.max(0, Math.min(atMs - performance.now(), TIMER_MAXIMUM_MS));
    this.#timer = setTimeout(() => {
      this.#atMs = Infinity;
      const nowMs = performance.now();
      const isLate = nowMs - atMs > LATE_MS;
      // Once only: a process that is always late has to go on.
      if (!isLate || atMs === this.#readUntilMs) return this.#wake();
      this.#readUntilMs = nowMs + READ_FIRST_MS;
      this.wakeAt(this.#readUntilMs);
    }, delay);
    // What keeps a process alive are its sockets; a broker without any ends with its program.
    this.#timer.unref();
  }

  /** Wakes nobody any more. */
  close(): void {
    clearTimeout(this.#timer);
    this.#atMs = -Infinity;
  }
}
