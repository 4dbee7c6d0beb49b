import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Decoys } from "../../src/access/decoys.ts";
import { parsePasswordFile } from "../../src/access/password_file.ts";
import type { PasswordHash } from "../../src/access/password_hash.ts";
import { PasswordPolicy } from "../../src/access/password_policy.ts";
import { PasswordVerifier } from "../../src/access/password_verifier.ts";
import { DEFER } from "../../src/access/policy.ts";
import type { Identity } from "../../src/session/ports.ts";
import { Reason } from "../../src/wire/reason.ts";
import { BY_MOSQUITTO, PASSWORD, SHA512_ENTRY } from "./password_entries.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const client = (userName: string | undefined) => ({ clientId: "c", userName }) as Identity;
const entriesOf = (...lines: string[]) => parsePasswordFile(bytes(lines.join("\n")), "F").value;

/** Notes what it is asked, and says yes. */
class Notebook extends PasswordVerifier {
  readonly asked: PasswordHash[] = [];
  answer: boolean | "busy" = true;

  override verify(hash: PasswordHash): boolean | "busy" {
    this.asked.push(hash);
    return this.answer;
  }
}

for (const [by, line] of BY_MOSQUITTO) {
  Deno.test(`a password hashed by Mosquitto ${by} lets its user in, another one does not`, async () => {
    const verifier = new PasswordVerifier();
    try {
      const policy = new PasswordPolicy(entriesOf(line), verifier);
      const user = client(line.split(":", 1)[0]);
      const answers = [PASSWORD, PASSWORD, bytes("correct hors"), bytes("correct horse\0x")]
        .map((password) => policy.authenticate(user, password));
      assert.deepEqual(await Promise.all(answers), [
        Reason.Success,
        Reason.Success,
        Reason.NotAuthorized,
        Reason.NotAuthorized,
      ]);
      assert.equal(await policy.authenticate(user, PASSWORD), Reason.Success);
    } finally {
      verifier.close();
    }
  });
}

Deno.test("passwords are bytes: a NUL ends nothing", () => {
  // SHA-512 of "a", NUL, "b" and twelve bytes of salt.
  const salt = new Uint8Array(12).fill(7);
  const hash = createHash("sha512").update("a\0b").update(salt).digest("base64");
  const line = `u:$6$${salt.toBase64()}$${hash}`;
  const verifier = new PasswordVerifier();
  const policy = new PasswordPolicy(entriesOf(line), verifier);
  const answers = ["a\0b", "a", "a\0c"].map((text) =>
    policy.authenticate(client("u"), bytes(text))
  );
  assert.deepEqual(answers, [Reason.Success, Reason.NotAuthorized, Reason.NotAuthorized]);
  verifier.close();
});

Deno.test("without a user name it has no opinion", () => {
  const policy = new PasswordPolicy(entriesOf(SHA512_ENTRY), new Notebook());
  assert.equal(policy.authenticate(client(undefined), undefined), DEFER);
});

Deno.test("no password and an empty one match nothing and cost nothing", () => {
  const notebook = new Notebook();
  const policy = new PasswordPolicy(entriesOf(SHA512_ENTRY), notebook);
  for (const name of ["bob", "nobody"]) {
    for (const password of [undefined, new Uint8Array(0)]) {
      assert.equal(policy.authenticate(client(name), password), Reason.NotAuthorized);
    }
  }
  assert.deepEqual(notebook.asked, []);
});

Deno.test("an unknown user is refused, at the cost of a known one, even if the decoy matched", () => {
  const notebook = new Notebook();
  const policy = new PasswordPolicy(entriesOf(BY_MOSQUITTO[2][1]), notebook);
  assert.equal(policy.authenticate(client("nobody"), PASSWORD), Reason.NotAuthorized);
  assert.equal(policy.authenticate(client("alice21"), PASSWORD), Reason.Success);
  const costs = notebook.asked.map((hash) => {
    assert.ok(hash.scheme === "sha512-pbkdf2");
    return [hash.iterations, hash.salt.length, hash.hash.length];
  });
  assert.deepEqual(costs, [[1000, 64, 64], [1000, 64, 64]]);
});

Deno.test("unknown users cost what users of the file cost, each always the same", () => {
  const decoys = new Decoys(entriesOf(...BY_MOSQUITTO.map(([, line]) => line)));
  const names = Array.from({ length: 200 }, (_, number) => `nobody${number}`);
  const schemes = names.map((name) => decoys.hashFor(name)!.scheme);
  assert.deepEqual(new Set(schemes), new Set(["sha512", "sha512-pbkdf2", "argon2id"]));
  assert.deepEqual(names.map((name) => decoys.hashFor(name)!.scheme), schemes);
});

Deno.test("a file without users lets nobody in", () => {
  const policy = new PasswordPolicy(entriesOf(), new Notebook());
  assert.equal(policy.authenticate(client("bob"), PASSWORD), Reason.NotAuthorized);
});

Deno.test("when too many wait, the broker is busy, to unknown users as well", () => {
  const notebook = new Notebook();
  notebook.answer = "busy";
  const policy = new PasswordPolicy(entriesOf(SHA512_ENTRY), notebook);
  for (const name of ["bob", "nobody"]) {
    assert.equal(policy.authenticate(client(name), PASSWORD), Reason.ServerBusy);
  }
});

Deno.test("after a reload whoever has the same entry may stay", () => {
  const [alice, bob] = BY_MOSQUITTO.map(([, line]) => line);
  const policies = [[alice, bob], [alice, bob.replace("$I9ib", "$J9ib")], [bob]].map((lines) =>
    new PasswordPolicy(entriesOf(...lines), new Notebook())
  );
  const [before, changed, gone] = policies;
  assert.deepEqual(["alice", "bob"].map((name) => changed.stillKnows(name, before)), [true, false]);
  assert.deepEqual(["alice", "bob"].map((name) => gone.stillKnows(name, before)), [false, true]);
});
