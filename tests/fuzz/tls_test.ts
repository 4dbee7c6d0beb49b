import assert from "node:assert/strict";
import { returnCiphertextBuffer } from "../../src/transport/tls/ciphertext_buffers.ts";
import { opensslClientContext } from "../../src/transport/tls/openssl_client_context.ts";
import type { OpensslContext } from "../../src/transport/tls/openssl_context.ts";
import { opensslServerContext } from "../../src/transport/tls/openssl_server_context.ts";
import { liveTlsSessions, TlsSession } from "../../src/transport/tls/tls_session.ts";
import { Chance } from "../simulation/chance.ts";
import {
  authority,
  cafile,
  client,
  only,
  ownPsk,
  psk,
  server,
  VERSIONS,
} from "../transport/tls/lab.ts";
import { mutateBytes } from "./mutate_bytes.ts";

/** `SEED=n COUNT=1000000 deno test -A tests/fuzz/tls_test.ts` for other and more connections. */
const SEED = Number(Deno.env.get("SEED") ?? 1);
const COUNT = Number(Deno.env.get("COUNT") ?? 10_000);
/** Enough on a slow machine; a run by hand takes the time it needs. */
const TIME_MS = Deno.env.has("COUNT") ? Infinity : 15_000;
const PROBE_EVERY = 100;
/** Memory of C that may come and go. What one session leaves behind is more than 10 KiB. */
const GROWTH_MAXIMUM_BYTES = 24 * 1024 * 1024;

interface Pair {
  readonly name: string;
  readonly server: OpensslContext;
  readonly client: OpensslContext;
}

function pairs(): Pair[] {
  const crlfile = authority.crlfile();
  return VERSIONS.flatMap((version) => [
    {
      name: `certificates, ${version}`,
      server: opensslServerContext({
        ...server,
        cafile,
        crlfile,
        requireCertificate: true,
        disableClientCertDateChecks: true,
        alpnProtocols: ["mqtt"],
        ...only(version),
      }),
      client: opensslClientContext({ cafile, ...client, alpn: "mqtt" }),
    },
    {
      name: `pre-shared key, ${version}`,
      server: opensslServerContext({ psk, pskHint: "hint", ...only(version) }),
      client: opensslClientContext({ psk: ownPsk }),
    },
    {
      name: `tickets, ${version}`,
      server: opensslServerContext({ ...server, ...only(version) }),
      client: opensslClientContext({ cafile }),
    },
  ]);
}

/** One side, which feeds the other. */
class Side {
  readonly session: TlsSession;
  readonly sent: Uint8Array[] = [];
  isSecure = false;
  received = 0;

  constructor(context: OpensslContext) {
    const hostName = context.facts.isServer ? null : "localhost";
    this.session = new TlsSession(context, hostName, (buffer, length) => {
      this.sent.push(buffer.slice(0, length));
      returnCiphertextBuffer(buffer);
    });
  }

  /** In pieces, as a network does. Returns false when the session has failed. */
  take(bytes: Uint8Array): boolean {
    const { session } = this;
    if (session.isFreed) return false;
    try {
      if (!this.isSecure) this.isSecure = session.handshake(bytes, bytes.length);
      else this.#read(bytes);
      while (this.isSecure && session.holdsInput) this.#read(null);
    } catch (error) {
      assert.equal((error as Error).name, "TlsError");
    }
    return session.failure === null;
  }

  #read(bytes: Uint8Array | null) {
    const buffer = new Uint8Array(300);
    this.received += this.session.decrypt(bytes, bytes?.length ?? 0, buffer);
  }
}

