import { assert } from "../assert.ts";

interface Job {
  readonly weight: number;
  readonly run: () => Promise<boolean>;
  readonly settle: (matches: boolean) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Runs a few verifications at a time and lets a bounded number wait, in the order they came. Bounded
 * is their weight, not their count: what matters is how long the last one waits.
 */
export class VerificationQueue {
  readonly #concurrent: number;
  readonly #weightMaximum: number;
  readonly #waiting: Job[] = [];
  #running = 0;
  #weight = 0;

  constructor(concurrent: number, weightMaximum: number) {
    assert(concurrent >= 1, "a queue runs something");
    this.#concurrent = concurrent;
    this.#weightMaximum = weightMaximum;
  }

  /** Undefined: too much waits already. One job may wait however heavy it is. */
  add(weight: number, run: () => Promise<boolean>): Promise<boolean> | undefined {
    if (this.#weight > 0 && this.#weight + weight > this.#weightMaximum) return undefined;
    this.#weight += weight;
    return new Promise((settle, fail) => {
      this.#waiting.push({ weight, run, settle, fail });
      this.#next();
    });
  }

  /** What waits is not run any more: nothing matches. */
  close(): void {
    for (const job of this.#waiting.splice(0)) {
      this.#weight -= job.weight;
      job.settle(false);
    }
  }

  #next(): void {
    if (this.#running === this.#concurrent) return;
    const job = this.#waiting.shift();
    if (job === undefined) return;
    this.#running++;
    job.run().finally(() => {
      this.#running--;
      this.#weight -= job.weight;
      this.#next();
    }).then(job.settle, job.fail);
  }
}
