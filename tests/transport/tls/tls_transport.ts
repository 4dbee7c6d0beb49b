import type { Broker } from "../../../src/broker/broker.ts";
import type { HttpOptions } from "../../../src/transport/http_exchange.ts";
import { Listener } from "../../../src/transport/listener.ts";
import type { ByteStream } from "../../../src/transport/stream_link.ts";
import type { SecureStream, TlsContext } from "../../../src/transport/tls/tls_engine.ts";
import { tlsSecure } from "../../../src/transport/tls/tls_secure.ts";
import { PATIENCE_MS } from "../../support/broker_process.ts";
import type { OpenTransport } from "../contract.ts";
import { listenerOptions } from "../listener_options.ts";

/** A TLS listener that has started, on a free port. */
export async function startTlsListener(
  broker: Broker,
  context: TlsContext,
  http: HttpOptions | null = null,
): Promise<Listener> {
  const secure = tlsSecure({
    context: () => context,
    timeoutMs: PATIENCE_MS,
    log: (type, text) => broker.log(type, text),
  });
  const options = { ...listenerOptions(), noDelay: true, secure, http };
  const listener = await Listener.open(options, () => {});
  listener.start(broker);
  return listener;
}

/** A TLS listener and its clients; the contexts are freed at the end. */
export async function openTlsTransport(
  broker: Broker,
  server: TlsContext,
  client: TlsContext,
  http: HttpOptions | null = null,
  wrap: (stream: ByteStream) => ByteStream | Promise<ByteStream> = (stream) => stream,
): Promise<OpenTransport> {
  const listener = await startTlsListener(broker, server, http);
  return {
    get connections() {
      return listener.connections;
    },
    dial: async () => await wrap(await dialTls(client, listener.port)),
    close: async () => {
      await listener.close();
      await listener.drain(0);
      server.free();
      client.free();
    },
  };
}

/** A client's end, after its handshake. */
export async function dialTls(
  context: TlsContext,
  port: number,
  hostName = "localhost",
): Promise<SecureStream> {
  const raw = await Deno.connect({ hostname: "127.0.0.1", port });
  raw.setNoDelay(true);
  const stream = context.secure(raw, hostName);
  await stream.handshake(PATIENCE_MS);
  return stream;
}
