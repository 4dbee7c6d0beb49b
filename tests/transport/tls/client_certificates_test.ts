import assert from "node:assert/strict";
import { liveTlsSessions } from "../../../src/transport/tls/tls_session.ts";
import type { TlsInfo, TlsServerOptions } from "../../../src/transport/tls/tls_options.ts";
import { Authority, type Certificate, TELETEX_STRING } from "../../support/certificates.ts";
import { authority, cafile, client, only, server, VERSIONS } from "./lab.ts";
import { outcomes } from "./meeting.ts";

const revoked = authority.issue("revoked");
authority.revoke(revoked);
const crlfile = authority.crlfile();
const expired = authority.issueExpired();
const early = authority.issueNotYetValid();
const rogue = new Authority("/O=Lab/CN=Lab Root", makeDirectory("rogue")).issue("client");
const demanding: TlsServerOptions = { ...server, cafile, requireCertificate: true };

function makeDirectory(name: string): string {
  Deno.mkdirSync(authority.path(name));
  return authority.path(name);
}

/** Who comes, to whom, what the server logs, which alert (RFC 8446, 6.2) the client gets. */
const refusals: [string, Certificate | null, Partial<TlsServerOptions>, RegExp, RegExp][] = [
  [
    "none",
    null,
    {},
    /did not return a certificate/,
    /alert (certificate required|handshake failure)/,
  ],
  [
    "one of another authority",
    rogue,
    {},
    /refused: .*(signature|local issuer)/,
    /alert (unknown ca|decrypt error|bad certificate)/,
  ],
  [
    "one that has expired",
    expired,
    {},
    /refused: certificate has expired/,
    /alert certificate expired/,
  ],
  [
    "one that is not valid yet",
    early,
    {},
    /refused: certificate is not yet valid/,
    /alert bad certificate/,
  ],
  [
    "one that is revoked",
    revoked,
    { crlfile },
    /refused: certificate revoked/,
    /alert certificate revoked/,
  ],
  [
    "a good one while the revocation list is out of date",
    client,
    { crlfile: authority.crlfile({ isExpired: true }) },
    /refused: CRL has expired/,
    /alert certificate expired/,
  ],
  [
    "a revoked one, dates being ignored",
    revoked,
    { crlfile, disableClientCertDateChecks: true },
    /refused: certificate revoked/,
    /alert certificate revoked/,
  ],
  [
    "one of another authority, dates being ignored",
    rogue,
    { disableClientCertDateChecks: true },
    /refused: /,
    /alert /,
  ],
];

for (const version of VERSIONS) {
  for (const [whom, certificate, options, logged, alert] of refusals) {
    Deno.test(`${version}: a client with ${whom} is refused and told so`, async () => {
      const met = await outcomes(
        { ...demanding, ...options, ...only(version) },
        { cafile, ...certificate ?? {} },
      );
      assert.match(String(met.server), logged);
      assert.match(String(met.server), /^TLS handshake failed\.\nOpenSSL Error\[0\]: error:0A/);
      assert.match(String(met.client), alert);
      assert.equal(met.serverRaw.halfCloses, 1, "closed only after the alert was read");
      assert.equal(liveTlsSessions(), 0);
    });
  }

  Deno.test(`${version}: a client is let in by its certificate, and its names are known`, async () => {
    for (const options of [{}, { crlfile }, { crlfile, disableClientCertDateChecks: true }]) {
      const met = await outcomes(
        { ...demanding, ...options, ...only(version) },
        { cafile, ...client },
      );
      const { certificate, protocol } = met.server as TlsInfo;
      assert.equal(protocol, version === "tlsv1.2" ? "TLSv1.2" : "TLSv1.3");
      assert.equal(certificate!.commonName, "client one");
      assert.equal(certificate!.subject, "CN=client one,OU=Sensors\\, west+OU=B,O=Lab,C=DE");
      const pem = Deno.readTextFileSync(client.certfile).replace(/-----[A-Z ]+-----|\n/g, "");
      assert.equal(btoa(String.fromCharCode(...certificate!.der)), pem);
    }
  });

  Deno.test(`${version}: dates of client certificates are ignored on demand`, async () => {
    for (const certificate of [expired, early]) {
      const met = await outcomes(
        { ...demanding, disableClientCertDateChecks: true, ...only(version) },
        { cafile, ...certificate },
      );
      assert.notEqual((met.server as TlsInfo).certificate, null);
    }
  });

  Deno.test(`${version}: an expired issuer is refused although dates are ignored`, async () => {
    const between = authority.issue("between", {
      isAuthority: true,
      notBefore: "20200101000000Z",
      notAfter: "20210101000000Z",
    });
    const below = authority.path(`below-${version}`);
    Deno.mkdirSync(below);
    const lower = new Authority("/CN=unused", below);
    Deno.copyFileSync(between.certfile, `${below}/ca.crt`);
    Deno.copyFileSync(between.keyfile, `${below}/ca.key`);
    const leaf = lower.issue("leaf");
    const chain = Deno.readTextFileSync(leaf.certfile) + Deno.readTextFileSync(between.certfile);
    Deno.writeTextFileSync(leaf.certfile, chain);
    const met = await outcomes(
      { ...demanding, disableClientCertDateChecks: true, ...only(version) },
      { cafile, ...leaf },
    );
    assert.match(String(met.server), /refused: certificate has expired/);
  });
}

