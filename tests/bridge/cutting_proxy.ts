import { pause } from "../support/broker_process.ts";

/** A TCP proxy on loopback that can be told to misbehave. */
export class CuttingProxy implements AsyncDisposable {
  readonly port: number;
  /** Bytes after which a connection is cut, counted over both directions; drawn for each. */
  cutAfter: () => number = () => Infinity;
  /** Bytes vanish; the connections stay. */
  isDeaf = false;
  connections = 0;
  readonly #listener: Deno.TcpListener;
  readonly #target: number;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #work: Promise<void>[] = [];

  constructor(target: number) {
    this.#target = target;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#work.push(this.#accept());
  }

  /** Breaks all connections. */
  cut(): void {
    for (const connection of [...this.#open]) this.#close(connection);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.isDeaf = false;
    this.cut();
    await Promise.all(this.#work);
  }

  async #accept(): Promise<void> {
    try {
      for (;;) this.#work.push(this.#carry(await this.#listener.accept()));
    } catch {
      // Closed.
    }
  }

  async #carry(near: Deno.TcpConn): Promise<void> {
    this.connections++;
    this.#open.add(near);
    let far: Deno.TcpConn;
    try {
      far = await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
    } catch {
      return this.#close(near);
    }
    this.#open.add(far);
    let left = this.cutAfter();
    const pump = async (from: Deno.TcpConn, to: Deno.TcpConn) => {
      const buffer = new Uint8Array(16_384);
      try {
        for (;;) {
          const length = await from.read(buffer);
          if (length === null) break;
          if (this.isDeaf) continue;
          // A cut goes through the middle of a packet.
          const passed = Math.min(length, left);
          left -= passed;
          for (let at = 0; at < passed;) at += await to.write(buffer.subarray(at, passed));
          if (left === 0) break;
        }
      } catch {
        // Cut.
      }
      // An end does not get through either.
      while (this.isDeaf) await pause(20);
      this.#close(near);
      this.#close(far);
    };
    await Promise.all([pump(near, far), pump(far, near)]);
  }

  #close(connection: Deno.TcpConn) {
    if (this.#open.delete(connection)) connection.close();
  }
}
