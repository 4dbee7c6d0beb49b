import assert from "node:assert/strict";
import {
  BrokerProcess,
  configurationText,
  freePort,
  withDirectory,
} from "../support/broker_process.ts";
import { Authority, type Certificate } from "../support/certificates.ts";

const OPENSSL = "/usr/bin/openssl", PUB = "/usr/bin/mosquitto_pub";

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Whether openssl and the broker agree on a connection. */
async function agrees(port: number, ...args: string[]): Promise<boolean> {
  const { code } = await new Deno.Command(OPENSSL, {
    args: ["s_client", "-connect", `127.0.0.1:${port}`, ...args],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output();
  return code === 0;
}

/** Whether mosquitto_pub has a message acknowledged. */
async function publishes(port: number, cafile: string, client?: Certificate): Promise<boolean> {
  const identity = client === undefined ? [] : ["--cert", client.certfile, "--key", client.keyfile];
  const { code } = await new Deno.Command(PUB, {
    args: [
      ...["-h", "localhost", "-p", String(port), "-t", "t", "-m", "m", "-q", "1"],
      ...["--cafile", cafile, ...identity],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output();
  return code === 0;
}

Deno.test({
  name: "options of TLS that a client meets in the handshake",
  ignore: !isThere(OPENSSL) || !isThere(PUB),
  fn: (t) =>
    withDirectory(async (directory) => {
      using authority = new Authority("/O=Lab/CN=Lab Root", directory);
      using stranger = new Authority("/O=Other/CN=Other Root");
      const { certfile, keyfile } = authority.issueServer();
      const lamp = authority.issue("lamp");
      const expired = authority.issue("expired", {
        notBefore: "20200101000000Z",
        notAfter: "20210101000000Z",
      });
      Deno.mkdirSync(`${directory}/authorities`);
      Deno.copyFileSync(authority.cafile, `${directory}/authorities/lab.pem`);
      new Deno.Command(OPENSSL, { args: ["rehash", `${directory}/authorities`] }).outputSync();

      const configuration: string[] = [];
      const listen = (...lines: string[]) => {
        const port = freePort();
        configuration.push(`listener ${port} 127.0.0.1`, "listener_allow_anonymous true");
        configuration.push(`certfile ${certfile}`, `keyfile ${keyfile}`, ...lines);
        return port;
      };
      const asks = (cafile: string) => [`cafile ${cafile}`, "require_certificate true"];
      const plain = listen();
      const asking = listen(...asks(authority.cafile));
      const askingOthers = listen(...asks(stranger.cafile));
      const capath = listen(`capath ${directory}/authorities`, "require_certificate true");
      const dateless = listen(...asks(authority.cafile), "disable_client_cert_date_checks true");
      const subject = listen(...asks(authority.cafile), "use_subject_as_username true");
      const latest = listen("tls_version tlsv1.3");
      const ciphers = listen("ciphers ECDHE-ECDSA-AES256-GCM-SHA384");
      const suites = listen("ciphers_tls1.3 TLS_CHACHA20_POLY1305_SHA256");
      await using broker = await BrokerProcess.start(directory, { configuration });

      await t.step("capath: authorities of a directory are believed", async () => {
        assert.equal(await publishes(capath, authority.cafile, lamp), true);
        assert.equal(await publishes(capath, authority.cafile), false);
        assert.equal(await publishes(askingOthers, authority.cafile, lamp), false);
      });
      await t.step("disable_client_cert_date_checks: an expired one is let in", async () => {
        assert.equal(await publishes(dateless, authority.cafile, expired), true);
        assert.equal(await publishes(asking, authority.cafile, expired), false);
      });
      await t.step("use_subject_as_username: the whole subject is the name", async () => {
        const from = broker.lines.length;
        assert.equal(await publishes(asking, authority.cafile, lamp), true);
        const nameless = await broker.line(/New client connected/, from);
        assert.ok(!nameless.includes("u'"), nameless);
        assert.equal(await publishes(subject, authority.cafile, lamp), true);
        await broker.line(/New client connected from .*u'CN=lamp,O=Lab'\)/, from);
      });
      await t.step("tls_version: an older one is refused", async () => {
        assert.equal(await agrees(latest, "-tls1_2"), false);
        assert.equal(await agrees(latest, "-tls1_3"), true);
        assert.equal(await agrees(plain, "-tls1_2"), true);
      });
      await t.step("ciphers: others of TLS 1.2 are refused", async () => {
        const other = ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"];
        assert.equal(await agrees(ciphers, ...other), false);
        assert.equal(await agrees(ciphers, "-tls1_2"), true);
        assert.equal(await agrees(plain, ...other), true);
      });
      await t.step("ciphers_tls1.3: others of TLS 1.3 are refused", async () => {
        const other = ["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"];
        assert.equal(await agrees(suites, ...other), false);
        assert.equal(await agrees(suites, "-tls1_3"), true);
        assert.equal(await agrees(plain, ...other), true);
      });
      broker.assertNoDefect();
    }),
});

Deno.test({
  name: "tls_keyform: an engine is refused, a file is what keyfile is without it",
  ignore: !isThere(OPENSSL) || !isThere(PUB),
  fn: () =>
    withDirectory(async (directory) => {
      using authority = new Authority("/O=Lab/CN=Lab Root", directory);
      const { certfile, keyfile } = authority.issueServer();
      const lines = (form: string) => [
        ...[`certfile ${certfile}`, `keyfile ${keyfile}`, `tls_keyform ${form}`],
      ];
      const file = `${directory}/engine.conf`, port = freePort();
      Deno.writeTextFileSync(file, configurationText(port, lines("engine")));
      await using refused = BrokerProcess.spawn({ port, args: ["-c", file] });
      assert.equal(await refused.exitStatus(), 3);
      assert.match(
        refused.lines.join("\n"),
        /OpenSSL 3 has no engines\.\nError found at .*engine\.conf:5/,
      );
      await using broker = await BrokerProcess.start(directory, { configuration: lines("pem") });
      assert.equal(await publishes(broker.port, authority.cafile), true);
    }),
});

Deno.test({
  name: "tls_reload_on_change: a renewed certificate is taken without a signal",
  ignore: !isThere(OPENSSL) || !isThere(PUB),
  fn: () =>
    withDirectory(async (directory) => {
      using authority = new Authority("/O=Lab/CN=Lab Root", directory);
      using later = new Authority("/O=Later/CN=Later Root");
      const { certfile, keyfile } = authority.issueServer();
      const configuration = [`certfile ${certfile}`, `keyfile ${keyfile}`];
      await using plain = await BrokerProcess.start(directory, { configuration });
      await using watching = await BrokerProcess.start(directory, {
        configuration: [...configuration, "tls_reload_on_change true"],
      });
      const renewed = later.issueServer();
      Deno.copyFileSync(renewed.keyfile, keyfile);
      Deno.copyFileSync(renewed.certfile, certfile);
      await watching.line(/TLS files have changed/);
      assert.equal(await publishes(watching.port, later.cafile), true);
      assert.equal(await publishes(plain.port, later.cafile), false);
      assert.equal(await publishes(plain.port, authority.cafile), true);
    }),
});
