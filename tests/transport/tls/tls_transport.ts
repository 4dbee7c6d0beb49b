import type { Broker } from "../../../src/broker/broker.ts";
import type { ByteStream } from "../../../src/transport/stream_link.ts";
import { StreamLink } from "../../../src/transport/stream_link.ts";
import type { SecureStream, TlsContext } from "../../../src/transport/tls/tls_engine.ts";
import { PATIENCE_MS } from "../../support/broker_process.ts";
import { defaultListener } from "../../support/world.ts";
import type { OpenTransport } from "../contract.ts";

/** Takes connections over TLS and gives them to the core, as a listener does. */
export function openTlsTransport(
  broker: Broker,
  server: TlsContext,
  client: TlsContext,
): OpenTransport {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const links = new Set<StreamLink>();
  const handshakes = new Set<Promise<void>>();
  const host = {
    bytesSent: (count: number) => void (broker.counters.bytesSent += count),
    linkClosed: (link: StreamLink) => void links.delete(link),
    fault: (error: unknown, doing: string) => broker.fault(error, doing),
  };
  const take = async (raw: Deno.TcpConn) => {
    raw.setNoDelay(true);
    const stream = server.secure(raw);
    await stream.handshake(PATIENCE_MS);
    const link = new StreamLink(stream, "somebody", host);
    links.add(link);
    void link.run(broker.accept(link, { ...defaultListener, port }));
  };
  const accepting = (async () => {
    for await (const raw of listener) {
      const handshake: Promise<void> = take(raw).finally(() => handshakes.delete(handshake));
      handshakes.add(handshake);
    }
  })();
  return {
    get connections() {
      return links.size;
    },
    dial: async () => (await dialTls(client, port)).stream,
    close: async () => {
      listener.close();
      await accepting;
      await Promise.all(handshakes);
      for (const link of [...links]) link.destroy();
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
): Promise<{ stream: SecureStream & ByteStream; raw: Deno.TcpConn }> {
  const raw = await Deno.connect({ hostname: "127.0.0.1", port });
  raw.setNoDelay(true);
  const stream = context.secure(raw, hostName);
  await stream.handshake(PATIENCE_MS);
  return { stream, raw };
}
