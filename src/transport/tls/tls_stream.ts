import { borrowBuffer, returnBuffer } from "../../wire/buffer_pool.ts";
import { type ByteStream, closeStream, isNetworkError, TransportError } from "../stream_link.ts";
import { returnCiphertextBuffer } from "./ciphertext_buffers.ts";
import type { OpensslContext } from "./openssl_context.ts";
import type { SecureStream } from "./tls_engine.ts";
import { TlsError } from "./tls_error.ts";
import type { TlsInfo } from "./tls_options.ts";
import { SLICE_BYTES, TlsSession } from "./tls_session.ts";

/** How long a peer that was refused gets to take the alert and to close. */
const LINGER_MS = 2000;
/** A flight of a handshake mostly fits; thousands may wait in here. */
const HANDSHAKE_BUFFER_BYTES = 1024;
/** Read at once when the caller's buffer is smaller and was filled. */
const CATCH_UP_BYTES = 8192;
/**
 * Answers that TLS gives by itself, such as to updates of keys, may wait in such numbers; a peer that
 * does not take them is read no further.
 */
const UNSENT_ANSWERS_MAXIMUM_BYTES = 16_384;

/**
 * Encrypts what goes over another stream, by OpenSSL. Backpressure passes through in both directions:
 * nothing is read that nobody asked for, and a write waits for the stream below.
 *
 * It holds no buffer of its own while it waits: ciphertext is read into the buffer for the plaintext.
 */
export class TlsStream implements SecureStream {
  onFailure: ((error: TlsError) => void) | null = null;
  readonly #raw: ByteStream;
  readonly #session: TlsSession;
  readonly #isServer: boolean;
  /** Ciphertext in the order in which it is to be sent; at its head, what is being written. */
  readonly #unsent: { buffer: Uint8Array<ArrayBuffer>; length: number }[] = [];
  #unsentBytes = 0;
  /** Never rejects. */
  #sending: Promise<void> | null = null;
  #sendError: unknown = null;
  #isClosed = false;
  /** The last read of ciphertext filled its buffer: there is more than was asked for. */
  #isBehind = false;

