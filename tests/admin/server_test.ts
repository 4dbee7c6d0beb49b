import assert from "node:assert/strict";
import { AdminServer } from "../../src/admin/server.ts";
import type { AdminSource } from "../../src/admin/source.ts";
import { World } from "../support/world.ts";

const LOCAL = { port: 0, address: "127.0.0.1" };

function starting(source: Partial<AdminSource> = {}): AdminSource {
  return {
    broker: () => null,
    readiness: () => ({ ready: false, reason: "starting" }),
    configuration: () => [],
    reload: () => null,
    explainAcl: () => [],
    certificates: () => [],
    bridges: () => [],
    version: "1.2.3",
    token: null,
    webSocket: null,
    ...source,
  };
}

/** Sends bytes and reads until the server closes. */
async function exchange(port: number, request: string): Promise<string> {
  using connection = await Deno.connect({ port });
  await connection.write(new TextEncoder().encode(request));
  return await new Response(connection.readable).text();
}

Deno.test("the server listens at once, on a port the system chose", async () => {
  const server = AdminServer.open(starting(), LOCAL);
  const { hostname, port } = server.address;
  assert.equal(hostname, "127.0.0.1");
  assert.ok(port > 0);
  const response = await fetch(`http://127.0.0.1:${port}/readyz`);
  assert.equal(response.status, 503);
  assert.deepEqual(await response.json(), { ready: false, reason: "starting" });
  await server.close();
  await assert.rejects(fetch(`http://127.0.0.1:${port}/healthz`));
});

Deno.test("a port that is taken is told at once", async () => {
  const server = AdminServer.open(starting(), LOCAL);
  assert.throws(
    () => AdminServer.open(starting(), { ...LOCAL, port: server.address.port }),
    Deno.errors.AddrInUse,
  );
  await server.close();
});

Deno.test("a foreign Host is refused over the wire, in each form HTTP has for it", async () => {
  const server = AdminServer.open(starting(), LOCAL);
  const { port } = server.address;
  const end = "Connection: close\r\n\r\n";
  for (
    const [request, status] of [
      [`GET /api/v1/config HTTP/1.1\r\nHost: localhost:${port}\r\n`, 200],
      [`GET /api/v1/config HTTP/1.1\r\nHost: evil.example\r\n`, 403],
      [`GET http://evil.example/api/v1/config HTTP/1.1\r\nHost: localhost\r\n`, 403],
      [`GET http://localhost/api/v1/config HTTP/1.1\r\nHost: evil.example\r\n`, 403],
    ] as const
  ) {
    const answer = await exchange(port, request + end);
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), request);
  }
  await server.close();
});

Deno.test("the token is asked for over the wire", async () => {
  const server = AdminServer.open(starting({ token: "s3cret" }), LOCAL);
  const url = `http://127.0.0.1:${server.address.port}/api/v1/config`;
  const without = await fetch(url);
  assert.equal(without.status, 401);
  assert.equal(without.headers.get("www-authenticate"), `Bearer realm="sabethes"`);
  await without.body?.cancel();
  const response = await fetch(url, { headers: { authorization: "Bearer s3cret" } });
  assert.deepEqual(await response.json(), { options: [] });
  await server.close();
});

Deno.test("a client that breaks off in the middle of a body is no defect of the broker", async () => {
  const { broker } = new World();
  const server = AdminServer.open(starting({ broker: () => broker }), LOCAL);
  const head =
    "POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
  for (
    const rest of ["Content-Length: 100\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"]
  ) {
    const connection = await Deno.connect({ port: server.address.port });
    await connection.write(new TextEncoder().encode(head + rest));
    await fetch(`http://127.0.0.1:${server.address.port}/healthz`).then((answer) => answer.text());
    connection.close();
  }
  await server.close();
  assert.equal(broker.counters.faults, 0);
});

Deno.test("a stop does not wait for a connection that is only kept open", async () => {
  const server = AdminServer.open(starting(), LOCAL);
  using connection = await Deno.connect({ port: server.address.port });
  const request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
  await connection.write(new TextEncoder().encode(request));
  await connection.read(new Uint8Array(1000));
  await server.close();
});

Deno.test("a stop lets an answer that is under way come to its end", async () => {
  const server = AdminServer.open(starting(), LOCAL);
  const { port } = server.address;
  using connection = await Deno.connect({ port });
  const body = `{"topic":"t"}`;
  const head = "POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\n" +
    `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  const encoder = new TextEncoder();
  await connection.write(encoder.encode(head));
  await fetch(`http://127.0.0.1:${port}/healthz`).then((response) => response.text());
  const closed = server.close();
  await connection.write(encoder.encode(body));
  const answer = await new Response(connection.readable).text();
  assert.match(answer, /^HTTP\/1.1 503 [^]*"error":"starting"/);
  await closed;
});

Deno.test("a stop cuts off a request that does not come to its end", async () => {
  const server = AdminServer.open(starting(), LOCAL);
  using connection = await Deno.connect({ port: server.address.port });
  const request = "POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\n" +
    "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
  await connection.write(new TextEncoder().encode(request));
  await fetch(`http://127.0.0.1:${server.address.port}/healthz`).then((r) => r.text());
  await server.close();
});
