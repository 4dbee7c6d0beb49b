import assert from "node:assert/strict";
import { compareNames } from "../../src/config/files.ts";
import { REFUSED_OPTIONS } from "../../src/config/options.ts";
import { likelyValue, load, mistakesIn, mistakesOf } from "./support.ts";

/** Texts with the `sys_interval` they mean and whether there is something to notice. */
const SPELLINGS: [string, string | Uint8Array, number, boolean][] = [
  ["LF", "sys_interval 3\n", 3, false],
  ["CRLF", "\r\nsys_interval 3\r\n\r\n", 3, false],
  ["no end of the last line", "sys_interval 3", 3, false],
  ["a comment in the first column", "# one\n#\nsys_interval 3", 3, false],
  ["a comment that is no UTF-8", bytes("#", [0xff, 0xfe], "\nsys_interval 3"), 3, false],
  ["blanks before the name", "   sys_interval 3", 3, false],
  ["several blanks between", "sys_interval    3   ", 3, false],
  ["lines of blanks", "  \n\nsys_interval 3\n   ", 3, false],
  ["a comment after the value", "sys_interval 3 # often", 3, false],
  ["hexadecimal", "sys_interval 0x1F", 31, false],
  ["octal", "sys_interval 010", 8, false],
  ["twice: the last wins", "sys_interval 3\nsys_interval 4", 4, false],
  ["a byte order mark", bytes("", [0xef, 0xbb, 0xbf], "sys_interval 3"), 3, false],
  ["a tab between", "sys_interval\t3", 3, true],
  ["a tab before", "\tsys_interval 3", 3, true],
  ["a tab before the comment", "sys_interval 3\t# often", 3, true],
  ["a comment after blanks", "  # one\nsys_interval 3", 3, true],
  ["a word too many", "sys_interval 3 4", 3, true],
];

for (const [what, text, expected, isNoticed] of SPELLINGS) {
  Deno.test(`mosquitto.conf is read with ${what}`, () => {
    const { global, notices } = load({ "a.conf": text });
    assert.equal(global.sysInterval, expected);
    const own = notices.filter((notice) => notice.includes("a.conf:"));
    assert.equal(own.length, isNoticed ? 1 : 0, own.join("\n"));
  });
}

