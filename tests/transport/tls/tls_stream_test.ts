import assert from "node:assert/strict";
import { opensslClientContext } from "../../../src/transport/tls/openssl_client_context.ts";
import { opensslServerContext } from "../../../src/transport/tls/openssl_server_context.ts";
import { liveTlsSessions } from "../../../src/transport/tls/tls_session.ts";
import type { TlsError } from "../../../src/transport/tls/tls_error.ts";
import { concat } from "../../support/packets.ts";
import { cafile, only, server, VERSIONS } from "./lab.ts";
import { meet, type Met } from "./meeting.ts";
import { memoryStreams } from "./memory_stream.ts";

const IDLE_BYTES = 256;

/** Runs with two streams that have shaken hands, for each version. */
function streams(title: string, run: (met: Met) => Promise<void>) {
  for (const version of VERSIONS) {
    Deno.test(`${version}: ${title}`, async () => {
      const contexts = [
        opensslServerContext({ ...server, ...only(version) }),
        opensslClientContext({ cafile }),
      ];
      try {
        const met = await meet(contexts[0], contexts[1]);
        assert.equal(typeof met.server, "object", String(met.server));
        await run(met);
        met.serverStream.close();
        met.clientStream.close();
        assert.equal(liveTlsSessions(), 0);
      } finally {
        for (const context of contexts) context.free();
      }
    });
  }
}

const text = (word: string) => new TextEncoder().encode(word);

function pattern(length: number): Uint8Array {
  return new Uint8Array(length).map((_, at) => at ^ at >> 8 ^ at >> 16);
}

/** Reads so many bytes, each time into a buffer of the next of these sizes. */
async function readAll(
  stream: { read(buffer: Uint8Array): Promise<number | null> },
  length: number,
  sizes: readonly number[],
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for (let at = 0, turn = 0; at < length; turn++) {
    const buffer = new Uint8Array(sizes[turn % sizes.length]);
    const count = await stream.read(buffer);
    assert.ok(count !== null && count > 0, `it ended after ${at} of ${length} bytes`);
    chunks.push(buffer.slice(0, count));
    at += count;
  }
  return concat(...chunks);
}

async function writeAll(stream: Met["serverStream"], bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await stream.write(bytes.subarray(at));
}

streams("carries everything whatever the sizes of buffers and writes", async (met) => {
  const bytes = pattern(300_000);
  const sizes = [[1], [256], [16_384], [65_536], [1_000_000], [1, 256, 65_536, 7], [10_000]];
  for (const size of sizes) {
    const part = size[0] === 1 && size.length === 1 ? bytes.subarray(0, 40_000) : bytes;
    const reading = readAll(met.clientStream, part.length, size);
    for (let at = 0, turn = 0; at < part.length; turn++) {
      const length = [1, 65_536, 100_000, 16_385, 10_000][turn % 5];
      const slice = part.subarray(at, at + length);
      await writeAll(met.serverStream, slice);
      at += slice.length;
    }
    assert.ok((await reading).every((byte, at) => byte === part[at]));
  }
});

streams("holds no buffer of its own while it waits", async ({ clientStream, clientRaw }) => {
  const idle = new Uint8Array(IDLE_BYTES);
  const reading = clientStream.read(idle);
  assert.equal(clientRaw.readSizes.at(-1), IDLE_BYTES);
  clientStream.close();
  await assert.rejects(reading, Deno.errors.BadResource);
});

streams("says that there is more when a small buffer was filled", async (met) => {
  const { serverStream, clientStream } = met;
  const small = new Uint8Array(IDLE_BYTES);
  await writeAll(serverStream, text("small"));
  assert.equal(await clientStream.read(small), 5);
  assert.equal(clientStream.filled, false);
  const writing = writeAll(serverStream, pattern(20_000));
  assert.equal(await clientStream.read(small), IDLE_BYTES);
  assert.equal(clientStream.filled, true);
  await readAll(clientStream, 20_000 - IDLE_BYTES, [65_536]);
  assert.equal(clientStream.filled, false);
  await writing;
});

streams("reads nothing that nobody asked for, and a write waits", async (met) => {
  const { serverStream, clientStream, clientRaw } = met;
  const reads = clientRaw.readSizes.length;
  let isWritten = false;
  const writing = writeAll(serverStream, pattern(100_000)).then(() => isWritten = true);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(isWritten, false, "what nobody reads does not go");
  assert.equal(clientRaw.readSizes.length, reads);
  await readAll(clientStream, 100_000, [1000]);
  await writing;
});

streams("writes at most 64 KiB at once", async ({ serverStream, clientStream }) => {
  const reading = readAll(clientStream, 65_536, [65_536]);
  assert.equal(await serverStream.write(new Uint8Array(1_000_000)), 65_536);
  await reading;
});

streams("ends in each direction by itself, and says goodbye", async (met) => {
  const { serverStream, clientStream, serverRaw, clientRaw } = met;
  await writeAll(clientStream, text("last words"));
  await clientStream.closeWrite();
  assert.equal(clientRaw.halfCloses, 1);
  const buffer = new Uint8Array(100);
  assert.equal(await serverStream.read(buffer), 10);
  const reads = serverRaw.readSizes.length;
  assert.equal(await serverStream.read(buffer), null);
  assert.ok(serverRaw.readSizes.length <= reads + 1, "the goodbye ends it, not the stream below");
  assert.equal(await serverStream.read(buffer), null);
  const answer = pattern(50_000);
  const reading = readAll(clientStream, answer.length, [65_536]);
  await writeAll(serverStream, answer);
  await reading;
  serverStream.close();
  assert.equal(await clientStream.read(buffer), null);
});

