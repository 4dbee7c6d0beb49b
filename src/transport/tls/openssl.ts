/**
 * The only module that knows how OpenSSL is called: names, signatures, constants. A wrong signature
 * here crashes the process, so everything that calls it is fuzzed.
 *
 * What is called for each chunk uses pointers, buffers and 32-bit numbers only: those calls are
 * compiled to direct ones. Nothing here is variadic, and no structure is read by its layout.
 * @module
 */
import { errorText } from "../../error_text.ts";
import { TlsError } from "./tls_error.ts";

const I32 = "i32", I64 = "i64", U32 = "u32", U64 = "u64", SIZE = "usize";
const POINTER = "pointer", BUFFER = "buffer", FUNCTION = "function", VOID = "void";

const SSL = {
  TLS_server_method: { parameters: [], result: POINTER },
  TLS_client_method: { parameters: [], result: POINTER },
  SSL_CTX_new: { parameters: [POINTER], result: POINTER },
  SSL_CTX_free: { parameters: [POINTER], result: VOID },
  SSL_CTX_ctrl: { parameters: [POINTER, I32, I64, POINTER], result: I64 },
  SSL_CTX_set_options: { parameters: [POINTER, U64], result: U64 },
  SSL_CTX_get_security_level: { parameters: [POINTER], result: I32 },
  SSL_CTX_set_cipher_list: { parameters: [POINTER, BUFFER], result: I32 },
  SSL_CTX_set_ciphersuites: { parameters: [POINTER, BUFFER], result: I32 },
  SSL_CTX_set_default_passwd_cb_userdata: { parameters: [POINTER, BUFFER], result: VOID },
  SSL_CTX_use_certificate_chain_file: { parameters: [POINTER, BUFFER], result: I32 },
  SSL_CTX_use_PrivateKey_file: { parameters: [POINTER, BUFFER, I32], result: I32 },
  SSL_CTX_check_private_key: { parameters: [POINTER], result: I32 },
  SSL_CTX_load_verify_file: { parameters: [POINTER, BUFFER], result: I32 },
  SSL_CTX_load_verify_dir: { parameters: [POINTER, BUFFER], result: I32 },
  SSL_CTX_set_default_verify_paths: { parameters: [POINTER], result: I32 },
  SSL_load_client_CA_file: { parameters: [BUFFER], result: POINTER },
  SSL_CTX_set_client_CA_list: { parameters: [POINTER, POINTER], result: VOID },
  SSL_add_dir_cert_subjects_to_stack: { parameters: [POINTER, BUFFER], result: I32 },
  SSL_CTX_set_verify: { parameters: [POINTER, I32, FUNCTION], result: VOID },
  SSL_CTX_get_cert_store: { parameters: [POINTER], result: POINTER },
  SSL_CTX_set_session_id_context: { parameters: [POINTER, BUFFER, U32], result: I32 },
  SSL_CTX_use_psk_identity_hint: { parameters: [POINTER, BUFFER], result: I32 },
  SSL_CTX_set_psk_server_callback: { parameters: [POINTER, FUNCTION], result: VOID },
  SSL_CTX_set_psk_client_callback: { parameters: [POINTER, FUNCTION], result: VOID },
  SSL_CTX_set_keylog_callback: { parameters: [POINTER, FUNCTION], result: VOID },
  SSL_CTX_set_alpn_protos: { parameters: [POINTER, BUFFER, U32], result: I32 },
  SSL_CTX_set_alpn_select_cb: { parameters: [POINTER, FUNCTION, POINTER], result: VOID },
  SSL_CTX_set0_tmp_dh_pkey: { parameters: [POINTER, POINTER], result: I32 },
  SSL_CTX_set_num_tickets: { parameters: [POINTER, SIZE], result: I32 },
  SSL_new: { parameters: [POINTER], result: POINTER },
  SSL_free: { parameters: [POINTER], result: VOID },
  SSL_set_bio: { parameters: [POINTER, POINTER, POINTER], result: VOID },
  SSL_set_accept_state: { parameters: [POINTER], result: VOID },
  SSL_set_connect_state: { parameters: [POINTER], result: VOID },
  SSL_ctrl: { parameters: [POINTER, I32, I64, BUFFER], result: I64 },
  SSL_get_SSL_CTX: { parameters: [POINTER], result: POINTER },
  SSL_get0_param: { parameters: [POINTER], result: POINTER },
  SSL_do_handshake: { parameters: [POINTER], result: I32 },
  SSL_read: { parameters: [POINTER, BUFFER, I32], result: I32 },
  SSL_write: { parameters: [POINTER, BUFFER, I32], result: I32 },
  SSL_pending: { parameters: [POINTER], result: I32 },
  SSL_get_error: { parameters: [POINTER, I32], result: I32 },
  SSL_shutdown: { parameters: [POINTER], result: I32 },
  SSL_get_version: { parameters: [POINTER], result: POINTER },
  SSL_get_current_cipher: { parameters: [POINTER], result: POINTER },
  SSL_CIPHER_get_name: { parameters: [POINTER], result: POINTER },
  SSL_get_verify_result: { parameters: [POINTER], result: I64 },
  SSL_get1_peer_certificate: { parameters: [POINTER], result: POINTER },
  SSL_get_peer_cert_chain: { parameters: [POINTER], result: POINTER },
  SSL_get0_verified_chain: { parameters: [POINTER], result: POINTER },
  SSL_get_psk_identity: { parameters: [POINTER], result: POINTER },
  SSL_session_reused: { parameters: [POINTER], result: I32 },
  SSL_get_servername: { parameters: [POINTER, I32], result: POINTER },
  SSL_get0_alpn_selected: { parameters: [POINTER, BUFFER, BUFFER], result: VOID },
} as const;

