import { errorAnswer, RequestError } from "./answers.ts";
import { createAdminApp } from "./app.ts";
import type { AdminSource } from "./source.ts";

/** How long a stop waits for the answers that are under way. */
const SHUTDOWN_MS = 1000;

/** The HTTP interface on a port of its own. */
export class AdminServer {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #abort = new AbortController();
  /** Each ends when its answer has been sent, or cannot be. */
  readonly #underWay = new Set<Promise<void>>();
  #isClosing = false;

  private constructor(source: AdminSource, { port, address }: { port: number; address: string }) {
    const app = createAdminApp(source);
    this.#server = Deno.serve(
      { port, hostname: address, signal: this.#abort.signal, onListen: () => {} },
      (request, info) => {
        if (this.#isClosing) {
          const message = "the broker is stopping";
          return errorAnswer(new RequestError(503, "stopping", message, { Connection: "close" }));
        }
        this.#track(info.completed);
        return app.fetch(request, info);
      },
    );
  }

  /** Listens at once. @throws what the system says: address in use, permission denied, … */
  static open(source: AdminSource, at: { port: number; address: string }): AdminServer {
    return new AdminServer(source, at);
  }

  /** Where it listens; with port 0 the port that the system chose. */
  get address(): Deno.NetAddr {
    return this.#server.addr;
  }

  /** Takes no more requests, ends the answers that are under way, and cuts off what takes long. */
  async close(): Promise<void> {
    this.#isClosing = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tooLong = new Promise<true>((resolve) => {
      timer = setTimeout(() => resolve(true), SHUTDOWN_MS);
    });
    const ended = Promise.all(this.#underWay).then(() => false);
    if (await Promise.race([ended, tooLong])) {
      this.#abort.abort();
      await this.#server.finished;
    } else {
      // Also waits for the last bytes to leave; but once begun it cannot be cut short.
      await Promise.race([this.#server.shutdown(), tooLong]);
    }
    clearTimeout(timer);
  }

  #track(completed: Promise<void>) {
    const ended = completed.catch(() => {}).finally(() => this.#underWay.delete(ended));
    this.#underWay.add(ended);
  }
}
