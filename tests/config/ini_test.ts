import assert from "node:assert/strict";
import { load, mistakesIn, mistakesOf } from "./support.ts";

/** How the token is written, and what it is. */
const TEXTS: [string, string, string][] = [
  ["leading zeros", "0012", "0012"],
  ["nothing but digits", "12", "12"],
  ["a boolean", "true", "true"],
  ["null", "null", "null"],
  ["a fraction", "1.50", "1.50"],
  ["double quotes", '"a b"', "a b"],
  ["single quotes", "'a b'", "a b"],
  ["digits in single quotes", "'0012'", "0012"],
  ["JSON in single quotes", "'[1]'", "[1]"],
  ["a boolean in quotes", '"false"', "false"],
  ["an escape in quotes", '"a\\"b"', 'a"b'],
  ["a hash in quotes", '"a#b"', "a#b"],
  ["an escaped hash", "a\\#b", "a#b"],
  ["an escaped semicolon", "a\\;b", "a;b"],
  ["an equals sign", "a=b=", "a=b="],
  ["a comment after a blank", "a ; why", "a"],
  ["another comment after a blank", "a b # why", "a b"],
  ["a backslash", "C:\\data", "C:\\data"],
  ["an underscore first", "_a", "_a"],
  ["more than ASCII", "ä€😀", "ä€😀"],
  ["a bracket first", "[a]", "[a]"],
  ["__proto__", "__proto__", "__proto__"],
];
for (const [what, written, expected] of TEXTS) {
  Deno.test(`INI keeps the text of a value: ${what}`, () => {
    assert.equal(load({ "a.ini": `admin_token = ${written}\n` }).global.adminToken, expected);
  });
}

Deno.test("INI has global options above and listeners in sections", () => {
  const { global, listeners, origins, notices } = load({
    "a.INI": "\ufeff; comment\r\n# comment\r\nsys_interval=3\r\nallow_anonymous = true\r\n\r\n" +
      "[listener one]\r\nport = 1\r\nmax_qos = 1\r\n[listener two] ; here\r\nport=2\r\n" +
      "bind_address = ::1\r\naccept_protocol_versions = 4, 5\r\n",
  });
  assert.equal(global.sysInterval, 3);
  assert.equal(global.allowAnonymous, true);
  assert.deepEqual(
    listeners.map(({ port, address, maxQos }) => [port, address, maxQos]),
    [[1, null, 1], [2, "::1", 2]],
  );
  assert.deepEqual(listeners[1].acceptProtocolVersions, [4, 5]);
  assert.equal(origins.get("listener[1].port"), "a.INI:9");
  assert.deepEqual(notices, []);
});

