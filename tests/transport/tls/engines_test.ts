import assert from "node:assert/strict";
import { nodeTlsEngine } from "../../../src/transport/tls/node_tls_engine.ts";
import { opensslEngine, tlsEngine } from "../../../src/transport/tls/openssl_engine.ts";
import { TlsError } from "../../../src/transport/tls/tls_error.ts";
import type {
  TlsClientOptions,
  TlsInfo,
  TlsServerOptions,
} from "../../../src/transport/tls/tls_options.ts";
import { PATIENCE_MS } from "../../support/broker_process.ts";
import { authority, cafile, client, only, ownPsk, psk, server, VERSIONS } from "./lab.ts";
import { meet } from "./meeting.ts";
import { memoryStreams } from "./memory_stream.ts";

Deno.test("OpenSSL is chosen where it is, and does all that can be asked", () => {
  const { engine, warning } = tlsEngine();
  assert.match(engine.name, /^OpenSSL [3-9]/);
  assert.equal(warning, null);
  assert.deepEqual(engine.unsupported({ psk, ciphers: "x", crlfile: "y" }), []);
});

Deno.test("without OpenSSL the runtime's TLS is chosen, and says so", () => {
  const { engine, warning } = tlsEngine(() => {
    throw new TlsError("no library");
  });
  assert.equal(engine, nodeTlsEngine);
  assert.match(warning!, /^no library .* can do less\.$/);
  const defect = () => {
    throw new TypeError("defect");
  };
  assert.throws(() => tlsEngine(defect), TypeError);
});

Deno.test("the runtime's TLS refuses what it would ignore", () => {
  const rows: [TlsServerOptions | TlsClientOptions, string][] = [
    [{ requireCertificate: true }, "require_certificate"],
    [{ crlfile: "x" }, "crlfile"],
    [{ capath: "x" }, "capath"],
    [{ ciphers: "x" }, "ciphers"],
    [{ ciphersTls13: "x" }, "ciphers_tls1.3"],
    [{ dhparamfile: "x" }, "dhparamfile"],
    [{ disableClientCertDateChecks: true }, "disable_client_cert_date_checks"],
    [{ psk }, "psk_hint"],
    [{ psk: ownPsk }, "psk_hint"],
    [{ keylog: () => {} }, "tls-keylog"],
    [{ osCerts: true }, "bridge_tls_use_os_certs"],
    [{ requireOcsp: true }, "bridge_require_ocsp"],
    [{ minimumVersion: "tlsv1.1" }, "tls_version tlsv1.1"],
  ];
  for (const [options, name] of rows) {
    assert.deepEqual(nodeTlsEngine.unsupported(options), [name]);
    const refused = (error: unknown) =>
      error instanceof TlsError && error.message === `Not without OpenSSL: ${name}.`;
    assert.throws(
      () => nodeTlsEngine.serverContext({ ...server, ...options } as TlsServerOptions),
      refused,
    );
    assert.throws(
      () => nodeTlsEngine.clientContext({ cafile, ...options } as TlsClientOptions),
      refused,
    );
  }
  const harmless = { ...server, cafile, requireCertificate: false, ...only("tlsv1.3") };
  assert.deepEqual(nodeTlsEngine.unsupported(harmless), []);
});

Deno.test("the runtime's TLS checks its files at once, though it would not by itself", () => {
  const missing = authority.path("missing.pem"), empty = authority.path("empty.pem");
  Deno.writeTextFileSync(empty, "");
  const rows: [TlsServerOptions, RegExp][] = [
    [{}, /Both certfile and keyfile/],
    [{ ...server, certfile: missing }, /Check certfile/],
    [{ ...server, certfile: empty }, /Check certfile/],
    [{ ...server, keyfile: missing }, /Check keyfile/],
    [{ ...server, keyfile: server.certfile }, /Check keyfile/],
    [{ ...server, keyfile: authority.encryptedKey(server, "pkcs8") }, /Check keyfile/],
    [{ ...server, keyfile: client.keyfile }, /inconsistent/],
    [{ ...server, cafile: empty }, /Check cafile/],
  ];
  for (const [options, expected] of rows) {
    assert.throws(
      () => nodeTlsEngine.serverContext(options),
      (error) => error instanceof TlsError && expected.test(error.message),
    );
  }
  assert.throws(() => nodeTlsEngine.clientContext({}), TlsError);
});

for (const version of VERSIONS) {
  Deno.test(`${version}: the two engines understand each other`, async () => {
    for (
      const [one, other] of [[nodeTlsEngine, opensslEngine()], [opensslEngine(), nodeTlsEngine]]
    ) {
      const contexts = [
        one.serverContext({ ...server, ...only(version), alpnProtocols: ["mqtt"] }),
        other.clientContext({ cafile, alpn: "mqtt" }),
      ];
      const met = await meet(contexts[0], contexts[1]);
      assert.equal(typeof met.server, "object", String(met.server));
      const { protocol, alpn, cipher } = met.client as TlsInfo;
      assert.deepEqual([protocol, alpn], [version === "tlsv1.2" ? "TLSv1.2" : "TLSv1.3", "mqtt"]);
      assert.match(cipher, /AES_256_GCM_SHA384|AES256-GCM-SHA384/);
      met.serverStream.close();
      met.clientStream.close();
      for (const context of contexts) context.free();
    }
  });

  Deno.test(`${version}: the runtime's TLS as a client refuses whom it should`, async () => {
    const expired = authority.issueExpired();
    const serverContext = opensslEngine().serverContext({ ...server, ...only(version) });
    const expiredContext = opensslEngine().serverContext({ ...expired, ...only(version) });
    const checking = nodeTlsEngine.clientContext({ cafile });
    const insecure = nodeTlsEngine.clientContext({ cafile, insecure: true });
    const rows = [
      [serverContext, checking, "localhost", true],
      [serverContext, checking, "example.org", false],
      [serverContext, insecure, "example.org", true],
      [expiredContext, checking, "localhost", false],
      [expiredContext, insecure, "localhost", false],
    ] as const;
    for (const [there, here, hostName, isGood] of rows) {
      const met = await meet(there, here, hostName);
      assert.equal(typeof met.client === "object", isGood, String(met.client));
      met.serverStream.close();
      met.clientStream.close();
    }
    for (const context of [serverContext, expiredContext]) context.free();
  });
}

Deno.test("the runtime's TLS keeps to the time of a handshake", async () => {
  const context = nodeTlsEngine.serverContext(server);
  const [raw] = memoryStreams();
  await assert.rejects(context.secure(raw).handshake(1), {
    message: "The TLS handshake took too long.",
  });
  assert.ok(raw.isClosed);
  const [second, peer] = memoryStreams();
  const failing = context.secure(second).handshake(PATIENCE_MS);
  peer.close();
  await assert.rejects(failing, TlsError);
  const [third] = memoryStreams();
  const breaking = context.secure(third).handshake(PATIENCE_MS);
  third.close();
  await assert.rejects(breaking, TlsError);
});
