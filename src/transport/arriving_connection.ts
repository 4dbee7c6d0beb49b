import type { Pending } from "./pending_connections.ts";
import { type ByteStream, closeStream, type Endpoint, type StreamLink } from "./stream_link.ts";

/** How long a peer gets to read the last words of a handshake that failed. */
const FAREWELL_MS = 2000;

/** The core's end of a connection, as far as it is looked at here. */
interface Served extends Endpoint {
  readonly isConnected: boolean;
  readonly isClosed: boolean;
}

/** A socket from its accept to its CONNECT: first its handshakes, then a link. */
export class ArrivingConnection implements Pending {
  readonly sinceMs: number;
  /** The socket, or what its handshakes have made of it: closing that closes the socket. */
  #stream: ByteStream;
  #timeoutMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;
  #link: StreamLink | null = null;
  #served: Served | null = null;

  constructor(raw: ByteStream, nowMs: number) {
    this.#stream = raw;
    this.sinceMs = nowMs;
  }

  get isSettled(): boolean {
    const served = this.#served;
    return served === null ? this.#isClosed : served.isConnected || served.isClosed;
  }

  /** It was cut off, or its time is over. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** From now on the handshakes have this time. */
  startClock(timeoutMs: number): void {
    this.#timeoutMs = timeoutMs;
    this.progress();
  }

  /** The peer did what it was expected to do: its time begins anew. */
  progress(): void {
    clearTimeout(this.#timer);
    if (!this.#isClosed) this.#timer = setTimeout(() => this.destroy(), this.#timeoutMs);
  }

  /** A handshake has put a stream around the socket, which holds keys and memory until it is closed. */
  wrap(stream: ByteStream): void {
    this.#stream = stream;
    if (this.#isClosed) closeStream(this.#stream);
  }

  /** The handshakes are done. Whoever serves the connection also looks at its time. */
  serve(link: StreamLink, served: Served): void {
    clearTimeout(this.#timer);
    this.#link = link;
    this.#served = served;
  }

  /** Lets the peer read what was written last, for closing with unread bytes would take it back. */
  async farewell(stream: ByteStream): Promise<void> {
    this.startClock(FAREWELL_MS);
    await stream.closeWrite();
    const ignored = new Uint8Array(1024);
    while (await stream.read(ignored) !== null);
  }

  /** Cuts it off, whatever it is doing. */
  destroy(): void {
    if (this.#link !== null) return this.#link.destroy();
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    closeStream(this.#stream);
  }
}
