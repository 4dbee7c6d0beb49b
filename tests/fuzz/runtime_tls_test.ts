import assert from "node:assert/strict";
import { returnCiphertextBuffer } from "../../src/transport/tls/ciphertext_buffers.ts";
import { nodeTlsEngine } from "../../src/transport/tls/node_tls_engine.ts";
import { opensslClientContext } from "../../src/transport/tls/openssl_client_context.ts";
import type { TlsContext } from "../../src/transport/tls/tls_engine.ts";
import { TlsSession } from "../../src/transport/tls/tls_session.ts";
import { Chance } from "../simulation/chance.ts";
import { PATIENCE_MS, within } from "../support/broker_process.ts";
import { cafile, only, server, VERSIONS } from "../transport/tls/lab.ts";
import { meet } from "../transport/tls/meeting.ts";
import { memoryStreams } from "../transport/tls/memory_stream.ts";
import { mutateBytes } from "./mutate_bytes.ts";

const SEED = Number(Deno.env.get("SEED") ?? 1);
const COUNT = Number(Deno.env.get("COUNT") ?? 10_000);
const TIME_MS = Deno.env.has("COUNT") ? Infinity : 15_000;
const PROBE_EVERY = 500;

/** What a client says first, in each version. */
function clientHellos(): Uint8Array[] {
  return VERSIONS.map((version) => {
    const context = opensslClientContext({ cafile, ...only(version), alpn: "mqtt" });
    let hello = new Uint8Array(0);
    const session = new TlsSession(context, "localhost", (buffer, length) => {
      hello = buffer.slice(0, length);
      returnCiphertextBuffer(buffer);
    });
    session.handshake(new Uint8Array(0), 0);
    session.free();
    context.free();
    return hello;
  });
}

/** One client that says this and nothing more. */
async function greet(context: TlsContext, hello: Uint8Array, replay: string): Promise<void> {
  const [raw, peer] = memoryStreams();
  const failing = context.secure(raw).handshake(PATIENCE_MS)
    .then(() => assert.fail(`let in: ${replay}`), (error) => error as Error);
  await peer.write(hello);
  await peer.closeWrite();
  const error = await within(failing, () => `the handshake does not end: ${replay}`);
  assert.ok(error.name === "TlsError", `${error}: ${replay}`);
  assert.ok(raw.isClosed, `the stream stays open: ${replay}`);
}

async function fuzz(context: TlsContext, seed: number, count: number) {
  const chance = new Chance(seed);
  const hellos = clientHellos();
  const good = opensslClientContext({ cafile });
  const started = performance.now();
  try {
    for (let done = 0; done < count && performance.now() - started < TIME_MS; done++) {
      const replay = `seed ${seed}, client ${done}`;
      await greet(context, mutateBytes(chance.pick(hellos), chance), replay);
      if (done % PROBE_EVERY !== 0) continue;
      const met = await meet(context, good);
      assert.equal(typeof met.client, "object", `${met.client}: ${replay}`);
      met.serverStream.close();
      met.clientStream.close();
    }
  } finally {
    good.free();
  }
}

Deno.test(`${COUNT} spoilt hellos to the runtime's TLS leave no stream open`, async () => {
  await fuzz(nodeTlsEngine.serverContext(server), SEED, COUNT);
});

Deno.test("the fuzzer of the runtime's TLS notices a stream that stays open", async () => {
  const context = nodeTlsEngine.serverContext(server);
  let count = 0;
  const planted: TlsContext = {
    ...context,
    secure: (raw) => {
      const isForgotten = ++count === 50;
      return context.secure(isForgotten ? { ...bound(raw), close: () => {} } : raw);
    },
  };
  await assert.rejects(fuzz(planted, SEED, COUNT), /the stream stays open: seed/);
});

function bound(raw: Parameters<TlsContext["secure"]>[0]) {
  return {
    read: raw.read.bind(raw),
    write: raw.write.bind(raw),
    closeWrite: raw.closeWrite.bind(raw),
  };
}
