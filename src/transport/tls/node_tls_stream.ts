import type { Buffer } from "node:buffer";
import type { TLSSocket } from "node:tls";
import { isNetworkError, TransportError } from "../stream_link.ts";
import type { SecureStream } from "./tls_engine.ts";
import { TlsError } from "./tls_error.ts";
import type { TlsInfo } from "./tls_options.ts";

/** A connection encrypted by the runtime's own TLS. */
export class NodeTlsStream implements SecureStream {
  onFailure: ((error: TlsError) => void) | null = null;
  readonly #socket: TLSSocket;
  readonly #secureEvent: string;
  /** What did not fit into the last reader's buffer. */
  #rest: Uint8Array | null = null;
  #hasEnded = false;
  #error: Error | null = null;
  #wake: (() => void) | null = null;

  /** `secureEvent` is told by the socket when the handshake is done and the peer is trusted. */
  constructor(socket: TLSSocket, secureEvent: "secure" | "secureConnect") {
    this.#socket = socket;
    this.#secureEvent = secureEvent;
    const wake = () => {
      this.#wake?.();
      this.#wake = null;
    };
    socket.on("error", (error: Error) => {
      this.#error ??= error;
      wake();
    });
    socket.on("end", () => {
      this.#hasEnded = true;
      wake();
    });
    socket.on("close", () => {
      this.#hasEnded = true;
      wake();
    });
  }

  get filled(): boolean {
    return this.#rest !== null;
  }

  async handshake(timeoutMs: number): Promise<TlsInfo> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        timer = setTimeout(
          () => reject(new TlsError("The TLS handshake took too long.")),
          timeoutMs,
        );
        this.#wake = () =>
          reject(
            this.#error === null
              ? new TlsError("The connection ended during the TLS handshake.")
              : new TlsError("TLS handshake failed.", [this.#error.message]),
          );
        this.#socket.once(this.#secureEvent, () => {
          this.#wake = null;
          resolve();
        });
      });
      this.#socket.on("readable", () => {
        this.#wake?.();
        this.#wake = null;
      });
      return this.#info();
    } catch (error) {
      this.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    for (;;) {
      const bytes = this.#rest ?? this.#socket.read() as Buffer | null;
      if (bytes !== null) {
        const count = Math.min(bytes.length, buffer.length);
        buffer.set(bytes.subarray(0, count));
        this.#rest = count < bytes.length ? bytes.subarray(count) : null;
        return count;
      }
      if (this.#error !== null) throw this.#failed(this.#error);
      if (this.#hasEnded) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      // Node.js keeps what it is given, and the caller uses its buffer again.
      this.#socket.write(bytes.slice(), (error) => {
        // Whatever ended it is the reader's to tell.
        if (error) reject(new Deno.errors.ConnectionAborted(error.message));
        else resolve(bytes.length);
      });
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(() => resolve()));
  }

  close(): void {
    this.#socket.destroy();
  }

  #info(): TlsInfo {
    const socket = this.#socket;
    const serverName = (socket as { servername?: string | false }).servername;
    return {
      protocol: socket.getProtocol() ?? "TLS",
      cipher: socket.getCipher().name,
      serverName: serverName || null,
      alpn: socket.alpnProtocol || null,
      pskIdentity: null,
      // None is asked of clients, and of servers nobody asks for the name.
      certificate: null,
    };
  }

  #failed(error: Error): Error {
    if (isNetworkError(error)) return error;
    const tell = this.onFailure;
    this.onFailure = null;
    tell?.(new TlsError("TLS connection failed.", [error.message]));
    return new TransportError("TLS connection failed.");
  }
}
