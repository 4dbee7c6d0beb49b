import type { Broker } from "../broker/broker.ts";
import type { ListenerSettings } from "../session/ports.ts";
import { type LinkHost, StreamLink } from "./stream_link.ts";

/** What a TCP listener is told. */
export interface TcpListenerOptions extends ListenerSettings {
  /** Null: all addresses, IPv4 and IPv6. */
  readonly address: string | null;
  /** 0: no limit. */
  readonly maxConnections: number;
  readonly noDelay: boolean;
  /** Over all listeners; 0: no limit. */
  readonly globalMaxConnections: number;
}

/** After a failed accept, such as too many open files. */
const ACCEPT_RETRY_MS = 100;

/**
 * A TCP port. It is opened before the store is touched, so that a port that is taken costs nothing;
 * clients that come meanwhile wait in the backlog until {@linkcode start}.
 */
export class TcpListener {
  readonly #options: TcpListenerOptions;
  readonly #listener: Deno.TcpListener;
  readonly #links = new Set<StreamLink>();
  #accepting: Promise<void> | null = null;
  #isClosed = false;
  #wake: (() => void) | null = null;
  #onDrained: (() => void) | null = null;

  private constructor(options: TcpListenerOptions, listener: Deno.TcpListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** @throws what the system says: address in use, permission denied, … */
  static open(options: TcpListenerOptions): TcpListener {
    const hostname = options.address ?? "::";
    try {
      return new TcpListener(options, Deno.listen({ port: options.port, hostname }));
    } catch (error) {
      // A machine without IPv6.
      if (options.address !== null || error instanceof Deno.errors.AddrInUse) throw error;
      return new TcpListener(options, Deno.listen({ port: options.port, hostname: "0.0.0.0" }));
    }
  }

  get address(): Deno.NetAddr {
    return this.#listener.addr;
  }

  get connections(): number {
    return this.#links.size;
  }

  start(broker: Broker): void {
    const listener: ListenerSettings = { ...this.#options, port: this.address.port };
    const host: LinkHost = {
      bytesSent: (count) => broker.counters.bytesSent += count,
      linkClosed: (link) => {
        this.#links.delete(link);
        if (this.#links.size === 0) this.#onDrained?.();
      },
      fault: (error, doing) => broker.fault(error, doing),
    };
    this.#accepting = this.#accept(broker, listener, host);
  }

  async #accept(broker: Broker, listener: ListenerSettings, host: LinkHost): Promise<void> {
    let refusedBefore = false;
    while (!this.#isClosed) {
      let stream: Deno.TcpConn;
      try {
        stream = await this.#listener.accept();
        refusedBefore = false;
      } catch (error) {
        if (this.#isClosed) return;
        // Out of descriptors, mostly: going on at once would only spin.
        if (!refusedBefore) broker.log("error", `Error: cannot accept: ${messageOf(error)}`);
        refusedBefore = true;
        await this.#pause();
        continue;
      }
      this.#take(stream, broker, listener, host);
    }
  }

  #take(stream: Deno.TcpConn, broker: Broker, listener: ListenerSettings, host: LinkHost) {
    const { maxConnections, globalMaxConnections, noDelay } = this.#options;
    const address = addressText(stream.remoteAddr);
    if (
      maxConnections > 0 && this.#links.size >= maxConnections ||
      globalMaxConnections > 0 && broker.connections.size >= globalMaxConnections
    ) {
      const option = maxConnections > 0 && this.#links.size >= maxConnections
        ? "max_connections"
        : "global_max_connections";
      broker.log("notice", `Client connection from ${address} denied: ${option} exceeded.`);
      stream.close();
      return;
    }
    if (noDelay) stream.setNoDelay(true);
    const link = new StreamLink(stream, address, host);
    this.#links.add(link);
    if (broker.settings.connectionMessages && broker.logs("notice")) {
      broker.log("notice", `New connection from ${address} on port ${listener.port}.`);
    }
    void link.run(broker.accept(link, listener));
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ACCEPT_RETRY_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Takes no further connection. Those that are there live on. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#wake?.();
    this.#listener.close();
    await this.#accepting;
  }

  /** Waits until all connections have ended, and cuts off those that have not in time. */
  async drain(patienceMs: number): Promise<void> {
    if (this.#links.size > 0) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        this.#onDrained = resolve;
        timer = setTimeout(resolve, patienceMs);
      });
      clearTimeout(timer);
    }
    for (const link of [...this.#links]) link.destroy();
  }
}

/** `address:port`; an IPv4 address that came in over IPv6 is shown as what it is. */
function addressText(address: Deno.NetAddr): string {
  return `${address.hostname.replace(/^::ffff:(?=\d)/, "")}:${address.port}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
