import type { Broker } from "../broker/broker.ts";
import { errorText } from "../error_text.ts";
import type { ListenerSettings, Peer } from "../session/ports.ts";
import { ArrivingConnection } from "./arriving_connection.ts";
import { HandshakeError, type Secure } from "./handshake.ts";
import { hostOf } from "./host_of.ts";
import { exchangeHttp, type HttpOptions } from "./http_exchange.ts";
import { type ListenAt, type ListeningSocket, openSockets } from "./listening_sockets.ts";
import { OpenLinks } from "./open_links.ts";
import { PendingConnections } from "./pending_connections.ts";
import { type ProxyOptions, readProxyHeader } from "./proxy_handshake.ts";
import { type ByteStream, isNetworkError, type LinkHost, StreamLink } from "./stream_link.ts";
import type { TcpWrappers } from "./tcp_wrappers.ts";

/** What a listener is told. */
export interface ListenerOptions extends ListenerSettings, ListenAt {
  /** 0: no limit. */
  readonly maxConnections: number;
  /** Over all listeners; 0: no limit. */
  readonly globalMaxConnections: number;
  /** Connections before their CONNECT; 0: no limit. */
  readonly maxPendingConnections: number;
  /** The same for all listeners of a broker. */
  readonly handshakes: HandshakeCount;
  readonly noDelay: boolean;
  /** Null: none. */
  readonly proxy: ProxyOptions | null;
  /** Null: no TLS. */
  readonly secure: Secure | null;
  /** Null: MQTT without a WebSocket. */
  readonly http: HttpOptions | null;
  /** Null: not asked. */
  readonly wrappers: TcpWrappers | null;
}

/** Handshakes that are going on. */
export interface HandshakeCount {
  count: number;
}

/** What came of a connection's handshakes. */
interface Arrived {
  readonly stream: ByteStream;
  readonly address: string;
  readonly peer: Peer | null;
}

type Log = (type: "information" | "warning", text: string) => void;

/** After a failed accept, such as too many open files. */
const ACCEPT_RETRY_MS = 100;

/**
 * The sockets of one listener. They are opened before the store is touched, so that a port that is
 * taken costs nothing; clients that come meanwhile wait in the backlog until {@linkcode start}.
 *
 *     accept ─▶ [PROXY header] ─▶ [TLS] ─▶ [HTTP ─▶ WebSocket] ─▶ StreamLink ─▶ Broker.accept
 *
 * Whatever stands in brackets goes on beside the accepting, for each connection in its own time.
 */
export class Listener {
  #options: ListenerOptions;
  readonly #sockets: readonly ListeningSocket[];
  readonly #arriving = new Set<ArrivingConnection>();
  readonly #links = new OpenLinks(() => this.#arriving.size);
  readonly #pending: PendingConnections;
  /** What the core is told with each connection: the same object until it changes. */
  #settings: ListenerSettings;
  readonly #wakes = new Set<() => void>();
  #accepting: Promise<unknown> | null = null;
  #isClosed = false;

