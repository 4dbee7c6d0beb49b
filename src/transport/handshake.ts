import type { Peer } from "../session/ports.ts";
import type { ByteStream } from "./stream_link.ts";

/** What comes between an accepted socket and its first MQTT byte: PROXY header, TLS, WebSocket. */

/** A stream after a handshake, and what the handshake told of the peer. */
export interface Secured {
  readonly stream: ByteStream;
  readonly info: Peer;
}

/**
 * Does a TLS handshake as the server. Rejects with a {@linkcode HandshakeError} or the raw stream's
 * error when it fails. Until then the raw stream belongs to the caller, who closes it to break off;
 * once resolved it belongs to what was returned.
 */
export type Secure = (raw: ByteStream, remoteAddress: string) => Promise<Secured>;

/** The peer broke off its handshake or did it wrong. The message is a line for the log; may be empty. */
export class HandshakeError extends Error {
  override readonly name = "HandshakeError";
}

/**
 * Reads the beginning of a stream whose length is not known before it has been read. What was read
 * too far goes before the rest of the stream.
 */
export class HandshakeReader {
  /** What was read stands in front. */
  bytes: Uint8Array<ArrayBuffer>;
  length = 0;
  readonly #stream: ByteStream;
  readonly #maximum: number;

  /** @param maximum bytes that are kept at most */
  constructor(stream: ByteStream, maximum: number) {
    this.#stream = stream;
    this.#maximum = maximum;
    this.bytes = new Uint8Array(Math.min(FIRST_BYTES, maximum));
  }

  /** Nothing more fits. */
  get isFull(): boolean {
    return this.length === this.#maximum;
  }

  /** Reads what is there. False: the peer sends nothing more, or nothing more fits. */
  async readMore(): Promise<boolean> {
    if (this.isFull) return false;
    if (this.length === this.bytes.length) {
      const grown = new Uint8Array(Math.min(this.bytes.length * 2, this.#maximum));
      grown.set(this.bytes);
      this.bytes = grown;
    }
    const count = await this.#stream.read(this.bytes.subarray(this.length));
    if (count === null) return false;
    this.length += count;
    return true;
  }

  /** The stream from the byte with this index on. */
  rest(from: number): ByteStream {
    if (from === this.length) return this.#stream;
    return new PrefixedStream(this.bytes.slice(from, this.length), this.#stream);
  }
}

/** Most heads are shorter. */
const FIRST_BYTES = 512;

/** A stream that was read too far. */
class PrefixedStream implements ByteStream {
  readonly #stream: ByteStream;
  #prefix: Uint8Array | null;

  constructor(prefix: Uint8Array, stream: ByteStream) {
    this.#prefix = prefix;
    this.#stream = stream;
  }

  get filled(): boolean | undefined {
    return this.#stream.filled;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    const prefix = this.#prefix;
    if (prefix === null) return this.#stream.read(buffer);
    const length = Math.min(prefix.length, buffer.length);
    buffer.set(prefix.subarray(0, length));
    this.#prefix = length === prefix.length ? null : prefix.subarray(length);
    return Promise.resolve(length);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#stream.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#stream.closeWrite();
  }

  close(): void {
    this.#stream.close();
  }
}

/** Writes all bytes. */
export async function writeAll(stream: ByteStream, bytes: Uint8Array): Promise<void> {
  let written = await stream.write(bytes);
  while (written < bytes.length) written += await stream.write(bytes.subarray(written));
}
