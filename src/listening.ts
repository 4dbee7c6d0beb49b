import type { HttpApiSource, ListenerEntry } from "./admin/http_api.ts";
import type { AdminSource } from "./admin/source.ts";
import type { Configuration } from "./config/configuration.ts";
import type { ListenerValues } from "./config/options.ts";
import type { Log } from "./log.ts";
import { ListenError } from "./opening.ts";
import type { Identity, ListenerSettings } from "./session/ports.ts";
import { listenerSettingsOf } from "./settings.ts";
import { HttpError } from "./transport/http_request.ts";
import { errorResponse, type HttpHandler } from "./transport/http_response.ts";
import { type HandshakeCount, Listener, type ListenerOptions } from "./transport/listener.ts";
import type { ProxyOptions } from "./transport/proxy_handshake.ts";
import { StaticFiles } from "./transport/static_files.ts";
import { TcpWrappers } from "./transport/tcp_wrappers.ts";

/** How the listeners of a configuration are opened. */

/** Opens all listeners, or none. @throws {ListenError} */
export async function openListeners(
  configuration: Configuration,
  source: AdminSource,
  log: Log,
): Promise<Listener[]> {
  const opened: Listener[] = [];
  try {
    const shared: Shared = {
      configuration,
      source,
      log,
      handshakes: { count: 0 },
      wrappers: configuration.global.tcpWrappers ? loadWrappers() : null,
    };
    for (const number of configuration.listeners.keys()) {
      try {
        opened.push(await openListener(shared, number));
      } catch (error) {
        // A machine that has only one version of IP is no reason not to serve its own programs.
        if (!configuration.localOnly || opened.length === 0) throw error;
        log.log("warning", `Warning: ${error instanceof Error ? error.message : error}`);
      }
    }
    return opened;
  } catch (error) {
    for (const listener of opened) await listener.close();
    throw error;
  }
}

/**
 * Reads what another configuration wants of listeners that are open. The returned function puts it in
 * force.
 *
 * @throws {ListenError}
 */
export async function prepareListeners(
  listeners: readonly Listener[],
  configuration: Configuration,
  source: AdminSource,
  log: Log,
): Promise<() => void> {
  const prepared: (() => void)[] = [];
  for (const listener of listeners) {
    const { handshakes, wrappers, number } = listener.options;
    const shared: Shared = { configuration, source, log, handshakes, wrappers };
    const options = await listenerOptions(shared, number);
    prepared.push(() => listener.configure(options));
  }
  return () => prepared.forEach((apply) => apply());
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

/** What the listeners of a broker have in common. */
interface Shared {
  readonly configuration: Configuration;
  readonly source: AdminSource;
  readonly log: Log;
  readonly handshakes: HandshakeCount;
  readonly wrappers: TcpWrappers | null;
}

function loadWrappers(): TcpWrappers {
  try {
    return TcpWrappers.load();
  } catch (error) {
    throw new ListenError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

async function openListener(shared: Shared, number: number): Promise<Listener> {
  const { log } = shared;
  const listener = shared.configuration.listeners[number];
  try {
    const options = await listenerOptions(shared, number);
    return await Listener.open(options, (type, text) => log.log(type, text));
  } catch (error) {
    const at = listener.unixPath ?? `${listener.address ?? "*"}:${listener.port}`;
    const text = error instanceof Error ? error.message : String(error);
    throw new ListenError(`cannot listen on ${at}: ${text}`, { cause: error });
  }
}

async function listenerOptions(shared: Shared, number: number): Promise<ListenerOptions> {
  const { configuration, handshakes, wrappers } = shared;
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
    handshakes,
    noDelay: global.setTcpNodelay,
    proxy: proxyOf(listener),
    secure: null,
    http: protocol === "mqtt" ? null : {
      takesWebSockets: protocol === "websockets",
      headMaximum: global.packetBufferSize,
      origins: listener.websocketsOrigin,
      handler: await httpOf(shared, number),
    },
    wrappers,
  };
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

/** What the listener answers to requests that ask for no WebSocket. */
async function httpOf(shared: Shared, number: number): Promise<HttpHandler | null> {
  const { configuration, source } = shared;
  const { httpDir, protocol } = configuration.listeners[number];
  const files = httpDir === "" ? null : new StaticFiles(httpDir);
  const respond = files && ((request: Request) => files.respond(request).catch(refuse));
  if (files !== null) shared.log.log("information", `Using http_dir ${files.directory}`);
  if (protocol !== "http_api") return respond;
  // Read only where it is wanted: without it the broker is there sooner.
  const { createHttpApi } = await import("./admin/http_api.ts");
  const app = createHttpApi({
    broker: () => source.broker(),
    listeners: () => configuration.listeners.map(entryOf),
    version: source.version,
    mayRead: (...asked) => mayRead(shared, number, ...asked),
    files: respond,
  });
  return async (request, remoteAddress) => await app.fetch(request, { remoteAddress });
}

function refuse(error: unknown): Response {
  if (error instanceof HttpError) return errorResponse(error);
  throw error;
}

function entryOf(listener: ListenerValues): ListenerEntry {
  const { unixPath, port, protocol } = listener;
  return {
    ...unixPath === null ? { port } : { path: unixPath },
    protocol: protocol === "http_api" ? "httpapi" : protocol,
    tls: listener.certfile !== "" && listener.keyfile !== "",
    mtls: listener.requireCertificate,
    allow_anonymous: listener.allowAnonymous,
  };
}

/** As a client "http-api" that connects and then reads a topic named like the path. */
async function mayRead(
  { configuration, source }: Shared,
  number: number,
  ...[path, userName, password, remoteAddress]: Parameters<HttpApiSource["mayRead"]>
): Promise<boolean> {
  const broker = source.broker();
  if (broker === null) return false;
  const { port } = configuration.listeners[number];
  const identity: Identity = {
    clientId: "http-api",
    userName,
    remoteAddress,
    isCertified: false,
    version: 4,
    listener: { ...listenerSettingsOf(configuration, number), port },
  };
  const { access } = broker;
  const reason = await new Promise<number>((resolve) => {
    const answer = access.authenticate(identity, password, resolve);
    if (answer !== undefined) resolve(answer);
  });
  return reason === 0 && (!access.checksReceive || access.mayReceive(identity, path));
}
