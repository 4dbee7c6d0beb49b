import type { Configuration } from "../config/configuration.ts";
import type { LogType } from "../log.ts";
import type { Secure } from "../transport/handshake.ts";
import type { TlsContextHolder } from "../transport/tls/tls_context_holder.ts";
import type { PskLookup, TlsServerOptions } from "../transport/tls/tls_options.ts";

type ListenerValues = Configuration["listeners"][number];

/** What a listener's TLS needs beside its options. */
export interface ListenerTlsServices {
  readonly psk: PskLookup;
  /** Takes lines of the key log; null: none is kept. */
  readonly keylog: ((line: string) => void) | null;
  readonly timeoutMs: number;
  /** Files are looked at, and read anew when they have changed. */
  readonly reloadOnChange: boolean;
  log(type: LogType, text: string): void;
}

/** The certificates, keys and lists of one listener, as they were read. */
export class ListenerTls {
  readonly secure: Secure;
  readonly #holder: TlsContextHolder;
  readonly #begin: () => { close(): void } | null;
  #watch: { close(): void } | null = null;

  private constructor(
    secure: Secure,
    holder: TlsContextHolder,
    begin: () => { close(): void } | null,
  ) {
    this.secure = secure;
    this.#holder = holder;
    this.#begin = begin;
  }

  /**
   * Reads what the listener's options name. Null: it speaks no TLS.
   *
   * @throws {TlsError} naming what is wrong
   */
  static async open(
    listener: ListenerValues,
    services: ListenerTlsServices,
  ): Promise<ListenerTls | null> {
    const hasCertificate = listener.certfile !== "" && listener.keyfile !== "";
    if (!hasCertificate && listener.pskHint === "") return null;
    // Read only where it is wanted: without TLS the broker is there sooner, and needs no library.
    const [{ tlsEngine }, { tlsSecure }, tlsReload] = await Promise.all([
      import("../transport/tls/openssl_engine.ts"),
      import("../transport/tls/tls_secure.ts"),
      import("../transport/tls/tls_reload.ts"),
    ]);
    const { log, timeoutMs, reloadOnChange } = services;
    const { engine, warning } = tlsEngine();
    const holder = tlsReload.holdServerContext(engine, serverOptions(listener, services));
    const secure = tlsSecure({ context: () => holder.current, timeoutMs, log });
    return new ListenerTls(secure, holder, () => {
      for (const line of [warning, ...holder.current.warnings]) {
        if (line !== null) log("warning", `Warning: ${line}`);
      }
      tlsReload.logExpiry(holder, Date.now(), log);
      return reloadOnChange ? tlsReload.reloadOnChange(holder, log) : null;
    });
  }

  /** When the server's certificate expires, in Unix milliseconds; null: it has none. */
  get expiresAtMs(): number | null {
    return this.#holder.expiresAtMs;
  }

  /** It is in force: says what there is to say, and watches its files where that is wanted. */
  begin(): void {
    this.#watch = this.#begin();
  }

  /** No further connection is made with it; those that are there live on. */
  free(): void {
    this.#watch?.close();
    this.#holder.free();
  }
}

function serverOptions(
  listener: ListenerValues,
  { psk, keylog }: ListenerTlsServices,
): TlsServerOptions {
  const given = (text: string) => text === "" ? undefined : text;
  return {
    certfile: given(listener.certfile),
    keyfile: given(listener.keyfile),
    cafile: given(listener.cafile),
    capath: given(listener.capath),
    crlfile: given(listener.crlfile),
    requireCertificate: listener.requireCertificate,
    disableClientCertDateChecks: listener.disableClientCertDateChecks,
    minimumVersion: listener.tlsVersion,
    ciphers: given(listener.ciphers),
    ciphersTls13: given(listener.ciphersTls13),
    ...listener.pskHint !== "" && { psk, pskHint: listener.pskHint },
    ...keylog !== null && { keylog },
  };
}
