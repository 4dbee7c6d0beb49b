import assert from "node:assert/strict";
import { Authority, type Certificate } from "../support/certificates.ts";
import { Lab, type Row } from "./tls_lab.ts";

const ignore = !isThere("/usr/bin/openssl");
const hasMosquitto = isThere("/usr/bin/mosquitto_pub") && isThere("/usr/bin/mosquitto_sub");
const TLS_1_2 = "-tls1_2", TLS_1_3 = "-tls1_3";
const VERSIONS = [TLS_1_2, TLS_1_3];
const AES256 = {
  [TLS_1_2]: "TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384",
  [TLS_1_3]: "TLSv1.3 TLS_AES_256_GCM_SHA384",
};

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

const shown = ({ certfile, keyfile }: Certificate) => ["-cert", certfile, "-key", keyfile];

Deno.test({
  name: "tls_version, ciphers and ciphers_tls1.3 say what is agreed on, and refuse the rest",
  ignore,
  async fn() {
    await using lab = new Lab();
    const { secure } = lab;
    await lab.start({
      plain: secure,
      newest: [...secure, "tls_version tlsv1.3"],
      old: [...secure, "tls_version tlsv1.1", "ciphers ALL:@SECLEVEL=0"],
      few: [
        ...secure,
        "ciphers ECDHE-RSA-AES128-GCM-SHA256",
        "ciphers_tls1.3 TLS_AES_128_GCM_SHA256",
      ],
    });
    const old = ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"];
    const by12 = (cipher: string) => [TLS_1_2, "-cipher", cipher];
    const by13 = (cipher: string) => [TLS_1_3, "-ciphersuites", cipher];
    const version = { alert: /^protocol version$/, log: /error:.*:unsupported protocol\.$/ };
    const cipher = { alert: /^handshake failure$/, log: /error:.*:no shared cipher\.$/ };
    await lab.expect([
      { at: "plain", args: [TLS_1_2], agreed: AES256[TLS_1_2], connack: 0 },
      { at: "plain", args: [TLS_1_3], agreed: AES256[TLS_1_3], connack: 0 },
      { at: "plain", args: old, ...version },
      {
        at: "plain",
        args: by12("DHE-RSA-AES256-GCM-SHA384"),
        agreed: "TLSv1.2 DHE-RSA-AES256-GCM-SHA384",
        connack: 0,
      },
      { at: "plain", args: by12("AES128-SHA"), agreed: "TLSv1.2 AES128-SHA", connack: 0 },
      {
        at: "plain",
        args: by13("TLS_CHACHA20_POLY1305_SHA256"),
        agreed: "TLSv1.3 TLS_CHACHA20_POLY1305_SHA256",
        connack: 0,
      },
      { at: "plain", args: by12("aNULL:@SECLEVEL=0"), ...cipher },
      { at: "newest", args: [TLS_1_2], ...version },
      { at: "newest", args: [TLS_1_3], agreed: AES256[TLS_1_3], connack: 0 },
      { at: "old", args: old, agreed: "TLSv1.1 ECDHE-RSA-AES256-SHA", connack: 0 },
      { at: "old", args: [TLS_1_2], agreed: AES256[TLS_1_2], connack: 0 },
      {
        at: "few",
        args: [TLS_1_2],
        agreed: "TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256",
        connack: 0,
        log: /\(p4, c1, k60\)\.$/,
      },
      { at: "few", args: [TLS_1_3], agreed: "TLSv1.3 TLS_AES_128_GCM_SHA256", connack: 0 },
      { at: "few", args: by12("ECDHE-RSA-AES256-GCM-SHA384"), ...cipher },
      { at: "few", args: by13("TLS_AES_256_GCM_SHA384"), ...cipher },
    ]);
  },
});