/** Files and all that is wrong with them. */
const MISTAKES: [string, string, string[]][] = [
  ["an unknown name", "foo 1", ["1: Unknown configuration variable 'foo'."]],
  ["names in upper case", "Listener 1", ["1: Unknown configuration variable 'Listener'."]],
  [
    "text given twice",
    "persistence_file a\npersistence_file b",
    ["2: Duplicate 'persistence_file' value in configuration."],
  ],
  ["nothing but blanks as value", "persistence_location   ", [
    "1: Empty 'persistence_location' value in configuration.",
  ]],
  ["listener alone", "listener", ["1: Empty 'listener port' value in configuration."]],
  ["listener x", "listener x", ["1: 'listener port' value not a number."]],
  ["listener 0", "listener 0", [
    "1: A listener with port 0 must provide a Unix socket path.",
  ]],
  ["a port too large", "listener 100000", ["1: Invalid 'port' value (100000)."]],
  ["port alone", "port", ["1: Empty 'port' value in configuration."]],
  ["port 0", "port 0", ["1: Invalid 'port' value (0)."]],
  ["port x", "port x", ["1: 'port' value not a number."]],
  ["bind_address alone", "bind_address", [
    "1: Empty 'default listener bind_address' value in configuration.",
  ]],
  ["bind_address twice", "bind_address a\nbind_address b", [
    "2: Duplicate 'default listener bind_address' value in configuration.",
  ]],
  ["an option that wants a listener line", "max_topic_alias 5", [
    "1: The 'max_topic_alias' option requires a listener to be defined first.",
  ]],
  ["an option that wants more than port", "port 1\naccept_protocol_versions 4", [
    "2: The 'accept_protocol_versions' option requires a listener to be defined first.",
  ]],
  ["mount_point before a listener", "mount_point a/", [
    "1: The 'mount_point' option requires a listener to be defined first.",
  ]],
  ["a bridge option without bridge", "notifications true", [
    "1: The 'notifications' option requires a bridge to be defined first.",
  ]],
  ["an alias of a bridge option", "password x", [
    "1: The 'password' option requires a bridge to be defined first.",
  ]],
  ["a plugin option without plugin", "plugin_opt_inval x", [
    "1: The 'plugin_opt_inval' option requires plugin/global_plugin/plugin_load to be defined first.",
  ]],
  ["a wrong value of what is not supported", "memory_limit -1", [
    "1: Invalid 'memory_limit' value (-1).",
  ]],
  ["an alias of what is not supported", "websockets_headers_size 65536", [
    "1: Packet buffer size must be between 0 and 65535 inclusive.",
  ]],
  ["a long prefix", `listener 1\nlistener_auto_id_prefix ${"a".repeat(51)}`, [
    "2: 'listener_auto_id_prefix' length must be <= 50.",
  ]],
  ["an admin address without token", "admin_listener 80 0.0.0.0", [
    "1: The 'admin_listener' option needs 'admin_token' at the address 0.0.0.0.",
  ]],
  ["several at once", "foo 1\npersistence\n\n# x\nsys_interval -1\nlistener 1\nmax_qos 3", [
    "1: Unknown configuration variable 'foo'.",
    "2: Empty 'persistence' value in configuration.",
    "5: Invalid 'sys_interval' value (-1).",
    "7: 'max_qos' must be between 0 and 2 inclusive.",
  ]],
];

for (const [what, text, expected] of MISTAKES) {
  Deno.test(`mosquitto.conf is refused for ${what}`, () => {
    assert.deepEqual(mistakesIn(text), expected);
  });
}

Deno.test("a line that is no UTF-8 is refused", () => {
  const mistakes = mistakesOf({ "a.conf": bytes("persistence_file ", [0xc3, 0x28], "\n") });
  assert.deepEqual(mistakes.map(({ line, message }) => [line, message]), [
    [1, "Malformed UTF-8 in configuration."],
  ]);
});

Deno.test("what cannot be honoured is refused by name, each option", () => {
  for (const row of REFUSED_OPTIONS) {
    for (const alias of [row.name, ...(row.aliases ?? [])]) {
      const name = alias.replace("*", "key");
      const text = `listener 1\nconnection c\nplugin_load p f\n${name} ${likelyValue(row)}`;
      const line = mistakesIn(text).filter((mistake) => mistake.startsWith("4: "));
      assert.equal(line[0], `4: The '${name}' option cannot be honoured.`);
    }
  }
});

Deno.test("options of Mosquitto 1.x that do nothing are accepted with a warning", () => {
  const { notices } = load({
    "a.conf": "retry_interval 20\nstore_clean_interval 10\nffdc_output\nmax_log_entries x\n" +
      "trace_level x\ntrace_output x\n",
  });
  assert.deepEqual(notices.slice(0, 6), [
    "Warning: The retry_interval option is no longer available. (a.conf:1)",
    "Warning: The store_clean_interval option is no longer available. (a.conf:2)",
    "Warning: The ffdc_output option is no longer available. (a.conf:3)",
    "Warning: The max_log_entries option is no longer available. (a.conf:4)",
    "Warning: The trace_level option is no longer available. (a.conf:5)",
    "Warning: The trace_output option is no longer available. (a.conf:6)",
  ]);
});

