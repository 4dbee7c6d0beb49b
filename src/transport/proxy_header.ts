import { isIPv4, isIPv6 } from "node:net";
import type { Peer } from "../session/ports.ts";
import { utf8Text } from "../wire/utf8.ts";

/**
 * The header that a proxy puts before a connection's first byte, as haproxy's proxy-protocol.txt has it:
 * a line of text (version 1) or a binary block (version 2).
 */
export interface ProxyHeader {
  /** `address:port` of the client; null: the proxy does not say. */
  readonly address: string | null;
  /** The proxy's own connection, to see whether somebody is here. */
  readonly isLocal: boolean;
  /** What the proxy says of the client's TLS; null: it has none. */
  readonly tls: ProxiedTls | null;
  /** Bytes of the header. */
  readonly length: number;
}

/** TLS between the client and its proxy. */
export interface ProxiedTls {
  /** The client has a certificate that the proxy found good. */
  readonly hasCertificate: boolean;
  readonly info: Peer;
}

/** What is no PROXY header. */
export class CorruptProxyHeader extends Error {
  override readonly name = "CorruptProxyHeader";

  /** @param address of the client, if the header got as far as that */
  constructor(readonly address: string | null = null) {
    super("corrupt PROXY header");
  }
}

/** Bytes of the longest line: "PROXY UNKNOWN", two IPv6 addresses and two ports. */
export const PROXY_V1_MAXIMUM = 107;
/** Mosquitto's limit for what follows the fixed part, which has 16 bytes. */
const BODY_MAXIMUM = 500;
export const PROXY_V2_MAXIMUM = 16 + BODY_MAXIMUM;

const LATIN1 = new TextDecoder("latin1");
const V1_LINE = /^PROXY TCP([46]) ([0-9a-fA-F.:]+) ([0-9a-fA-F.:]+) (\d{1,5}) (\d{1,5})$/;
const V1_UNKNOWN = /^PROXY UNKNOWN( |$)/;

/** Reads version 1. Null: more bytes are needed. @throws {CorruptProxyHeader} */
export function readProxyV1(bytes: Uint8Array, length: number): ProxyHeader | null {
  const text = LATIN1.decode(bytes.subarray(0, Math.min(length, PROXY_V1_MAXIMUM)));
  const end = text.indexOf("\r\n");
  if (end < 0) {
    const start = "PROXY ".slice(0, text.length);
    if (length >= PROXY_V1_MAXIMUM || !text.startsWith(start)) throw new CorruptProxyHeader();
    return null;
  }
  const line = text.slice(0, end);
  const rest = { isLocal: false, tls: null, length: end + 2 };
  if (V1_UNKNOWN.test(line)) return { address: null, ...rest };
  const [, family, source, destination, port, destinationPort] = V1_LINE.exec(line) ?? [];
  const isAddress = family === "4" ? isIPv4 : isIPv6;
  const isRight = family !== undefined && isAddress(source) && isAddress(destination) &&
    isPort(port) && isPort(destinationPort);
  if (!isRight) throw new CorruptProxyHeader();
  return { address: `${source}:${Number(port)}`, ...rest };
}

function isPort(text: string): boolean {
  const port = Number(text);
  return port >= 1 && port <= 65_535;
}

const SIGNATURE = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10);
const LOCAL = 0x20, PROXY = 0x21;
const UNSPECIFIED = 0, TCP_IPV4 = 0x11, TCP_IPV6 = 0x21, UNIX_STREAM = 0x31;
/** Bytes of source, destination and their ports. */
const ADDRESS_BYTES = new Map([[UNSPECIFIED, 0], [TCP_IPV4, 12], [TCP_IPV6, 36], [
  UNIX_STREAM,
  216,
]]);
const UNIX_PATH_BYTES = 108;

