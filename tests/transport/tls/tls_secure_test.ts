import assert from "node:assert/strict";
import { HandshakeError } from "../../../src/transport/handshake.ts";
import { opensslClientContext } from "../../../src/transport/tls/openssl_client_context.ts";
import { opensslServerContext } from "../../../src/transport/tls/openssl_server_context.ts";
import type { TlsContext } from "../../../src/transport/tls/tls_engine.ts";
import { tlsSecure } from "../../../src/transport/tls/tls_secure.ts";
import type { TlsServerOptions } from "../../../src/transport/tls/tls_options.ts";
import { PATIENCE_MS } from "../../support/broker_process.ts";
import { authority, cafile, client, ownPsk, psk, server } from "./lab.ts";
import { type MemoryStream, memoryStreams } from "./memory_stream.ts";

/** One connection at a listener; `act` is its client. */
async function connect(
  options: TlsServerOptions,
  act: (peer: MemoryStream) => Promise<unknown>,
  timeoutMs = PATIENCE_MS,
) {
  const context = opensslServerContext(options);
  const lines: string[] = [];
  const secure = tlsSecure({
    context: () => context,
    timeoutMs,
    log: (type, text) => lines.push(`${type}: ${text}`),
  });
  const [raw, peer] = memoryStreams();
  const outcome = secure(raw, "10.0.0.1:5000").catch((error) => error);
  await act(peer);
  const result = await outcome;
  context.free();
  return { result, lines, raw };
}

/** A client that shakes hands, waits for what comes and closes. */
function shakeHands(context: TlsContext) {
  return async (peer: MemoryStream) => {
    const stream = context.secure(peer, "localhost");
    await stream.handshake(PATIENCE_MS).catch(() => {});
    context.free();
    return stream;
  };
}

Deno.test("the core learns of the peer what it may know, and nothing that is not so", async () => {
  const rows: [TlsServerOptions, TlsContext, Record<string, string>][] = [
    [server, opensslClientContext({ cafile, ...client }), {}],
    [
      { ...server, cafile, requireCertificate: true },
      opensslClientContext({ cafile, ...client }),
      {
        certificateName: "client one",
        certificateSubject: "CN=client one,OU=Sensors\\, west+OU=B,O=Lab,C=DE",
      },
    ],
    [{ psk }, opensslClientContext({ psk: ownPsk }), { pskIdentity: "sensor" }],
  ];
  for (const [options, context, names] of rows) {
    const { result, lines } = await connect(options, shakeHands(context));
    const cipher = options.psk ? result.info.cipher : "TLS_AES_256_GCM_SHA384";
    assert.deepEqual(result.info, { tlsVersion: "TLSv1.3", cipher, ...names });
    assert.deepEqual(lines, []);
    result.stream.close();
  }
});

Deno.test("a certificate without a usable name has a subject only", async () => {
  const nameless = authority.issue("nameless", { subject: "/O=Lab" });
  const { result } = await connect(
    { ...server, cafile, requireCertificate: true },
    shakeHands(opensslClientContext({ cafile, ...nameless })),
  );
  const { certificateName, certificateSubject } = result.info;
  assert.deepEqual([certificateName, certificateSubject], [undefined, "O=Lab"]);
  result.stream.close();
});

Deno.test("who is refused stands in the log, with the reason", async () => {
  const context = opensslClientContext({ cafile });
  const { result, lines, raw } = await connect(
    { ...server, cafile, requireCertificate: true },
    async (peer) => {
      const stream = await shakeHands(context)(peer);
      await stream.read(new Uint8Array(1)).catch(() => {});
      stream.close();
    },
  );
  assert.ok(result instanceof HandshakeError);
  assert.deepEqual(lines, [
    "error: OpenSSL Error[0]: " +
    "error:0A0000C7:SSL routines::peer did not return a certificate",
    "notice: Client connection from 10.0.0.1 failed: " +
    "error:0A0000C7:SSL routines::peer did not return a certificate.",
  ]);
  assert.ok(raw.isClosed);
});

Deno.test("who takes too long is named", async () => {
  const { result, lines } = await connect(server, () => Promise.resolve(), 1);
  assert.ok(result instanceof HandshakeError);
  assert.deepEqual(lines, [
    "notice: Client connection from 10.0.0.1 failed: The TLS handshake took too long.",
  ]);
});

Deno.test("what fails after the handshake stands in the log too", async () => {
  const { result, lines } = await connect(server, async (peer) => {
    const stream = await shakeHands(opensslClientContext({ cafile }))(peer);
    peer.onWrite = (bytes) => bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1);
    await stream.write(Uint8Array.of(1));
  });
  await assert.rejects(result.stream.read(new Uint8Array(9)), { name: "TransportError" });
  assert.match(lines[0], /^error: OpenSSL Error\[0\]: error:/);
  assert.match(lines.at(-1)!, /^notice: Client connection from 10\.0\.0\.1 failed: error:.*\.$/);
  result.stream.close();
});

Deno.test("a socket that breaks is nobody's fault, and a defect stays one", async () => {
  const { result, lines } = await connect(server, (peer) => Promise.resolve(peer.close()));
  assert.ok(result instanceof HandshakeError);
  assert.equal(lines.length, 1);
  const broken = tlsSecure({
    context: () => {
      throw new TypeError("defect");
    },
    timeoutMs: 1,
    log: () => {},
  });
  await assert.rejects(broken(memoryStreams()[0], "somebody"), TypeError);
});