streams("that is closed says goodbye, and may be closed again", async (met) => {
  const { serverStream, clientStream, serverRaw } = met;
  const before = serverRaw.unread;
  serverStream.close();
  serverStream.close();
  assert.ok(serverRaw.unread > before, "the goodbye");
  assert.equal(await clientStream.read(new Uint8Array(9)), null);
  await assert.rejects(serverStream.write(text("x")), Deno.errors.BadResource);
});

streams("takes the end of the stream below as an end, goodbye or not", async (met) => {
  met.serverRaw.close();
  assert.equal(await met.clientStream.read(new Uint8Array(9)), null);
});

streams("ends when a record was forged, and tells why", async (met) => {
  const { serverStream, clientStream, serverRaw } = met;
  const failures: TlsError[] = [];
  clientStream.onFailure = (error) => failures.push(error);
  await writeAll(serverStream, text("good"));
  serverRaw.onWrite = (bytes) => bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1);
  await writeAll(serverStream, text("forged"));
  const buffer = new Uint8Array(1000);
  // What came before the forgery counts.
  assert.equal(await clientStream.read(buffer), 4);
  await assert.rejects(clientStream.read(buffer), { name: "TransportError" });
  await assert.rejects(clientStream.read(buffer), { name: "TransportError" });
  await assert.rejects(clientStream.write(text("x")), Deno.errors.ConnectionAborted);
  assert.equal(failures.length, 1);
  assert.match(failures[0].logLines.join("\n"), /bad record mac/);
  // The other side is told.
  serverStream.onFailure = (error) => failures.push(error);
  await assert.rejects(serverStream.read(buffer), { name: "TransportError" });
  assert.match(failures[1].logLines[0], /alert bad record mac/);
});

streams("fails like the stream below", async (met) => {
  const { serverStream, clientRaw } = met;
  clientRaw.close();
  const writing = writeAll(serverStream, pattern(1000));
  await assert.rejects(writing, Deno.errors.BrokenPipe);
  await assert.rejects(serverStream.write(text("x")), Deno.errors.BrokenPipe);
  await assert.rejects(serverStream.closeWrite(), Deno.errors.BrokenPipe);
});

Deno.test("a handshake has its time and no more", async () => {
  const context = opensslServerContext(server);
  const [raw, peer] = memoryStreams();
  for (const beginning of [text(""), text("\x16\x03\x01\x02")]) {
    await peer.write(beginning);
  }
  const stream = context.secure(raw);
  await assert.rejects(stream.handshake(1), { message: "The TLS handshake took too long." });
  assert.ok(raw.isClosed);
  assert.equal(liveTlsSessions(), 0);
  context.free();
});

Deno.test("a peer that ends, breaks off or speaks no TLS fails its handshake", async () => {
  const context = opensslServerContext(server);
  const rows: [string, (peer: ReturnType<typeof memoryStreams>[1]) => unknown, RegExp][] = [
    ["ends at once", (peer) => peer.closeWrite(), /connection ended during/],
    ["breaks off", (peer) => peer.close(), /connection ended during/],
    [
      "speaks MQTT",
      (peer) => peer.write(text("\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0")),
      /wrong ver/,
    ],
    ["speaks HTTP", (peer) => peer.write(text("GET / HTTP/1.1\r\n\r\n")), /http request/],
    [
      "greets as in 1995",
      (peer) => peer.write(text("\x80\x2e\x01\0\x02\0\x15\0\0\0\x10")),
      /unsup|wro/,
    ],
  ];
  for (const [which, act, expected] of rows) {
    const [raw, peer] = memoryStreams();
    const stream = context.secure(raw);
    const failing = stream.handshake(60_000).then(() => assert.fail(which), (error) => error);
    await act(peer);
    if (!peer.isClosed) {
      await peer.closeWrite();
      // It reads what it is told, as any client does.
      while (await peer.read(new Uint8Array(100)) !== null);
    }
    const error = await failing as TlsError;
    assert.match([error.message, ...error.logLines].join("\n"), expected, which);
    assert.ok(raw.isClosed, which);
  }
  assert.equal(liveTlsSessions(), 0);
  context.free();
});

Deno.test("a handshake that is broken off from outside ends", async () => {
  const context = opensslServerContext(server);
  const [raw] = memoryStreams();
  const stream = context.secure(raw);
  const failing = assert.rejects(stream.handshake(60_000), Deno.errors.BadResource);
  raw.close();
  await failing;
  assert.equal(liveTlsSessions(), 0);
  context.free();
});

Deno.test("connections outlive their context", async () => {
  const contexts = [opensslServerContext(server), opensslClientContext({ cafile })];
  const { serverStream, clientStream } = await meet(contexts[0], contexts[1]);
  for (const context of contexts) context.free();
  const reading = readAll(clientStream, 100_000, [65_536]);
  await writeAll(serverStream, pattern(100_000));
  await reading;
  serverStream.close();
  clientStream.close();
  assert.equal(liveTlsSessions(), 0);
});
