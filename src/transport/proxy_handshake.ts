import type { Peer } from "../session/ports.ts";
import { HandshakeError, HandshakeReader } from "./handshake.ts";
import {
  CorruptProxyHeader,
  PROXY_V1_MAXIMUM,
  PROXY_V2_MAXIMUM,
  type ProxyHeader,
  readProxyV1,
  readProxyV2,
} from "./proxy_header.ts";
import type { ByteStream } from "./stream_link.ts";

/** What a listener demands of its proxy. */
export interface ProxyOptions {
  readonly version: 1 | 2;
  /** The client must speak TLS with the proxy. */
  readonly requireTls: boolean;
  /** The client must have shown the proxy a good certificate. */
  readonly requireCertificate: boolean;
}

/** A connection behind its PROXY header. */
export interface Proxied {
  readonly stream: ByteStream;
  /** `address:port` of the client, or of the proxy, if it does not say. */
  readonly address: string;
  readonly info: Peer | null;
}

/**
 * Reads the header that a proxy sends first.
 *
 * @param proxyAddress of whoever has connected
 * @throws {HandshakeError} with Mosquitto's line for the log
 */
export async function readProxyHeader(
  stream: ByteStream,
  proxyAddress: string,
  options: ProxyOptions,
): Promise<Proxied> {
  const [read, maximum] = options.version === 1
    ? [readProxyV1, PROXY_V1_MAXIMUM]
    : [readProxyV2, PROXY_V2_MAXIMUM];
  const reader = new HandshakeReader(stream, maximum);
  let header: ProxyHeader | null;
  try {
    do {
      if (!await reader.readMore()) throw new HandshakeError("");
      header = read(reader.bytes, reader.length);
    } while (header === null);
  } catch (error) {
    if (!(error instanceof CorruptProxyHeader)) throw error;
    const from = error.address === null ? "" : ` from ${error.address}`;
    throw new HandshakeError(`Connection${from} rejected, corrupt PROXY header.`);
  }
  if (header.isLocal) throw new HandshakeError("");
  const { tls } = header;
  const address = header.address ?? proxyAddress;
  if (options.requireTls && tls === null) {
    throw new HandshakeError(
      `Connection from ${address} rejected, client did not connect using TLS.`,
    );
  }
  if (options.requireCertificate && !tls?.hasCertificate) {
    throw new HandshakeError(
      `Connection from ${address} rejected, client did not provide a certificate.`,
    );
  }
  return { stream: reader.rest(header.length), address, info: tls?.info ?? null };
}
