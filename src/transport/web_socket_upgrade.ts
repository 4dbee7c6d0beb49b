import { createHash } from "node:crypto";
import { HandshakeError } from "./handshake.ts";
import { headerHas, HttpError, type HttpRequest, words } from "./http_request.ts";

/** What RFC 6455 (1.3) has both sides append to the client's key. */
const KEY_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** MQTT 3.1.1 and 5 say "mqtt" [MQTT-6.0.0-4]; clients of MQTT 3.1 ask for the other. */
const SUB_PROTOCOLS = ["mqtt", "mqttv3.1"];

/** Whether a request asks for a WebSocket. */
export function asksForWebSocket(request: HttpRequest): boolean {
  return headerHas(request, "upgrade", "websocket");
}

/**
 * The answer that opens a WebSocket: RFC 6455, section 4.2. It has these lines, in this order and
 * writing, and no others, as Mosquitto's has.
 *
 * @param origins that a browser's page may come from; none: any
 * @throws {HttpError} when the request is wrong
 * @throws {HandshakeError} when its origin is not allowed, which is not answered
 */
export function webSocketAnswer(request: HttpRequest, origins: readonly string[]): Uint8Array {
  const { headers } = request;
  if (origins.length > 0 && !origins.includes(headers.get("origin") ?? "")) {
    throw new HandshakeError("");
  }
  const key = headers.get("sec-websocket-key") ?? "";
  const isRight = request.method === "GET" && asksForWebSocket(request) &&
    headerHas(request, "connection", "upgrade") && /^[A-Za-z0-9+/]{22}==$/.test(key);
  if (!isRight) throw new HttpError(400, "Bad Request");
  if (headers.get("sec-websocket-version") !== "13") {
    throw new HttpError(426, "Upgrade Required", { "Sec-WebSocket-Version": "13" });
  }
  const subProtocol = selectSubProtocol(headers.get("sec-websocket-protocol"));
  if (subProtocol === undefined) throw new HttpError(400, "Bad Request: no sub-protocol mqtt");
  const accept = createHash("sha1").update(key + KEY_SUFFIX).digest("base64");
  return new TextEncoder().encode(
    "HTTP/1.1 101 Switching Protocols\r\n" +
      "Upgrade: WebSocket\r\n" +
      "Connection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n` +
      `Sec-WebSocket-Protocol: ${subProtocol}\r\n` +
      "\r\n",
  );
}

/** The first of those offered that means MQTT, or undefined. */
function selectSubProtocol(offered: string | null | undefined): string | undefined {
  return words(offered ?? undefined).find((word) => SUB_PROTOCOLS.includes(word));
}
