import { errorText } from "../../error_text.ts";
import { cString } from "../../system/libc.ts";
import {
  Control,
  FILETYPE_PEM,
  MODE_MOVING_BUFFER_AND_RELEASE,
  openssl,
  takeErrors,
  TlsOption,
} from "./openssl.ts";
import { opensslCallbacks } from "./openssl_callbacks.ts";
import { TlsError } from "./tls_error.ts";
import type { TlsOptions, TlsVersion } from "./tls_options.ts";

const VERSIONS: Record<TlsVersion, bigint> = {
  "tlsv1.1": 0x302n,
  "tlsv1.2": 0x303n,
  "tlsv1.3": 0x304n,
};

/**
 * Given to OpenSSL as the passphrase of keys, since it would ask on the terminal otherwise. It keeps
 * the address, so the byte lies outside the heap, where it is not moved.
 */
const NO_PASSPHRASE = new Uint8Array(new ArrayBuffer(1));

/** @throws {TlsError} with what OpenSSL has to say. */
export function must(isDone: boolean, message: string): void {
  if (!isDone) throw new TlsError(message, takeErrors());
}

/**
 * A context that `configure` has set up. What it throws frees the context.
 *
 * @throws {TlsError} with what OpenSSL has to say.
 */
export function makeContext(
  method: Deno.PointerValue,
  configure: (context: Deno.PointerObject) => void,
): Deno.PointerObject {
  const { ssl } = openssl();
  takeErrors();
  const context = ssl.SSL_CTX_new(method);
  if (context === null) throw new TlsError("Unable to create TLS context.", takeErrors());
  try {
    configure(context);
  } catch (error) {
    ssl.SSL_CTX_free(context);
    throw error;
  }
  return context;
}

/** What holds for both sides: versions, modes, the key log. */
export function setBasics(context: Deno.PointerValue, options: TlsOptions): void {
  const { ssl } = openssl();
  const { minimumVersion = "tlsv1.2", maximumVersion } = options;
  ssl.SSL_CTX_set_options(context, TlsOption.NoCompression | TlsOption.NoRenegotiation);
  ssl.SSL_CTX_ctrl(context, Control.Mode, MODE_MOVING_BUFFER_AND_RELEASE, null);
  const setVersion = (control: number, version: TlsVersion) =>
    must(
      ssl.SSL_CTX_ctrl(context, control, VERSIONS[version], null) === 1n,
      `Unsupported tls_version "${version}".`,
    );
  setVersion(Control.MinimumVersion, minimumVersion);
  if (maximumVersion !== undefined) setVersion(Control.MaximumVersion, maximumVersion);
  ssl.SSL_CTX_set_default_passwd_cb_userdata(context, NO_PASSPHRASE);
  if (options.keylog) ssl.SSL_CTX_set_keylog_callback(context, opensslCallbacks().keylog);
}

/** @throws {TlsError} for a list in which nothing is left. */
export function setCiphers(
  context: Deno.PointerValue,
  list: string | undefined,
  tls13: string | undefined,
): void {
  const { ssl } = openssl();
  if (list !== undefined) {
    must(
      ssl.SSL_CTX_set_cipher_list(context, cString(list)) === 1,
      `Unable to set TLS ciphers. Check cipher list "${list}".`,
    );
  }
  if (tls13 !== undefined) {
    must(
      ssl.SSL_CTX_set_ciphersuites(context, cString(tls13)) === 1,
      `Unable to set TLS 1.3 ciphersuites. Check cipher_tls13 list "${tls13}".`,
    );
  }
}

/**
 * Loads certificate, chain and key.
 *
 * @throws {TlsError} for files that cannot be read, do not belong together or ask for a passphrase.
 */
export function useCertificate(
  context: Deno.PointerValue,
  side: "server" | "client",
  { certfile, keyfile }: TlsOptions,
): void {
  const { ssl } = openssl();
  if (certfile !== undefined) {
    must(
      ssl.SSL_CTX_use_certificate_chain_file(context, cString(certfile)) === 1,
      `Unable to load ${side} certificate "${certfile}". Check certfile.`,
    );
  }
  if (keyfile === undefined) return;
  refuseEncryptedKey(side, keyfile);
  must(
    ssl.SSL_CTX_use_PrivateKey_file(context, cString(keyfile), FILETYPE_PEM) === 1,
    `Unable to load ${side} key file "${keyfile}". Check keyfile.`,
  );
  must(
    ssl.SSL_CTX_check_private_key(context) === 1,
    `${side === "server" ? "Server" : "Client"} certificate/key are inconsistent.`,
  );
}

/** A broker starts unattended: there is nobody to ask for a passphrase. */
export function refuseEncryptedKey(side: "server" | "client", keyfile: string): void {
  let text: string;
  try {
    text = Deno.readTextFileSync(keyfile);
  } catch (error) {
    // OpenSSL says why, in the words that are expected.
    if (error instanceof Error) return;
    throw error;
  }
  if (!/^(-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED)\s*$/m.test(text)) return;
  throw new TlsError(
    `Unable to load ${side} key file "${keyfile}". Check keyfile.`,
    [],
    null,
    `The key is encrypted: decrypt it by "openssl pkey -in ${keyfile} -out FILE".`,
  );
}

/**
 * Loads the authorities that are trusted.
 *
 * @throws {TlsError} for a file without certificates, or a directory that is none.
 */
export function trustAuthorities(
  context: Deno.PointerValue,
  { cafile, capath }: TlsOptions,
): void {
  const { ssl } = openssl();
  if (cafile !== undefined) {
    must(
      ssl.SSL_CTX_load_verify_file(context, cString(cafile)) === 1,
      `Unable to load CA certificates. Check cafile "${cafile}".`,
    );
  }
  if (capath !== undefined) {
    // OpenSSL looks into the directory only when a certificate is to be checked.
    const problem = problemOfDirectory(capath);
    if (problem !== null) {
      throw new TlsError(
        `Unable to load CA certificates. Check capath "${capath}".`,
        [],
        null,
        problem,
      );
    }
    must(
      ssl.SSL_CTX_load_verify_dir(context, cString(capath)) === 1,
      `Unable to load CA certificates. Check capath "${capath}".`,
    );
  }
}

function problemOfDirectory(path: string): string | null {
  try {
    for (const _entry of Deno.readDirSync(path)) break;
    return null;
  } catch (error) {
    return errorText(error);
  }
}
