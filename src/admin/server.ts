import { createAdminApp } from "./app.ts";
import type { AdminSource } from "./source.ts";

/** How long a stop waits for the answers that are under way. */
const SHUTDOWN_MS = 1000;

/** The HTTP interface on a port of its own. */
export class AdminServer {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #abort: AbortController;

  private constructor(server: Deno.HttpServer<Deno.NetAddr>, abort: AbortController) {
    this.#server = server;
    this.#abort = abort;
  }

  /** Listens at once. @throws what the system says: address in use, permission denied, … */
  static open(source: AdminSource, at: { port: number; address: string }): AdminServer {
    const app = createAdminApp(source);
    const abort = new AbortController();
    const server = Deno.serve(
      { port: at.port, hostname: at.address, signal: abort.signal, onListen: () => {} },
      (request, info) => app.fetch(request, info),
    );
    return new AdminServer(server, abort);
  }

  /** Where it listens; with port 0 the port that the system chose. */
  get address(): Deno.NetAddr {
    return this.#server.addr;
  }

  /** Takes no more requests, ends the answers that are under way, and cuts off what takes long. */
  async close(): Promise<void> {
    const timer = setTimeout(() => this.#abort.abort(), SHUTDOWN_MS);
    await this.#server.shutdown();
    clearTimeout(timer);
  }
}
