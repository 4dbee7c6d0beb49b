import assert from "node:assert/strict";
import { Hono } from "hono";
import { World } from "../support/world.ts";
import { Admin } from "./support.ts";

Deno.test("/healthz answers while the process lives, the broker started or not", async () => {
  const answer = await new Admin(null).ask("GET /healthz");
  assert.deepEqual([answer.status, answer.text], [200, "ok\n"]);
});

Deno.test("/readyz says why clients are not served", async () => {
  const state = { ready: false, reason: "the store takes nothing" };
  const admin = new Admin(null, { readiness: () => state });
  const unready = await admin.ask("GET /readyz");
  assert.deepEqual([unready.status, unready.body], [503, state]);
  Object.assign(state, { ready: true, reason: "" });
  const ready = await admin.ask("GET /readyz");
  assert.deepEqual([ready.status, ready.body], [200, { ready: true, reason: "" }]);
});

Deno.test("/version tells the version", async () => {
  assert.deepEqual(await new Admin(null).get("/version"), { name: "sabethes", version: "1.2.3" });
});

Deno.test("before the store is read, what needs the broker is refused with 503", async () => {
  const admin = new Admin(null);
  for (const path of ["metrics", "api/v1/stats", "api/v1/clients", "api/v1/sessions/x"]) {
    await admin.refused(`GET /${path}`, 503, "starting");
  }
  await admin.refused("DELETE /api/v1/retained/x", 503, "starting");
});

Deno.test("a broker that stops is shown but changes nothing more", async () => {
  const world = new World();
  world.broker.publishMessage({ topic: "a", payload: new Uint8Array(1), retain: true });
  world.broker.stop();
  const admin = new Admin(world);
  await admin.get("/api/v1/stats");
  await admin.refused("DELETE /api/v1/retained/a", 503, "stopping");
  await admin.refused("DELETE /api/v1/sessions/a", 503, "stopping");
  assert.equal((await admin.publish({ topic: "a" })).body.error, "stopping");
  assert.equal(world.broker.retained.count, 1);
});

Deno.test("a wrong method is refused with the right ones", async () => {
  const admin = new Admin(new World());
  for (
    const [request, allow] of [
      ["POST /healthz", "GET, HEAD"],
      ["DELETE /metrics", "GET, HEAD"],
      ["PUT /api/v1/clients", "GET, HEAD"],
      ["POST /api/v1/clients/x", "GET, HEAD, DELETE"],
      ["POST /api/v1/sessions/x/subscriptions", "GET, HEAD"],
      ["PUT /api/v1/retained/a/b", "GET, HEAD, DELETE"],
      ["GET /api/v1/publish", "POST"],
      ["OPTIONS /api/v1/publish", "POST"],
    ]
  ) {
    const answer = await admin.refused(request, 405, "method_not_allowed");
    assert.equal(answer.headers.get("allow"), allow, request);
  }
});

Deno.test("HEAD answers as GET does, without the body", async () => {
  const answer = await new Admin(new World()).ask("HEAD /api/v1/stats");
  assert.deepEqual([answer.status, answer.text], [200, ""]);
});

Deno.test("an unknown path is not found", async () => {
  const admin = new Admin(new World());
  for (const path of ["", "api/v2/stats", "api/v1/", "api/v1/clients/", "api/v1/stats/", "x"]) {
    await admin.refused(`GET /${path}`, 404, "not_found");
  }
});

Deno.test("an unknown or repeated query parameter is refused, not ignored", async () => {
  const admin = new Admin(new World());
  for (
    const request of [
      "GET /api/v1/stats?x=1",
      "GET /api/v1/config?x=1",
      "GET /api/v1/clients?perfix=a",
      "GET /api/v1/clients?prefix=a&prefix=b",
      "GET /api/v1/clients/a?prefix=b",
      "DELETE /api/v1/clients/a?force=1",
      "GET /api/v1/sessions?filter=a",
      "DELETE /api/v1/sessions/a?force=1",
      "GET /api/v1/retained/a?raw=yes",
      "DELETE /api/v1/retained/a?raw=true",
      "POST /api/v1/publish?topic=a",
    ]
  ) {
    await admin.refused(request, 400, "bad_request");
  }
});

Deno.test("every answer forbids caching, sniffing, framing and scripts, and allows no other origin", async () => {
  const admin = new Admin(new World());
  for (
    const request of ["GET /healthz", "GET /metrics", "GET /api/v1/stats", "GET /x", "PUT /metrics"]
  ) {
    const { headers } = await admin.ask(request, { headers: { origin: "http://localhost" } });
    assert.match(headers.get("content-security-policy")!, /^default-src 'none'; /);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("cache-control"), "no-store");
    assert.equal(headers.get("access-control-allow-origin"), null);
  }
});

