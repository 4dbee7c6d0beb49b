import { errorText } from "../error_text.ts";
import { type ByteStream, closeStream } from "../transport/stream_link.ts";
import type { TlsClientOptions } from "../transport/tls/tls_options.ts";
import { BoundSocket } from "./bound_socket.ts";
import type { BridgeAddress, BridgeSettings, BridgeTls } from "./settings.ts";

/** A connection that could not be made; the message is a line for the log. */
export class DialError extends Error {
  override readonly name = "DialError";
}

/** Sets options of a connected socket that the runtime does not know. */
export type TuneSocket = (
  ends: { readonly localPort: number; readonly remotePort: number },
  settings: Pick<BridgeSettings, "tcpKeepalive" | "tcpUserTimeoutMs">,
) => void;

const HANDSHAKE_MS = 30_000;

/**
 * Connects to a remote broker: TCP, and over it TLS where the settings ask for it; or a WebSocket.
 *
 * @throws {DialError}
 */
export async function dial(
  address: BridgeAddress,
  settings: BridgeSettings,
  signal: AbortSignal,
  tune: TuneSocket,
): Promise<ByteStream> {
  try {
    if (address.url !== undefined) {
      const { dialWebSocket } = await import("./dialing_web_socket.ts");
      return await dialWebSocket(address.url, settings.tls, signal);
    }
    const raw = await dialTcp(address, settings, signal, tune);
    return settings.tls === null ? raw : await secured(raw, address.host, settings.tls, signal);
  } catch (error) {
    throw error instanceof DialError ? error : new DialError(textOf(error));
  }
}

/** Whether the address can be connected to at all. */
export async function reaches(
  address: BridgeAddress,
  settings: BridgeSettings,
  signal: AbortSignal,
): Promise<boolean> {
  const { host, port } = address;
  try {
    (await dialTcp({ host, port }, settings, signal, () => {})).close();
    return true;
  } catch (error) {
    // Whatever the system says, nobody is there.
    if (!(error instanceof Error)) throw error;
    return false;
  }
}

async function dialTcp(
  { host, port }: BridgeAddress,
  settings: BridgeSettings,
  signal: AbortSignal,
  tune: TuneSocket,
): Promise<ByteStream> {
  const { bindAddress, tcpKeepalive, tcpUserTimeoutMs } = settings;
  const isTuned = tcpKeepalive !== null || tcpUserTimeoutMs >= 0;
  if (bindAddress !== "") {
    const socket = await BoundSocket.connect({ host, port, localAddress: bindAddress }, signal);
    if (isTuned) {
      tuned(socket, () => tune({ localPort: socket.localPort, remotePort: port }, settings));
    }
    return socket;
  }
  const connection = await Deno.connect({ hostname: host, port, signal });
  connection.setNoDelay(true);
  if (isTuned) {
    const localPort = connection.localAddr.port;
    tuned(connection, () => tune({ localPort, remotePort: port }, settings));
  }
  return connection;
}

/** A connection that is not as it was asked for is none. */
function tuned(stream: ByteStream, act: () => void) {
  try {
    act();
  } catch (error) {
    stream.close();
    throw error;
  }
}

async function secured(
  raw: ByteStream,
  host: string,
  tls: BridgeTls,
  signal: AbortSignal,
): Promise<ByteStream> {
  const giveUp = () => raw.close();
  signal.addEventListener("abort", giveUp);
  try {
    // A native library: read only where it is wanted.
    const { tlsEngine } = await import("../transport/tls/openssl_engine.ts");
    const { engine } = tlsEngine();
    const options = tlsOptionsOf(tls);
    const [missing] = engine.unsupported(options);
    if (missing !== undefined) throw new DialError(`${missing} needs OpenSSL, which is not there`);
    // Made anew each time, as the files may have been replaced.
    const context = engine.clientContext(options);
    try {
      const stream = context.secure(raw, host);
      await stream.handshake(HANDSHAKE_MS);
      return stream;
    } finally {
      context.free();
    }
  } catch (error) {
    if (!signal.aborted) closeStream(raw);
    throw error instanceof DialError ? error : new DialError(await tlsTextOf(error));
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

function tlsOptionsOf(tls: BridgeTls): TlsClientOptions {
  const given = (text: string) => text === "" ? undefined : text;
  return {
    cafile: given(tls.caFile),
    capath: given(tls.caPath),
    osCerts: tls.useOsCertificates,
    certfile: given(tls.certFile),
    keyfile: given(tls.keyFile),
    insecure: tls.insecure,
    alpn: given(tls.alpn),
    minimumVersion: tls.minimumVersion,
    ciphers: given(tls.ciphers),
    ciphersTls13: given(tls.ciphersTls13),
    requireOcsp: tls.requireOcsp,
    psk: tls.psk ?? undefined,
  };
}

async function tlsTextOf(error: unknown): Promise<string> {
  const { TlsError } = await import("../transport/tls/tls_error.ts");
  if (!(error instanceof TlsError)) return textOf(error);
  const [detail] = error.details;
  const why = error.verification ?? detail ?? error.hint;
  const message = error.message.replace(/\.$/, "");
  return why === null || why === undefined ? message : `${message} (${why})`;
}

/** What the system says, without its numbers. */
function textOf(error: unknown): string {
  return errorText(error).replace(/ \(os error \d+\)/, "")
    .replace("failed to lookup address information: ", "");
}
