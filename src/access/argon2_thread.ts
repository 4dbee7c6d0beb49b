import type { Argon2Parameters } from "./argon2id.ts";
import type { Argon2Answer, Argon2Question } from "./argon2_worker.ts";

interface Waiting {
  readonly resolve: (tag: Uint8Array | null) => void;
  readonly reject: (error: Error) => void;
}

/** The memory of a worker, some tens of MiB, is given back after that long without work. */
const IDLE_MS = 10_000;

/** Computes argon2id in a worker, one after the other. The worker lives while there is work. */
export class Argon2Thread {
  #worker: Worker | null = null;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  /** In the order in which the worker answers. */
  readonly #waiting: Waiting[] = [];

  /** Null when closed meanwhile. Rejects when the worker fails: its memory could not be had. */
  derive(password: Uint8Array, parameters: Argon2Parameters): Promise<Uint8Array | null> {
    clearTimeout(this.#idleTimer);
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | null>();
    this.#waiting.push({ resolve, reject });
    const question: Argon2Question = { password, parameters };
    (this.#worker ??= this.#start()).postMessage(question);
    return promise;
  }

  close(): void {
    for (const { resolve } of this.#end()) resolve(null);
  }

  #start(): Worker {
    const worker = new Worker(new URL("./argon2_worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<Argon2Answer>) => {
      const waiting = this.#waiting.shift()!;
      if ("tag" in data) waiting.resolve(data.tag);
      else waiting.reject(new Error(`argon2id: ${data.error}`));
      if (this.#waiting.length > 0) return;
      this.#idleTimer = setTimeout(() => this.close(), IDLE_MS);
      Deno.unrefTimer(this.#idleTimer);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      const error = new Error(`the argon2id worker failed: ${event.message}`);
      for (const { reject } of this.#end()) reject(error);
    };
    return worker;
  }

  /** Whoever still waits for it. */
  #end(): Waiting[] {
    clearTimeout(this.#idleTimer);
    this.#worker?.terminate();
    this.#worker = null;
    return this.#waiting.splice(0);
  }
}
