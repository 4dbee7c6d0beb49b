import assert from "node:assert/strict";
import type { TlsInfo } from "../../../src/transport/tls/tls_options.ts";
import { cafile, key, only, ownPsk, psk, server, VERSIONS } from "./lab.ts";
import { outcomes } from "./meeting.ts";

const otherKey = Uint8Array.of(9);

for (const version of VERSIONS) {
  const versions = only(version);

  Deno.test(`${version}: who has the key is let in, by its identity`, async () => {
    for (const pskHint of [undefined, "who are you?"]) {
      const met = await outcomes({ psk, pskHint, ...versions }, { psk: ownPsk });
      const { pskIdentity, certificate } = met.server as TlsInfo;
      assert.deepEqual([pskIdentity, certificate], ["sensor", null]);
      assert.equal((met.client as TlsInfo).certificate, null);
    }
  });

  Deno.test(`${version}: a wrong key is refused and told so`, async () => {
    const met = await outcomes(
      { psk, ...versions },
      { psk: { identity: "sensor", key: otherKey } },
    );
    const is12 = version === "tlsv1.2";
    assert.match(String(met.server), is12 ? /bad record mac/ : /binder does not verify/);
    assert.match(String(met.client), is12 ? /alert bad record mac/ : /alert illegal parameter/);
  });

  Deno.test(`${version}: an unknown identity is refused and told so`, async () => {
    const met = await outcomes({ psk, ...versions }, { psk: { identity: "nobody", key } });
    const is12 = version === "tlsv1.2";
    assert.match(String(met.server), is12 ? /psk identity not found/ : /no suitable/);
    assert.match(String(met.client), is12 ? /alert unknown psk identity/ : /alert handshake fail/);
  });

  Deno.test(`${version}: a look-up that answers with no key refuses, and one that throws says why`, async () => {
    const broken = () => {
      throw new Error("no store");
    };
    const answers: [answer: () => Uint8Array, reason: RegExp][] = [
      [broken, /^no store$|^Error: no store$/],
      [() => new Uint8Array(0), /handshake failed/],
      [() => new Uint8Array(10_000), /handshake failed/],
    ];
    for (const [answer, reason] of answers) {
      const met = await outcomes({ psk: answer, ...versions }, { psk: ownPsk });
      assert.match(String(met.server), reason);
      assert.equal(typeof met.client, "string");
    }
  });

  Deno.test(`${version}: a client without a key is refused by a listener for keys`, async () => {
    const met = await outcomes({ psk, ...versions }, { cafile });
    assert.match(String(met.server), /no shared cipher|no suitable signature algorithm/);
    assert.match(String(met.client), /alert handshake failure/);
  });

  Deno.test(`${version}: a client for keys takes no certificate in their place`, async () => {
    const met = await outcomes({ ...server, ...versions }, { psk: ownPsk });
    assert.equal(typeof met.server, "string");
    assert.match(String(met.client), /alert handshake failure|refused: /);
  });
}

Deno.test("identities are compared whole, whatever stands in them", async () => {
  const names = [
    "sensor",
    "sensor ",
    "Sensor",
    "sens",
    "Grüße",
    "\ufffd",
    "\ufeffa",
    "a:b",
    "#",
    "x".repeat(127),
  ];
  for (const identity of names) {
    const asked: string[] = [];
    const answer = (name: string) => {
      asked.push(name);
      return psk(name);
    };
    const met = await outcomes({ psk: answer }, { psk: { identity, key } });
    assert.ok(asked.length > 0 && asked.every((name) => name === identity), identity);
    assert.equal(typeof met.server === "string", identity !== "sensor", identity);
  }
});

Deno.test("curves are chosen before plain Diffie-Hellman, which costs thirty times as much", async () => {
  const met = await outcomes({ psk, ...only("tlsv1.2") }, { psk: ownPsk });
  assert.match((met.server as TlsInfo).cipher, /^ECDHE-PSK-/);
  const old = await outcomes(
    { psk, ...only("tlsv1.2") },
    { psk: ownPsk, ciphers: "DHE-PSK-AES128-GCM-SHA256" },
  );
  assert.equal((old.server as TlsInfo).cipher, "DHE-PSK-AES128-GCM-SHA256");
});
