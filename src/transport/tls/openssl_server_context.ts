import { cString } from "../../system/libc.ts";
import {
  makeContext,
  must,
  setBasics,
  setCiphers,
  trustAuthorities,
  useCertificate,
} from "./context_settings.ts";
import {
  Control,
  CRL_CHECK,
  FILETYPE_PEM,
  openssl,
  takeErrors,
  TlsOption,
  VERIFY_PEER_AND_FAIL_WITHOUT,
} from "./openssl.ts";
import { opensslCallbacks } from "./openssl_callbacks.ts";
import { OpensslContext } from "./openssl_context.ts";
import { TlsError } from "./tls_error.ts";
import type { TlsServerOptions } from "./tls_options.ts";

/** Mosquitto's default. */
const CIPHERS = "DEFAULT:!aNULL:!eNULL:!LOW:!EXPORT:!SSLv2:@STRENGTH";
/**
 * Behind it for pre-shared keys: plain Diffie-Hellman costs thirty times what elliptic curves cost, so
 * it comes after them. DEFAULT is only understood as the first word of a list.
 */
const PSK_CIPHERS = `${CIPHERS}:+kDHEPSK:+kRSAPSK:+kPSK`;
const SESSION_ID_CONTEXT = new TextEncoder().encode("sabethes");

/**
 * Makes the context of a listener.
 *
 * Sessions are resumed only where nothing of the client is checked: a resumed session would outlive a
 * certificate that has expired and a key that was taken away, and in TLS 1.3 it has no identity.
 *
 * @throws {TlsError} naming the file or list that is wrong.
 */
export function opensslServerContext(options: TlsServerOptions): OpensslContext {
  const { ssl } = openssl();
  if (
    options.psk === undefined && (options.certfile === undefined || options.keyfile === undefined)
  ) {
    throw new TlsError("Both certfile and keyfile must be provided.");
  }
  if (options.psk !== undefined && options.certfile !== undefined) {
    // In TLS 1.3 a client whose key is unknown would be let in by the certificate, without a name.
    throw new TlsError("A listener has either a certificate or pre-shared keys.");
  }
  const context = makeContext(ssl.TLS_server_method(), (context) => {
    setBasics(context, options);
    setKeyExchange(context, options);
    useCertificate(context, "server", options);
    checkClients(context, options);
    usePsk(context, options);
    const resumes = options.psk === undefined && !options.requireCertificate;
    if (!resumes) {
      ssl.SSL_CTX_set_options(context, TlsOption.NoTicket);
      ssl.SSL_CTX_set_num_tickets(context, 0n);
    }
    // Tickets only: sessions that are remembered here would cost memory.
    ssl.SSL_CTX_ctrl(context, Control.SessionCacheMode, 0n, null);
    ssl.SSL_CTX_set_session_id_context(context, SESSION_ID_CONTEXT, SESSION_ID_CONTEXT.length);
    if (options.alpnProtocols?.length) {
      ssl.SSL_CTX_set_alpn_select_cb(context, opensslCallbacks().chooseAlpn, null);
    }
  });
  const warnings: string[] = [];
  if (options.minimumVersion === "tlsv1.1" && ssl.SSL_CTX_get_security_level(context) > 0) {
    warnings.push("TLS 1.1 needs ciphers with @SECLEVEL=0: only TLS 1.2 and newer are offered.");
  }
  return new OpensslContext(context, {
    isServer: true,
    checksHostName: false,
    requiresOcsp: false,
    warnings,
    answering: {
      keyOf: options.psk ?? (() => null),
      ownPsk: undefined,
      alpnProtocols: options.alpnProtocols ?? [],
      logKey: options.keylog ?? (() => {}),
    },
  });
}

function setKeyExchange(context: Deno.PointerValue, options: TlsServerOptions): void {
  const { ssl, crypto } = openssl();
  ssl.SSL_CTX_set_options(context, TlsOption.CipherServerPreference);
  const standard = options.psk === undefined ? CIPHERS : PSK_CIPHERS;
  setCiphers(context, options.ciphers ?? standard, options.ciphersTls13);
  const { dhparamfile } = options;
  if (dhparamfile === undefined) {
    ssl.SSL_CTX_ctrl(context, Control.AutomaticDh, 1n, null);
    return;
  }
  const file = crypto.BIO_new_file(cString(dhparamfile), cString("r"));
  const message = `Unable to load DH parameters from "${dhparamfile}". Check dhparamfile.`;
  must(file !== null, message);
  const parameters = crypto.PEM_read_bio_Parameters(file, null);
  crypto.BIO_free(file);
  must(parameters !== null, message);
  if (ssl.SSL_CTX_set0_tmp_dh_pkey(context, parameters) === 1) return;
  // The context has not taken them over.
  const details = takeErrors();
  crypto.EVP_PKEY_free(parameters);
  throw new TlsError(message, details);
}

function checkClients(context: Deno.PointerValue, options: TlsServerOptions): void {
  const { ssl, crypto } = openssl();
  const { cafile, capath, crlfile, requireCertificate = false } = options;
  if (requireCertificate && cafile === undefined && capath === undefined) {
    throw new TlsError("require_certificate needs one of cafile and capath.");
  }
  trustAuthorities(context, options);
  // Their names are sent to clients, which choose a certificate by them.
  let names = cafile === undefined ? null : ssl.SSL_load_client_CA_file(cString(cafile));
  if (capath !== undefined) {
    names ??= crypto.OPENSSL_sk_new_null();
    ssl.SSL_add_dir_cert_subjects_to_stack(names, cString(capath));
  }
  if (names !== null) ssl.SSL_CTX_set_client_CA_list(context, names);
  if (crlfile !== undefined) {
    const store = ssl.SSL_CTX_get_cert_store(context);
    const lookup = crypto.X509_STORE_add_lookup(store, crypto.X509_LOOKUP_file());
    must(
      crypto.X509_load_crl_file(lookup, cString(crlfile), FILETYPE_PEM) >= 1,
      `Unable to load certificate revocation file "${crlfile}". Check crlfile.`,
    );
    crypto.X509_STORE_set_flags(store, CRL_CHECK);
  }
  takeErrors();
  if (!requireCertificate) return;
  const callback = options.disableClientCertDateChecks ? opensslCallbacks().ignoreLeafDates : null;
  ssl.SSL_CTX_set_verify(context, VERIFY_PEER_AND_FAIL_WITHOUT, callback);
}

function usePsk(context: Deno.PointerValue, { psk, pskHint }: TlsServerOptions): void {
  const { ssl } = openssl();
  if (psk === undefined) return;
  ssl.SSL_CTX_set_psk_server_callback(context, opensslCallbacks().serverPsk);
  if (pskHint === undefined) return;
  must(
    ssl.SSL_CTX_use_psk_identity_hint(context, cString(pskHint)) === 1,
    "Unable to set TLS PSK hint.",
  );
}
