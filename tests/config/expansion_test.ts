import assert from "node:assert/strict";
import { loadConfiguration } from "../../src/config/load_configuration.ts";
import { expand } from "../../src/config/expansion.ts";
import { formatMistakes } from "../../src/mistake.ts";
import { load, memoryFiles } from "./support.ts";

const encoder = new TextEncoder();
const VARIABLES = new Map([["TOKEN", "s3cret"], ["EMPTY", ""], ["ODD", "${TOKEN}"], [
  "DIR",
  "/a b",
]]);
const FILES = new Map<string, string | Uint8Array>([
  ["/run/token", "from a file\n"],
  ["/run/crlf", "x\r\n"],
  ["/run/two", "a\nb\n"],
  ["/run/bytes", new Uint8Array([0xff])],
]);
const sources = {
  variable: (name: string) => VARIABLES.get(name),
  file(path: string) {
    const text = FILES.get(path);
    return typeof text === "string" ? encoder.encode(text) : text;
  },
};

/** Values and what becomes of them. */
const EXPANDED: [string, string][] = [
  ["plain $TOKEN {x}", "plain $TOKEN {x}"],
  ["${TOKEN}", "s3cret"],
  ["a${TOKEN}b${TOKEN}", "as3cretbs3cret"],
  ["${DIR}/x", "/a b/x"],
  ["${ODD}", "${TOKEN}"],
  ["$${TOKEN}", "${TOKEN}"],
  ["$${TOKEN", "${TOKEN"],
  ["${EMPTY}", ""],
  ["${file:/run/token}", "from a file"],
  ["${file:/run/crlf}", "x"],
];
for (const [text, expected] of EXPANDED) {
  Deno.test(`the value ${text} is filled in`, () => {
    const expansion = expand(text, sources);
    assert("text" in expansion);
    assert.equal(expansion.text, expected);
  });
}

/** Values that cannot be filled in, where and why. */
const WRONG: [string, number, RegExp][] = [
  ["a ${UNSET}", 2, /^Environment variable 'UNSET' is not set\.$/],
  ["${TOKEN", 0, /without '}'/],
  ["${}", 0, /^Invalid '\$\{\}'/],
  ["${a b}", 0, /^Invalid '\$\{a b\}'/],
  ["${file:/none}", 0, /^Unable to open file '\/none'\.$/],
  ["${file:/run/two}", 0, /more than one line/],
  ["${file:/run/bytes}", 0, /not valid UTF-8/],
];
for (const [text, index, message] of WRONG) {
  Deno.test(`the value ${text} cannot be filled in`, () => {
    const expansion = expand(text, sources);
    assert("message" in expansion);
    assert.equal(expansion.index, index);
    assert.match(expansion.message, message);
  });
}

function loadExpanded(file: string, text: string) {
  return loadConfiguration(
    { file, variable: sources.variable },
    memoryFiles({ [file]: text, "/run/token": "from a file\n", "/d/x.conf": "sys_interval 7\n" }),
  );
}

for (
  const [file, text] of [
    ["a.conf", "admin_token ${TOKEN}\npersistence_location ${file:/run/token}\n"],
    ["a.ini", 'admin_token = ${TOKEN}\npersistence_location = "${file:/run/token}"\n'],
  ]
) {
  Deno.test(`what ${file} says in braces is filled in on request only, and never shown`, () => {
    const loaded = loadExpanded(file, text);
    assert("configuration" in loaded, JSON.stringify(loaded));
    const { global, written } = loaded.configuration;
    assert.deepEqual([global.adminToken, global.persistenceLocation], ["s3cret", "from a file"]);
    assert.deepEqual([...written.values()], ["${TOKEN}", "${file:/run/token}"]);
    assert.equal(load({ [file]: text }).global.adminToken, "${TOKEN}");
  });
}

Deno.test("directives are filled in, too", () => {
  const loaded = loadExpanded("a.conf", "include_dir ${file:/run/dir}${NONE}\n");
  assert("mistakes" in loaded);
  const included = loadConfiguration(
    { file: "a.conf", variable: () => "/d" },
    memoryFiles({ "a.conf": "include_dir ${WHERE}\n", "/d/x.conf": "sys_interval 7\n" }),
  );
  assert("configuration" in included);
  assert.equal(included.configuration.global.sysInterval, 7);
});

Deno.test("mistakes say where a name is unset, and do not show what was filled in", () => {
  const loaded = loadExpanded(
    "a.conf",
    "admin_token ${TOKE}\nsys_interval ${TOKEN}\nlistener ${TOKEN}\n",
  );
  assert("mistakes" in loaded);
  assert.deepEqual(loaded.mistakes.map(({ line, column, message }) => [line, column, message]), [
    [1, 13, "Environment variable 'TOKE' is not set."],
    [2, 14, "'sys_interval' value not a number."],
    [3, 1, "'listener port' value not a number."],
  ]);
  const shown = loadExpanded("a.conf", "durability ${TOKEN}\nsys_interval 1 ${TOKEN}\n");
  assert("mistakes" in shown);
  assert.match(formatMistakes(shown.mistakes), /Invalid 'durability' value \(\$\{TOKEN\}\)/);
  assert(!JSON.stringify(shown).includes("s3cret"));
});
