import type { Context } from "hono";
import { Buffer } from "node:buffer";
import type { Broker } from "../broker/broker.ts";
import { RequestError } from "./answers.ts";
import type { AdminSource } from "./source.ts";

/**
 * The query's parameters. A misspelt one must not quietly list or delete something else.
 *
 * @throws {RequestError} 400 for one that is not known or is there twice
 */
export function readQuery(c: Context, known: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of new URL(c.req.url).searchParams) {
    if (!known.includes(name)) {
      const names = known.length === 0 ? "none" : known.join(", ");
      throw badRequest(`unknown query parameter '${name}'; known: ${names}`);
    }
    if (found.has(name)) throw badRequest(`the query parameter '${name}' is there twice`);
    found.set(name, value);
  }
  return found;
}

/**
 * The name that the path holds between `before` and `behind`, decoded once. Taken from the URL itself:
 * a router's parameters have been decoded leniently.
 *
 * @throws {RequestError} 400 when it is not UTF-8, percent-encoded
 */
export function nameInPath(c: Context, before: string, behind = ""): string {
  const { pathname } = new URL(c.req.url);
  const start = pathname.indexOf(before);
  if (start < 0) throw notFound();
  const encoded = pathname.slice(start + before.length, pathname.length - behind.length);
  try {
    return decodeURIComponent(encoded);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw badRequest("the path is not well-formed percent-encoded UTF-8");
  }
}

/**
 * The request's body.
 *
 * @throws {RequestError} 413 when it is longer than `maximumBytes`, which is all that is read then, and
 * 400 when its sender breaks off
 */
export async function readBody(c: Context, maximumBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = c.req.raw.body?.getReader();
  for (;;) {
    const next = await reader?.read().catch((error) => {
      if (!(error instanceof Error)) throw error;
      throw badRequest("the body broke off");
    });
    if (next === undefined || next.done) return Buffer.concat(chunks);
    length += next.value.length;
    if (length > maximumBytes) {
      await reader!.cancel();
      throw new RequestError(413, "too_large", `the body may have ${maximumBytes} bytes`);
    }
    chunks.push(next.value);
  }
}

/** The broker, once its store has been read. @throws {RequestError} 503 before */
export function brokerOf(source: AdminSource): Broker {
  const broker = source.broker();
  if (broker === null) throw new RequestError(503, "starting", "the store is still being read");
  return broker;
}

/** The broker, to change something in. @throws {RequestError} 503 when it starts or stops */
export function changeableBrokerOf(source: AdminSource): Broker {
  const broker = brokerOf(source);
  if (broker.isStopping) throw new RequestError(503, "stopping", "the broker is stopping");
  return broker;
}

export function badRequest(message: string): RequestError {
  return new RequestError(400, "bad_request", message);
}

export function notFound(message = "there is nothing at this path"): RequestError {
  return new RequestError(404, "not_found", message);
}
