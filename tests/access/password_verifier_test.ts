import assert from "node:assert/strict";
import { parsePasswordHash, type PasswordHash } from "../../src/access/password_hash.ts";
import { PasswordVerifier } from "../../src/access/password_verifier.ts";
import { RememberedPasswords } from "../../src/access/remembered_passwords.ts";
import { BY_MOSQUITTO, PASSWORD } from "./password_entries.ts";

function hashOf(line: string): PasswordHash {
  const hash = parsePasswordHash(line.slice(line.indexOf(":") + 1));
  assert.ok(typeof hash === "object");
  return hash;
}

const PBKDF2 = hashOf(BY_MOSQUITTO[0][1]);
const ARGON2ID = hashOf(BY_MOSQUITTO[3][1]);
const WRONG = new TextEncoder().encode("wrong");

Deno.test("a password found right is not hashed again until it is forgotten, a wrong one is", async () => {
  const verifier = new PasswordVerifier();
  assert.equal(await verifier.verify(PBKDF2, PASSWORD), true);
  assert.equal(verifier.verify(PBKDF2, PASSWORD), true, "at once");
  assert.equal(await verifier.verify(PBKDF2, WRONG), false);
  const again = verifier.verify(PBKDF2, WRONG);
  assert.ok(again instanceof Promise);
  assert.equal(await again, false);
  verifier.forget();
  const afterwards = verifier.verify(PBKDF2, PASSWORD);
  assert.ok(afterwards instanceof Promise);
  assert.equal(await afterwards, true);
  verifier.close();
});

Deno.test("what was right for one hash says nothing about another one", async () => {
  const verifier = new PasswordVerifier();
  await verifier.verify(PBKDF2, PASSWORD);
  const changed = { ...PBKDF2, hash: PBKDF2.hash.toReversed() };
  assert.equal(await verifier.verify(changed, PASSWORD), false);
  verifier.close();
});

Deno.test("beyond what may wait it says that it is busy", async () => {
  const verifier = new PasswordVerifier({ concurrent: 1, iterationsWaitingMaximum: 2_500 });
  const answers = [1, 2, 3].map(() => verifier.verify(PBKDF2, WRONG));
  assert.equal(answers[2], "busy");
  assert.deepEqual(await Promise.all(answers.slice(0, 2)), [false, false]);
  verifier.close();
});

Deno.test("argon2id does not make PBKDF2 wait, and closing does not wait for argon2id", async () => {
  const verifier = new PasswordVerifier({ concurrent: 1, memoryWaitingMaximum: Infinity });
  const slow = verifier.verify({ ...ARGON2ID, passes: 1_000 } as PasswordHash, PASSWORD);
  const behind = verifier.verify(ARGON2ID, PASSWORD);
  assert.equal(await verifier.verify(PBKDF2, PASSWORD), true);
  verifier.close();
  assert.deepEqual(await Promise.all([slow, behind]), [false, false]);
});

Deno.test("of the passwords found right the ones longest unused are forgotten", () => {
  const remembered = new RememberedPasswords(2);
  for (const digest of ["a", "b"]) remembered.add(digest);
  assert.equal(remembered.has("a"), true);
  remembered.add("c");
  assert.deepEqual(["a", "b", "c"].map((digest) => remembered.has(digest)), [true, false, true]);
});

Deno.test("a digest tells neither the password nor is it the same in another process", () => {
  const [one, other] = [new RememberedPasswords(1), new RememberedPasswords(1)];
  assert.equal(one.digest(PBKDF2, PASSWORD), one.digest(PBKDF2, PASSWORD));
  assert.notEqual(one.digest(PBKDF2, PASSWORD), other.digest(PBKDF2, PASSWORD));
  assert.notEqual(one.digest(PBKDF2, PASSWORD), one.digest(PBKDF2, WRONG));
});
