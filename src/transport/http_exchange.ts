import type { ArrivingConnection } from "./arriving_connection.ts";
import { HandshakeError, writeAll } from "./handshake.ts";
import { HttpError, type HttpRequest, readHttpRequest } from "./http_request.ts";
import { errorResponse, type HttpHandler, sendResponse, webRequest } from "./http_response.ts";
import { type ByteStream, isNetworkError } from "./stream_link.ts";
import { WebSocketStream } from "./web_socket_stream.ts";
import { asksForWebSocket, webSocketAnswer } from "./web_socket_upgrade.ts";

/** What a listener that is spoken to by HTTP is told. */
export interface HttpOptions {
  /** Requests may open a WebSocket. */
  readonly takesWebSockets: boolean;
  /** Bytes of a request's head. */
  readonly headMaximum: number;
  /** That a WebSocket may come from; none: any. */
  readonly origins: readonly string[];
  /** Answers what does not ask for a WebSocket; null: it is refused. */
  readonly handler: HttpHandler | null;
}

/**
 * One request: either it opens a WebSocket, or it is answered and the connection ends with it, which
 * is null. One answer a connection bounds what a client can ask for, and is enough for a few files.
 *
 * @throws {HandshakeError}, and what the stream fails with
 */
export async function exchangeHttp(
  arriving: ArrivingConnection,
  stream: ByteStream,
  address: string,
  options: HttpOptions,
  fault: (error: unknown) => void,
): Promise<WebSocketStream | null> {
  let request: HttpRequest | null = null;
  let response: Response;
  try {
    request = await readHttpRequest(stream, options.headMaximum);
    if (options.takesWebSockets && asksForWebSocket(request)) {
      await writeAll(stream, webSocketAnswer(request, options.origins));
      return new WebSocketStream(request.stream);
    }
    if (options.handler === null) {
      throw new HttpError(426, "Upgrade Required", { Upgrade: "websocket" });
    }
    response = await options.handler(webRequest(request), address);
  } catch (error) {
    if (error instanceof HandshakeError || isNetworkError(error)) throw error;
    if (!(error instanceof HttpError)) fault(error);
    const known = error instanceof HttpError ? error : new HttpError(500, "Internal server error.");
    response = errorResponse(known);
  }
  await sendResponse(stream, response, request?.method === "HEAD", () => arriving.progress());
  await arriving.farewell(stream);
  return null;
}
