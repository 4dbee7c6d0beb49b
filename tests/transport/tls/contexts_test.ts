import assert from "node:assert/strict";
import { opensslClientContext } from "../../../src/transport/tls/openssl_client_context.ts";
import { opensslServerContext } from "../../../src/transport/tls/openssl_server_context.ts";
import { TlsError } from "../../../src/transport/tls/tls_error.ts";
import type { TlsClientOptions, TlsServerOptions } from "../../../src/transport/tls/tls_options.ts";
import { authority, cafile, client, key, ownPsk, psk, server } from "./lab.ts";

const missing = authority.path("missing.pem");
const empty = authority.path("empty.pem");
Deno.writeTextFileSync(empty, "");
const junk = authority.path("junk.pem");
Deno.writeTextFileSync(junk, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");

/** Mosquitto's words, then OpenSSL's. */
const badServers: [string, TlsServerOptions, RegExp, RegExp][] = [
  ["no certfile", {}, /^Both certfile and keyfile/, /^$/],
  ["no keyfile", { certfile: server.certfile }, /^Both certfile and keyfile/, /^$/],
  [
    "a certfile that is missing",
    { ...server, certfile: missing },
    /^Unable to load server certificate ".*missing.pem"\. Check certfile\.$/,
    /^OpenSSL Error\[0\]: error:80000002:system library::No such file or directory/,
  ],
  [
    "an empty certfile",
    { ...server, certfile: empty },
    /^Unable to load server certificate/,
    /^OpenSSL Error\[0\]: error:0480006C:PEM routines::no start line/,
  ],
  ["junk as certfile", { ...server, certfile: junk }, /^Unable to load server cert/, /error:/],
  [
    "a keyfile that is missing",
    { ...server, keyfile: missing },
    /^Unable to load server key file ".*missing.pem"\. Check keyfile\.$/,
    /No such file/,
  ],
  ["a certificate as keyfile", { ...server, keyfile: server.certfile }, /key file/, /error:/],
  [
    "the key of another",
    { ...server, keyfile: client.keyfile },
    /^(Unable to load server key file|Server certificate\/key are inconsistent)/,
    /key values mismatch/,
  ],
  ...(["pkcs8", "traditional"] as const).map((form) =>
    [
      `an encrypted key (${form})`,
      { ...server, keyfile: authority.encryptedKey(server, form) },
      /^Unable to load server key file/,
      /^The key is encrypted: decrypt it by "openssl pkey -in /,
    ] as [string, TlsServerOptions, RegExp, RegExp]
  ),
  ["a cafile that is missing", { ...server, cafile: missing }, /Check cafile/, /No such file/],
  ["an empty cafile", { ...server, cafile: empty }, /Check cafile/, /no certificate or crl found/],
  ["a capath that is missing", { ...server, capath: missing }, /Check capath/, /No such file/],
  ["a capath that is a file", { ...server, capath: cafile }, /Check capath/, /[Nn]ot a directory/],
  ["a crlfile that is missing", { ...server, crlfile: missing }, /Check crlfile/, /No such file/],
  ["a certificate as crlfile", { ...server, crlfile: cafile }, /Check crlfile/, /error:/],
  [
    "a list without ciphers",
    { ...server, ciphers: "NONSENSE" },
    /cipher list "NONSENSE"/,
    /no ciph/,
  ],
  ["an unknown suite", { ...server, ciphersTls13: "NONSENSE" }, /cipher_tls13 list "N/, /no cip/],
  ["a dhparamfile that is missing", { ...server, dhparamfile: missing }, /dhparam/, /No such file/],
  ["a key as dhparamfile", { ...server, dhparamfile: server.keyfile }, /dhparamfile/, /error:/],
  [
    "certificates demanded with nobody to trust",
    { ...server, requireCertificate: true },
    /^require_certificate needs/,
    /^$/,
  ],
  ["a certificate beside keys", { ...server, psk }, /either a certificate or/, /^$/],
  ["a hint that is too long", { psk, pskHint: "x".repeat(300) }, /PSK hint/, /error:/],
];

const badClients: [string, TlsClientOptions, RegExp, RegExp][] = [
  ["nobody to trust", {}, /^TLS needs one of/, /^$/],
  ["an empty cafile", { cafile: empty }, /Check cafile/, /no certificate or crl found/],
  ["a cafile that is missing", { cafile: missing }, /Check cafile/, /No such file/],
  ["a key without certificate", { cafile, keyfile: client.keyfile }, /both be provided/, /^$/],
  [
    "the key of another",
    { cafile, certfile: client.certfile, keyfile: server.keyfile },
    /client key file|Client certificate\/key are inconsistent/,
    /mismatch/,
  ],
  ["both a key and authorities", { cafile, psk: ownPsk }, /either a certificate or/, /^$/],
  ["a list without ciphers", { cafile, ciphers: "NONSENSE" }, /cipher list/, /no cipher match/],
  ["a protocol without name", { cafile, alpn: "" }, /ALPN/, /^$/],
  ["a protocol with too long a name", { cafile, alpn: "x".repeat(256) }, /ALPN/, /^$/],
];

function assertRefused(make: () => unknown, message: RegExp, lines: RegExp) {
  // A second time: the first must not have left anything behind, such as errors in OpenSSL's queue.
  for (let time = 0; time < 2; time++) {
    assert.throws(make, (error) => {
      assert.ok(error instanceof TlsError, String(error));
      assert.match(error.message, message);
      assert.match(error.logLines.join("\n"), lines);
      return true;
    });
  }
}

for (const [title, options, message, lines] of badServers) {
  Deno.test(`a listener is refused at once: ${title}`, () => {
    assertRefused(() => opensslServerContext(options), message, lines);
  });
}

for (const [title, options, message, lines] of badClients) {
  Deno.test(`a bridge is refused at once: ${title}`, () => {
    assertRefused(() => opensslClientContext(options), message, lines);
  });
}

Deno.test("names with a NUL, at which C would cut them, are refused", () => {
  assert.throws(
    () => opensslServerContext({ ...server, cafile: `${cafile}\0.pem` }),
    /NUL/,
  );
  assert.throws(() => opensslClientContext({ psk: { identity: "a", key }, alpn: "a\0b" }), /NUL/);
});

Deno.test("a context that is freed makes no connections, and may be freed again", () => {
  const context = opensslServerContext(server);
  context.free();
  context.free();
  assert.throws(() => context.pointer, /freed/);
});