/** Lets two sides talk, and spoils one flight. Returns whether both have heard the other. */
function talk(pair: Pair, chance: Chance, spoilt: number, free: (session: TlsSession) => void) {
  const sides = [new Side(pair.client), new Side(pair.server)];
  const spoken = [false, false];
  let flights = 0;
  sides[0].take(new Uint8Array(0));
  for (let turn = 0, silent = 0; silent < 2 && turn < 60; turn++) {
    const from = turn % 2, to = sides[1 - from];
    const flight = sides[from].sent.shift();
    if (sides[from].isSecure && !spoken[from] && !sides[from].session.isFreed) {
      spoken[from] = true;
      sides[from].session.encrypt(new Uint8Array(5000));
    }
    silent = flight === undefined ? silent + 1 : 0;
    if (flight === undefined) continue;
    const bytes = flights++ === spoilt ? mutateBytes(flight, chance) : flight;
    const cut = chance.percent(30) ? chance.below(bytes.length + 1) : bytes.length;
    to.take(bytes.subarray(0, cut));
    if (cut < bytes.length) to.take(bytes.subarray(cut));
  }
  for (const { session } of sides) free(session);
  return sides.every(({ received }) => received === 5000);
}

/**
 * Spoils handshakes, mostly their first flight, the ClientHello. Fails when a session is left over,
 * memory grows, or two sides that do everything right do not understand each other any more.
 */
function fuzz(seed: number, count: number, free = (session: TlsSession) => session.free()) {
  const chance = new Chance(seed);
  const all = pairs();
  const started = performance.now();
  let understood = 0, done = 0;
  let before: number | null = null;
  try {
    for (; done < count && performance.now() - started < TIME_MS; done++) {
      const pair = chance.pick(all);
      const spoilt = chance.percent(80) ? 0 : 1 + chance.below(5);
      if (talk(pair, chance, spoilt, free)) understood++;
      const replay = `seed ${seed}, connection ${done}, ${pair.name}`;
      assert.equal(liveTlsSessions(), 0, `a session is left over: ${replay}`);
      if (done % PROBE_EVERY === 0) {
        for (const good of all) assert.ok(talk(good, chance, -1, free), `${good.name}: ${replay}`);
        before ??= done >= count / 4 ? bytesInUse() : null;
      }
    }
    const growth = before === null ? 0 : bytesInUse() - before;
    assert.ok(growth < GROWTH_MAXIMUM_BYTES, `${growth} bytes more are in use`);
    assert.ok(understood < done, "what is spoilt is mostly refused");
  } finally {
    for (const pair of all) for (const context of [pair.server, pair.client]) context.free();
  }
}

/** What is allocated by C, in bytes; 0 where there is no such function. */
function bytesInUse(): number {
  if (Deno.build.os !== "linux") return 0;
  const library = Deno.dlopen("libc.so.6", {
    mallinfo2: { parameters: [], result: { struct: Array(10).fill("usize") as "usize"[] } },
  });
  const info = library.symbols.mallinfo2();
  library.close();
  return Number(new DataView(info.buffer).getBigUint64(7 * 8, true));
}

Deno.test(`${COUNT} spoilt handshakes crash nothing and leave nothing behind`, () => {
  fuzz(SEED, COUNT);
});

Deno.test("the fuzzer notices a session that is not freed", () => {
  const kept: TlsSession[] = [];
  const forget = (session: TlsSession) => {
    if (kept.length === 0 && !session.isFreed) kept.push(session);
    else session.free();
  };
  assert.throws(() => fuzz(SEED, COUNT, forget), /a session is left over: seed/);
  for (const session of kept) session.free();
});

Deno.test("the fuzzer notices sides that do not understand each other", () => {
  const { handshake } = TlsSession.prototype;
  let calls = 0;
  TlsSession.prototype.handshake = function (bytes, length) {
    // As if something of another connection stood in front.
    if (++calls % 1000 === 0) handshake.call(this, Uint8Array.of(21, 3, 3, 0), 4);
    return handshake.call(this, bytes, length);
  };
  try {
    assert.throws(() => fuzz(SEED, COUNT), /seed/);
  } finally {
    TlsSession.prototype.handshake = handshake;
  }
});
