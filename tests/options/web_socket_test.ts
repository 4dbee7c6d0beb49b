import assert from "node:assert/strict";
import { freePort } from "../support/broker_process.ts";
import { withAndWithout } from "./with_and_without.ts";

/** The status of the answer to a request for a WebSocket; null if there is none. */
async function upgrade(port: number, headers: Record<string, string> = {}): Promise<number | null> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const fields = {
    Host: `127.0.0.1:${port}`,
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "mqtt",
    ...headers,
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = new TextEncoder().encode(`GET /mqtt HTTP/1.1\r\n${lines.join("")}\r\n`);
  const buffer = new Uint8Array(4096);
  try {
    for (let at = 0; at < request.length;) at += await connection.write(request.subarray(at));
    const length = await connection.read(buffer);
    if (length === null) return null;
    const status = /^HTTP\/1\.1 (\d+)/.exec(new TextDecoder().decode(buffer.subarray(0, length)));
    return status === null ? null : Number(status[1]);
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe) {
      return null;
    }
    throw error;
  }
}

Deno.test("options of WebSocket", (t) => {
  const [open, picky, other] = [freePort(), freePort(), freePort()];
  const webSocket = (port: number) => [`listener ${port} 127.0.0.1`, "protocol websockets"];
  return withAndWithout(
    () => [
      ...["packet_buffer_size 20000", ...webSocket(open)],
      ...[...webSocket(picky), "websockets_origin https://a.example"],
      "websockets_origin https://b.example",
    ],
    ({ set }) =>
      withAndWithout(() => webSocket(other), async () => {
        await t.step("protocol: websockets speaks WebSocket, mqtt does not", async () => {
          assert.equal(await upgrade(open), 101);
          assert.equal(await upgrade(set.port), null);
        });
        await t.step("websockets_origin: pages from elsewhere are refused", async () => {
          const from = (port: number, host: string) => upgrade(port, { Origin: `https://${host}` });
          assert.equal(await from(picky, "a.example"), 101);
          assert.equal(await from(picky, "b.example"), 101);
          assert.notEqual(await from(picky, "c.example"), 101);
          assert.equal(await from(open, "c.example"), 101);
        });
        await t.step("packet_buffer_size: longer headers are refused", async () => {
          const long = { "X-Long": "x".repeat(10_000) };
          assert.equal(await upgrade(open, long), 101);
          assert.notEqual(await upgrade(other, long), 101);
        });
      }),
  );
});
