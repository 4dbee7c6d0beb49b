import { type Context, Hono } from "hono";
import { addAcl } from "./acl.ts";
import { answer, errorAnswer, json, RequestError } from "./answers.ts";
import { addBridges } from "./bridges.ts";
import { addClients } from "./clients.ts";
import { admit } from "./guard.ts";
import { Listings } from "./listings.ts";
import { METRICS_CONTENT_TYPE, metricsText } from "./metrics.ts";
import { addMqtt } from "./mqtt.ts";
import { addPublish } from "./publish.ts";
import { addReload } from "./reload.ts";
import { brokerOf, notFound, readQuery } from "./requests.ts";
import { addRetained } from "./retained.ts";
import { route } from "./route.ts";
import { addSessions } from "./sessions.ts";
import type { AdminSource } from "./source.ts";

/**
 * The HTTP interface: health, metrics and the admin API. All paths are relative, and nothing outside
 * them is touched, so that it can be mounted in another app.
 *
 * @param listings keeps the cursors between two pages
 */
export function createAdminApp(source: AdminSource, listings: Listings = new Listings()): Hono {
  const app = new Hono();
  app.onError((error) => {
    if (error instanceof RequestError) return errorAnswer(error);
    source.broker()?.fault(error, "answering an HTTP request");
    return errorAnswer(new RequestError(500, "fault", "a defect in the broker; its log has more"));
  });
  addHealth(app, source);
  addMqtt(app, source);

  const guard = async (c: Context, next: () => Promise<void>) => {
    admit(source, c);
    await next();
  };
  app.use("/metrics", guard);
  app.use("/api/*", guard);
  addState(app, source);
  addClients(app, source, listings);
  addSessions(app, source, listings);
  addRetained(app, source, listings);
  addPublish(app, source);
  addBridges(app, source);
  addReload(app, source);
  addAcl(app, source);
  app.all("/api/*", () => {
    throw notFound();
  });
  // Not for an app that this one is mounted in.
  app.notFound((c) => {
    admit(source, c);
    return errorAnswer(notFound());
  });
  return app;
}

/** What is asked by machines that have no token, and tells nothing worth one. */
function addHealth(app: Hono, source: AdminSource) {
  route(app, "/healthz", { GET: () => answer("ok\n", "text/plain; charset=utf-8") });
  route(app, "/readyz", {
    GET: () => {
      const { ready, reason } = source.readiness();
      return json({ ready, reason }, ready ? 200 : 503);
    },
  });
  route(app, "/version", {
    GET: () => json({ name: "sabethes", version: source.version }),
  });
}

function addState(app: Hono, source: AdminSource) {
  route(app, "/metrics", {
    GET: () => {
      const { ready } = source.readiness();
      return answer(metricsText(brokerOf(source), source, ready), METRICS_CONTENT_TYPE);
    },
  });
  route(app, "/api/v1/stats", {
    GET: (c) => {
      readQuery(c, []);
      const broker = brokerOf(source);
      const { rss, heapUsed } = Deno.memoryUsage();
      return json({
        version: source.version,
        ...broker.statistics(),
        store: broker.storeHealth(),
        process: { residentBytes: rss, heapUsedBytes: heapUsed },
      });
    },
  });
  route(app, "/api/v1/config", {
    GET: (c) => {
      readQuery(c, []);
      return json({ options: source.configuration() });
    },
  });
}