  private constructor(options: ListenerOptions, sockets: readonly ListeningSocket[]) {
    this.#options = options;
    this.#sockets = sockets;
    this.#settings = { ...options, port: this.port };
    this.#pending = new PendingConnections(
      () => this.#options.maxPendingConnections,
      () => performance.now(),
    );
  }

  /** @throws what the system says: address in use, permission denied, … */
  static async open(options: ListenerOptions, log: Log): Promise<Listener> {
    return new Listener(options, await openSockets(options, log));
  }

  /** From the next connection on all but the addresses is as these options say. */
  configure(options: ListenerOptions): void {
    this.#options = options;
    this.#settings = { ...options, port: this.port };
  }

  /** In force now. */
  get options(): ListenerOptions {
    return this.#options;
  }

  /** Where it listens, socket by socket; with port 0 the port that the system chose. */
  get addresses(): Deno.Addr[] {
    return this.#sockets.map(({ listener }) => listener.addr);
  }

  /** For the log: 0 on a Unix domain socket. */
  get port(): number {
    const [address] = this.addresses;
    return address.transport === "tcp" ? address.port : 0;
  }

  /** Handshakes that are going on included. */
  get connections(): number {
    return this.#links.size + this.#arriving.size;
  }

  start(broker: Broker): void {
    const serving: Serving = { broker, host: this.#links.hostFor(broker) };
    this.#accepting = Promise.all(this.#sockets.map((socket) => this.#accept(socket, serving)));
  }

  async #accept({ listener, takesIpv4 }: ListeningSocket, serving: Serving): Promise<void> {
    const { broker } = serving;
    let refusedBefore = false;
    while (!this.#isClosed) {
      if (this.#pending.isFull) {
        await this.#pending.room();
        continue;
      }
      let conn: Deno.Conn;
      try {
        conn = await listener.accept();
        refusedBefore = false;
      } catch (error) {
        if (this.#isClosed) return;
        // Out of descriptors, mostly: going on at once would only spin.
        if (!refusedBefore) broker.log("error", `Error: cannot accept: ${errorText(error)}`);
        refusedBefore = true;
        await this.#pause();
        continue;
      }
      this.#take(conn, takesIpv4, serving);
    }
  }

  #take(conn: Deno.Conn, takesIpv4: boolean, serving: Serving) {
    const { broker } = serving;
    const { remoteAddr, localAddr } = conn;
    // A peer's Unix domain socket has no name: Mosquitto shows ours.
    let address = localAddr.transport === "unix" ? `${localAddr.path}:0` : "";
    if (remoteAddr.transport === "tcp") {
      // An IPv4 address that came in over IPv6 is shown as what it is.
      const host = remoteAddr.hostname.replace(/^::ffff:(?=\d)/, "");
      if (!takesIpv4 && host !== remoteAddr.hostname) return conn.close();
      address = `${host}:${remoteAddr.port}`;
      if (this.#options.wrappers?.allows(host) === false) {
        this.#note(broker, `Client connection from ${host} denied access by tcpd.`);
        return conn.close();
      }
    }
    const limit = this.#exceeded(broker);
    if (limit !== null) {
      this.#note(broker, `Client connection from ${hostOf(address)} denied: ${limit} exceeded.`);
      return conn.close();
    }
    const { noDelay, proxy, secure, http } = this.#options;
    // TLS answers by itself: what follows would wait 40 ms for the peer's delayed acknowledgement.
    if ((noDelay || secure !== null) && remoteAddr.transport === "tcp") {
      (conn as Deno.TcpConn).setNoDelay(true);
    }
    if (proxy === null && http?.takesWebSockets !== false) {
      this.#note(broker, `New connection from ${address} on port ${this.port}.`);
    }
    const arriving = new ArrivingConnection(conn, performance.now());
    this.#pending.add(arriving);
    if (proxy !== null || secure !== null || http !== null) {
      void this.#shakeHands(arriving, conn, address, serving);
    } else this.#serve(arriving, { stream: conn, address, peer: null }, serving);
  }

  /** The name of the limit that one connection more would exceed. */
  #exceeded(broker: Broker): string | null {
    const { maxConnections, globalMaxConnections, handshakes } = this.#options;
    if (maxConnections > 0 && this.connections >= maxConnections) return "max_connections";
    const all = broker.connections.size + handshakes.count;
    if (globalMaxConnections > 0 && all >= globalMaxConnections) return "global_max_connections";
    return null;
  }

  /** Never rejects. */
  async #shakeHands(
    arriving: ArrivingConnection,
    raw: ByteStream,
    address: string,
    serving: Serving,
  ): Promise<void> {
    const { broker } = serving;
    const { handshakes } = this.#options;
    this.#arriving.add(arriving);
    handshakes.count++;
    arriving.startClock(broker.settings.connectTimeoutSeconds * 1000);
    try {
      const arrived = await this.#arrive(arriving, raw, address, broker);
      if (arrived === null || arriving.isClosed) arriving.destroy();
      else this.#serve(arriving, arrived, serving);
    } catch (error) {
      arriving.destroy();
      if (error instanceof HandshakeError) {
        if (error.message !== "") broker.log("notice", error.message);
      } else if (!isNetworkError(error)) broker.fault(error, "shaking hands with a client");
    } finally {
      handshakes.count--;
      this.#arriving.delete(arriving);
      this.#links.checkNone();
    }
  }

  /** Goes through the handshakes. Null: the peer wanted something else, and got it. */
  async #arrive(
    arriving: ArrivingConnection,
    stream: ByteStream,
    address: string,
    broker: Broker,
  ): Promise<Arrived | null> {
    const { proxy, secure, http } = this.#options;
    let peer: Peer | null = null;
    if (proxy !== null) {
      const proxied = await readProxyHeader(stream, address, proxy);
      stream = proxied.stream;
      address = proxied.address;
      const { tlsVersion, cipher, ...info } = proxied.info ?? {};
      if (tlsVersion !== undefined && cipher !== undefined) {
        this.#note(broker, `Connection from ${address} negotiated ${tlsVersion} cipher ${cipher}`);
      }
      peer = proxied.info && info;
    }
    if (secure !== null) {
      const securing = secure(stream, address);
      // Anew, and so behind the clock of the handshake, which says for what it has waited.
      arriving.progress();
      const secured = await securing;
      stream = secured.stream;
      arriving.wrap(stream);
      peer = { ...peer, ...secured.info };
    }
    if (http === null) return { stream, address, peer };
    const fault = (error: unknown) => broker.fault(error, "answering an HTTP request");
    const webSocket = await exchangeHttp(arriving, stream, address, http, fault);
    return webSocket && { stream: webSocket, address, peer: { ...peer, viaWebSocket: true } };
  }

  #serve(
    arriving: ArrivingConnection,
    { stream, address, peer }: Arrived,
    { broker, host }: Serving,
  ) {
    const link = new StreamLink(stream, address, host, peer);
    this.#links.add(link);
    const elapsedMs = Math.floor(performance.now() - arriving.sinceMs);
    const connection = broker.accept(link, this.#settings, elapsedMs);
    arriving.serve(link, connection);
    void link.run(connection);
  }

  #note(broker: Broker, text: string) {
    if (broker.settings.connectionMessages) broker.log("notice", text);
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#wakes.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ACCEPT_RETRY_MS);
      this.#wakes.add(done);
    });
  }

  /** Takes no further connection and breaks off handshakes. Those that are through live on. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const wake of this.#wakes) wake();
    this.#pending.wake();
    for (const { listener } of this.#sockets) listener.close();
    for (const arriving of this.#arriving) arriving.destroy();
    await this.#accepting;
  }

  /** Waits until all connections have ended, and cuts off those that have not in time. */
  drain(patienceMs: number): Promise<void> {
    return this.#links.drain(patienceMs);
  }
}

/** What connections are served with. */
interface Serving {
  readonly broker: Broker;
  readonly host: LinkHost;
}