Deno.test("options of a listener follow its line, global ones stand anywhere", () => {
  const { listeners, global, localOnly } = load({
    "a.conf": "listener 1 127.0.0.1\nmax_qos 1\nsys_interval 3\nlistener 2 ::1 # second\n" +
      "max_qos 0\nmax_connections 7\n",
  });
  assert.deepEqual(
    listeners.map(({ port, address, maxQos, maxConnections }) => [
      port,
      address,
      maxQos,
      maxConnections,
    ]),
    [[1, "127.0.0.1", 1, -1], [2, "::1", 0, 7]],
  );
  assert.equal(global.sysInterval, 3);
  assert.equal(localOnly, false);
});

Deno.test("port, bind_address and options before any listener make one default listener", () => {
  const { listeners, notices, origins } = load({
    "a.conf":
      "max_qos 1\nport 18\nlistener 2\nport 19\nbind_address 127.0.0.1\nmax_connections 3\n",
  });
  assert.deepEqual(
    listeners.map(({ port, address, maxQos, maxConnections }) => [
      port,
      address,
      maxQos,
      maxConnections,
    ]),
    [[19, "127.0.0.1", 1, 3], [2, null, 2, -1]],
  );
  assert.equal(origins.get("listener[0].max_connections"), "a.conf:6");
  assert.equal(
    notices.filter((notice) => notice.startsWith("Warning: Default listener")).length,
    1,
  );
});

Deno.test("an option before the first listener line opens port 1883 beside it, with a notice", () => {
  const { listeners, notices } = load({ "a.conf": "max_connections 5\nlistener 2\n" });
  assert.deepEqual(listeners.map(({ port, address }) => [port, address]), [[1883, null], [
    2,
    null,
  ]]);
  assert.match(notices.join("\n"), /default listener is opened on port 1883.*\(a\.conf:1\)/);
});

Deno.test("included files are read in order, each with its own sections", () => {
  const { global, listeners } = load({
    "main.conf": "listener 1\ninclude_dir d\nmax_qos 1\nsys_interval 5\n",
    "d/b.conf": "sys_interval 2\nlistener 3\nmax_qos 0\n",
    "d/A.conf": "listener 2\nsys_interval 1\nqueue_qos0_messages true\n",
    "d/.conf": "foo\n",
    "d/c.txt": "foo\n",
  });
  assert.deepEqual(listeners.map(({ port, maxQos }) => [port, maxQos]), [[1, 1], [2, 2], [3, 0]]);
  assert.equal(global.sysInterval, 5);
  assert.equal(global.queueQos0Messages, true);
});

Deno.test("a listener option in an included file does not belong to the including file's listener", () => {
  const mistakes = mistakesOf({
    "main.conf": "listener 1\ninclude_dir d\n",
    "d/a.conf": "max_topic_alias 1\n",
  });
  assert.deepEqual(mistakes[0].file, "d/a.conf");
  assert.deepEqual(mistakes[0].includedFrom, { file: "main.conf", line: 2 });
});

Deno.test("include_dir is refused in an included file, without a value and without a directory", () => {
  const mistakes = mistakesOf({
    "main.conf": "include_dir d\ninclude_dir\ninclude_dir nowhere\n",
    "d/a.conf": "include_dir e\n",
  });
  assert.deepEqual(mistakes.map(({ file, line, message }) => `${file}:${line} ${message}`), [
    "d/a.conf:1 The include_dir option is only valid in the main configuration file.",
    "main.conf:2 Empty 'include_dir' value in configuration.",
    "main.conf:3 Unable to open include_dir 'nowhere'.",
  ]);
});

Deno.test("files are included without regard to case, upper case first, the shorter first", () => {
  const names = ["b", "a", "A", "ab", "B", "aB", "_", "10", "2"];
  assert.deepEqual(names.sort(compareNames), ["10", "2", "A", "a", "aB", "ab", "B", "b", "_"]);
});

function bytes(before: string, middle: number[], after = ""): Uint8Array {
  const encoder = new TextEncoder();
  return Uint8Array.from([...encoder.encode(before), ...middle, ...encoder.encode(after)]);
}
