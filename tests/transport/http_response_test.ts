import assert from "node:assert/strict";
import { sendResponse } from "../../src/transport/http_response.ts";
import type { ByteStream } from "../../src/transport/stream_link.ts";

/** A peer that takes this many writes and is gone then. */
function peer(writes: number): ByteStream {
  return {
    read: () => Promise.resolve(null),
    write: (bytes) =>
      writes-- > 0
        ? Promise.resolve(bytes.length)
        : Promise.reject(new Deno.errors.ConnectionReset("gone")),
    closeWrite: () => Promise.resolve(),
    close: () => {},
  };
}

Deno.test("whenever the peer goes, what the answer is read from is let go of", async () => {
  for (let writes = 0; writes < 3; writes++) {
    let isCancelled = false;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(10)),
      cancel: () => void (isCancelled = true),
    });
    const sending = sendResponse(peer(writes), new Response(body), false, () => {});
    await assert.rejects(sending, Deno.errors.ConnectionReset);
    assert.ok(isCancelled, `after ${writes} writes`);
  }
});
