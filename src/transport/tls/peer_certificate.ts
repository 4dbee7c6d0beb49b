import { utf8Text } from "../../wire/utf8.ts";
import { bytesAt, NID_COMMON_NAME, openssl, RFC_2253 } from "./openssl.ts";
import type { PeerCertificate } from "./tls_options.ts";

/** What the verified certificate of the peer says; null: it has shown none. */
export function peerCertificate(ssl: Deno.PointerValue): PeerCertificate | null {
  const { ssl: functions, crypto } = openssl();
  const certificate = functions.SSL_get1_peer_certificate(ssl);
  if (certificate === null) return null;
  try {
    const name = crypto.X509_get_subject_name(certificate);
    const subject = written((bio) => crypto.X509_NAME_print_ex(bio, name, 0, RFC_2253));
    return {
      commonName: commonNameOf(name),
      subject: new TextDecoder().decode(subject),
      der: written((bio) => crypto.i2d_X509_bio(bio, certificate)),
    };
  } finally {
    crypto.X509_free(certificate);
  }
}

/** Whoever has the choice of a name takes none: an issuer may have looked at another than we do. */
function commonNameOf(name: Deno.PointerValue): string | null {
  const { crypto } = openssl();
  const first = crypto.X509_NAME_get_index_by_NID(name, NID_COMMON_NAME, -1);
  if (first < 0 || crypto.X509_NAME_get_index_by_NID(name, NID_COMMON_NAME, first) >= 0) {
    return null;
  }
  const value = crypto.X509_NAME_ENTRY_get_data(crypto.X509_NAME_get_entry(name, first));
  const bytes = bytesAt(crypto.ASN1_STRING_get0_data(value), crypto.ASN1_STRING_length(value));
  if (bytes.length === 0 || bytes.includes(0)) return null;
  return utf8Text(bytes);
}

/** What a function writes into a BIO. */
function written(write: (bio: Deno.PointerValue) => void): Uint8Array {
  const { crypto } = openssl();
  const bio = crypto.BIO_new(crypto.BIO_s_mem());
  try {
    write(bio);
    const bytes = new Uint8Array(crypto.BIO_ctrl_pending(bio));
    crypto.BIO_read(bio, bytes, bytes.length);
    return bytes;
  } finally {
    crypto.BIO_free(bio);
  }
}
