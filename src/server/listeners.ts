import type { AdminSource } from "../admin/source.ts";
import type { Broker } from "../broker/broker.ts";
import type { Configuration } from "../config/configuration.ts";
import type { ListenerValues } from "../config/options.ts";
import { errorText } from "../error_text.ts";
import type { Log } from "../log.ts";
import type { ListenerSettings } from "../session/ports.ts";
import { type HandshakeCount, Listener, type ListenerOptions } from "../transport/listener.ts";
import type { ProxyOptions } from "../transport/proxy_handshake.ts";
import { TcpWrappers } from "../transport/tcp_wrappers.ts";
import { ListenError } from "./listen_error.ts";
import { httpOf } from "./listener_http.ts";
import { ListenerTls } from "./listener_tls.ts";
import { listenerName, listenerSettingsOf } from "./settings.ts";

/** What listeners need of the program around them. */
export interface ListenersServices {
  readonly source: AdminSource;
  readonly log: Log;
  /** The pre-shared key of an identity at a listener, by its number. */
  psk(listener: number, identity: string): Uint8Array | null;
  /** Takes lines of the TLS key log; null: none is kept. */
  readonly keylog: ((line: string) => void) | null;
}

/** What another configuration makes of listeners that are open. */
export interface PreparedListeners {
  readonly warnings: readonly [];
  apply(): void;
  discard(): void;
}

/** How long a server's certificate is valid. */
export interface CertificateExpiry {
  /** The port or path of its listener. */
  readonly listener: string;
  /** Unix milliseconds. */
  readonly expiresAtMs: number;
}

const HTTP_HEAD_MAXIMUM = 4096;

interface Opened {
  readonly listener: Listener;
  readonly number: number;
  tls: ListenerTls | null;
}

/** The listeners of a configuration. */
export class Listeners {
  readonly #services: ListenersServices;
  readonly #handshakes: HandshakeCount = { count: 0 };
  readonly #wrappers: TcpWrappers | null;
  readonly #opened: Opened[] = [];

  private constructor(configuration: Configuration, services: ListenersServices) {
    this.#services = services;
    this.#wrappers = configuration.global.tcpWrappers ? loadWrappers() : null;
  }

