import type { ByteStream } from "./stream_link.ts";
import { HandshakeError, HandshakeReader } from "./handshake.ts";

/** What a client asks for by HTTP/1.1, without a body. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query, as they came. */
  readonly target: string;
  /** Names in small letters; values that came several times are joined by commas. */
  readonly headers: ReadonlyMap<string, string>;
  /** The stream behind the request. */
  readonly stream: ByteStream;
}

/** A request that is answered by a status and no more. */
export class HttpError extends Error {
  override readonly name = "HttpError";

  constructor(
    readonly status: number,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

const LATIN1 = new TextDecoder("latin1");
/** A token of RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP\/1\.([01])$/;

/**
 * Reads the head of a request.
 *
 * @param maximum bytes it may have
 * @throws {HttpError} when it is wrong or too long
 * @throws {HandshakeError} when the peer ends before it
 */
export async function readHttpRequest(stream: ByteStream, maximum: number): Promise<HttpRequest> {
  const reader = new HandshakeReader(stream, maximum);
  let end = -1;
  for (let searched = 0; end < 0; searched = Math.max(0, reader.length - 3)) {
    const from = reader.length;
    if (!await reader.readMore()) {
      if (reader.isFull) throw new HttpError(431, "Request Header Fields Too Large");
      throw new HandshakeError("");
    }
    // What is no HTTP is told from it by its first byte, before a client waits for an answer.
    if (from === 0 && !isTokenByte(reader.bytes[0])) throw new HttpError(400, "Bad Request");
    end = endOfHead(reader.bytes, searched, reader.length);
  }
  const lines = LATIN1.decode(reader.bytes.subarray(0, end)).split("\r\n");
  const [, method, target] = REQUEST_LINE.exec(lines[0]) ?? [];
  if (method === undefined) throw new HttpError(400, "Bad Request");
  return { method, target, headers: readHeaders(lines), stream: reader.rest(end + 4) };
}

function readHeaders(lines: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (let index = 1; index < lines.length; index++) {
    const colon = lines[index].indexOf(":");
    const name = lines[index].slice(0, colon).toLowerCase();
    // Also refuses lines that continue the one before, which RFC 9112 (5.2) asks for.
    if (colon < 1 || !TOKEN.test(name)) throw new HttpError(400, "Bad Request");
    const value = lines[index].slice(colon + 1).trim();
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return headers;
}

function endOfHead(bytes: Uint8Array, from: number, to: number): number {
  for (let at = from; at + 3 < to; at++) {
    if (bytes[at] === 13 && bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) {
      return at;
    }
  }
  return -1;
}

function isTokenByte(byte: number): boolean {
  return TOKEN.test(String.fromCharCode(byte));
}

/** Whether a header that is a list of words has this one, whatever its letters' case. */
export function headerHas(request: HttpRequest, name: string, word: string): boolean {
  return words(request.headers.get(name)).some((one) => one.toLowerCase() === word);
}

/** The words of a header that is a list. */
export function words(value: string | undefined): string[] {
  return (value ?? "").split(",").map((word) => word.trim()).filter((word) => word !== "");
}