Deno.test({
  name: "a client is let in by its certificate, or told what is wrong with it",
  ignore,
  async fn() {
    await using lab = new Lab();
    const { authority, secure, demanding } = lab;
    const good = authority.issue("good"), revoked = authority.issue("revoked");
    authority.revoke(revoked);
    const expired = authority.issueExpired(), early = authority.issueNotYetValid();
    Deno.mkdirSync(authority.path("rogue"));
    const rogue = new Authority("/O=Lab/CN=Lab Root", authority.path("rogue")).issue("good");
    const revocations = `crlfile ${authority.crlfile()}`;
    await lab.start({
      asking: [...demanding, revocations],
      byPath: [...secure, `capath ${authority.capath()}`, "require_certificate true"],
      forgiving: [...demanding, revocations, "disable_client_cert_date_checks true"],
      indifferent: [...secure, `cafile ${authority.cafile}`],
    });
    const refused = (alert: RegExp) => ({ alert, log: /error:.*:certificate verify failed\.$/ });
    await lab.expect(VERSIONS.flatMap((version): Row[] => [
      { at: "asking", args: [version, ...shown(good)], connack: 0 },
      {
        at: "asking",
        args: [version],
        alert: version === TLS_1_3 ? /^certificate required$/ : /^handshake failure$/,
        log: /error:.*:peer did not return a certificate\.$/,
      },
      { at: "asking", args: [version, ...shown(rogue)], ...refused(/^unknown ca$/) },
      { at: "asking", args: [version, ...shown(expired)], ...refused(/^certificate expired$/) },
      { at: "asking", args: [version, ...shown(early)], ...refused(/^bad certificate$/) },
      { at: "asking", args: [version, ...shown(revoked)], ...refused(/^certificate revoked$/) },
      { at: "byPath", args: [version, ...shown(good)], connack: 0 },
      { at: "byPath", args: [version, ...shown(rogue)], ...refused(/^unknown ca$/) },
      { at: "forgiving", args: [version, ...shown(expired)], connack: 0 },
      { at: "forgiving", args: [version, ...shown(early)], connack: 0 },
      { at: "forgiving", args: [version, ...shown(rogue)], ...refused(/^unknown ca$/) },
      { at: "forgiving", args: [version, ...shown(revoked)], ...refused(/^certificate revoked$/) },
      { at: "indifferent", args: [version], connack: 0 },
      { at: "indifferent", args: [version, ...shown(rogue)], connack: 0 },
    ]));
  },
});

Deno.test({
  name: "the certificate's name, or subject, is who a client is",
  ignore,
  async fn() {
    await using lab = new Lab();
    const { authority, secure, demanding } = lab;
    const text = new TextEncoder();
    const named = (name: string, commonName: string) =>
      shown(authority.issueWithCommonName(name, text.encode(commonName)));
    const lamp = shown(
      authority.issue("lamp", { subject: "/C=DE/O=Lab/OU=Sensors, west/CN=lamp one" }),
    );
    const umlaut = named("umlaut", "Grüße"), nul = named("nul", "admin\0x");
    const nobody = shown(authority.issue("nobody", { subject: "/O=Lab" }));
    const two = shown(authority.issue("two", { subject: "/CN=a/CN=b" }));
    const identity = "use_identity_as_username true", subject = "use_subject_as_username true";
    await lab.start({
      identity: [...demanding, identity],
      subject: [...demanding, subject],
      both: [...demanding, subject, identity],
      clientId: [...demanding, identity, "use_username_as_clientid true"],
      indifferent: [...secure, `cafile ${authority.cafile}`, identity],
    });
    const user = (source: string) => ({
      connack: 0,
      log: new RegExp(String.raw`\(p4, c1, k60, u'${source}'\)\.$`),
    });
    await lab.expect(VERSIONS.flatMap((version): Row[] => [
      { at: "identity", args: [version, ...lamp], ...user("lamp one") },
      { at: "identity", args: [version, ...umlaut], ...user("Grüße") },
      { at: "identity", args: [version, ...nul], connack: 4 },
      { at: "identity", args: [version, ...nobody], connack: 4 },
      { at: "identity", args: [version, ...two], connack: 4 },
      {
        at: "subject",
        args: [version, ...lamp],
        ...user(String.raw`CN=lamp one,OU=Sensors\\, west,O=Lab,C=DE`),
      },
      { at: "subject", args: [version, ...nobody], ...user("O=Lab") },
      { at: "subject", args: [version, ...nul], ...user(String.raw`CN=admin\\00x,O=Lab`) },
      { at: "both", args: [version, ...lamp], ...user("lamp one") },
      // Asked for by none, so that nobody has one.
      { at: "indifferent", args: [version, ...lamp], connack: 4 },
    ]));
    await lab.expect([{ at: "clientId", args: lamp, connack: 0 }]);
    await lab.line(/ as lamp one \(p4, c1, k60, u'lamp one'\)\.$/);
  },
});

