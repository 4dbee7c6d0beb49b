import type { Hono } from "hono";
import { RequestError } from "./answers.ts";
import { admitMqtt } from "./guard.ts";
import { badRequest, changeableBrokerOf } from "./requests.ts";
import type { AdminSource } from "./source.ts";

const SUB_PROTOCOLS = ["mqtt", "mqttv3.1"];

/** MQTT over WebSocket, if whoever starts the interface wants it. */
export function addMqtt(app: Hono, source: AdminSource): void {
  app.get("/mqtt", (c) => {
    if (source.webSocket === null) {
      throw new RequestError(404, "not_found", "there is nothing here");
    }
    admitMqtt(source, c);
    const broker = changeableBrokerOf(source);
    const offered = (c.req.header("sec-websocket-protocol") ?? "").split(",")
      .map((name) => name.trim());
    const protocol = offered.find((name) => SUB_PROTOCOLS.includes(name));
    const asksForWebSocket = c.req.header("upgrade")?.toLowerCase() === "websocket";
    if (!asksForWebSocket || protocol === undefined) {
      throw new RequestError(
        426,
        "upgrade_required",
        "this path takes WebSockets that speak mqtt",
        {
          Upgrade: "websocket",
        },
      );
    }
    // Afterwards the runtime does not tell any more.
    const address = peerText(c.env);
    const { socket, response } = upgrade(c.req.raw, protocol);
    try {
      source.webSocket(socket, address);
    } catch (error) {
      // Any other answer than this one the runtime never sends: the client would wait for ever.
      broker.fault(error, "taking a WebSocket");
      socket.onopen = () => socket.close();
    }
    return response;
  });
}

/** @throws {RequestError} 400 when a header is missing, or is none that the runtime takes */
function upgrade(request: Request, protocol: string): Deno.WebSocketUpgrade {
  try {
    // Keep Alive is MQTT's own; Pings of the runtime would only wake clients up.
    return Deno.upgradeWebSocket(request, { protocol, idleTimeout: 0 });
  } catch (error) {
    if (error instanceof TypeError) throw badRequest(error.message);
    throw error;
  }
}

/** `address:port` of the peer, as far as whoever serves tells. */
function peerText(env: unknown): string {
  const peer = (env as { remoteAddr?: { hostname?: string; port?: number } } | undefined)
    ?.remoteAddr;
  if (peer?.hostname === undefined) return "unknown:0";
  return `${peer.hostname.replace(/^::ffff:(?=\d)/, "")}:${peer.port ?? 0}`;
}
