import assert from "node:assert/strict";
import { opensslServerContext } from "../../../src/transport/tls/openssl_server_context.ts";
import type {
  TlsClientOptions,
  TlsInfo,
  TlsServerOptions,
} from "../../../src/transport/tls/tls_options.ts";
import { authority, cafile, only, server } from "./lab.ts";
import { outcomes } from "./meeting.ts";

const rsa = authority.issueServer("rsa", { key: "rsa" });
const ALL = "ALL:@SECLEVEL=0";

/** What the sides are told, and the version and cipher they agree on, or the alert. */
const rows: [string, TlsServerOptions, TlsClientOptions, RegExp][] = [
  ["the newest version", server, {}, /^TLSv1.3 TLS_AES_256_GCM_SHA384$/],
  ["TLS 1.2 by default too", server, only("tlsv1.2"), /^TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384$/],
  [
    "no TLS 1.1 by default",
    server,
    { ...only("tlsv1.1"), ciphers: ALL },
    /alert protocol version/,
  ],
  [
    "TLS 1.1 for who insists",
    { ...rsa, minimumVersion: "tlsv1.1", ciphers: ALL },
    { ...only("tlsv1.1"), ciphers: ALL },
    /^TLSv1.1 ECDHE-RSA-AES256-SHA$/,
  ],
  [
    "TLS 1.3 as the least",
    { ...server, minimumVersion: "tlsv1.3" },
    only("tlsv1.2"),
    /alert protocol version/,
  ],
  ["the least is not the most", { ...server, minimumVersion: "tlsv1.2" }, {}, /^TLSv1.3 /],
  [
    "only the cipher that is listed",
    { ...rsa, ciphers: "ECDHE-RSA-AES128-GCM-SHA256", ...only("tlsv1.2") },
    {},
    /^TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256$/,
  ],
  [
    "none but those that are listed",
    { ...rsa, ciphers: "ECDHE-RSA-AES128-GCM-SHA256", ...only("tlsv1.2") },
    { ciphers: "ECDHE-RSA-AES256-GCM-SHA384" },
    /alert handshake failure/,
  ],
  [
    "the order of the server",
    { ...rsa, ciphers: "AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384", ...only("tlsv1.2") },
    { ciphers: "ECDHE-RSA-AES256-GCM-SHA384:AES128-GCM-SHA256" },
    /^TLSv1.2 AES128-GCM-SHA256$/,
  ],
  [
    "only the suite of TLS 1.3 that is listed",
    { ...server, ciphersTls13: "TLS_AES_128_GCM_SHA256" },
    {},
    /^TLSv1.3 TLS_AES_128_GCM_SHA256$/,
  ],
  [
    "no other suite of TLS 1.3",
    { ...server, ciphersTls13: "TLS_AES_128_GCM_SHA256" },
    { ...only("tlsv1.3"), ciphersTls13: "TLS_CHACHA20_POLY1305_SHA256" },
    /alert handshake failure/,
  ],
  [
    "RSA without Diffie-Hellman, for old devices",
    rsa,
    { ...only("tlsv1.2"), ciphers: "AES128-SHA" },
    /^TLSv1.2 AES128-SHA$/,
  ],
  [
    "plain Diffie-Hellman",
    rsa,
    { ...only("tlsv1.2"), ciphers: "DHE-RSA-AES128-GCM-SHA256" },
    /^TLSv1.2 DHE-RSA-AES128-GCM-SHA256$/,
  ],
];

for (const [title, serverOptions, clientOptions, expected] of rows) {
  Deno.test(`agrees on ${title}`, async () => {
    const met = await outcomes(serverOptions, { cafile, ...clientOptions });
    const { client } = met;
    const agreed = typeof client === "string" ? client : `${client.protocol} ${client.cipher}`;
    assert.match(agreed, expected);
    if (typeof client !== "string") {
      assert.equal((met.server as TlsInfo).cipher, client.cipher);
    }
  });
}

Deno.test("parameters of Diffie-Hellman may come from a file", async () => {
  const dhparamfile = authority.path("dh.pem");
  // A group with a name, so that the test need not look for a prime.
  const { success } = new Deno.Command("openssl", {
    args: ["genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048"],
    stdout: "piped",
  }).outputSync();
  assert.ok(success);
  new Deno.Command("openssl", {
    args: [
      ..."genpkey -genparam -algorithm DH -pkeyopt group:ffdhe2048 -out".split(" "),
      dhparamfile,
    ],
  }).outputSync();
  const met = await outcomes(
    { ...rsa, dhparamfile },
    { cafile, ...only("tlsv1.2"), ciphers: "DHE-RSA-AES128-GCM-SHA256" },
  );
  assert.equal((met.server as TlsInfo).cipher, "DHE-RSA-AES128-GCM-SHA256");
});

Deno.test("TLS 1.1 that the ciphers forbid is warned of", () => {
  const warningsOf = (options: Partial<TlsServerOptions>) => {
    const context = opensslServerContext({ ...server, ...options });
    context.free();
    return context.warnings.length;
  };
  assert.equal(warningsOf({ minimumVersion: "tlsv1.1" }), 1);
  assert.equal(warningsOf({ minimumVersion: "tlsv1.1", ciphers: ALL }), 0);
  assert.equal(warningsOf({}), 0);
});

Deno.test("keys are logged for who looks into captured traffic", async () => {
  const lines: string[] = [];
  for (const version of ["tlsv1.2", "tlsv1.3"] as const) {
    await outcomes(
      { ...server, ...only(version), keylog: (line) => lines.push(line) },
      { cafile },
    );
  }
  assert.match(lines[0], /^CLIENT_RANDOM [0-9a-f]{64} [0-9a-f]{96}$/);
  assert.ok(lines.some((line) => line.startsWith("SERVER_TRAFFIC_SECRET_0 ")));
});
