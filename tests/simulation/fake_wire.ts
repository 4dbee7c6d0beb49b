import type { Link, Peer } from "../../src/session/ports.ts";
import type { Endpoint } from "../../src/transport/stream_link.ts";

/** One end of a connection between two worlds: what is sent arrives when it is told to. */
export class WireEnd implements Link {
  readonly remoteAddress = "127.0.0.1:50000";
  readonly peer: Peer | null = null;
  endpoint!: Endpoint;
  other!: WireEnd;
  isStuck = false;
  isClosed = false;
  #isPaused = false;
  /** Null: the other end has closed. */
  readonly #arriving: (Uint8Array | null)[] = [];

  get isQuiet(): boolean {
    return this.isClosed || this.#arriving.length === 0;
  }

  /** Some of what was sent arrives here; one chunk may be cut in two. */
  deliver(cut: number): void {
    if (this.#isPaused || this.isClosed) return;
    const chunk = this.#arriving.shift();
    if (chunk === undefined) return;
    if (chunk === null) return this.lose();
    const rest = chunk.subarray(cut);
    if (cut > 0 && rest.length > 0) {
      this.#arriving.unshift(rest);
      this.endpoint.receive(chunk.slice(0, cut), cut);
    } else this.endpoint.receive(chunk, chunk.length);
  }

  /** This end learns that the connection is broken. */
  lose(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.endpoint.peerEnded("cut");
  }

  flush(): void {
    if (this.isStuck || this.isClosed) return;
    const { outbox } = this.endpoint;
    for (let part = outbox.take(); part !== null; part = outbox.take()) {
      this.other.#arriving.push(part.slice());
      outbox.written();
      this.endpoint.drained();
    }
  }

  end(): void {
    this.flush();
    this.destroy();
  }

  destroy(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.other.#arriving.push(null);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
  }
}

/** Two ends that belong together. */
export function wire(): [WireEnd, WireEnd] {
  const here = new WireEnd(), there = new WireEnd();
  here.other = there;
  there.other = here;
  return [here, there];
}
