import type { Hono } from "hono";
import { json, RequestError } from "./answers.ts";
import { changeableBrokerOf, readQuery } from "./requests.ts";
import { route } from "./route.ts";
import type { AdminSource } from "./source.ts";

/** `/reload`: as SIGHUP. Answers what changed, or with 422 what is wrong, and then nothing did. */
export function addReload(app: Hono, source: AdminSource): void {
  route(app, "/api/v1/reload", {
    POST: async (c) => {
      readQuery(c, []);
      changeableBrokerOf(source);
      const reloading = source.reload();
      if (reloading === null) {
        throw new RequestError(409, "no_file", "the configuration stands in no file");
      }
      const result = await reloading;
      return json(result, "mistakes" in result ? 422 : 200);
    },
  });
}
