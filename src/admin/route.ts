import type { Context, Hono } from "hono";
import { RequestError } from "./answers.ts";

type Handler = (c: Context) => Response | Promise<Response>;

/** Serves a path by its methods, and refuses the others by name. */
export function route(
  app: Hono,
  path: string,
  methods: Partial<Record<"GET" | "POST" | "DELETE", Handler>>,
): void {
  for (const [method, handler] of Object.entries(methods)) app.on(method, path, handler);
  const allowed = Object.keys(methods).flatMap((name) => name === "GET" ? [name, "HEAD"] : [name]);
  const allow = allowed.join(", ");
  app.all(path, () => {
    throw new RequestError(405, "method_not_allowed", `this path takes ${allow}`, { Allow: allow });
  });
}
