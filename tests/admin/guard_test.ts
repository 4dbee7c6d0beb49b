import assert from "node:assert/strict";
import { World } from "../support/world.ts";
import { Admin } from "./support.ts";

const OPEN = ["/healthz", "/readyz", "/version"];
const GUARDED = ["/metrics", "/api/v1/stats", "/api/v1/config", "/api/v1/nothing", "/nothing"];

Deno.test("with a token set, everything but health and version needs it", async () => {
  const admin = new Admin(new World(), { token: "s3cret" });
  for (const path of OPEN) assert.equal((await admin.ask(`GET ${path}`)).status, 200, path);
  for (const path of GUARDED) {
    const answer = await admin.refused(`GET ${path}`, 401, "unauthorized");
    assert.equal(answer.headers.get("www-authenticate"), `Bearer realm="sabethes"`);
  }
  await admin.refused("OPTIONS /api/v1/publish", 401, "unauthorized");
  await admin.refused("DELETE /api/v1/sessions/x", 401, "unauthorized");
});

Deno.test("only the token itself opens", async () => {
  const admin = new Admin(new World(), { token: "s3cret" });
  const status = async (authorization: string) =>
    (await admin.ask("GET /api/v1/stats", { headers: { authorization } })).status;
  for (
    const wrong of [
      "Bearer s3cre",
      "Bearer s3crets",
      "Bearer S3CRET",
      "Bearer",
      "Bearer s3cret s3cret",
      "Basic s3cret",
      "s3cret",
    ]
  ) {
    assert.equal(await status(wrong), 401, wrong);
  }
  assert.equal(await status("Bearer s3cret"), 200);
  assert.equal(await status("bearer  s3cret"), 200);
});

Deno.test("an empty token opens to nobody", async () => {
  const admin = new Admin(new World(), { token: "" });
  const headers = { authorization: "Bearer " };
  await admin.refused("GET /api/v1/stats", 401, "unauthorized", { headers });
});

Deno.test("a wrong token is told apart from none", async () => {
  const admin = new Admin(new World(), { token: "a" });
  const headers = { authorization: "Bearer b" };
  const answer = await admin.refused("GET /metrics", 401, "unauthorized", { headers });
  assert.match(answer.headers.get("www-authenticate")!, /error="invalid_token"/);
});

Deno.test("without a token a foreign Host is refused: DNS rebinding", async () => {
  const admin = new Admin(new World());
  for (
    const host of ["evil.example", "localhost.evil.example", "10.0.0.1:18083", "127.0.0.1.x", ""]
  ) {
    const init = { headers: { host } };
    await admin.refused("GET /api/v1/stats", 403, "forbidden", init);
  }
  for (const host of ["localhost:18083", "127.0.0.1", "127.1.2.3:1", "[::1]:18083"]) {
    const answer = await admin.ask("GET /api/v1/stats", { headers: { host } });
    assert.equal(answer.status, 200, host);
  }
  const foreign = await admin.app.request("http://evil.example/metrics");
  assert.equal(foreign.status, 403);
});

Deno.test("without a token another machine is refused, whatever Host it claims", async () => {
  const admin = new Admin(new World());
  const from = (hostname: string) => ({ remoteAddr: { hostname, transport: "tcp", port: 1 } });
  await admin.refused("GET /metrics", 403, "forbidden", {}, from("192.0.2.1"));
  await admin.refused("GET /metrics", 403, "forbidden", {}, from("2001:db8::1"));
  for (const hostname of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) {
    assert.equal((await admin.ask("GET /metrics", {}, from(hostname))).status, 200, hostname);
  }
  assert.equal((await admin.ask("GET /healthz", {}, from("192.0.2.1"))).status, 200);
});

Deno.test("with a token the Host and the peer may be any", async () => {
  const admin = new Admin(new World(), { token: "a" });
  const headers = { authorization: "Bearer a", host: "broker.example" };
  const peer = { remoteAddr: { hostname: "192.0.2.1" } };
  assert.equal((await admin.ask("GET /metrics", { headers }, peer)).status, 200);
});

Deno.test("a page of another origin changes nothing, token or not", async () => {
  const world = new World();
  for (const token of [null, "a"]) {
    const admin = new Admin(world, { token });
    const authorization = "Bearer a";
    for (
      const headers of [
        { origin: "http://evil.example" },
        { origin: "http://localhost:3000" },
        { origin: "null" },
        { origin: "" },
        { "sec-fetch-site": "cross-site" },
        { "sec-fetch-site": "same-site" },
      ]
    ) {
      const init = { headers: Object.entries({ authorization, ...headers }) };
      await admin.refused("DELETE /api/v1/clients/x", 403, "forbidden", init);
      await admin.refused("POST /api/v1/publish", 403, "forbidden", init);
    }
    for (
      const headers of [
        { origin: "http://localhost" },
        { origin: "http://localhost", "sec-fetch-site": "same-origin" },
        { "sec-fetch-site": "none" },
      ]
    ) {
      const init = { headers: Object.entries({ authorization, ...headers }) };
      await admin.refused("DELETE /api/v1/clients/x", 404, "not_found", init);
    }
  }
});
