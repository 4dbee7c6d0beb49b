import type { HttpOptions } from "../../src/transport/http_exchange.ts";
import type { ListenerOptions } from "../../src/transport/listener.ts";
import { defaultListener } from "../support/world.ts";

/** A plain listener on a free port of this machine. */
export function listenerOptions(): ListenerOptions {
  return {
    ...defaultListener,
    port: 0,
    address: "127.0.0.1",
    unixPath: null,
    bindInterface: null,
    socketDomain: "both",
    maxConnections: 0,
    globalMaxConnections: 0,
    maxPendingConnections: 1000,
    handshakes: { count: 0 },
    noDelay: false,
    proxy: null,
    secure: null,
    http: null,
    wrappers: null,
  };
}

/** What makes it one for WebSockets. */
export const webSockets: HttpOptions = {
  takesWebSockets: true,
  headMaximum: 4096,
  origins: [],
  handler: null,
};
