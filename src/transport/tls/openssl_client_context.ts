import { cString } from "../../system/libc.ts";
import {
  makeContext,
  must,
  setBasics,
  setCiphers,
  trustAuthorities,
  useCertificate,
} from "./context_settings.ts";
import { openssl, VERIFY_PEER } from "./openssl.ts";
import { opensslCallbacks } from "./openssl_callbacks.ts";
import { OpensslContext } from "./openssl_context.ts";
import { TlsError } from "./tls_error.ts";
import type { TlsClientOptions } from "./tls_options.ts";

/** With a pre-shared key no certificate is wanted, not even beside the key. */
const PSK_CIPHERS = "PSK:!kRSAPSK:+kDHEPSK:+kPSK";

/**
 * Makes the context of a bridge. The other side is always checked, by its certificate or by the key
 * that is shared with it.
 *
 * @throws {TlsError} naming the file or list that is wrong.
 */
export function opensslClientContext(options: TlsClientOptions): OpensslContext {
  const { ssl } = openssl();
  const { psk, alpn, cafile, capath, osCerts = false } = options;
  const trusts = cafile !== undefined || capath !== undefined || osCerts;
  if (psk === undefined && !trusts) {
    throw new TlsError(
      "TLS needs one of bridge_cafile, bridge_capath and bridge_tls_use_os_certs.",
    );
  }
  if (psk !== undefined && (trusts || options.certfile !== undefined)) {
    throw new TlsError("A bridge has either a certificate or a pre-shared key.");
  }
  if ((options.certfile === undefined) !== (options.keyfile === undefined)) {
    throw new TlsError("bridge_certfile and bridge_keyfile must both be provided.");
  }
  const context = makeContext(ssl.TLS_client_method(), (context) => {
    setBasics(context, options);
    setCiphers(
      context,
      options.ciphers ?? (psk === undefined ? undefined : PSK_CIPHERS),
      options.ciphersTls13,
    );
    if (osCerts) {
      must(
        ssl.SSL_CTX_set_default_verify_paths(context) === 1,
        "Unable to load the authorities of the system.",
      );
    }
    trustAuthorities(context, options);
    useCertificate(context, "client", options);
    // With a pre-shared key as well: who answers with a certificate instead is refused, since nobody
    // is trusted then.
    ssl.SSL_CTX_set_verify(context, VERIFY_PEER, null);
    if (psk !== undefined) {
      ssl.SSL_CTX_set_psk_client_callback(context, opensslCallbacks().clientPsk);
    }
    if (alpn !== undefined) nameProtocol(context, alpn);
  });
  return new OpensslContext(context, {
    isServer: false,
    checksHostName: psk === undefined && !options.insecure,
    requiresOcsp: options.requireOcsp ?? false,
    warnings: [],
    answering: {
      keyOf: () => null,
      ownPsk: psk,
      alpnProtocols: [],
      logKey: options.keylog ?? (() => {}),
    },
  });
}

function nameProtocol(context: Deno.PointerValue, alpn: string): void {
  const name = cString(alpn).subarray(0, -1);
  const list = Uint8Array.of(name.length, ...name);
  const isDone = name.length > 0 && name.length <= 255 &&
    openssl().ssl.SSL_CTX_set_alpn_protos(context, list, list.length) === 0;
  must(isDone, `Unable to set the ALPN protocol "${alpn}".`);
}