Deno.test("the configuration is shown as the source gives it", async () => {
  const options = [{ name: "max_qos", value: 2, origin: "default" }];
  const admin = new Admin(null, { configuration: () => options });
  assert.deepEqual(await admin.get("/api/v1/config"), { options });
});

Deno.test("/api/v1/stats has the broker's numbers, the store's and the process'", async () => {
  const world = new World();
  world.connect(5, { clientId: "a" });
  const stats = await new Admin(world).get("/api/v1/stats");
  assert.equal(stats.clientsConnected, 1);
  assert.equal(stats.connectsReceived, 1);
  assert.equal(stats.version, "1.2.3");
  assert.deepEqual(stats.store, { writable: true, reason: "", bytes: 0 });
  assert.ok(stats.process.residentBytes > 1e6);
});

Deno.test("/metrics is Prometheus text with help, type and value of each number", async () => {
  const world = new World();
  world.connect(5, { clientId: "a" });
  world.connect(4, { clientId: "b" }).publish({ topic: "t", payload: "12345" });
  const answer = await new Admin(world).ask("GET /metrics");
  assert.equal(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const lines = answer.text.split("\n");
  assert.equal(lines.pop(), "");
  const values = new Map<string, number>();
  for (let index = 0; index < lines.length; index += 3) {
    const [help, type, sample] = lines.slice(index, index + 3);
    const [, name, value] = /^([a-z_]+)(?:\{version="1\.2\.3"\})? (\d+(?:\.\d+)?)$/.exec(sample)!;
    assert.match(help, new RegExp(`^# HELP ${name} [A-Z1].*\\.$`));
    const isCounter = name.endsWith("_total") && name !== "sabethes_clients_total";
    assert.equal(type, `# TYPE ${name} ${isCounter ? "counter" : "gauge"}`);
    assert.ok(!values.has(name), name);
    values.set(name, Number(value));
  }
  assert.equal(values.get("sabethes_clients_connected"), 2);
  assert.equal(values.get("sabethes_connects_received_total"), 2);
  assert.equal(values.get("sabethes_publish_received_bytes_total"), 5);
  assert.equal(values.get("sabethes_ready"), 1);
  assert.equal(values.get("sabethes_build_info"), 1);
  assert.ok(values.get("process_resident_memory_bytes")! > 1e6);
});

Deno.test("metrics say when a listener's certificate expires, where there is one", async () => {
  const name = "sabethes_tls_certificate_expiry_seconds";
  const without = await new Admin(new World()).ask("GET /metrics");
  assert.ok(!without.text.includes(name));
  const certificates = () => [{ listener: "8883", expiresAtMs: 1_800_000_000_500 }];
  const { text } = await new Admin(new World(), { certificates }).ask("GET /metrics");
  assert.ok(text.includes(`# TYPE ${name} gauge\n${name}{listener="8883"} 1800000000\n`), text);
});

Deno.test("a defect is answered with 500, logged and counted, and tells nothing of itself", async () => {
  const world = new World();
  const admin = new Admin(world, {
    configuration: () => {
      throw new Error("inner working");
    },
  });
  const answer = await admin.refused("GET /api/v1/config", 500, "fault");
  assert.doesNotMatch(answer.text, /inner working/);
  assert.equal(world.broker.counters.faults, 1);
  assert.ok(world.log.some((line) => line.includes("inner working")));
});

Deno.test("mounted in another app it serves the same below its path and touches nothing else", async () => {
  const world = new World();
  world.connect(5, { clientId: "a/b" });
  const outer = new Hono();
  outer.route("/mqtt", new Admin(world, { token: "secret" }).app);
  outer.get("/api/mine", (c) => c.text("mine"));
  const headers = { authorization: "Bearer secret" };
  const status = async (path: string, init = {}) => (await outer.request(path, init)).status;
  assert.equal(await status("/mqtt/healthz"), 200);
  assert.equal(await status("/mqtt/api/v1/stats"), 401);
  assert.equal(await status("/mqtt/api/v1/stats", { headers }), 200);
  assert.equal(await status("/mqtt/api/v1/nothing", { headers }), 404);
  const client = await outer.request("/mqtt/api/v1/clients/a%2Fb", { headers });
  assert.equal((await client.json()).clientId, "a/b");
  const mine = await outer.request("/api/mine");
  assert.equal(await mine.text(), "mine");
  assert.equal(mine.headers.get("content-security-policy"), null);
  assert.equal(await (await outer.request("/other")).text(), "404 Not Found");
});
