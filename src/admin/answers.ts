import type { ContentfulStatusCode } from "hono/utils/http-status";

/** Why a request is not done. Thrown by whoever finds out, answered in one place. */
export class RequestError extends Error {
  override readonly name = "RequestError";

  constructor(
    readonly status: ContentfulStatusCode,
    /** For programs: stays the same when the message is worded anew. */
    readonly code: string,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** What is shown is state of the moment and nothing a page of somebody else may use. */
const HEADERS = {
  "Cache-Control": "no-store",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

/** The one way to make an answer, so that none goes without its headers. */
export function answer(
  body: BodyInit | null,
  contentType: string | null,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const type = contentType === null ? undefined : { "Content-Type": contentType };
  return new Response(body, { status, headers: { ...HEADERS, ...type, ...headers } });
}

export function json(
  body: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return jsonText(JSON.stringify(body), status, headers);
}

/** For JSON that was written in parts. */
export function jsonText(
  body: string,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return answer(`${body}\n`, "application/json", status, headers);
}

export function errorAnswer({ status, code, message, headers }: RequestError): Response {
  return json({ error: code, message }, status, headers);
}
