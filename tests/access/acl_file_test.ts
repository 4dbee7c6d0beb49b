import assert from "node:assert/strict";
import fc from "fast-check";
import { parseAclFile } from "../../src/access/acl_file.ts";
import { expectReports } from "./file_case.ts";

function rule(text: string): { access: string; filter: string } | undefined {
  const acl = expectReports(parseAclFile, text, {});
  for (const action of ["read", "write"] as const) {
    for (const topic of ["readonly", "read", "a b/c", "a/b", "deny"]) {
      const decision = acl.decide({ clientId: "c", userName: undefined }, topic, action);
      if (typeof decision === "object") return { access: decision.access, filter: decision.filter };
    }
  }
}

Deno.test("one word after topic is the filter, of two the first is the access", () => {
  assert.deepEqual(rule("topic readonly"), { access: "readwrite", filter: "readonly" });
  assert.deepEqual(rule("topic read "), { access: "readwrite", filter: "read" });
  assert.deepEqual(rule("topic write a/b"), { access: "write", filter: "a/b" });
  assert.deepEqual(rule("topic   deny   deny  \r\n"), { access: "deny", filter: "deny" });
});

Deno.test("a filter and a user name may hold blanks", () => {
  assert.deepEqual(rule("topic read a b/c"), { access: "read", filter: "a b/c" });
  const acl = expectReports(parseAclFile, "user  John Doe \ntopic x\n", {});
  assert.equal(acl.allows({ clientId: "c", userName: "John Doe" }, "x", "read"), true);
});

Deno.test("a line user goes on with the list of that user", () => {
  const file = "user a\ntopic x\nuser b\ntopic y\nuser a\ntopic z\n";
  const acl = expectReports(parseAclFile, file, {});
  const allowed = ["x", "y", "z"].filter((topic) =>
    acl.allows({ clientId: "c", userName: "a" }, topic, "write")
  );
  assert.deepEqual(allowed, ["x", "z"]);
});

Deno.test("all mistakes are reported, with their lines", () => {
  const file = [
    "# a comment",
    "topics a/b",
    " # no comment",
    "topic",
    "pattern  ",
    "topic readwrit a/b",
    "topic read a/#/b",
    "topic read a/b+",
    "user",
    "topic\tread a",
    "topic read ok",
    "topic read a\u0001b",
    "topic read nul\0nul",
    `topic ${"/".repeat(201)}`,
  ].join("\n");
  expectReports(parseAclFile, file, {
    mistakes: [
      '2: Invalid line in acl_file "F": topics a/b.',
      '3: Invalid line in acl_file "F": # no comment.',
      '4: Empty topic in acl_file "F".',
      '5: Empty topic in acl_file "F".',
      '6: Invalid topic access type "readwrit" in acl_file "F".',
      '7: Invalid ACL topic "a/#/b" in acl_file "F".',
      '8: Invalid ACL topic "a/b+" in acl_file "F".',
      '9: Missing username in acl_file "F".',
      '10: Invalid line in acl_file "F": topic\tread a.',
      '12: Invalid ACL topic "a\u0001b" in acl_file "F".',
      "13: The line holds a NUL character.",
      `14: Invalid ACL topic "${"/".repeat(201)}" in acl_file "F".`,
    ],
  });
});

Deno.test("a pattern that is taken otherwise than it looks is warned of", () => {
  expectReports(
    parseAclFile,
    "pattern a/%c\npattern a/x%c\npattern a\ntopic a/%c\npattern %cc/%u",
    {
      warnings: [
        "2: ACL pattern 'a/x%c': 'x%c' is taken as it is.",
        "3: ACL pattern 'a' does not contain '%c' or '%u'.",
        "5: ACL pattern '%cc/%u': '%cc' is taken as it is.",
      ],
    },
  );
});

Deno.test("what is not UTF-8 matches nothing: it is reported", () => {
  const bytes = Uint8Array.of(...new TextEncoder().encode("topic read a"), 0xff);
  expectReports(parseAclFile, bytes, { mistakes: ["1: The line is not valid UTF-8."] });
});

Deno.test("whatever the bytes, reading them ends with a result", () => {
  const word = fc.constantFrom(
    "topic",
    "pattern",
    "user",
    "read",
    " ",
    "\n",
    "#",
    "\r",
    "a/+",
    "\0",
  );
  const text = fc.array(fc.oneof(word, fc.string({ maxLength: 3 })), { maxLength: 30 });
  fc.assert(
    fc.property(text, (words) => {
      const bytes = new TextEncoder().encode(words.join(""));
      const { value, mistakes } = parseAclFile(bytes, "F");
      value.allows({ clientId: "c", userName: "u" }, "a/b", "read");
      for (const { line } of mistakes) assert.ok(line >= 1);
    }),
  );
});
