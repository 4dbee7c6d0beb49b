import assert from "node:assert/strict";
import { nodeTlsEngine } from "../../../src/transport/tls/node_tls_engine.ts";
import { opensslEngine } from "../../../src/transport/tls/openssl_engine.ts";
import type { TlsContextHolder } from "../../../src/transport/tls/tls_context_holder.ts";
import {
  holdServerContext,
  logExpiry,
  reloadOnChange,
} from "../../../src/transport/tls/tls_reload.ts";
import { authority, cafile, psk, server } from "./lab.ts";

const DAY_MS = 86_400_000;

/** A holder on copies of the files, what it logs, and the looks at its files. */
function scene() {
  const certfile = authority.path("watched.crt"), keyfile = authority.path("watched.key");
  Deno.copyFileSync(server.certfile, certfile);
  Deno.copyFileSync(server.keyfile, keyfile);
  const holder = holdServerContext(opensslEngine(), { certfile, keyfile });
  const lines: string[] = [];
  const log = (type: string, text: string) => void lines.push(`${type}: ${text}`);
  let look = () => {};
  const watch = reloadOnChange(holder, log, {
    every: (_intervalMs, run) => {
      look = run;
      return () => {};
    },
  });
  const looks = () => {
    look();
    look();
    return lines.splice(0);
  };
  return { holder, certfile, keyfile, lines, log, looks, watch };
}

Deno.test("files that have changed are read anew by themselves", () => {
  const { holder, certfile, keyfile, looks, watch } = scene();
  const before = holder.current;
  assert.deepEqual(looks(), []);
  const renewed = authority.issueServer("renewed");
  Deno.copyFileSync(renewed.certfile, certfile);
  Deno.copyFileSync(renewed.keyfile, keyfile);
  assert.deepEqual(looks(), [
    `notice: TLS files have changed: ${certfile}, ${keyfile} are read anew.`,
  ]);
  assert.notEqual(holder.current, before);
  watch.close();
  holder.free();
});

Deno.test("a broken file is logged, and read again when it is whole", () => {
  const { holder, certfile, looks, watch } = scene();
  const before = holder.current;
  Deno.writeTextFileSync(certfile, "half a certif");
  const lines = looks();
  assert.match(lines[0], /^error: Error: Unable to load server certificate/);
  assert.match(lines[1], /^error: OpenSSL Error\[0\]: error:/);
  assert.match(lines.at(-1)!, /^warning: Warning: TLS goes on with the files as they were/);
  assert.equal(holder.current, before);
  Deno.copyFileSync(server.certfile, certfile);
  assert.match(looks()[0], /^notice: TLS files have changed/);
  watch.close();
  holder.free();
});

Deno.test("all files that are read are watched", () => {
  const crlfile = authority.crlfile(), capath = authority.capath();
  const holder = holdServerContext(opensslEngine(), { ...server, cafile, capath, crlfile });
  assert.deepEqual(holder.paths, [server.certfile, server.keyfile, cafile, capath, crlfile]);
  holder.free();
});

Deno.test("what the engine would ignore is refused by name", () => {
  assert.throws(() => holdServerContext(nodeTlsEngine, { psk }), /: psk_hint\.$/);
  assert.throws(
    () => holdServerContext(nodeTlsEngine, { ...server, crlfile: "x", ciphers: "y" }),
    /: crlfile, ciphers\.$/,
  );
});

Deno.test("the log says how long a certificate lasts, and warns in time", () => {
  const { holder, certfile, lines, log, watch } = scene();
  const end = holder.expiresAtMs!;
  const rows: [number, string][] = [
    [30 * DAY_MS, `information: The certificate in ${certfile} expires in 30 days.`],
    [29 * DAY_MS, `warning: Warning: The certificate in ${certfile} expires in 29 days.`],
    [0, `warning: Warning: The certificate in ${certfile} expires in 0 days.`],
    [-1, `warning: Warning: The certificate in ${certfile} has expired.`],
  ];
  for (const [before, line] of rows) {
    logExpiry(holder, end - before, log);
    assert.equal(lines.pop(), line);
  }
  logExpiry({ daysLeft: () => null } as unknown as TlsContextHolder, 0, log);
  assert.deepEqual(lines, []);
  watch.close();
  holder.free();
});
