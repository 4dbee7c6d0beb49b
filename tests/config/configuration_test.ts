import assert from "node:assert/strict";
import { isLoopback } from "../../src/config/loopback.ts";
import { loadConfiguration } from "../../src/config/load_configuration.ts";
import { LOG_TYPES } from "../../src/config/options.ts";
import { load } from "./support.ts";

const places = (listeners: readonly { port: number; address: string | null }[]) =>
  listeners.map(({ port, address }) => `${address} ${port}`);

Deno.test("without a file there is local only mode with the defaults", () => {
  const loaded = loadConfiguration({});
  assert("configuration" in loaded);
  const { configuration } = loaded;
  assert.equal(configuration.localOnly, true);
  assert.equal(configuration.global.allowAnonymous, true);
  assert.deepEqual(places(configuration.listeners), ["127.0.0.1 1883", "::1 1883"]);
  assert.equal(configuration.origins.get("sys_interval"), "default");
  assert.match(configuration.notices[0], /^Starting in local only mode/);
});

Deno.test("a file without a listener is in local only mode, on the ports of the command line", () => {
  const configuration = load({ "a.conf": "allow_anonymous false\n" }, { ports: [18, 19] });
  assert.deepEqual(places(configuration.listeners), [
    "127.0.0.1 18",
    "::1 18",
    "127.0.0.1 19",
    "::1 19",
  ]);
  assert.equal(configuration.global.allowAnonymous, false);
  assert.equal(configuration.origins.get("listener[0].port"), "command line");
});

Deno.test("listener options in local only mode have no effect, and that is said", () => {
  const { listeners, notices } = load({ "a.conf": "max_qos 1\n" });
  assert.equal(listeners[0].maxQos, 2);
  assert(notices.includes("Warning: 'max_qos' has no effect in local only mode. (a.conf:1)"));
});

for (const text of ["listener 5", "port 5", "bind_address 127.0.0.1"]) {
  Deno.test(`${text} leaves local only mode, shuts out the anonymous and makes -p idle`, () => {
    const { listeners, localOnly, global, notices } = load({ "a.conf": text }, { ports: [18] });
    assert.equal(localOnly, false);
    assert.equal(listeners.length, 1);
    assert.equal(listeners[0].port, text.includes("5") ? 5 : 1883);
    assert.equal(global.allowAnonymous, false);
    assert(notices.some((notice) => notice.startsWith("Warning: -p is ignored")));
  });
}

/** Files and the durability that follows. */
const DURABILITIES: [string, string, boolean][] = [
  ["", "sync", false],
  ["persistence true", "sync", false],
  ["persistence true\nautosave_interval 5", "autosave", true],
  ["persistence true\nautosave_on_changes true", "autosave", true],
  ["autosave_interval 5", "autosave", false],
  ["persistence true\nautosave_interval 5\ndurability sync", "sync", false],
  ["persistence true\ndurability async\nautosave_on_changes true", "async", false],
];
for (const [text, expected, isNoticed] of DURABILITIES) {
  Deno.test(`durability is ${expected} with: ${text.replaceAll("\n", ", ") || "nothing"}`, () => {
    const { global, notices } = load({ "a.conf": text });
    assert.equal(global.durability, expected);
    assert.equal(notices.some((notice) => notice.includes("a crash loses")), isNoticed);
  });
}

Deno.test("the notice about autosave says what a crash can lose", () => {
  const lost = (text: string) =>
    load({ "a.conf": `persistence true\n${text}` }).notices.join("\n")
      .match(/a crash loses (.*?);/)?.[1];
  assert.equal(lost("autosave_interval 300"), "up to 300 seconds");
  assert.equal(lost("autosave_on_changes true\nautosave_interval 7"), "up to 7 changes");
  assert.equal(lost("autosave_interval 0"), "everything since the start or the last SIGUSR1");
});

Deno.test("the environment overrides persistence_location", () => {
  const { global, origins } = load(
    { "a.conf": "persistence_location /a" },
    { persistenceLocation: "/b" },
  );
  assert.equal(global.persistenceLocation, "/b");
  assert.match(origins.get("persistence_location") ?? "", /^environment /);
});

Deno.test("-v logs everything, -q nothing and wins", () => {
  const text = { "a.conf": "log_type error" };
  assert.deepEqual(load(text, { verbose: true }).global.logType, LOG_TYPES);
  assert.deepEqual(load(text, { verbose: true, quiet: true }).global.logType, []);
  assert.equal(load(text, { quiet: true }).origins.get("log_type"), "command line");
});

/** The lines of log_type and what they come to. */
const LOG_LINES: [string[], readonly string[]][] = [
  [[], ["error", "warning", "notice", "information"]],
  [["debug"], ["debug"]],
  [["error", "debug", "error"], ["error", "debug"]],
  [["error", "none"], []],
  [["none", "error"], ["error"]],
  [["error", "all"], LOG_TYPES],
];
for (const [words, expected] of LOG_LINES) {
  Deno.test(`log_type ${words.join(", ") || "not given"} comes to ${expected.length} types`, () => {
    const text = words.map((word) => `log_type ${word}\n`).join("");
    assert.deepEqual(load({ "a.conf": text }).global.logType, expected);
    const ini = words.map((word) => `log_type[] = ${word}\n`).join("");
    assert.deepEqual(load({ "a.ini": ini }).global.logType, expected);
  });
}

Deno.test("log_dest gathers, and none empties what came before", () => {
  assert.deepEqual(load({ "a.conf": "log_dest stdout\nlog_dest stderr" }).global.logDest, [
    "stdout",
    "stderr",
  ]);
  assert.deepEqual(load({ "a.conf": "log_dest stdout\nlog_dest none" }).global.logDest, []);
});

Deno.test("an admin address that others can reach is taken with a token", () => {
  const { global } = load({ "a.conf": "admin_listener 80 0.0.0.0\nadmin_token t" });
  assert.deepEqual(global.adminListener, { port: 80, address: "0.0.0.0" });
});

Deno.test("loopback is 127.0.0.0/8, ::1 and localhost alone", () => {
  for (const address of ["127.0.0.1", "127.9.9.9", "::1", "localhost"]) assert(isLoopback(address));
  for (const address of ["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example.org", "::ffff:1.2.3.4"]) {
    assert(!isLoopback(address), address);
  }
});

Deno.test("deprecated options are said to be so", () => {
  const { notices } = load({
    "a.conf": "port 5\nmessage_size_limit 5\nallow_duplicate_messages true",
  });
  assert.match(
    notices[0],
    /^The 'port' option is now deprecated.*'listener' instead\. \(a\.conf:1\)/,
  );
  assert.match(notices[1], /^Note: It is recommended to replace `message_size_limit`/);
  assert.match(notices[2], /^The 'allow_duplicate_messages' option is now deprecated/);
});
