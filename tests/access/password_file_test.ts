import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { parsePasswordFile } from "../../src/access/password_file.ts";
import { formatPasswordHash, parsePasswordHash } from "../../src/access/password_hash.ts";
import { expectReports } from "./file_case.ts";
import { BY_MOSQUITTO, SHA512_ENTRY } from "./password_entries.ts";

const base64 = (length: number) => Buffer.alloc(length, 1).toString("base64");
const HASH = SHA512_ENTRY.slice(SHA512_ENTRY.indexOf(":") + 1);

Deno.test("entries of every format are read and written back as they were", () => {
  const text = BY_MOSQUITTO.map(([, line]) => line).join("\n");
  const entries = expectReports(parsePasswordFile, text, {});
  assert.deepEqual([...entries.keys()], ["alice", "bob", "alice21", "dave"]);
  for (const { hash, encoded } of entries.values()) assert.equal(formatPasswordHash(hash), encoded);
});

Deno.test("blanks around user and hash, CRLF, a byte order mark and a second colon do not count", () => {
  const entries = expectReports(
    parsePasswordFile,
    `\ufeff  a b :\t${HASH} \r\n# c:x\r\n\r\nc:${HASH}:more`,
    {},
  );
  assert.deepEqual([...entries.keys()], ["a b", "c"]);
  assert.equal(entries.get("c")!.encoded, HASH);
});

Deno.test("all mistakes are reported, with their lines", () => {
  const file = [
    `joe:${HASH}`,
    "plain:secret",
    "empty:",
    `joe:${HASH}`,
    `:${HASH}`,
    "crypt:$1$salt$hash",
    "short:$7$",
    `rounds:$7$0$${base64(12)}$${base64(64)}`,
    `rounds2:$7$1e3$${base64(12)}$${base64(64)}`,
    `salt:$6$${base64(16)}$${base64(64)}`,
    `hash:$6$${base64(12)}$${base64(63)}`,
    `base64:$6$${base64(12).replace("A", "*")}$${base64(64)}`,
    `cut:$6$${base64(12)}$${base64(64).slice(0, -1)}`,
    `tab\tbed:${HASH}`,
    "nobody",
    "argon:$argon2id$v=19$m=7,t=1,p=1$c29tZXNhbHQ$c29tZXNhbHQ",
  ].join("\n");
  expectReports(parsePasswordFile, file, {
    mistakes: [
      "2: Invalid password hash type for user plain.",
      "3: Empty password hash for user empty.",
      "4: Duplicate user 'joe' in password file 'F'.",
      "5: Invalid user name.",
      "6: Invalid password hash for user crypt.",
      "7: Invalid password hash for user short.",
      "8: Invalid password hash for user rounds.",
      "9: Invalid password hash for user rounds2.",
      "10: Invalid password hash for user salt.",
      "11: Invalid password hash for user hash.",
      "12: Invalid password hash for user base64.",
      "13: Invalid password hash for user cut.",
      "14: Invalid user name.",
      "16: Invalid password hash for user argon.",
    ],
    warnings: ["15: A line without ':' is no user: ignored."],
  });
});

Deno.test("argon2id takes any valid parameters, and a version or none", () => {
  const tail = "c29tZXNhbHQ$c29tZXNhbHQ";
  const answer = (text: string) => typeof parsePasswordHash(text) === "object";
  const cases: [text: string, valid: boolean][] = [
    [`$argon2id$v=19$m=8,t=1,p=1$${tail}`, true],
    [`$argon2id$v=16$m=64,t=3,p=4$${tail}`, true],
    [`$argon2id$m=64,t=3,p=4$${tail}`, true],
    [`$argon2id$v=18$m=64,t=3,p=4$${tail}`, false],
    [`$argon2id$v=19$m=31,t=1,p=4$${tail}`, false],
    [`$argon2id$v=19$m=64,t=0,p=4$${tail}`, false],
    [`$argon2id$v=19$m=64,t=1,p=0$${tail}`, false],
    [`$argon2id$v=19$m=99999999,t=1,p=1$${tail}`, false],
    [`$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbA$c29tZXNhbHQ`, false],
    [`$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$c2`, false],
    [`$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ=$c29tZXNhbHQ`, false],
    [`$argon2i$v=19$m=64,t=1,p=1$${tail}`, false],
  ];
  for (const [text, valid] of cases) assert.equal(answer(text), valid, text);
});

Deno.test("whatever the bytes, reading them ends with a result", () => {
  const piece = fc.constantFrom(":", "$", "\n", "$6$", "$7$", "$argon2id$", "v=19", "m=8,t=1,p=1");
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 4 }))), (pieces) => {
      parsePasswordFile(new TextEncoder().encode(pieces.join("")), "F");
    }),
  );
});

Deno.test("a mebibyte of blanks in a line is read in an instant", () => {
  const text = `a${" ".repeat(1 << 20)}b:${" ".repeat(1 << 20)}x`;
  expectReports(parsePasswordFile, text, {
    mistakes: ["1: Invalid user name."],
  });
});