  /** Opens all of them, or none. @throws {ListenError} */
  static async open(configuration: Configuration, services: ListenersServices): Promise<Listeners> {
    const listeners = new Listeners(configuration, services);
    const { log } = services;
    try {
      for (const number of configuration.listeners.keys()) {
        try {
          await listeners.#open(configuration, number);
        } catch (error) {
          // A machine that has only one version of IP is no reason not to serve its own programs.
          if (!configuration.localOnly || listeners.#opened.length === 0) throw error;
          log.log("warning", `Warning: ${errorText(error)}`);
        }
      }
      return listeners;
    } catch (error) {
      await listeners.close();
      throw error;
    }
  }

  /** In the order of the configuration. */
  get all(): readonly Listener[] {
    return this.#opened.map(({ listener }) => listener);
  }

  /** Of those that have a certificate. */
  get certificates(): CertificateExpiry[] {
    return this.#opened.flatMap(({ listener: { options, port }, tls }) => {
      const expiresAtMs = tls?.expiresAtMs ?? null;
      if (expiresAtMs === null) return [];
      return [{ listener: listenerName({ unixPath: options.unixPath, port }), expiresAtMs }];
    });
  }

  start(broker: Broker): void {
    for (const { listener } of this.#opened) listener.start(broker);
  }

  /** Takes no further connection. Those that are there live on. */
  async close(): Promise<void> {
    await Promise.all(this.all.map((listener) => listener.close()));
    for (const { tls } of this.#opened) tls?.free();
  }

  async drain(patienceMs: number): Promise<void> {
    await Promise.all(this.all.map((listener) => listener.drain(patienceMs)));
  }

  /**
   * Reads what another configuration wants of these listeners, certificates and keys included, and
   * changes nothing yet.
   *
   * @throws {ListenError}
   */
  async prepare(configuration: Configuration): Promise<PreparedListeners> {
    const prepared: { opened: Opened; options: ListenerOptions; tls: ListenerTls | null }[] = [];
    const discard = () => {
      for (const { tls } of prepared) tls?.free();
    };
    try {
      for (const opened of this.#opened) {
        await this.#read(configuration, opened.number, (options, tls) => {
          prepared.push({ opened, options, tls });
        });
      }
    } catch (error) {
      discard();
      throw error;
    }
    return {
      warnings: [],
      discard,
      apply() {
        for (const { opened, options, tls } of prepared) {
          opened.listener.configure(options);
          opened.tls?.free();
          opened.tls = tls;
          tls?.begin();
        }
      },
    };
  }

  async #open(configuration: Configuration, number: number) {
    const { log } = this.#services;
    await this.#read(configuration, number, async (options, tls) => {
      const listener = await Listener.open(options, (type, text) => log.log(type, text));
      this.#opened.push({ listener, number, tls });
      tls?.begin();
    });
  }

  /**
   * Reads what a listener's options name and hands it to whoever uses it.
   *
   * @throws {ListenError} whatever goes wrong, in `use` as well; then nothing is held
   */
  async #read(
    configuration: Configuration,
    number: number,
    use: (options: ListenerOptions, tls: ListenerTls | null) => void | Promise<void>,
  ) {
    let tls: ListenerTls | null = null;
    try {
      tls = await this.#tls(configuration, number);
      await use(await this.#options(configuration, number, tls), tls);
    } catch (error) {
      tls?.free();
      if (error instanceof ListenError) throw error;
      const { unixPath, address, port } = configuration.listeners[number];
      const at = unixPath ?? `${address ?? "*"}:${port}`;
      throw new ListenError(`cannot listen on ${at}: ${errorText(error)}`, { cause: error });
    }
  }

  /** @throws {ListenError} with the library's lines */
  async #tls(configuration: Configuration, number: number): Promise<ListenerTls | null> {
    const { log, keylog } = this.#services;
    try {
      return await ListenerTls.open(configuration.listeners[number], {
        psk: (identity) => this.#services.psk(number, identity),
        keylog,
        timeoutMs: configuration.global.connectTimeout * 1000,
        reloadOnChange: configuration.global.tlsReloadOnChange,
        log: (type, text) => log.log(type, text),
      });
    } catch (error) {
      // A TlsError, told by its lines: its class is only there when TLS is.
      if (!(error instanceof Error) || !("logLines" in error)) throw error;
      const lines = [error.message, ...error.logLines as readonly string[]];
      throw new ListenError(lines.join("\n"), { cause: error });
    }
  }

  async #options(
    configuration: Configuration,
    number: number,
    tls: ListenerTls | null,
  ): Promise<ListenerOptions> {
    const { global } = configuration;
    const listener = configuration.listeners[number];
    const { protocol } = listener;
    return {
      ...listenerSettingsOf(configuration, number),
      port: listener.port,
      address: listener.address,
      unixPath: listener.unixPath,
      bindInterface: listener.bindInterface || null,
      socketDomain: listener.socketDomain,
      maxConnections: Math.max(0, listener.maxConnections),
      globalMaxConnections: Math.max(0, global.globalMaxConnections),
      maxPendingConnections: global.maxPendingConnections,
      handshakes: this.#handshakes,
      noDelay: global.setTcpNodelay,
      proxy: proxyOf(listener),
      secure: tls?.secure ?? null,
      http: protocol === "mqtt" ? null : {
        takesWebSockets: protocol === "websockets",
        // 0 is the default of Mosquitto's library.
        headMaximum: global.packetBufferSize || HTTP_HEAD_MAXIMUM,
        origins: listener.websocketsOrigin,
        handler: await httpOf(configuration, number, this.#services),
      },
      wrappers: this.#wrappers,
    };
  }
}

/** What clients are told that come by the HTTP interface: the defaults of a listener. */
export function webSocketSettingsOf({ global, listeners }: Configuration): ListenerSettings {
  return {
    number: listeners.length,
    port: global.adminListener?.port ?? 0,
    maxQos: 2,
    maxTopicAlias: 10,
    maxTopicAliasBroker: 10,
    acceptProtocolVersions: [3, 4, 5],
    allowZeroLengthClientid: global.allowZeroLengthClientid,
    autoIdPrefix: global.autoIdPrefix,
    userNameFrom: "connect",
    useUsernameAsClientid: false,
    mountPoint: "",
    rate: { messages: 0, bytes: 0 },
  };
}

function loadWrappers(): TcpWrappers {
  try {
    return TcpWrappers.load();
  } catch (error) {
    throw new ListenError(errorText(error), { cause: error });
  }
}

function proxyOf(listener: ListenerValues): ProxyOptions | null {
  const version = listener.enableProxyProtocol;
  if (version !== 1 && version !== 2) return null;
  return {
    version,
    requireTls: version === 2 && listener.proxyProtocolV2RequireTls,
    requireCertificate: version === 2 && listener.requireCertificate,
  };
}