const CRYPTO = {
  OpenSSL_version: { parameters: [I32], result: POINTER },
  BIO_new: { parameters: [POINTER], result: POINTER },
  BIO_new_file: { parameters: [BUFFER, BUFFER], result: POINTER },
  BIO_s_mem: { parameters: [], result: POINTER },
  BIO_free: { parameters: [POINTER], result: I32 },
  BIO_up_ref: { parameters: [POINTER], result: I32 },
  BIO_write: { parameters: [POINTER, BUFFER, I32], result: I32 },
  BIO_read: { parameters: [POINTER, BUFFER, I32], result: I32 },
  // Returns a size_t of which the lower half is enough, and saves a bigint.
  BIO_ctrl_pending: { parameters: [POINTER], result: U32 },
  BIO_ctrl: { parameters: [POINTER, I32, I64, POINTER], result: I64 },
  ERR_get_error: { parameters: [], result: U64 },
  ERR_error_string_n: { parameters: [U64, BUFFER, SIZE], result: VOID },
  ERR_clear_error: { parameters: [], result: VOID },
  OPENSSL_sk_new_null: { parameters: [], result: POINTER },
  OPENSSL_sk_num: { parameters: [POINTER], result: I32 },
  OPENSSL_sk_value: { parameters: [POINTER, I32], result: POINTER },
  PEM_read_bio_Parameters: { parameters: [POINTER, POINTER], result: POINTER },
  EVP_PKEY_free: { parameters: [POINTER], result: VOID },
  X509_free: { parameters: [POINTER], result: VOID },
  i2d_X509_bio: { parameters: [POINTER, POINTER], result: I32 },
  X509_get_subject_name: { parameters: [POINTER], result: POINTER },
  X509_NAME_print_ex: { parameters: [POINTER, POINTER, I32, U64], result: I32 },
  X509_NAME_get_index_by_NID: { parameters: [POINTER, I32, I32], result: I32 },
  X509_NAME_get_entry: { parameters: [POINTER, I32], result: POINTER },
  X509_NAME_ENTRY_get_data: { parameters: [POINTER], result: POINTER },
  ASN1_STRING_get0_data: { parameters: [POINTER], result: POINTER },
  ASN1_STRING_length: { parameters: [POINTER], result: I32 },
  X509_STORE_add_lookup: { parameters: [POINTER, POINTER], result: POINTER },
  X509_LOOKUP_file: { parameters: [], result: POINTER },
  X509_load_crl_file: { parameters: [POINTER, BUFFER, I32], result: I32 },
  X509_STORE_set_flags: { parameters: [POINTER, U64], result: I32 },
  X509_STORE_CTX_get_error: { parameters: [POINTER], result: I32 },
  X509_STORE_CTX_get_error_depth: { parameters: [POINTER], result: I32 },
  X509_STORE_CTX_set_error: { parameters: [POINTER, I32], result: VOID },
  X509_verify_cert_error_string: { parameters: [I64], result: POINTER },
  X509_VERIFY_PARAM_set1_host: { parameters: [POINTER, BUFFER, SIZE], result: I32 },
  X509_VERIFY_PARAM_set1_ip_asc: { parameters: [POINTER, BUFFER], result: I32 },
  X509_VERIFY_PARAM_set_hostflags: { parameters: [POINTER, U32], result: VOID },
  ASN1_item_d2i_bio: { parameters: [POINTER, POINTER, POINTER], result: POINTER },
  EVP_sha1: { parameters: [], result: POINTER },
  EVP_sha256: { parameters: [], result: POINTER },
  OCSP_RESPONSE_it: { parameters: [], result: POINTER },
  OCSP_RESPONSE_free: { parameters: [POINTER], result: VOID },
  OCSP_BASICRESP_free: { parameters: [POINTER], result: VOID },
  OCSP_CERTID_free: { parameters: [POINTER], result: VOID },
  OCSP_response_status: { parameters: [POINTER], result: I32 },
  OCSP_response_get1_basic: { parameters: [POINTER], result: POINTER },
  OCSP_basic_verify: { parameters: [POINTER, POINTER, POINTER, U64], result: I32 },
  OCSP_cert_to_id: { parameters: [POINTER, POINTER, POINTER], result: POINTER },
  OCSP_resp_find_status: {
    parameters: [POINTER, POINTER, BUFFER, BUFFER, BUFFER, BUFFER, BUFFER],
    result: I32,
  },
  OCSP_check_validity: { parameters: [POINTER, POINTER, I64, I64], result: I32 },
} as const;

