import type { SecureStream, TlsContext } from "../../../src/transport/tls/tls_engine.ts";
import { TlsError } from "../../../src/transport/tls/tls_error.ts";
import type {
  TlsClientOptions,
  TlsInfo,
  TlsServerOptions,
} from "../../../src/transport/tls/tls_options.ts";
import { opensslClientContext } from "../../../src/transport/tls/openssl_client_context.ts";
import { opensslServerContext } from "../../../src/transport/tls/openssl_server_context.ts";
import { PATIENCE_MS } from "../../support/broker_process.ts";
import { type MemoryStream, memoryStreams } from "./memory_stream.ts";

/** What came of a handshake on one side: what it learnt, or all of what it would log. */
export type Outcome = TlsInfo | string;

/** Both ends of a connection, after the handshakes. */
export interface Met {
  readonly server: Outcome;
  /** With TLS 1.3 a client learns only later that it was refused; that is waited for. */
  readonly client: Outcome;
  readonly serverStream: SecureStream;
  readonly clientStream: SecureStream;
  readonly serverRaw: MemoryStream;
  readonly clientRaw: MemoryStream;
}

/** Lets two contexts meet in memory. */
export async function meet(
  server: TlsContext,
  client: TlsContext,
  hostName = "localhost",
): Promise<Met> {
  const [serverRaw, clientRaw] = memoryStreams();
  const serverStream = server.secure(serverRaw), clientStream = client.secure(clientRaw, hostName);
  const clientOutcome = outcomeOf(clientStream).then(async (outcome) => {
    // The word of the server, or the alert.
    const failure = typeof outcome === "string" ? outcome : await firstWord(clientStream);
    if (failure !== null) clientStream.close();
    return failure ?? outcome;
  });
  const serverOutcome = outcomeOf(serverStream).then(async (outcome) => {
    if (typeof outcome !== "string") await serverStream.write(Uint8Array.of(1)).catch(() => {});
    return outcome;
  });
  const outcomes = await Promise.all([serverOutcome, clientOutcome]);
  return {
    server: outcomes[0],
    client: outcomes[1],
    serverStream,
    clientStream,
    serverRaw,
    clientRaw,
  };
}

/** The same with contexts of these options, which are gone afterwards with all else. */
export async function outcomes(
  server: TlsServerOptions,
  client: TlsClientOptions,
  hostName?: string,
): Promise<Met> {
  const contexts = [opensslServerContext(server), opensslClientContext(client)];
  try {
    const met = await meet(contexts[0], contexts[1], hostName);
    met.serverStream.close();
    met.clientStream.close();
    return met;
  } finally {
    for (const context of contexts) context.free();
  }
}

async function outcomeOf(stream: SecureStream): Promise<Outcome> {
  try {
    return await stream.handshake(PATIENCE_MS);
  } catch (error) {
    return textOf(error);
  }
}

async function firstWord(stream: SecureStream): Promise<string | null> {
  let failure: string | null = null;
  stream.onFailure = (error) => failure = textOf(error);
  const end = await stream.read(new Uint8Array(1)).catch(() => null);
  return failure ?? (end === null ? "ended" : null);
}

function textOf(error: unknown): string {
  if (!(error instanceof TlsError)) return String(error);
  return [error.message, ...error.logLines].join("\n");
}
