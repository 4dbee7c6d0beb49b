import type { ByteStream } from "../stream_link.ts";
import { openssl } from "./openssl.ts";
import type { Answering } from "./openssl_callbacks.ts";
import type { TlsContext } from "./tls_engine.ts";
import { TlsStream } from "./tls_stream.ts";

/** What the connections of a context need to know of it. */
export interface OpensslContextFacts {
  readonly isServer: boolean;
  /** A client that compares the certificate with the host name. */
  readonly checksHostName: boolean;
  /** A client that demands a stapled answer of the issuer. */
  readonly requiresOcsp: boolean;
  readonly answering: Answering;
  readonly warnings: readonly string[];
}

/** A context of OpenSSL, made by `opensslServerContext` or `opensslClientContext`. */
export class OpensslContext implements TlsContext {
  readonly facts: OpensslContextFacts;
  /** Null: freed. */
  #pointer: Deno.PointerValue;

  /** Owns the pointer from now on. */
  constructor(pointer: Deno.PointerObject, facts: OpensslContextFacts) {
    this.#pointer = pointer;
    this.facts = facts;
  }

  get warnings(): readonly string[] {
    return this.facts.warnings;
  }

  get pointer(): Deno.PointerObject {
    if (this.#pointer === null) throw new Error("this TLS context is freed");
    return this.#pointer;
  }

  secure(raw: ByteStream, hostName?: string): TlsStream {
    return this.facts.isServer
      ? TlsStream.server(this, raw)
      : TlsStream.client(this, raw, hostName ?? "");
  }

  /** Connections hold a reference of their own. */
  free(): void {
    if (this.#pointer !== null) openssl().ssl.SSL_CTX_free(this.#pointer);
    this.#pointer = null;
  }
}
