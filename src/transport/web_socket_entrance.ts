import type { Broker } from "../broker/broker.ts";
import type { ListenerSettings } from "../session/ports.ts";
import { hostOf } from "./host_of.ts";
import { OpenLinks } from "./open_links.ts";
import { RuntimeWebSocketStream } from "./runtime_web_socket_stream.ts";
import { type LinkHost, StreamLink } from "./stream_link.ts";

/** Lets clients in whose WebSockets an HTTP server has opened. */
export class WebSocketEntrance {
  readonly #broker: Broker;
  readonly #settings: ListenerSettings;
  readonly #links = new OpenLinks();
  readonly #host: LinkHost;
  readonly #connectionsMaximum: () => number;
  #isClosed = false;

  /** @param connectionsMaximum of the whole broker; 0: no limit */
  constructor(broker: Broker, settings: ListenerSettings, connectionsMaximum: () => number) {
    this.#broker = broker;
    this.#connectionsMaximum = connectionsMaximum;
    this.#settings = settings;
    this.#host = this.#links.hostFor(broker);
  }

  /** From here on the socket belongs to the broker. */
  take(socket: WebSocket, remoteAddress: string): void {
    const stream = new RuntimeWebSocketStream(socket);
    if (this.#isClosed) return stream.close();
    const broker = this.#broker;
    const note = (text: string) => {
      if (broker.settings.connectionMessages) broker.log("notice", text);
    };
    const maximum = this.#connectionsMaximum();
    if (maximum > 0 && broker.connections.size >= maximum) {
      note(
        `Client connection from ${hostOf(remoteAddress)} denied: global_max_connections exceeded.`,
      );
      return stream.close();
    }
    note(`New connection from ${remoteAddress} by WebSocket.`);
    const link = new StreamLink(stream, remoteAddress, this.#host, { viaWebSocket: true });
    this.#links.add(link);
    void link.run(broker.accept(link, this.#settings));
  }

  /** Takes nobody any more. Those that are there live on. */
  close(): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }

  /** Waits until all connections have ended, and cuts off those that have not in time. */
  drain(patienceMs: number): Promise<void> {
    return this.#links.drain(patienceMs);
  }
}
