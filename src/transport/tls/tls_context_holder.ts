import { X509Certificate } from "node:crypto";
import type { TlsContext } from "./tls_engine.ts";

const MS_PER_DAY = 86_400_000;

/** What a holder makes its contexts of. */
export interface TlsContextSource {
  /** Reads all files anew. @throws {TlsError} naming what is wrong. */
  make(): TlsContext;
  /** The certificate of which the days are counted; none: a listener with pre-shared keys. */
  readonly certfile?: string;
  /** All files and directories that `make` reads. */
  readonly paths: readonly string[];
}

/** Keeps the context that new connections are made with, and replaces it. */
export class TlsContextHolder {
  readonly #source: TlsContextSource;
  #current: TlsContext;
  #expiresAtMs: number | null;

  /** @throws {TlsError} naming the file or list that is wrong. */
  constructor(source: TlsContextSource) {
    this.#source = source;
    this.#current = source.make();
    this.#expiresAtMs = expiryOf(source.certfile);
  }

  get current(): TlsContext {
    return this.#current;
  }

  get paths(): readonly string[] {
    return this.#source.paths;
  }

  /** When the certificate of this side expires, in Unix milliseconds; null: there is none. */
  get expiresAtMs(): number | null {
    return this.#expiresAtMs;
  }

  /**
   * Reads all files anew, for connections from now on. Those that are there stay as they are.
   *
   * @throws {TlsError} naming what is wrong; all stays as it was then.
   */
  reload(): void {
    const next = this.#source.make();
    this.#expiresAtMs = expiryOf(this.#source.certfile);
    this.#current.free();
    this.#current = next;
  }

  /** Whole days until the certificate expires, negative since it has; null: there is none. */
  daysLeft(nowMs: number): number | null {
    return this.#expiresAtMs === null ? null : Math.floor((this.#expiresAtMs - nowMs) / MS_PER_DAY);
  }

  /** No further connection is made. */
  free(): void {
    this.#current.free();
  }
}

/** Of the first certificate in the file: the rest is its chain. The file was loaded before. */
function expiryOf(certfile: string | undefined): number | null {
  if (certfile === undefined) return null;
  return Date.parse(new X509Certificate(Deno.readTextFileSync(certfile)).validTo);
}
