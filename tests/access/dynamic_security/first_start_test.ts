import assert from "node:assert/strict";
import {
  DynamicSecurity,
  type DynamicSecurityOptions,
  readSecurityFile,
} from "../../../src/access/dynamic_security/dynamic_security.ts";
import { PasswordVerifier } from "../../../src/access/password_verifier.ts";
import { Reason } from "../../../src/wire/reason.ts";
import { identity, withSecurity } from "./support.ts";

function opened(file: string, options: Partial<DynamicSecurityOptions> = {}) {
  return DynamicSecurity.open({
    file,
    passwordInitFile: undefined,
    environmentPassword: undefined,
    verifier: new PasswordVerifier(),
    log: () => {},
    changed: () => {},
    disconnect: () => {},
    connectionsOf: () => [],
    ...options,
  });
}

async function letsIn(security: DynamicSecurity, userName: string, password: string) {
  const bytes = new TextEncoder().encode(password);
  return await security.policy.authenticate!(identity(userName), bytes) === Reason.Success;
}

Deno.test("a first start makes two clients and writes their passwords beside the file", async () => {
  await withSecurity(null, async ({ security, file, lines, saved }) => {
    assert.deepEqual(lines, [
      "information: Dynamic security plugin config not found, generating a default config.",
      `information:   Generated passwords are at ${file}.pw`,
    ]);
    const found = /^admin (\S{20})\ndemoclient (\S{20})\n$/.exec(
      Deno.readTextFileSync(`${file}.pw`),
    );
    assert.ok(found !== null);
    assert.notEqual(found[1], found[2]);
    assert.equal(await letsIn(security, "admin", found[1]), true);
    assert.equal(await letsIn(security, "democlient", found[2]), true);
    assert.equal(await letsIn(security, "democlient", found[1]), false);
    for (const path of [file, `${file}.pw`]) assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
    assert.deepEqual((saved().roles as { rolename: string }[]).map(({ rolename }) => rolename), [
      "broker-admin",
      "client",
      "dynsec-admin",
      "super-admin",
      "sys-notify",
      "sys-observe",
      "topic-observe",
    ]);
    assert.equal(saved().anonymousGroup, "unauthenticated");
    const { policy } = security;
    assert.equal(policy.mayPublish!(identity("democlient"), "a/b", null!), true);
    assert.equal(policy.mayPublish!(identity("democlient"), "$CONTROL/broker/v1", null!), "defer");
    assert.equal(policy.mayPublish!(identity("admin"), "$CONTROL/broker/v1", null!), true);
    assert.equal(policy.mayPublish!(identity("admin"), "a/b", null!), "defer");
  });
});

Deno.test("the administrator's password may be given, by a file before the environment", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const given = `${directory}/password`;
    Deno.writeTextFileSync(given, "from a file \nsecond line\n");
    const rows: [Partial<DynamicSecurityOptions>, string][] = [
      [{ environmentPassword: "from the environment" }, "from the environment"],
      [{ environmentPassword: "from the environment", passwordInitFile: given }, "from a file"],
    ];
    for (const [options, password] of rows) {
      const file = `${directory}/${password}.json`;
      const { security } = await opened(file, options);
      assert.equal(await letsIn(security!, "admin", password), true, password);
      const clients = JSON.parse(Deno.readTextFileSync(file)).clients;
      assert.equal(clients.length, 1);
      assert.equal(Deno.statSync(file).isFile, true);
    }
    assert.deepEqual([...Deno.readDirSync(directory)].map(({ name }) => name).sort(), [
      "from a file.json",
      "from the environment.json",
      "password",
    ]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("without a usable password no file is made", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const file = `${directory}/d.json`, empty = `${directory}/empty`, blank = `${directory}/blank`;
    Deno.writeTextFileSync(empty, "");
    Deno.writeTextFileSync(blank, " \n");
    const rows: [Partial<DynamicSecurityOptions>, RegExp][] = [
      [{ environmentPassword: "12345678901" }, /at least 12 characters/],
      [{ passwordInitFile: `${directory}/none` }, /file not accessible/],
      [{ passwordInitFile: empty }, /file empty/],
      [{ passwordInitFile: blank }, /password is empty/],
    ];
    for (const [options, why] of rows) {
      const { security, mistakes } = await opened(file, options);
      assert.equal(security, undefined);
      assert.match(mistakes[0].message, why);
      assert.equal(readSecurityFile(file), undefined);
    }
    const { mistakes } = await opened(`${directory}/none/d.json`);
    assert.match(mistakes[0].message, /Error saving/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a broken file is not touched", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const file = `${directory}/d.json`;
    for (const bytes of [new TextEncoder().encode("{"), Uint8Array.of(0xff)]) {
      Deno.writeFileSync(file, bytes);
      const { security, mistakes } = await opened(file);
      assert.equal(security, undefined);
      assert.equal(mistakes.length, 1);
      assert.deepEqual(Deno.readFileSync(file), bytes);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
