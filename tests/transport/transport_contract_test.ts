import type { Broker } from "../../src/broker/broker.ts";
import { Listener, type ListenerOptions } from "../../src/transport/listener.ts";
import type { ByteStream } from "../../src/transport/stream_link.ts";
import { type OpenTransport, transportContract } from "./contract.ts";
import { listenerOptions, webSockets } from "./listener_options.ts";
import { WebSocketClient } from "./web_socket_client.ts";

/** Opens a listener; `dial` makes a client's stream of a connection to it. */
async function open(
  broker: Broker,
  options: Partial<ListenerOptions>,
  dial: (connection: Deno.Conn) => ByteStream | Promise<ByteStream>,
): Promise<OpenTransport> {
  const listener = await Listener.open(
    { ...listenerOptions(), noDelay: true, ...options },
    () => {},
  );
  listener.start(broker);
  return {
    get connections() {
      return listener.connections;
    },
    dial: async () => {
      const connection = options.unixPath
        ? await Deno.connect({ transport: "unix", path: options.unixPath })
        : await Deno.connect({ hostname: "127.0.0.1", port: listener.port });
      return await dial(connection);
    },
    close: async () => {
      await listener.close();
      await listener.drain(0);
    },
  };
}

/** The same over a socket in a directory that is removed afterwards. */
async function openUnix(
  broker: Broker,
  options: Partial<ListenerOptions>,
  dial: (connection: Deno.Conn) => ByteStream | Promise<ByteStream>,
): Promise<OpenTransport> {
  const directory = await Deno.makeTempDir();
  const unixPath = `${directory}/socket`;
  const transport = await open(broker, { ...options, address: null, unixPath }, dial);
  return {
    get connections() {
      return transport.connections;
    },
    dial: () => transport.dial(),
    close: async () => {
      await transport.close();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

const plain = (connection: Deno.Conn) => connection;
const webSocket = (connection: Deno.Conn) => WebSocketClient.open(connection);
const proxied = async (connection: Deno.Conn) => {
  // Cut in the middle, with the first bytes of what follows in the same segment.
  await connection.write(new TextEncoder().encode("PROXY TCP4 192.0.2.5 "));
  await connection.write(new TextEncoder().encode("192.0.2.6 6275 1883\r\n"));
  return connection;
};

transportContract({ name: "TCP", open: (broker) => open(broker, {}, plain) });
transportContract({ name: "a Unix domain socket", open: (broker) => openUnix(broker, {}, plain) });
transportContract({
  name: "WebSocket",
  open: (broker) => open(broker, { http: webSockets }, webSocket),
});
transportContract({
  name: "WebSocket over a Unix domain socket",
  open: (broker) => openUnix(broker, { http: webSockets }, webSocket),
});
const proxy = { version: 1, requireTls: false, requireCertificate: false } as const;
transportContract({
  name: "TCP behind a proxy",
  open: (broker) => open(broker, { proxy }, proxied),
});
transportContract({
  name: "WebSocket behind a proxy",
  open: (broker) =>
    open(
      broker,
      { proxy, http: webSockets },
      async (connection) => await webSocket(await proxied(connection)),
    ),
});
