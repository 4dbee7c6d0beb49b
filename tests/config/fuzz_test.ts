import assert from "node:assert/strict";
import fc from "fast-check";
import { parseArguments } from "../../src/config/arguments.ts";
import { loadConfiguration } from "../../src/config/load_configuration.ts";
import { formatMistakes } from "../../src/mistake.ts";
import { OPTIONS } from "../../src/config/options.ts";

const names = OPTIONS.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
/** Pieces a configuration is made of, so that the fuzz reaches behind the first check. */
const piece = fc.oneof(
  fc.constantFrom(...names),
  fc.constantFrom(
    " ",
    "\t",
    "\n",
    "\r\n",
    " = ",
    "=",
    "#",
    ";",
    '"',
    "'",
    "\\",
    "[]",
    "\0",
    "\u2028",
  ),
  fc.constantFrom("[listener a]\n", "[bridge b]\n", "[", "]", "true", "none", "all", "14d", "mqtt"),
  fc.integer({ min: -2, max: 70_000 }).map(String),
  fc.string({ unit: "binary", maxLength: 8 }),
);
const document = fc.array(piece, { maxLength: 40 }).map((pieces) =>
  new TextEncoder().encode(pieces.join(""))
);
const bytes = fc.uint8Array({ maxLength: 200 });

for (const file of ["a.conf", "a.ini"]) {
  Deno.test(`any bytes in ${file} give a configuration or mistakes`, () => {
    const property = fc.property(
      fc.oneof(document, bytes),
      fc.oneof(document, bytes),
      (main, more) => {
        const loaded = loadConfiguration({ file }, {
          read: (path) => path === file ? main : more,
          list: () => [`b${file}`],
        });
        if ("mistakes" in loaded) {
          assert(loaded.mistakes.length > 0);
          assert.match(formatMistakes(loaded.mistakes), /^Error: /);
        } else {
          assert(Object.values(loaded.configuration.global).every((value) => value !== undefined));
          assert(loaded.configuration.listeners.every(({ port }) => port > 0 && port < 65_536));
        }
      },
    );
    fc.assert(property, { numRuns: 1000 });
  });
}

Deno.test("any text as admin_token in quotes comes back from INI", () => {
  const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 })
    .filter((text) => text.trim() === text && !/[\p{Cc}\u2028\u2029]/u.test(text));
  fc.assert(fc.property(text, (token) => {
    const line = new TextEncoder().encode(`admin_token = ${JSON.stringify(token)}`);
    const loaded = loadConfiguration({ file: "a.ini" }, { read: () => line, list: () => [] });
    assert("configuration" in loaded, JSON.stringify(loaded));
    assert.equal(loaded.configuration.global.adminToken, token);
  }));
});

Deno.test("any command line gives an answer", () => {
  const word = fc.oneof(
    fc.constantFrom("-c", "-p", "-v", "-q", "--test-config", "check-config", "1883", "a.conf"),
    fc.constantFrom("config", "show", "--json", "acl", "explain", "passwd", "--expand-env"),
    fc.string(),
  );
  fc.assert(fc.property(fc.array(word, { maxLength: 30 }), (words) => {
    assert.equal(typeof parseArguments(words).action, "string");
  }));
});

Deno.test("lines of a million characters are read in a moment and do not overflow", () => {
  const million = 1_000_000;
  const lines = [
    `admin_token ${"a".repeat(million)}`,
    `admin_token = ${"a".repeat(million)}`,
    `admin_token = a${" ".repeat(million)}b`,
    `admin_token a${" ".repeat(million)}b`,
    `admin_token = "${"a".repeat(million)}`,
    `admin_token = ${"\\;".repeat(million)}#`,
    `${"a".repeat(million)} = 1`,
    `${" ".repeat(million)}sys_interval 1`,
    `[${"a ".repeat(million)}`,
    `sys_interval ${"1 ".repeat(million)}`,
    `listener ${"1 ".repeat(million)}`,
    `listener ${"1".repeat(million)}`,
    `accept_protocol_versions ${"3,".repeat(million)}`,
  ];
  for (const file of ["a.conf", "a.ini"]) {
    for (const line of lines) {
      const loaded = loadConfiguration({ file }, {
        read: () => new TextEncoder().encode(line),
        list: () => [],
      });
      assert("mistakes" in loaded || "configuration" in loaded);
    }
  }
});
