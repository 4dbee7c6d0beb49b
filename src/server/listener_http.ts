import type { HttpApiSource, ListenerEntry } from "../admin/http_api.ts";
import type { AdminSource } from "../admin/source.ts";
import type { Configuration } from "../config/configuration.ts";
import type { ListenerValues } from "../config/options.ts";
import type { Log } from "../log.ts";
import type { Identity } from "../session/ports.ts";
import { HttpError } from "../transport/http_request.ts";
import { errorResponse, type HttpHandler } from "../transport/http_response.ts";
import { StaticFiles } from "../transport/static_files.ts";
import { reasonText } from "../wire/reason.ts";
import { listenerSettingsOf } from "./settings.ts";

/** What the listener answers to requests that ask for no WebSocket. */
export async function httpOf(
  configuration: Configuration,
  number: number,
  { source, log }: { readonly source: AdminSource; readonly log: Log },
): Promise<HttpHandler | null> {
  const { httpDir, protocol } = configuration.listeners[number];
  const files = httpDir === "" ? null : new StaticFiles(httpDir);
  const respond = files && ((request: Request) => files.respond(request).catch(refuse));
  if (files !== null) log.log("information", `Using http_dir ${files.directory}`);
  if (protocol !== "http_api") return respond;
  // Read only where it is wanted: without it the broker is there sooner.
  const { createHttpApi } = await import("../admin/http_api.ts");
  const app = createHttpApi({
    broker: () => source.broker(),
    listeners: () => configuration.listeners.map(entryOf),
    version: source.version,
    mayRead: (...asked) => mayRead(source, configuration, number, ...asked),
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

/**
 * As a client "http-api" that connects and then reads a topic named like the path. Guessing passwords is
 * no faster here, and no less seen in the log, than by MQTT.
 */
async function mayRead(
  source: AdminSource,
  configuration: Configuration,
  number: number,
  ...[path, userName, password, remoteAddress]: Parameters<HttpApiSource["mayRead"]>
): Promise<boolean | "later"> {
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
  if (broker.loginDelayMs(identity) > 0) return "later";
  const { access } = broker;
  const reason = await new Promise<number>((resolve) => {
    const answer = access.authenticate(identity, password, resolve);
    if (answer !== undefined) resolve(answer);
  });
  if (reason === 0) return !access.checksReceive || access.mayReceive(identity, path);
  // Browsers ask without credentials first.
  if (userName !== undefined) {
    broker.loginFailed(identity);
    if (broker.settings.connectionMessages) {
      broker.log(
        "notice",
        `Client ${identity.clientId} [${remoteAddress}] disconnected: ${reasonText(reason)}.`,
        { kind: "refused", clientId: identity.clientId, userName, address: remoteAddress },
      );
    }
  }
  return false;
}