/** Reads version 2. Null: more bytes are needed. @throws {CorruptProxyHeader} */
export function readProxyV2(bytes: Uint8Array, length: number): ProxyHeader | null {
  for (let at = 0; at < Math.min(length, SIGNATURE.length); at++) {
    if (bytes[at] !== SIGNATURE[at]) throw new CorruptProxyHeader();
  }
  if (length < 16) return null;
  const command = bytes[12], family = bytes[13];
  const end = 16 + (bytes[14] << 8 | bytes[15]);
  if (command !== LOCAL && command !== PROXY || end > PROXY_V2_MAXIMUM) {
    throw new CorruptProxyHeader();
  }
  if (command === LOCAL) {
    return length < end ? null : { address: null, isLocal: true, tls: null, length: end };
  }
  const addressBytes = ADDRESS_BYTES.get(family);
  // A proxy that does not know whom it speaks for says LOCAL or is not to be trusted.
  if (addressBytes === undefined || family === UNSPECIFIED || end < 16 + addressBytes) {
    throw new CorruptProxyHeader();
  }
  if (length < end) return null;
  const address = addressText(bytes, family);
  return {
    address,
    isLocal: false,
    tls: readTls(bytes, 16 + addressBytes, end, address),
    length: end,
  };
}

function addressText(bytes: Uint8Array, family: number): string {
  if (family === TCP_IPV4) {
    return `${bytes.subarray(16, 20).join(".")}:${bytes[24] << 8 | bytes[25]}`;
  }
  if (family === TCP_IPV6) {
    return `${ipv6Text(bytes.subarray(16, 32))}:${bytes[48] << 8 | bytes[49]}`;
  }
  const path = LATIN1.decode(bytes.subarray(16, 16 + UNIX_PATH_BYTES));
  return `${path.replace(/\0.*$/s, "")}:0`;
}

/** As inet_ntop writes it; IPv4 addresses in it as what they are. */
function ipv6Text(bytes: Uint8Array): string {
  const isMapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff &&
    bytes[11] === 0xff;
  if (isMapped) return bytes.subarray(12).join(".");
  const groups = Array.from(
    { length: 8 },
    (_, index) => (bytes[index * 2] << 8 | bytes[index * 2 + 1]).toString(16),
  );
  // The URL standard compresses as RFC 5952 says.
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

const TYPE_SSL = 0x20;
const SUBTYPE_VERSION = 0x21, SUBTYPE_COMMON_NAME = 0x22, SUBTYPE_CIPHER = 0x23;
const CLIENT_HAS_TLS = 1, CLIENT_HAS_CERTIFICATE = 4;

function readTls(
  bytes: Uint8Array,
  start: number,
  end: number,
  address: string,
): ProxiedTls | null {
  let tls: ProxiedTls | null = null;
  for (const [type, at, to] of valuesIn(bytes, start, end, address)) {
    if (type !== TYPE_SSL) continue;
    if (to - at < 5) throw new CorruptProxyHeader(address);
    const client = bytes[at];
    // 0 is what verifying says of a good certificate, and also of none.
    const isVerified = bytes.subarray(at + 1, at + 5).every((byte) => byte === 0);
    if ((client & CLIENT_HAS_TLS) === 0) continue;
    const hasCertificate = (client & CLIENT_HAS_CERTIFICATE) !== 0 && isVerified;
    const info: { -readonly [Key in keyof Peer]: Peer[Key] } = {};
    for (const [subtype, from, until] of valuesIn(bytes, at + 5, to, address)) {
      const text = () => utf8(bytes.subarray(from, until), address);
      if (subtype === SUBTYPE_VERSION) info.tlsVersion = text();
      if (subtype === SUBTYPE_CIPHER) info.cipher = text();
      // A name in a certificate that nobody vouches for is no name.
      if (subtype === SUBTYPE_COMMON_NAME && hasCertificate) info.certificateName = text();
    }
    tls = { hasCertificate, info };
  }
  return tls;
}

/** Type, start and end of each type-length-value. */
function* valuesIn(
  bytes: Uint8Array,
  at: number,
  end: number,
  address: string,
): Generator<[number, number, number]> {
  while (at < end) {
    if (end - at < 3) throw new CorruptProxyHeader(address);
    const from = at + 3;
    const to = from + (bytes[at + 1] << 8 | bytes[at + 2]);
    if (to > end) throw new CorruptProxyHeader(address);
    yield [bytes[at], from, to];
    at = to;
  }
}

function utf8(bytes: Uint8Array, address: string): string {
  const text = utf8Text(bytes);
  if (text === null) throw new CorruptProxyHeader(address);
  return text;
}
