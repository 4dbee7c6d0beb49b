import type { Context } from "hono";
import { createHash, timingSafeEqual } from "node:crypto";
import { RequestError } from "./answers.ts";
import type { AdminSource } from "./source.ts";

/** What `Deno.serve` says about a request; there is none when another program hands requests over. */
type Peer = { readonly remoteAddr?: { readonly hostname?: string } } | undefined;

/**
 * Lets a request through or not. With a token: whoever has it. Without one: programs of this machine,
 * but no page that a browser on it has loaded from elsewhere.
 *
 * @throws {RequestError} 401 or 403
 */
export function admit(source: AdminSource, c: Context): void {
  if (source.token === null) checkLoopback(c);
  else checkToken(source.token, c.req.header("authorization"));
  if (c.req.method !== "GET" && c.req.method !== "HEAD") checkOrigin(c);
}

/**
 * Lets an MQTT client through or not. MQTT asks who it is; but without a token nobody is expected from
 * elsewhere, and a page from elsewhere must not speak for a user of this machine.
 *
 * @throws {RequestError} 403
 */
export function admitMqtt(source: AdminSource, c: Context): void {
  if (source.token !== null) return;
  checkLoopback(c);
  checkOrigin(c);
}

function checkToken(token: string, authorization: string | undefined) {
  const given = /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
  if (given !== undefined && timingSafeEqual(digest(given), digest(token))) return;
  const error = given === undefined ? "" : `, error="invalid_token"`;
  throw new RequestError(401, "unauthorized", "a bearer token is needed", {
    "WWW-Authenticate": `Bearer realm="sabethes"${error}`,
  });
}

/** Of equal length for all texts, as the comparison in constant time needs it. */
function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

/** Against other machines, and against a foreign name that resolves to this one (DNS rebinding). */
function checkLoopback(c: Context) {
  const peer = (c.env as Peer)?.remoteAddr?.hostname;
  if (peer !== undefined && !isLoopbackAddress(peer)) {
    throw forbidden("without a token only this machine is answered");
  }
  const host = c.req.header("host");
  const names = [new URL(c.req.url).hostname];
  if (host !== undefined) names.push(urlOf(`http://${host}`)?.hostname ?? "");
  if (!names.every((name) => isLoopbackAddress(name))) {
    throw forbidden("without a token only requests to localhost, 127.0.0.1 or [::1] are answered");
  }
}

function isLoopbackAddress(name: string): boolean {
  return /^(localhost|(::ffff:)?127(\.\d{1,3}){3}|::1|\[::1\])$/i.test(name);
}

/** A browser says on whose behalf it sends something that is to change the state. */
function checkOrigin(c: Context) {
  const origin = c.req.header("origin");
  if (origin !== undefined && urlOf(origin)?.host !== new URL(c.req.url).host) {
    throw forbidden("the request comes from a page of another origin");
  }
  const site = c.req.header("sec-fetch-site");
  if (site !== undefined && site !== "same-origin" && site !== "none") {
    throw forbidden("the request comes from a page of another site");
  }
}

function urlOf(text: string): URL | null {
  return URL.parse(text);
}

function forbidden(message: string): RequestError {
  return new RequestError(403, "forbidden", message);
}