/** Files and all that is wrong with them. */
const MISTAKES: [string, string, string[]][] = [
  ["an unknown name", "foo = 1", ["1: Unknown configuration variable 'foo'."]],
  ["a name like a property of objects", "__proto__ = 1\nconstructor = 2\n'null' = 1", [
    "1: Unknown configuration variable '__proto__'.",
    "2: Unknown configuration variable 'constructor'.",
    "3: Unknown configuration variable ''null''.",
  ]],
  ["an unknown name in a section", "[listener a]\nport = 1\nfoo = 1", [
    "3: Unknown configuration variable 'foo'.",
  ]],
  ["a section twice", "[listener a]\nport = 1\n[listener  a]\nport = 2", [
    "3: Duplicate section '[listener a]' in configuration.",
  ]],
  ["an unknown section", "[general]\nsys_interval = 1", [
    "1: Invalid section '[general]' in configuration.",
  ]],
  ["a section without name", "[listener]\nport = 1", [
    "1: Invalid section '[listener]' in configuration.",
    "2: The 'port' option requires a listener to be defined first.",
  ]],
  ["a section that does not close", "[listener a\nsys_interval = 1", [
    "1: Invalid section '[listener a' in configuration.",
  ]],
  ["a listener without port", "[listener a]\nmax_qos = 1", [
    "1: The section '[listener a]' has no 'port'.",
  ]],
  ["port 0", "[listener a]\nport = 0", [
    "2: A listener with port 0 must provide a Unix socket path.",
  ]],
  ["an empty address", "[listener a]\nport = 1\nbind_address =", [
    "3: Empty 'bind_address' value in configuration.",
  ]],
  ["an option twice", "sys_interval = 1\nsys_interval = 2", [
    "2: Duplicate 'sys_interval' value in configuration.",
  ]],
  ["an option and its alias", "persistence = true\nretained_persistence = false", [
    "2: Duplicate 'retained_persistence' value in configuration.",
  ]],
  ["several words as one value", "log_type = error debug", [
    "1: Invalid 'log_type' value (error debug).",
  ]],
  ["a list of what is one", "sys_interval[] = 1", [
    "1: The 'sys_interval' option takes one value only.",
  ]],
  ["a word too many", "persistence = true false", ["1: Invalid 'persistence' value (true false)."]],
  ["no value", "persistence", ["1: Empty 'persistence' value in configuration."]],
  ["an empty value", "persistence = ; why", ["1: Empty 'persistence' value in configuration."]],
  ["nothing before the equals sign", "= 3", ["1: Unknown configuration variable ''."]],
  ["a value cut by a comment", "admin_token = abc#def", [
    "1: Invalid 'admin_token' value in configuration.",
  ]],
  ["a value cut by a comment after a backslash", "admin_token = a\\\\;b", [
    "1: Invalid 'admin_token' value in configuration.",
  ]],
  ["a comment after quotes", 'admin_token = "a" ; why', [
    "1: Invalid 'admin_token' value in configuration.",
  ]],
  ["an escape that is none", 'admin_token = "a\\x"', [
    "1: Invalid 'admin_token' value in configuration.",
  ]],
  ["a listener's option on top", "max_qos = 1\nlistener = 1883", [
    "1: The 'max_qos' option requires a listener to be defined first.",
    "2: The 'listener' option requires a listener to be defined first.",
  ]],
  ["a bridge's option on top", "topic = #", [
    "1: The 'topic' option requires a bridge to be defined first.",
  ]],
  ["a global option in a section", "[listener a]\nport = 1\nsys_interval = 1", [
    "3: The 'sys_interval' option has no place in '[listener a]'.",
  ]],
  ["a listener in a listener", "[listener a]\nport = 1\nlistener = 2", [
    "3: The 'listener' option has no place in '[listener a]'.",
  ]],
  ["an option of others in a bridge", "[bridge a]\naddress = h\ntopic[] = a\nmax_qos = 1", [
    "4: The 'max_qos' option has no place in '[bridge a]'.",
  ]],
];
for (const [what, text, expected] of MISTAKES) {
  Deno.test(`INI is refused for ${what}`, () => {
    assert.deepEqual(mistakesIn(text, "a.ini"), expected);
  });
}

Deno.test("a secret is not shown by a mistake about its comment", () => {
  const [mistake] = mistakesOf({ "a.ini": "admin_token = secret#1" });
  assert(!JSON.stringify(mistake).includes("secret"));
  assert.equal(mistake.column, 15);
});

Deno.test("options of Mosquitto 1.x are accepted in INI with a warning", () => {
  const { notices } = load({ "a.ini": "store_clean_interval = 10" });
  assert.match(notices[0], /^Warning: The store_clean_interval option/);
});

Deno.test("INI files are included in order, and a section name holds for all files", () => {
  const texts = {
    "a.ini": "include_dir = d\nsys_interval = 3\n[listener a]\nport = 1\n",
    "d/b.ini": "[listener b]\nport = 2\n",
    "d/c.conf": "foo\n",
  };
  const { listeners, global } = load(texts);
  assert.deepEqual(listeners.map(({ port }) => port), [2, 1]);
  assert.equal(global.sysInterval, 3);
  const mistakes = mistakesOf({ ...texts, "d/b.ini": "[listener a]\nport = 2\ninclude_dir = e" });
  assert.deepEqual(mistakes.map(({ file, line, message }) => `${file}:${line} ${message}`), [
    "d/b.ini:1 Duplicate section '[listener a]' in configuration.",
    "d/b.ini:3 The include_dir option is only valid in the main configuration file.",
  ]);
  assert.deepEqual(mistakesIn("include_dir =\n", "a.ini"), [
    "1: Empty 'include_dir' value in configuration.",
  ]);
  assert.deepEqual(mistakesIn("include_dir = nowhere\n", "a.ini"), [
    "1: Unable to open include_dir 'nowhere'.",
  ]);
});