/** Both libraries, loaded. */
export interface Openssl {
  readonly ssl: Deno.StaticForeignLibraryInterface<typeof SSL>;
  readonly crypto: Deno.StaticForeignLibraryInterface<typeof CRYPTO>;
  /** Such as `OpenSSL 3.0.19 27 Jan 2026`. */
  readonly version: string;
}

let loaded: Openssl | null = null;

/**
 * OpenSSL 3 or 4 of this machine, loaded at the first call and kept until the process ends.
 *
 * @throws {TlsError} when there is none.
 */
export function openssl(): Openssl {
  if (loaded !== null) return loaded;
  const problems: string[] = [];
  for (const [ssl, crypto] of libraryNames()) {
    try {
      loaded = load(ssl, crypto);
      return loaded;
    } catch (error) {
      problems.push(`${ssl}: ${errorText(error)}`);
    }
  }
  throw new TlsError(`TLS needs OpenSSL 3 or newer (libssl), which was not found.`, problems);
}

function load(sslName: string, cryptoName: string): Openssl {
  const crypto = Deno.dlopen(cryptoName, CRYPTO);
  try {
    const ssl = Deno.dlopen(sslName, SSL);
    const version = textAt(crypto.symbols.OpenSSL_version(0)) ?? "OpenSSL";
    return { ssl: ssl.symbols, crypto: crypto.symbols, version };
  } catch (error) {
    crypto.close();
    throw error;
  }
}

