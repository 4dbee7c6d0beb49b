import { openssl } from "./openssl.ts";
import { opensslClientContext } from "./openssl_client_context.ts";
import { opensslServerContext } from "./openssl_server_context.ts";
import { nodeTlsEngine } from "./node_tls_engine.ts";
import type { TlsEngine } from "./tls_engine.ts";
import { TlsError } from "./tls_error.ts";

/**
 * The OpenSSL of this machine, which does all that is asked of it.
 *
 * @throws {TlsError} when there is none.
 */
export function opensslEngine(): TlsEngine {
  return {
    name: openssl().version,
    unsupported: () => [],
    serverContext: opensslServerContext,
    clientContext: opensslClientContext,
  };
}

/** An engine, and why it is not OpenSSL if it is not. */
export interface ChosenEngine {
  readonly engine: TlsEngine;
  readonly warning: string | null;
}

/**
 * OpenSSL, or without it the runtime's own TLS. To be called only when a listener or a bridge needs
 * TLS, since it loads the library. Whoever uses the engine asks for `unsupported` options first.
 */
export function tlsEngine(load: () => TlsEngine = opensslEngine): ChosenEngine {
  try {
    return { engine: load(), warning: null };
  } catch (error) {
    if (!(error instanceof TlsError)) throw error;
    const { name } = nodeTlsEngine;
    return {
      engine: nodeTlsEngine,
      warning: `${error.message} ${name} is used, which can do less.`,
    };
  }
}