  private constructor(context: OpensslContext, raw: ByteStream, hostName: string | null) {
    this.#raw = raw;
    this.#isServer = context.facts.isServer;
    this.#session = new TlsSession(context, hostName, (buffer, length) => {
      this.#unsent.push({ buffer, length });
      this.#unsentBytes += length;
    });
  }

  /** The side of a listener. */
  static server(context: OpensslContext, raw: ByteStream): TlsStream {
    return new TlsStream(context, raw, null);
  }

  /** The side of a bridge, towards that host. */
  static client(context: OpensslContext, raw: ByteStream, hostName: string): TlsStream {
    return new TlsStream(context, raw, hostName);
  }

  async handshake(timeoutMs: number): Promise<TlsInfo> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.close();
    }, timeoutMs);
    const buffer = borrowBuffer(HANDSHAKE_BUFFER_BYTES);
    try {
      if (!this.#isServer) this.#session.handshake(buffer, 0);
      for (let isDone = false; !isDone;) {
        void this.#send();
        const length = await this.#raw.read(buffer);
        if (length === null || this.#isClosed) throw endedEarly();
        isDone = this.#session.handshake(buffer, length);
      }
      await this.#send();
      if (this.#sendError !== null) throw this.#sendError;
      if (this.#isClosed) throw endedEarly();
      return this.#session.info();
    } catch (error) {
      clearTimeout(timer);
      if (this.#session.failure !== null) await this.#linger(buffer);
      this.close();
      if (isLate) throw new TlsError("The TLS handshake took too long.");
      throw error;
    } finally {
      clearTimeout(timer);
      returnBuffer(buffer);
    }
  }

  get filled(): boolean {
    return this.#isBehind || this.#session.holdsInput;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    const session = this.#session;
    for (;;) {
      let length: number;
      if (session.holdsInput) length = session.decrypt(null, 0, buffer);
      else {
        if (session.failure !== null) throw this.#failed(session.failure);
        if (session.hasPeerEnded) return null;
        // A record larger than the caller's buffer would otherwise come in many small pieces.
        const ownBuffer = this.#isBehind && buffer.length < CATCH_UP_BYTES
          ? borrowBuffer(CATCH_UP_BYTES)
          : null;
        const room = ownBuffer ??
          (buffer.length > SLICE_BYTES ? buffer.subarray(0, SLICE_BYTES) : buffer);
        try {
          const count = await this.#raw.read(room);
          // Without a goodbye as well: MQTT knows by itself whether something is missing.
          if (count === null || this.#isClosed) return null;
          this.#isBehind = count === room.length;
          length = session.decrypt(room, count, buffer);
        } finally {
          if (ownBuffer !== null) returnBuffer(ownBuffer);
        }
      }
      if (this.#unsent.length > 0) {
        const sent = this.#send();
        if (this.#unsentBytes > UNSENT_ANSWERS_MAXIMUM_BYTES) await sent;
      }
      if (length > 0) return length;
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.#isClosed) throw new Deno.errors.BadResource("the TLS stream is closed");
    // The reader tells what happened.
    if (this.#session.failure !== null) throw new Deno.errors.ConnectionAborted("TLS has failed");
    const slice = bytes.length > SLICE_BYTES ? bytes.subarray(0, SLICE_BYTES) : bytes;
    if (slice.length === 0) return 0;
    this.#session.encrypt(slice);
    await this.#send();
    if (this.#sendError !== null) throw this.#sendError;
    return slice.length;
  }

  async closeWrite(): Promise<void> {
    this.#session.shutdown();
    await this.#send();
    if (this.#sendError !== null) throw this.#sendError;
    await this.#raw.closeWrite();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // The goodbye goes if it can at once; behind a write that is stuck it would have to wait.
    if (this.#sending === null && !this.#session.isFreed) {
      this.#session.shutdown();
      void this.#send();
    }
    this.#session.free();
    closeStream(this.#raw);
  }

  /** Waits until all that is to be sent is written, or cannot be. */
  #send(): Promise<void> {
    if (this.#sending !== null) return this.#sending;
    if (this.#unsent.length === 0) return Promise.resolve();
    return this.#sending = this.#writeUnsent();
  }

  async #writeUnsent(): Promise<void> {
    try {
      for (let next = this.#unsent[0]; next !== undefined; next = this.#unsent[0]) {
        const part = next.buffer.subarray(0, next.length);
        let written = await this.#raw.write(part);
        while (written < part.length) written += await this.#raw.write(part.subarray(written));
        this.#forgetFirst();
      }
    } catch (error) {
      this.#sendError = error;
      while (this.#unsent.length > 0) this.#forgetFirst();
    } finally {
      this.#sending = null;
    }
  }

  #forgetFirst() {
    const { buffer, length } = this.#unsent.shift()!;
    this.#unsentBytes -= length;
    returnCiphertextBuffer(buffer);
  }

  /**
   * Sends the alert and waits for the peer to close: closing with bytes unread would reset the
   * connection, and the peer would not read why it is refused.
   */
  async #linger(buffer: Uint8Array): Promise<void> {
    const timer = setTimeout(() => this.close(), LINGER_MS);
    try {
      await this.#send();
      if (this.#sendError !== null || this.#isClosed) return;
      await this.#raw.closeWrite();
      while (await this.#raw.read(buffer) !== null);
    } catch (error) {
      // Gone before: then there is nobody to wait for.
      if (!isNetworkError(error)) throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #failed(error: TlsError): TransportError {
    const tell = this.onFailure;
    this.onFailure = null;
    tell?.(error);
    return new TransportError(error.message);
  }
}

function endedEarly(): TlsError {
  return new TlsError("The connection ended during the TLS handshake.");
}
