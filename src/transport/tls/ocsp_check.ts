import { Control, openssl, takeErrors } from "./openssl.ts";

const RESPONSE_SUCCESSFUL = 0;
const STATUS_NAMES = ["good", "revoked", "unknown"];
/** How far clocks may be apart. */
const TOLERANCE_SECONDS = 300n;
const NO_MAXIMUM_AGE = -1n;

/** Frees what was taken, in the end. */
class Owned {
  readonly #frees: (() => void)[] = [];

  /** @throws when there is nothing. */
  keep(
    pointer: Deno.PointerValue,
    free: (pointer: Deno.PointerValue) => void,
    problem: string,
  ): Deno.PointerValue {
    if (pointer === null) throw new OcspProblem(problem);
    this.#frees.push(() => free(pointer));
    return pointer;
  }

  free(): void {
    for (const free of this.#frees.reverse()) free();
  }
}

/** Says why a server's certificate is not to be used. */
class OcspProblem extends Error {}

/** Asks for an answer of the issuer with the handshake. */
export function askForOcsp(ssl: Deno.PointerValue): void {
  openssl().ssl.SSL_ctrl(ssl, Control.OcspType, 1n, null);
}

/**
 * Checks, after the handshake, the answer that the server stapled to its certificate: signed by the
 * issuer or for it, on this certificate, good and not too old. Returns what is wrong, or null.
 */
export function ocspProblem(ssl: Deno.PointerValue, store: Deno.PointerValue): string | null {
  const owned = new Owned();
  try {
    check(ssl, store, owned);
    return null;
  } catch (error) {
    if (error instanceof OcspProblem) return error.message;
    throw error;
  } finally {
    owned.free();
    takeErrors();
  }
}

function check(ssl: Deno.PointerValue, store: Deno.PointerValue, owned: Owned): void {
  const { ssl: functions, crypto } = openssl();
  const response = owned.keep(
    stapledResponse(ssl, owned),
    crypto.OCSP_RESPONSE_free,
    "no OCSP answer was stapled",
  );
  if (crypto.OCSP_response_status(response) !== RESPONSE_SUCCESSFUL) {
    throw new OcspProblem("the OCSP responder could not answer");
  }
  const basic = owned.keep(
    crypto.OCSP_response_get1_basic(response),
    crypto.OCSP_BASICRESP_free,
    "the OCSP answer is of no known kind",
  );
  const shown = functions.SSL_get_peer_cert_chain(ssl);
  if (crypto.OCSP_basic_verify(basic, shown, store, 0n) <= 0) {
    throw new OcspProblem("the OCSP answer is not signed by whom it should be");
  }
  const chain = functions.SSL_get0_verified_chain(ssl);
  const certificate = crypto.OPENSSL_sk_value(chain, 0);
  const issuer = crypto.OPENSSL_sk_value(chain, crypto.OPENSSL_sk_num(chain) > 1 ? 1 : 0);
  const status = new Int32Array(1), thisUpdate = new BigUint64Array(1);
  const nextUpdate = new BigUint64Array(1);
  // Issuers name certificates by one hash or the other.
  const isFound = [crypto.EVP_sha1(), crypto.EVP_sha256()].some((hash) => {
    const id = crypto.OCSP_cert_to_id(hash, certificate, issuer);
    const found = crypto.OCSP_resp_find_status(
      basic,
      id,
      bytesOf(status),
      null,
      null,
      bytesOf(thisUpdate),
      bytesOf(nextUpdate),
    );
    crypto.OCSP_CERTID_free(id);
    return found === 1;
  });
  if (!isFound) throw new OcspProblem("the OCSP answer is on another certificate");
  const [from, until] = [thisUpdate, nextUpdate].map(([at]) => Deno.UnsafePointer.create(at));
  if (crypto.OCSP_check_validity(from, until, TOLERANCE_SECONDS, NO_MAXIMUM_AGE) !== 1) {
    throw new OcspProblem("the OCSP answer is not of this time");
  }
  if (status[0] !== 0) {
    throw new OcspProblem(`the OCSP answer is "${STATUS_NAMES[status[0]] ?? "unknown"}"`);
  }
}

/** Read from a BIO, so that lengths need not be believed. */
function stapledResponse(ssl: Deno.PointerValue, owned: Owned): Deno.PointerValue {
  const { ssl: functions, crypto } = openssl();
  const at = new BigUint64Array(1);
  const length = Number(functions.SSL_ctrl(ssl, Control.OcspAnswer, 0n, bytesOf(at)));
  const pointer = Deno.UnsafePointer.create(at[0]);
  if (pointer === null || length <= 0) return null;
  const bytes = new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, length)).slice();
  const bio = owned.keep(crypto.BIO_new(crypto.BIO_s_mem()), crypto.BIO_free, "no memory");
  crypto.BIO_write(bio, bytes, bytes.length);
  return crypto.ASN1_item_d2i_bio(crypto.OCSP_RESPONSE_it(), bio, null);
}

function bytesOf(array: Int32Array<ArrayBuffer> | BigUint64Array<ArrayBuffer>) {
  return new Uint8Array(array.buffer);
}
