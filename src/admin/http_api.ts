import { type Context, Hono } from "hono";
import type { Broker } from "../broker/broker.ts";

/** One listener, as Mosquitto's `/api/v1/listeners` tells of it. */
export interface ListenerEntry {
  readonly path?: string;
  readonly port?: number;
  readonly protocol: "mqtt" | "websockets" | "httpapi";
  readonly tls: boolean;
  readonly mtls: boolean;
  readonly allow_anonymous: boolean;
}

/** What a listener with `protocol http_api` shows. */
export interface HttpApiSource {
  /** Null while the store is still being read. */
  broker(): Broker | null;
  listeners(): readonly ListenerEntry[];
  readonly version: string;
  /**
   * Whether somebody may read what is at a path; "later": too many attempts like this were refused.
   * Without credentials the name is undefined.
   */
  mayRead(
    path: string,
    userName: string | undefined,
    password: Uint8Array | undefined,
    remoteAddress: string,
  ): Promise<boolean | "later">;
  /** Whatever is not below `/api/`; null: there are no files. */
  readonly files: ((request: Request) => Promise<Response>) | null;
}

/** What Hono is handed beside a request. */
export interface HttpApiPeer {
  readonly remoteAddress: string;
}

/** The small read-only interface of Mosquitto 2.1, with its paths, texts and status codes. */
export function createHttpApi(source: HttpApiSource): Hono<{ Bindings: HttpApiPeer }> {
  const app = new Hono<{ Bindings: HttpApiPeer }>();
  app.use(async (c, next) => {
    if (c.req.method !== "GET") return c.text("Invalid HTTP Method\n", 405, { Allow: "GET" });
    const { userName, password } = credentials(c);
    const { pathname } = new URL(c.req.url);
    const allowed = await source.mayRead(pathname, userName, password, c.env.remoteAddress);
    if (allowed === "later") return c.text("Too many failures\n", 429);
    if (allowed) return await next();
    return c.text("Not authorised\n", 401, { "WWW-Authenticate": `Basic realm="Sabethes API"` });
  });
  app.get("/api/v1/version", () => open(source.version, "text/plain; charset=utf-8"));
  app.get("/api/v1/listeners", () => openJson({ listeners: source.listeners() }));
  app.get("/api/v1/systree", (c) => {
    const broker = source.broker();
    return broker === null ? c.text("Starting.\n", 503) : openJson(systree(broker));
  });
  app.notFound((c) => {
    const isApi = /^\/api\//i.test(c.req.path);
    return isApi || source.files === null ? c.text("Not found.\n", 404) : source.files(c.req.raw);
  });
  return app;
}

/** Pages of any origin may read it, as with Mosquitto. */
function open(body: string, contentType: string): Response {
  return new Response(body, {
    headers: { "Access-Control-Allow-Origin": "*", "Content-Type": contentType },
  });
}

function openJson(value: unknown): Response {
  return open(JSON.stringify(value, null, "\t"), "application/json");
}

/** RFC 7617. What is wrong counts as none. */
function credentials(c: Context): { userName?: string; password?: Uint8Array } {
  const encoded = /^Basic +([A-Za-z0-9+/]+=*) *$/i.exec(c.req.header("authorization") ?? "")?.[1];
  if (encoded === undefined) return {};
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.fromBase64(encoded);
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
  const colon = bytes.indexOf(0x3a);
  if (colon < 0) return {};
  return {
    userName: new TextDecoder().decode(bytes.subarray(0, colon)),
    password: bytes.subarray(colon + 1),
  };
}

/** What is published below $SYS and is a whole number, by its topic. */
function systree(broker: Broker): Record<string, number> {
  const values: Record<string, number> = {};
  for (const { topic, publish } of broker.retained.matching("$SYS/#")) {
    const text = new TextDecoder().decode(publish.payload());
    const [, number] = /^(-?\d+)( seconds)?$/.exec(text) ?? [];
    if (number !== undefined) values[topic.name] = Number(number);
  }
  return values;
}
