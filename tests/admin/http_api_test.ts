import assert from "node:assert/strict";
import { createHttpApi, type HttpApiSource } from "../../src/admin/http_api.ts";
import { World } from "../support/world.ts";

const mqtt = {
  port: 1883,
  protocol: "mqtt",
  tls: false,
  mtls: false,
  allow_anonymous: true,
} as const;
const unix = {
  path: "/run/s",
  protocol: "websockets",
  tls: true,
  mtls: true,
  allow_anonymous: false,
} as const;

/** Asks by method and path. */
function api(source: Partial<HttpApiSource> = {}) {
  const app = createHttpApi({
    broker: () => null,
    listeners: () => [mqtt, unix],
    version: "1.2.3",
    mayRead: () => Promise.resolve(true),
    files: null,
    ...source,
  });
  return async (request: string, headers: Record<string, string> = {}) => {
    const [method, path] = request.split(" ");
    const response = await app.fetch(
      new Request(`http://localhost${path}`, { method, headers }),
      { remoteAddress: "192.0.2.5:7" },
    );
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
}

Deno.test("the version is plain text, for pages of any origin", async () => {
  const { status, text, headers } = await api()("GET /api/v1/version");
  assert.deepEqual([status, text], [200, "1.2.3"]);
  assert.equal(headers.get("access-control-allow-origin"), "*");
});

Deno.test("the listeners are told as Mosquitto tells them", async () => {
  const { text, headers } = await api()("GET /api/v1/listeners");
  assert.deepEqual(JSON.parse(text), { listeners: [mqtt, unix] });
  assert.equal(headers.get("content-type"), "application/json");
});

Deno.test("the numbers of $SYS are told by their topics", async () => {
  const world = new World({ settings: { sysInterval: 10 } });
  world.advanceSeconds(20);
  const { text } = await api({ broker: () => world.broker })("GET /api/v1/systree");
  const values = JSON.parse(text);
  assert.equal(values["$SYS/broker/clients/connected"], 0);
  assert.ok(values["$SYS/broker/uptime"] >= 10);
  assert.equal("$SYS/broker/version" in values, false);
  assert.ok(Object.values(values).every((value) => Number.isInteger(value)));
});

Deno.test("before the store is read there is no tree", async () => {
  assert.equal((await api()("GET /api/v1/systree")).status, 503);
});

Deno.test("only GET is answered", async () => {
  for (const method of ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"]) {
    const { status, text } = await api()(`${method} /api/v1/version`);
    assert.equal(status, 405, method);
    if (method !== "HEAD") assert.equal(text, "Invalid HTTP Method\n");
  }
});

Deno.test("other paths are not there, or are files", async () => {
  const files = (request: Request) => Promise.resolve(new Response(new URL(request.url).pathname));
  for (const path of ["/api/", "/api/v1/", "/API/v1/version", "/api/v2/version"]) {
    const { status, text } = await api({ files })(`GET ${path}`);
    assert.deepEqual([status, text], [404, "Not found.\n"], path);
  }
  assert.deepEqual((await api()("GET /")).status, 404);
  assert.deepEqual((await api({ files })("GET /a/b")).text, "/a/b");
});

Deno.test("who may read is asked with path, name, password and address", async () => {
  const asked: unknown[] = [];
  const mayRead: HttpApiSource["mayRead"] = (path, userName, password, address) => {
    asked.push([path, userName, password && new TextDecoder().decode(password), address]);
    return Promise.resolve(false);
  };
  const ask = api({ mayRead });
  const basic = (text: string) => ({ Authorization: `Basic ${btoa(text)}` });
  await ask("GET /api/v1/version");
  await ask("GET /x", basic("me:pass:word"));
  await ask("GET /x", basic("me:"));
  await ask("GET /x", basic("no colon"));
  await ask("GET /x", { Authorization: "Basic !!!" });
  const { status, text, headers } = await ask("GET /x", { Authorization: "Bearer abc" });
  const nobody = ["/x", undefined, undefined, "192.0.2.5:7"];
  assert.deepEqual(asked, [
    ["/api/v1/version", undefined, undefined, "192.0.2.5:7"],
    ["/x", "me", "pass:word", "192.0.2.5:7"],
    ["/x", "me", "", "192.0.2.5:7"],
    nobody,
    nobody,
    nobody,
  ]);
  assert.deepEqual([status, text], [401, "Not authorised\n"]);
  assert.match(headers.get("www-authenticate")!, /^Basic realm=/);
});