Deno.test("authorities may lie in a directory, by hash", async () => {
  const { cafile: _, ...others } = demanding;
  const capath = authority.capath();
  const good = await outcomes({ ...others, capath }, { capath, ...client });
  assert.equal((good.server as TlsInfo).certificate!.commonName, "client one");
  const bad = await outcomes({ ...others, capath }, { capath, ...rogue });
  assert.match(String(bad.server), /refused/);
});

Deno.test("a listener that demands no certificate asks for none", async () => {
  const met = await outcomes({ ...server, cafile }, { cafile, ...client });
  assert.equal((met.server as TlsInfo).certificate, null);
});

Deno.test("a common name is taken only if there is exactly one that can be a name", async () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const named = (name: string, text: Uint8Array) => authority.issueWithCommonName(name, text);
  const long = "x".repeat(64);
  const rows: [string, Certificate, string | null, RegExp][] = [
    ["none at all", authority.issue("no-name", { subject: "/O=Lab" }), null, /^O=Lab$/],
    ["two", authority.issue("two", { subject: "/CN=a/CN=b" }), null, /^CN=b,CN=a$/],
    ["two in one place", authority.issue("pair", { subject: "/CN=a+CN=b" }), null, /^CN=.\+CN=.$/],
    [
      "one beside another attribute",
      authority.issue("beside", { subject: "/CN=a+OU=b" }),
      "a",
      /^/,
    ],
    ["the longest", authority.issue("long", { subject: `/CN=${long}` }), long, /^CN=x{64}$/],
    ["a NUL in it", named("nul", bytes("admin\0x")), null, /^CN=admin\\00x,O=Lab$/],
    [
      "no UTF-8",
      authority.issueWithCommonName("latin", Uint8Array.of(0x61, 0xe9, 0x62), TELETEX_STRING),
      null,
      /^/,
    ],
    ["UTF-8", named("umlaut", bytes("Grüße")), "Grüße", /^CN=Gr\\C3\\BC\\C3\\9Fe,O=Lab$/],
    ["wildcards", named("wild", bytes("a/+/#")), "a/+/#", /^CN=a\/\\\+\/#,O=Lab$/],
    ["what looks like more", named("more", bytes("a,O=b")), "a,O=b", /^CN=a\\,O=b,O=Lab$/],
  ];
  for (const [which, certificate, commonName, subject] of rows) {
    const met = await outcomes(demanding, { cafile, ...certificate });
    assert.ok(typeof met.server !== "string", `${which}: ${met.server}`);
    assert.equal(met.server.certificate!.commonName, commonName, which);
    assert.match(met.server.certificate!.subject, subject, which);
  }
});
