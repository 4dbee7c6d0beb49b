import assert from "node:assert/strict";
import fc from "fast-check";
import { HandshakeError } from "../../src/transport/handshake.ts";
import { HttpError, readHttpRequest } from "../../src/transport/http_request.ts";
import { webRequest } from "../../src/transport/http_response.ts";
import { CorruptProxyHeader, readProxyV1, readProxyV2 } from "../../src/transport/proxy_header.ts";
import type { ByteStream } from "../../src/transport/stream_link.ts";
import { webSocketAnswer } from "../../src/transport/web_socket_upgrade.ts";
import { upgradeRequest } from "./web_socket_client.ts";

const V2_START = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10, 0x21, 0x11, 0];

/** Gives bytes in pieces of one length, then the end. */
function streamOf(bytes: Uint8Array, piece: number): ByteStream {
  let at = 0;
  return {
    read: (buffer) => {
      const part = bytes.subarray(at, at + Math.min(piece, buffer.length));
      buffer.set(part);
      at += part.length;
      return Promise.resolve(part.length === 0 ? null : part.length);
    },
    write: (written) => Promise.resolve(written.length),
    closeWrite: () => Promise.resolve(),
    close: () => {},
  };
}

/** Text of bytes with some of them changed. */
function mutated(text: Uint8Array): fc.Arbitrary<Uint8Array> {
  const changes = fc.array(fc.tuple(fc.nat(text.length - 1), fc.nat(255)), { maxLength: 4 });
  return fc.tuple(changes, fc.nat(text.length)).map(([all, end]) => {
    const copy = text.slice();
    for (const [at, byte] of all) copy[at] = byte;
    return end < 3 ? copy : copy.subarray(0, end);
  });
}

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("any bytes are a PROXY header, the beginning of one, or none", () => {
  const v1 = mutated(encode("PROXY TCP4 192.0.2.5 127.0.0.1 6275 1234\r\nmqtt"));
  const tail = fc.uint8Array({ maxLength: 600 });
  const v2 = tail.map((rest) => Uint8Array.from([...V2_START, ...rest]));
  const seen = { header: 0, partial: 0, corrupt: 0 };
  fc.assert(
    fc.property(fc.oneof(v1, v2, tail), (bytes) => {
      for (const read of [readProxyV1, readProxyV2]) {
        try {
          const header = read(bytes, bytes.length);
          if (header === null) seen.partial++;
          else {
            seen.header++;
            assert.ok(header.length > 0 && header.length <= bytes.length);
          }
        } catch (error) {
          assert.ok(error instanceof CorruptProxyHeader, `${error}`);
          seen.corrupt++;
        }
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(Object.values(seen).every((count) => count > 0), JSON.stringify(seen));
});

Deno.test("any bytes are a request, or are refused with a status", async () => {
  const request = mutated(encode(upgradeRequest({ Origin: "https://a.example" }) + "rest"));
  const bytes = fc.oneof({ arbitrary: request, weight: 5 }, fc.uint8Array({ maxLength: 300 }));
  const piece = fc.integer({ min: 1, max: 400 });
  let upgraded = 0;
  await fc.assert(
    fc.asyncProperty(bytes, piece, async (bytes, piece) => {
      try {
        const found = await readHttpRequest(streamOf(bytes, piece), 350);
        webRequest(found);
        webSocketAnswer(found, []);
        upgraded++;
      } catch (error) {
        assert.ok(error instanceof HttpError || error instanceof HandshakeError, `${error}`);
        if (error instanceof HttpError) assert.ok([400, 426, 431].includes(error.status));
      }
    }),
    { numRuns: 1000 },
  );
  assert.ok(upgraded > 0);
});
