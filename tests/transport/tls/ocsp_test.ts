import assert from "node:assert/strict";
import { opensslClientContext } from "../../../src/transport/tls/openssl_client_context.ts";
import { liveTlsSessions } from "../../../src/transport/tls/tls_session.ts";
import { TlsError } from "../../../src/transport/tls/tls_error.ts";
import { Authority } from "../../support/certificates.ts";
import { PATIENCE_MS, within } from "../../support/broker_process.ts";
import { authority, cafile, server, VERSIONS } from "./lab.ts";

const other = authority.issueServer("other");
const revoked = authority.issueServer("revoked-server");
authority.revoke(revoked);

/** An answer of a responder, which knows what this authority has issued and revoked. */
function answer(
  { certfile }: typeof server,
  { hash = "sha1", signer = authority } = {},
): string {
  const name = authority.path(`answer-${crypto.randomUUID()}.der`);
  const run = (...args: string[]) => {
    const { success, stderr } = new Deno.Command("openssl", {
      args: ["ocsp", ...args],
      cwd: authority.directory,
    }).outputSync();
    assert.ok(success, new TextDecoder().decode(stderr));
  };
  run(`-${hash}`, "-issuer", "ca.crt", "-cert", certfile, "-no_nonce", "-reqout", "request.der");
  run(
    ...["-index", "index.txt", "-CA", "ca.crt", "-reqin", "request.der", "-respout", name],
    ...["-rsigner", signer.cafile, "-rkey", signer.path("ca.key"), "-ndays", "5"],
  );
  return name;
}

/** Meets `openssl s_server` with that certificate and answer; returns why it is refused, or null. */
async function refusal(
  certificate: typeof server,
  stapled: string | null,
  args: string[] = [],
): Promise<string | null> {
  const child = new Deno.Command("openssl", {
    args: [
      ...["s_server", "-accept", "127.0.0.1:0", "-rev", ...args],
      ...["-cert", certificate.certfile, "-key", certificate.keyfile],
      ...stapled === null ? [] : ["-status_file", stapled],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.getReader();
  let output = "";
  while (!/^ACCEPT .*:\d+$/m.test(output)) {
    const { value, done } = await within(reader.read(), () => "s_server does not start");
    assert.ok(!done, "s_server has ended");
    output += new TextDecoder().decode(value);
  }
  const context = opensslClientContext({ cafile, requireOcsp: true });
  const port = Number(/^ACCEPT .*:(\d+)$/m.exec(output)![1]);
  const raw = await Deno.connect({ hostname: "127.0.0.1", port });
  const stream = context.secure(raw, "localhost");
  try {
    await stream.handshake(PATIENCE_MS);
    return null;
  } catch (error) {
    assert.ok(error instanceof TlsError, String(error));
    return error.verification ?? error.details.join();
  } finally {
    stream.close();
    context.free();
    await reader.cancel();
    child.kill();
    await child.status;
    assert.equal(liveTlsSessions(), 0);
  }
}

for (const version of VERSIONS) {
  Deno.test(`${version}: a bridge that demands an OCSP answer checks it`, async () => {
    const args = [version === "tlsv1.2" ? "-tls1_2" : "-tls1_3"];
    Deno.mkdirSync(authority.path(`rogue-${version}`));
    const rogue = new Authority("/O=Lab/CN=Lab Root", authority.path(`rogue-${version}`));
    const rows: [string, typeof server, string | null, RegExp | null][] = [
      ["a good one", server, answer(server), null],
      ["a good one by SHA-256", server, answer(server, { hash: "sha256" }), null],
      ["none", server, null, /no OCSP answer/],
      ["one on another certificate", server, answer(other), /on another certificate/],
      ["one that says revoked", revoked, answer(revoked), /is "revoked"/],
      ["one signed by somebody else", server, answer(server, { signer: rogue }), /not signed/],
    ];
    for (const [which, certificate, stapled, expected] of rows) {
      const reason = await refusal(certificate, stapled, args);
      if (expected === null) assert.equal(reason, null, which);
      else assert.match(String(reason), expected, which);
    }
  });
}