/** Pairs of the same version: the two belong together. */
function libraryNames(): [string, string][] {
  if (Deno.build.os === "darwin") {
    const folders = ["/opt/homebrew/opt", "/usr/local/opt"].flatMap((root) =>
      ["openssl@3", "openssl@4"].map((name) => `${root}/${name}/lib`)
    );
    return folders.map((folder) => [`${folder}/libssl.dylib`, `${folder}/libcrypto.dylib`]);
  }
  return [["libssl.so.3", "libcrypto.so.3"], ["libssl.so.4", "libcrypto.so.4"]];
}

/** Commands of `SSL_CTX_ctrl` and `SSL_ctrl`, which C programs reach by macros. */
export const Control = {
  Mode: 33,
  SessionCacheMode: 44,
  SetServerName: 55,
  OcspType: 65,
  OcspAnswer: 70,
  AutomaticDh: 118,
  MinimumVersion: 123,
  MaximumVersion: 124,
} as const;

export const TlsOption = {
  NoTicket: 1n << 14n,
  NoCompression: 1n << 17n,
  CipherServerPreference: 1n << 22n,
  NoRenegotiation: 1n << 30n,
} as const;

/** A write may be repeated from another buffer; idle connections hold no buffers. */
export const MODE_MOVING_BUFFER_AND_RELEASE = 0x2n | 0x10n;
export const FILETYPE_PEM = 1;
export const VERIFY_PEER = 1;
export const VERIFY_PEER_AND_FAIL_WITHOUT = 3;
/** Answers of `SSL_get_error`. */
export const WANT_READ = 2;
export const ZERO_RETURN = 6;
export const BIO_RESET = 1;
/** Looks for the leaf certificate in the revocation lists. */
export const CRL_CHECK = 4n;
/** `X509_V_ERR_CERT_NOT_YET_VALID` and `X509_V_ERR_CERT_HAS_EXPIRED`. */
export const DATE_ERRORS: readonly number[] = [9, 10];
export const NID_COMMON_NAME = 13;
export const RFC_2253 = 0x1110317n;
export const NO_PARTIAL_WILDCARDS = 4;

const REPLACEMENT = "\ufffd";

/** @throws {TypeError} when it is not UTF-8. */
export function textAt(pointer: Deno.PointerValue): string | null {
  if (pointer === null) return null;
  const text = Deno.UnsafePointerView.getCString(pointer);
  if (!text.includes(REPLACEMENT)) return text;
  // It was read with replacements, unless this character stood there: two names must not become one.
  const view = new Deno.UnsafePointerView(pointer);
  const bytes: number[] = [];
  for (let byte; (byte = view.getUint8(bytes.length)) !== 0;) bytes.push(byte);
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
}

/** A copy. */
export function bytesAt(pointer: Deno.PointerValue, length: number): Uint8Array<ArrayBuffer> {
  if (pointer === null || length === 0) return new Uint8Array(0);
  return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, length)).slice();
}

export function writeAt(pointer: Deno.PointerValue, bytes: Uint8Array): void {
  new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer!, bytes.length)).set(bytes);
}

/** More than one operation ever leaves behind. */
const ERRORS_MAXIMUM = 8;
const lineBuffer = new Uint8Array(256);

/**
 * Empties the error queue and returns its texts. The queue is the thread's and shared by all
 * connections; whoever saw a failure empties it, so that the next call starts without.
 */
export function takeErrors(): string[] {
  const { crypto } = openssl();
  const texts: string[] = [];
  for (let code; texts.length < ERRORS_MAXIMUM && (code = crypto.ERR_get_error()) !== 0n;) {
    crypto.ERR_error_string_n(code, lineBuffer, BigInt(lineBuffer.length));
    texts.push(new TextDecoder().decode(lineBuffer.subarray(0, lineBuffer.indexOf(0))));
  }
  crypto.ERR_clear_error();
  return texts;
}
