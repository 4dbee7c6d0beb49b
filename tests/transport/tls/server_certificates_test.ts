import assert from "node:assert/strict";
import type { TlsClientOptions, TlsInfo } from "../../../src/transport/tls/tls_options.ts";
import { Authority } from "../../support/certificates.ts";
import { authority, cafile, only, server, VERSIONS } from "./lab.ts";
import { outcomes } from "./meeting.ts";

Deno.mkdirSync(authority.path("other"));
const other = new Authority("/O=Lab/CN=Another Root", authority.path("other"));
const byAddress = authority.issue("address", { altNames: "IP:127.0.0.1,IP:::1" });
const nameOnly = authority.issue("name-only", { subject: "/CN=old.example" });
const wildcard = authority.issue("wildcard", { altNames: "DNS:*.lab.example" });
const expired = authority.issue("expired-server", {
  altNames: "DNS:localhost",
  notBefore: "20200101000000Z",
  notAfter: "20210101000000Z",
});

Deno.test("a client checks that the certificate is the host's", async () => {
  const rows: [string, typeof server, string, boolean][] = [
    ["by name", server, "localhost", true],
    ["whatever the case", server, "LocalHost", true],
    ["another name", server, "example", false],
    ["by address", server, "127.0.0.1", true],
    ["another address", server, "127.0.0.2", false],
    ["by IPv6 address", byAddress, "::1", true],
    ["an address where names stand", byAddress, "localhost", false],
    ["by common name if there is nothing else", nameOnly, "old.example", true],
    ["another common name", nameOnly, "new.example", false],
    ["by wildcard", wildcard, "a.lab.example", true],
    ["a wildcard stands for one label", wildcard, "a.b.lab.example", false],
  ];
  for (const [which, certificate, host, isGood] of rows) {
    const met = await outcomes(certificate, { cafile }, host);
    const isLetIn = typeof met.client !== "string";
    assert.equal(isLetIn, isGood, `${which}: ${met.client}`);
    if (!isGood) {
      assert.match(String(met.client), /refused: (hostname|IP address) mismatch/);
      assert.match(String(met.server), /alert (bad certificate|certificate unknown)/, which);
    }
    const insecure = await outcomes(certificate, { cafile, insecure: true }, host);
    assert.notEqual(typeof insecure.client, "string", which);
  }
});

for (const version of VERSIONS) {
  Deno.test(`${version}: a server that is not to be trusted is refused, insecure or not`, async () => {
    const rows: [string, typeof server, TlsClientOptions, RegExp][] = [
      ["of another authority", server, { cafile: other.cafile }, /refused: .*local issuer/],
      ["expired", expired, { cafile }, /refused: certificate has expired/],
      ["unknown to the system", server, { osCerts: true }, /refused: .*local issuer/],
    ];
    for (const [which, certificate, options, reason] of rows) {
      for (const insecure of [false, true]) {
        // Each time anew: a connection that failed must not open the next one's way.
        for (let tries = 0; tries < 2; tries++) {
          const met = await outcomes({ ...certificate, ...only(version) }, {
            ...options,
            insecure,
          });
          assert.match(String(met.client), reason, which);
          assert.match(String(met.server), /alert (unknown ca|certificate expired)/, which);
        }
      }
    }
  });

  Deno.test(`${version}: the server is told the name of the host, not an address`, async () => {
    const met = await outcomes({ ...server, ...only(version) }, { cafile });
    assert.equal((met.server as TlsInfo).serverName, "localhost");
    const address = await outcomes({ ...server, ...only(version) }, { cafile }, "127.0.0.1");
    assert.equal((address.server as TlsInfo).serverName, null);
  });
}

Deno.test("a protocol is agreed on if both name it", async () => {
  const rows: [string[] | undefined, string | undefined, string | null][] = [
    [["mqtt", "x-amzn-mqtt-ca"], "x-amzn-mqtt-ca", "x-amzn-mqtt-ca"],
    [["mqtt"], "http/1.1", null],
    [["mqtt"], undefined, null],
    [undefined, "mqtt", null],
  ];
  for (const [alpnProtocols, alpn, agreed] of rows) {
    const met = await outcomes({ ...server, alpnProtocols }, { cafile, alpn });
    assert.equal((met.server as TlsInfo).alpn, agreed);
    assert.equal((met.client as TlsInfo).alpn, agreed);
  }
});

Deno.test("chains are sent, and keys of all kinds work", async () => {
  const folder = authority.path("chained");
  Deno.mkdirSync(folder);
  const between = authority.issue("issuing", { isAuthority: true });
  const issuing = new Authority("/CN=unused", folder);
  Deno.copyFileSync(between.certfile, `${folder}/ca.crt`);
  Deno.copyFileSync(between.keyfile, `${folder}/ca.key`);
  for (const kind of ["rsa", "prime256v1", "secp521r1", "ed25519"] as const) {
    const leaf = issuing.issueServer(kind, { key: kind });
    const chain = Deno.readTextFileSync(leaf.certfile) + Deno.readTextFileSync(between.certfile);
    for (const version of VERSIONS) {
      const alone = await outcomes({ ...leaf, ...only(version) }, { cafile });
      assert.match(String(alone.client), /local issuer/);
      const certfile = authority.path(`${kind}-chain.crt`);
      Deno.writeTextFileSync(certfile, chain);
      const met = await outcomes({ ...leaf, certfile, ...only(version) }, { cafile });
      assert.match((met.client as TlsInfo).certificate!.subject, /CN=localhost/);
    }
  }
});
