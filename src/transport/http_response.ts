import { writeAll } from "./handshake.ts";
import { HttpError, type HttpRequest } from "./http_request.ts";
import type { ByteStream } from "./stream_link.ts";

/** Answers a request. What it throws that is no `HttpError` is a defect. */
export type HttpHandler = (request: Request, remoteAddress: string) => Promise<Response>;

/** What of a response says how it is sent, which is said anew. */
const OWN_HEADERS = new Set(["connection", "content-length", "transfer-encoding", "keep-alive"]);

/** The request as the rest of the program takes it. @throws {HttpError} for a target that is no path */
export function webRequest({ method, target, headers }: HttpRequest): Request {
  const url = URL.parse(target.startsWith("/") ? `http://localhost${target}` : target);
  if (url === null || url.protocol !== "http:") throw new HttpError(400, "Bad Request");
  const copied = new Headers();
  try {
    for (const [name, value] of headers) copied.append(name, value);
    return new Request(url, { method, headers: copied });
  } catch (error) {
    // Methods and values that `fetch` does not let through.
    if (!(error instanceof TypeError)) throw error;
    throw new HttpError(400, "Bad Request");
  }
}

/**
 * Sends a response and says that the connection ends with it; it is closed by the caller.
 *
 * @param progress called whenever the peer has taken something
 */
export async function sendResponse(
  stream: ByteStream,
  response: Response,
  isHead: boolean,
  progress: () => void,
): Promise<void> {
  const headers = [...response.headers].filter(([name]) => !OWN_HEADERS.has(name));
  const length = response.headers.get("content-length");
  if (length !== null) headers.push(["content-length", length]);
  headers.push(["connection", "close"]);
  const { status, body } = response;
  const lines = [`HTTP/1.1 ${status} ${response.statusText || reason(status)}`];
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  try {
    await writeAll(stream, encode(`${lines.join("\r\n")}\r\n\r\n`));
  } catch (error) {
    // There may be an open file behind it.
    await body?.cancel();
    throw error;
  }
  progress();
  if (body === null) return;
  if (isHead) return await body.cancel();
  // Leaving the loop early, by an exception, cancels the body.
  for await (const chunk of body) {
    await writeAll(stream, chunk);
    progress();
  }
}

/** The answer to a request that is refused. */
export function errorResponse({ status, message, headers }: HttpError): Response {
  return new Response(`${message}\n`, {
    status,
    headers: { "Content-Type": "text/plain; charset=utf-8", ...headers },
  });
}

function reason(status: number): string {
  return REASONS.get(status) ?? (status < 400 ? "OK" : "Error");
}

const REASONS = new Map([
  [200, "OK"],
  [304, "Not Modified"],
  [400, "Bad Request"],
  [401, "Unauthorized"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [426, "Upgrade Required"],
  [429, "Too Many Requests"],
  [431, "Request Header Fields Too Large"],
  [500, "Internal Server Error"],
  [503, "Service Unavailable"],
]);

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
