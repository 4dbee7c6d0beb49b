import assert from "node:assert/strict";
import { opensslClientContext } from "../../../src/transport/tls/openssl_client_context.ts";
import { opensslServerContext } from "../../../src/transport/tls/openssl_server_context.ts";
import { TlsContextHolder } from "../../../src/transport/tls/tls_context_holder.ts";
import { TlsError } from "../../../src/transport/tls/tls_error.ts";
import type { TlsInfo } from "../../../src/transport/tls/tls_options.ts";
import { liveTlsSessions } from "../../../src/transport/tls/tls_session.ts";
import { authority, cafile, server } from "./lab.ts";
import { meet } from "./meeting.ts";

const DAY_MS = 86_400_000;
const second = authority.issueServer("second", { subject: "/O=Lab/CN=second" });

/** A holder on copies of the files, which a test changes. */
function scene() {
  const certfile = authority.path("live.crt"), keyfile = authority.path("live.key");
  const install = (certificate: typeof server) => {
    Deno.copyFileSync(certificate.certfile, certfile);
    Deno.copyFileSync(certificate.keyfile, keyfile);
  };
  install(server);
  let made = 0;
  const holder = new TlsContextHolder({
    make: () => {
      const context = opensslServerContext({ certfile, keyfile });
      made++;
      return context;
    },
    certfile,
    paths: [certfile, keyfile],
  });
  const client = opensslClientContext({ cafile });
  return { holder, client, install, certfile, made: () => made };
}

async function subjectSeen({ holder, client }: ReturnType<typeof scene>): Promise<string> {
  const met = await meet(holder.current, client);
  met.serverStream.close();
  met.clientStream.close();
  return (met.client as TlsInfo).certificate!.subject;
}

Deno.test("a reload is for new connections; those that are there live on", async () => {
  const at = scene();
  const old = await meet(at.holder.current, at.client);
  at.install(second);
  assert.equal(await subjectSeen(at), "CN=localhost,O=Lab");
  at.holder.reload();
  assert.equal(await subjectSeen(at), "CN=second,O=Lab");
  const reading = old.clientStream.read(new Uint8Array(100));
  await old.serverStream.write(new TextEncoder().encode("still here"));
  assert.equal(await reading, 10);
  old.serverStream.close();
  old.clientStream.close();
  assert.equal(liveTlsSessions(), 0);
  at.holder.free();
  at.client.free();
});

Deno.test("a broken new file is an error, and the old one stays in force", async () => {
  const at = scene();
  Deno.writeTextFileSync(at.certfile, "half a certif");
  assert.throws(() => at.holder.reload(), TlsError);
  assert.equal(await subjectSeen(at), "CN=localhost,O=Lab");
  assert.ok(at.holder.daysLeft(Date.now())! > 0);
  // A certificate without its key.
  Deno.copyFileSync(second.certfile, at.certfile);
  assert.throws(() => at.holder.reload(), /key/);
  assert.equal(await subjectSeen(at), "CN=localhost,O=Lab");
  assert.equal(at.made(), 1);
  at.holder.free();
  at.client.free();
});

Deno.test("a hundred reloads beside connections leave nothing behind", async () => {
  const at = scene();
  for (let time = 0; time < 100; time++) {
    at.install(time % 2 === 0 ? second : server);
    at.holder.reload();
    assert.match(await subjectSeen(at), time % 2 === 0 ? /second/ : /localhost/);
  }
  assert.equal(liveTlsSessions(), 0);
  at.holder.free();
  at.client.free();
});

Deno.test("days until the certificate expires are counted whole", () => {
  const at = scene();
  const { holder } = at;
  const end = holder.expiresAtMs!;
  assert.equal(holder.daysLeft(end), 0);
  assert.equal(holder.daysLeft(end - 1), 0);
  assert.equal(holder.daysLeft(end - 30 * DAY_MS), 30);
  assert.equal(holder.daysLeft(end + 1), -1);
  const issuedForDays = holder.daysLeft(Date.now())!;
  assert.ok(issuedForDays === 19 || issuedForDays === 20);
  at.holder.free();
  at.client.free();
});

Deno.test("without a certificate there are no days to count", () => {
  const make = () => opensslServerContext({ psk: () => null });
  const holder = new TlsContextHolder({ make, paths: [] });
  assert.equal(holder.daysLeft(0), null);
  holder.reload();
  holder.free();
});
