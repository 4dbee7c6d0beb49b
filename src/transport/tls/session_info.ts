import { bytesAt, openssl, textAt } from "./openssl.ts";
import { peerCertificate } from "./peer_certificate.ts";
import type { TlsInfo } from "./tls_options.ts";

/** What a handshake has found out; `askedIdentity` is the last whose pre-shared key was asked for. */
export function sessionInfo(ssl: Deno.PointerValue, askedIdentity: string | null): TlsInfo {
  const { ssl: functions } = openssl();
  const protocol = textAt(functions.SSL_get_version(ssl))!;
  return {
    protocol,
    cipher: textAt(functions.SSL_CIPHER_get_name(functions.SSL_get_current_cipher(ssl)))!,
    serverName: peersTextAt(functions.SSL_get_servername(ssl, 0)),
    alpn: alpnOf(ssl),
    pskIdentity: pskIdentityOf(ssl, protocol, askedIdentity),
    certificate: peerCertificate(ssl),
  };
}

/** What the peer may have filled with anything; null too if it is no text. */
function peersTextAt(pointer: Deno.PointerValue): string | null {
  try {
    return textAt(pointer);
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

function alpnOf(ssl: Deno.PointerValue): string | null {
  const address = new BigUint64Array(1), length = new Uint32Array(1);
  openssl().ssl.SSL_get0_alpn_selected(
    ssl,
    new Uint8Array(address.buffer),
    new Uint8Array(length.buffer),
  );
  const pointer = Deno.UnsafePointer.create(address[0]);
  return length[0] === 0 ? null : new TextDecoder().decode(bytesAt(pointer, length[0]));
}

/**
 * TLS 1.3 keeps no identity: it is the last that was asked for, if a key was used at all and not a
 * certificate in its place. OpenSSL calls that a session that was resumed.
 */
function pskIdentityOf(
  ssl: Deno.PointerValue,
  protocol: string,
  askedIdentity: string | null,
): string | null {
  const { ssl: functions } = openssl();
  if (protocol !== "TLSv1.3") return textAt(functions.SSL_get_psk_identity(ssl));
  return functions.SSL_session_reused(ssl) === 1 ? askedIdentity : null;
}
