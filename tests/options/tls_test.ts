import assert from "node:assert/strict";
import { BrokerProcess, freePort, withDirectory } from "../support/broker_process.ts";
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
