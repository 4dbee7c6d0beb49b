import assert from "node:assert/strict";
import { opensslClientContext } from "../../../src/transport/tls/openssl_client_context.ts";
import { opensslServerContext } from "../../../src/transport/tls/openssl_server_context.ts";
import { returnCiphertextBuffer } from "../../../src/transport/tls/ciphertext_buffers.ts";
import { liveTlsSessions, TlsSession } from "../../../src/transport/tls/tls_session.ts";
import { eventually, PATIENCE_MS } from "../../support/broker_process.ts";
import { cafile, server } from "./lab.ts";
import { dialTls } from "./tls_transport.ts";

/** Both ends are in this process. */
const COUNT = 1000;

Deno.test("a thousand handshakes that stay half open keep no good client out", async () => {
  const context = opensslServerContext(server);
  const client = opensslClientContext({ cafile });
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const waiting = new Set<Promise<void>>();
  let failed = 0, served = 0;
  const serve = async (raw: Deno.TcpConn) => {
    const stream = context.secure(raw);
    try {
      await stream.handshake(PATIENCE_MS * 10);
    } catch {
      failed++;
      return;
    }
    const buffer = new Uint8Array(16);
    const count = await stream.read(buffer);
    await stream.write(buffer.subarray(0, count!));
    served++;
    stream.close();
  };
  const accepting = (async () => {
    for await (const raw of listener) {
      const handshake: Promise<void> = serve(raw).finally(() => waiting.delete(handshake));
      waiting.add(handshake);
    }
  })();

  let hello = new Uint8Array(0);
  const greeting = new TlsSession(client, "localhost", (buffer, length) => {
    hello = buffer.slice(0, length);
    returnCiphertextBuffer(buffer);
  });
  greeting.handshake(new Uint8Array(0), 0);
  greeting.free();
  // Nothing, the beginning of a header, half a hello, a whole one without what follows.
  const beginnings = [0, 3, hello.length >> 1, hello.length];
  const halfOpen: Deno.TcpConn[] = [];
  for (let index = 0; index < COUNT; index++) {
    const raw = await Deno.connect({ hostname: "127.0.0.1", port });
    const beginning = hello.subarray(0, beginnings[index % beginnings.length]);
    if (beginning.length > 0) await raw.write(beginning);
    halfOpen.push(raw);
  }
  await eventually(() => waiting.size === COUNT, () => `${waiting.size} handshakes are waiting`);

  for (let index = 0; index < 20; index++) {
    const stream = await dialTls(client, port);
    await stream.write(Uint8Array.of(index));
    const buffer = new Uint8Array(1);
    assert.equal(await stream.read(buffer), 1);
    assert.equal(buffer[0], index);
    stream.close();
  }
  await eventually(() => waiting.size === COUNT, () => `${waiting.size} handshakes are waiting`);
  assert.deepEqual([served, failed], [20, 0]);

  for (const raw of halfOpen) raw.close();
  listener.close();
  await accepting;
  await Promise.all(waiting);
  assert.equal(failed, COUNT);
  assert.equal(liveTlsSessions(), 0);
  context.free();
  client.free();
});
