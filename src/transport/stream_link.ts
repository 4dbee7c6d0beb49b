import type { Link, Peer } from "../session/ports.ts";
import {
  borrowBuffer,
  borrowIdleBuffer,
  bufferLength,
  IDLE_BUFFER_BYTES,
  LARGEST_BUFFER,
  returnBuffer,
  returnIdleBuffer,
} from "../wire/buffer_pool.ts";
import type { Outbox } from "../wire/outbox.ts";

/** A byte stream in both directions; `Deno.Conn` is one. */
export interface ByteStream {
  /** Null: the peer sends nothing more. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** May write less than asked. */
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  /**
   * The last read used up its buffer, so that more may be there at once. For streams that hand over
   * fewer bytes than they read; without it the length tells.
   */
  readonly filled?: boolean;
}

/** What the peer did wrong below MQTT, found out while reading: its connection ends with this text. */
export class TransportError extends Error {
  override readonly name = "TransportError";
}

/** Whoever handles the bytes: a connection of the core. */
export interface Endpoint {
  readonly outbox: Outbox;
  receive(chunk: Uint8Array, length: number): void;
  peerEnded(text?: string): void;
  drained(): void;
}

/** What the link reports. */
export interface LinkHost {
  bytesSent(count: number): void;
  /** The stream is closed; told once. */
  linkClosed(link: StreamLink): void;
  /** An exception that is nobody's: a defect. */
  fault(error: unknown, doing: string): void;
}

/** Reads that would have fitted into a smaller buffer before the larger one is given back. */
const QUIET_READS = 8;
/** How long the peer gets to take what was written last, and to close, before it is cut off. */
const LINGER_MS = 2000;

/**
 * Carries one connection over a byte stream: one read and at most one write in flight. What is sent
 * last is followed by a half-close, and the peer's remaining bytes are read and thrown away, since
 * closing with unread bytes would reset the connection and lose what was just written.
 */
export class StreamLink implements Link {
  readonly remoteAddress: string;
  readonly peer: Peer | null;
  readonly #stream: ByteStream;
  readonly #host: LinkHost;
  #endpoint: Endpoint | null = null;
  #outbox: Outbox | null = null;
  #isWriting = false;
  /** The core is done with this connection: write what waits, then close. */
  #isEnding = false;
  #isClosed = false;
  #peerEnded = false;
  #isPaused = false;
  #wakeReader: (() => void) | null = null;
  #linger: ReturnType<typeof setTimeout> | undefined;

  constructor(
    stream: ByteStream,
    remoteAddress: string,
    host: LinkHost,
    peer: Peer | null = null,
  ) {
    this.#stream = stream;
    this.remoteAddress = remoteAddress;
    this.peer = peer;
    this.#host = host;
  }

  /** Reads until the end. The returned promise never rejects. */
  async run(endpoint: Endpoint): Promise<void> {
    this.#endpoint = endpoint;
    this.#outbox = endpoint.outbox;
    // One frame for all: thousands of idle connections wait in here.
    const small = borrowIdleBuffer();
    let large: Uint8Array<ArrayBuffer> | null = null;
    let quiet = 0, longest = 0;
    let ending: string | undefined;
    try {
      for (;;) {
        if (this.#isPaused) {
          await new Promise<void>((resolve) => this.#wakeReader = resolve);
          continue;
        }
        const buffer: Uint8Array = large ?? small;
        const length = await this.#stream.read(buffer);
        if (length === null || this.#isClosed) break;
        if (!this.#isEnding) endpoint.receive(buffer, length);
        // A read that fills its buffer moves the connection to the next larger one, step by step: who
        // has sent one long packet and falls silent is to hold no more than that took.
        if (length === buffer.length || this.#stream.filled === true) {
          quiet = longest = 0;
          if (buffer.length === LARGEST_BUFFER) continue;
          if (large !== null) returnBuffer(large);
          large = borrowBuffer(buffer.length + 1);
        } else if (large !== null) {
          longest = Math.max(longest, length);
          if (++quiet < QUIET_READS) continue;
          if (longest < IDLE_BUFFER_BYTES) {
            returnBuffer(large);
            large = null;
          } else if (bufferLength(longest + 1) < large.length) {
            returnBuffer(large);
            large = borrowBuffer(longest + 1);
          }
          quiet = longest = 0;
        }
      }
    } catch (error) {
      if (error instanceof TransportError) ending = error.message;
      else {
        if (!isNetworkError(error)) this.#host.fault(error, "reading from a connection");
        ending = this.#isClosed ? undefined : "connection lost";
      }
    }
    returnIdleBuffer(small);
    if (large !== null) returnBuffer(large);
    this.#peerEnded = true;
    this.#peerIsGone(ending);
    if (!this.#isWriting) this.destroy();
  }

  flush(): void {
    if (!this.#isWriting && !this.#isClosed) void this.#write();
  }

  end(): void {
    if (this.#isEnding || this.#isClosed) return;
    this.#isEnding = true;
    // A paused reader would never see the peer's end.
    this.resume();
    const nothingWaits = !this.#isWriting && (this.#outbox === null || this.#outbox.isEmpty);
    if (this.#peerEnded && nothingWaits) return this.destroy();
    this.#linger = setTimeout(() => this.destroy(), LINGER_MS);
    if (nothingWaits) this.#halfClose();
  }

  destroy(): void {
    if (this.#isClosed) return;
    this.#isClosed = this.#isEnding = true;
    clearTimeout(this.#linger);
    this.resume();
    this.#outbox?.discard();
    closeStream(this.#stream);
    this.#host.linkClosed(this);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    const wake = this.#wakeReader;
    this.#wakeReader = null;
    wake?.();
  }

  async #write(): Promise<void> {
    const outbox = this.#outbox!;
    this.#isWriting = true;
    try {
      for (let part = outbox.take(); part !== null; part = outbox.take()) {
        let written = await this.#stream.write(part);
        while (written < part.length) written += await this.#stream.write(part.subarray(written));
        this.#host.bytesSent(part.length);
        outbox.written();
        if (this.#isClosed) return;
        this.#endpoint?.drained();
      }
    } catch (error) {
      outbox.written();
      if (!isNetworkError(error)) this.#host.fault(error, "writing to a connection");
      this.#peerIsGone(this.#isClosed ? undefined : "connection lost");
      return this.destroy();
    } finally {
      this.#isWriting = false;
    }
    if (!this.#isEnding) return;
    if (this.#peerEnded) this.destroy();
    else this.#halfClose();
  }

  /** Tells the core, once: by whichever of reader and writer sees it first. */
  #peerIsGone(text: string | undefined) {
    const endpoint = this.#endpoint;
    this.#endpoint = null;
    endpoint?.peerEnded(text);
  }

  #halfClose() {
    // Fails when the peer has reset the connection; the reader sees that as well.
    this.#stream.closeWrite().catch(() => this.destroy());
  }
}

/** What a socket does to us, as opposed to what we do wrong. */
export function isNetworkError(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.BadResource ||
    error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.NotConnected ||
    error instanceof Deno.errors.TimedOut || error instanceof Deno.errors.UnexpectedEof ||
    error instanceof Error && "code" in error && typeof error.code === "string" &&
      /^E(HOSTUNREACH|NETUNREACH|NETDOWN|PIPE|CONNRESET|TIMEDOUT)$/.test(error.code);
}

/** Closes a stream that its peer's reset, or whoever else had it, may have closed before. */
export function closeStream(stream: Pick<ByteStream, "close">): void {
  try {
    stream.close();
  } catch (error) {
    if (!isNetworkError(error)) throw error;
  }
}
