import type { ByteStream } from "../stream_link.ts";
import type { TlsError } from "./tls_error.ts";
import type { TlsClientOptions, TlsInfo, TlsServerOptions } from "./tls_options.ts";

/** A library that speaks TLS. */
export interface TlsEngine {
  /** Such as `OpenSSL 3.0.19 27 Jan 2026`. */
  readonly name: string;
  /** Names of the options that are set and that it cannot honour; they must not be ignored. */
  unsupported(options: TlsServerOptions | TlsClientOptions): string[];
  /** @throws {TlsError} naming the file or list that is wrong. */
  serverContext(options: TlsServerOptions): TlsContext;
  /** @throws {TlsError} naming the file or list that is wrong. */
  clientContext(options: TlsClientOptions): TlsContext;
}

/** Certificates, keys and lists as they were read; connections are made with it. */
export interface TlsContext {
  /** What works otherwise than it was probably meant. */
  readonly warnings: readonly string[];
  /**
   * Wraps a connection that has just been made. The handshake is yet to come, and `raw` belongs to the
   * stream. A client says which host it means.
   */
  secure(raw: ByteStream, hostName?: string): SecureStream;
  /** No further connection is made with it. Those that are there live on. */
  free(): void;
}

/** A connection over which all is encrypted. */
export interface SecureStream extends ByteStream {
  /** Told, once, why TLS ended the connection after the handshake. */
  onFailure: ((error: TlsError) => void) | null;
  /**
   * Agrees with the peer on keys, within the time. To be awaited before the first read or write, but
   * not by whoever accepts connections.
   *
   * A peer that is refused is told why, by its alert, before this rejects; the stream is closed then.
   *
   * @throws {TlsError} when a side refuses the other, or the time is over.
   */
  handshake(timeoutMs: number): Promise<TlsInfo>;
}