Deno.test({
  name: "a pre-shared key lets its client in, under its identity where that is wanted",
  ignore,
  async fn() {
    await using lab = new Lab();
    const keys = `${lab.directory}/keys`;
    Deno.writeTextFileSync(keys, "sensor7:0123456789abcdef\n", { mode: 0o600 });
    await lab.start({
      named: ["psk_hint lab", "use_identity_as_username true"],
      nameless: ["psk_hint lab"],
      certificate: lab.secure,
    }, [`psk_file ${keys}`]);
    const psk = (identity: string, key: string) => ["-psk_identity", identity, "-psk", key];
    const right = psk("sensor7", "0123456789abcdef");
    const wrong = psk("sensor7", "0123456789abcdee"), unknown = psk("sensor8", "0123456789abcdef");
    await lab.expect([
      { at: "named", args: [TLS_1_2, ...right], agreed: "TLSv1.2 ECDHE-PSK-CHACHA20-POLY1305" },
      { at: "named", args: [TLS_1_3, ...right] },
    ].map((row) => ({ ...row, connack: 0, log: /\(p4, c1, k60, u'sensor7'\)\.$/ })));
    await lab.expect(VERSIONS.map((version) => ({
      at: "nameless",
      args: [version, ...right],
      connack: 0,
      log: /\(p4, c1, k60\)\.$/,
    })));
    const noKey = /error:.*:(no shared cipher|no suitable signature algorithm)\.$/;
    await lab.expect([
      {
        at: "named",
        args: [TLS_1_2, ...wrong],
        alert: /^bad record mac$/,
        log: /error:.*:decryption failed or bad record mac\.$/,
      },
      {
        at: "named",
        args: [TLS_1_3, ...wrong],
        alert: /^illegal parameter$/,
        log: /error:.*:binder does not verify\.$/,
      },
      {
        at: "named",
        args: [TLS_1_2, ...unknown],
        alert: /^unknown psk identity$/,
        log: /error:.*:psk identity not found\.$/,
      },
      { at: "named", args: [TLS_1_3, ...unknown], alert: /^handshake failure$/, log: noKey },
      { at: "named", args: [TLS_1_2], alert: /^handshake failure$/, log: noKey },
      { at: "named", args: [TLS_1_3], alert: /^handshake failure$/, log: noKey },
      // A key opens no listener that has none.
      { at: "certificate", args: [TLS_1_3, ...right], agreed: AES256[TLS_1_3], connack: 0 },
      {
        at: "certificate",
        args: [TLS_1_2, "-cipher", "PSK", ...right],
        alert: /^handshake failure$/,
        log: noKey,
      },
    ]);
  },
});

Deno.test({
  name: "Mosquitto's clients meet by TLS, whatever version, cipher or key they insist on",
  ignore: ignore || !hasMosquitto,
  async fn() {
    await using lab = new Lab();
    const { authority } = lab;
    const keys = `${lab.directory}/keys`;
    Deno.writeTextFileSync(keys, "sensor7:0123456789abcdef\n", { mode: 0o600 });
    await lab.start({
      plain: lab.secure,
      asking: lab.demanding,
      key: ["psk_hint lab"],
    }, [`psk_file ${keys}`]);
    const trusting = ["--cafile", authority.cafile];
    const { certfile, keyfile } = authority.issue("client");
    const rows: [at: string, args: string[], negotiated: RegExp | null][] = [
      [
        "plain",
        [...trusting, "--tls-version", "tlsv1.3"],
        /TLSv1\.3 cipher TLS_AES_256_GCM_SHA384/,
      ],
      ["plain", [...trusting, "--ciphers", "AES128-SHA", "--tls-version", "tlsv1.2"], /TLSv1\.\d/],
      ["plain", ["--cafile", certfile], null],
      ["asking", [...trusting, "--cert", certfile, "--key", keyfile], /TLSv1\.3/],
      ["asking", trusting, null],
      ["key", ["--psk-identity", "sensor7", "--psk", "0123456789abcdef"], /TLSv1\.3/],
      [
        "key",
        ["--psk-identity", "sensor7", "--psk", "0123456789abcdef", "--tls-version", "tlsv1.2"],
        /TLSv1\.\d/,
      ],
      ["key", ["--psk-identity", "sensor7", "--psk", "00"], null],
    ];
    for (const [number, [at, args, negotiated]] of rows.entries()) {
      const from = lab.lines.length, title = `${at} ${args.join(" ")}`;
      const topic = `row/${number}`;
      const published = await lab.mosquitto("mosquitto_pub", at, [
        ...["-r", "-t", topic, "-m", topic],
        ...args,
      ]);
      assert.equal(published !== null, negotiated !== null, title);
      if (negotiated === null) continue;
      const taken = await lab.mosquitto("mosquitto_sub", at, ["-C", "1", "-t", topic, ...args]);
      assert.equal(taken, `${topic}\n`, title);
      await lab.line(new RegExp(` negotiated ${negotiated.source}`), from);
    }
  },
});
