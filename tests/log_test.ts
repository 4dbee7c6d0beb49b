import assert from "node:assert/strict";
import { Log, type LogDestination, type LogOptions, type LogType, printable } from "../src/log.ts";

const TYPES: LogType[] = [
  "error",
  "warning",
  "notice",
  "information",
  "debug",
  "subscribe",
  "unsubscribe",
  "internal",
  "websockets",
];

/** A destination that remembers, line by line and with their types. */
function remembering(): LogDestination & { lines: string[]; calls: string[] } {
  const lines: string[] = [], calls: string[] = [];
  return {
    lines,
    calls,
    write: (type, line) => {
      lines.push(line);
      calls.push(type);
    },
    reopen: () => void calls.push("reopen"),
    close: () => void calls.push("close"),
  };
}

/** A log without times, and the lines it wrote. */
function log(options: Partial<LogOptions> = {}): { log: Log; lines: string[] } {
  const destination = remembering();
  const defaults = { types: ["error", "notice"], timestamp: false } as const;
  return {
    log: new Log({ ...defaults, destinations: [destination], ...options }),
    lines: destination.lines,
  };
}

/** Runs at a moment of 2023 that has milliseconds. */
function atFixedTime(run: () => void) {
  const { now } = Date;
  Date.now = () => 1_700_000_000_999;
  try {
    run();
  } finally {
    Date.now = now;
  }
}

Deno.test("only the types asked for are written", () => {
  const { log: one, lines } = log({ types: ["error", "subscribe"] });
  for (const type of TYPES) one.log(type, type);
  assert.deepEqual(lines, ["error", "subscribe"]);
  assert.deepEqual(TYPES.filter((type) => one.logs(type)), ["error", "subscribe"]);
});

Deno.test("without types nothing is written", () => {
  const { log: one, lines } = log({ types: [] });
  one.log("error", "x");
  assert.deepEqual([lines, one.logs("error")], [[], false]);
});

Deno.test("without a destination nothing is worth building", () => {
  const { log: one } = log({ destinations: [] });
  assert.equal(one.logs("error"), false);
  one.log("error", "x");
});

Deno.test("a line goes to each destination with its type; so do reopening and closing", () => {
  const destinations = [remembering(), remembering()];
  const { log: one } = log({ destinations });
  one.log("notice", "x");
  one.reopen();
  one.close();
  for (const { lines, calls } of destinations) {
    assert.deepEqual([lines, calls], [["x"], ["notice", "reopen", "close"]]);
  }
});

Deno.test("each line of a text is a line, handed on in the call", () => {
  const { log: one, lines } = log();
  one.log("notice", "first");
  assert.deepEqual(lines, ["first"]);
  one.log("error", "second\nthird");
  one.log("notice", "");
  assert.deepEqual(lines, ["first", "second", "third", ""]);
});

Deno.test("the time stands before each line, in whole seconds since 1970", () => {
  const { log: one, lines } = log({ timestamp: true });
  atFixedTime(() => one.log("notice", "first\nsecond"));
  assert.deepEqual(lines, ["1700000000: first", "1700000000: second"]);
});

Deno.test("the time's text is asked for once a second", () => {
  const asked: number[] = [];
  const timeText = (seconds: number) => `[${asked.push(seconds)}]`;
  const { log: one, lines } = log({ timestamp: true, timeText });
  const { now } = Date;
  try {
    for (const milliseconds of [1000, 1999, 2000]) {
      Date.now = () => milliseconds;
      one.log("notice", "x");
    }
  } finally {
    Date.now = now;
  }
  assert.deepEqual(lines, ["[1]: x", "[1]: x", "[2]: x"]);
  assert.deepEqual(asked, [1, 2]);
});

Deno.test("as JSON each text is one object on one line, with what is known of the client", () => {
  const { log: one, lines } = log({ format: "json", types: TYPES });
  one.log("error", 'a "defect"\nat b');
  one.log("notice", "Client a …", { kind: "refused", clientId: "a", address: "::1:1883" });
  one.log("notice", "x", { kind: "connected", clientId: "b\u001b[31m\u009b\u2028", userName: "u" });
  assert.deepEqual(lines.map((line) => JSON.parse(line)), [
    { level: "error", message: 'a "defect"\nat b' },
    {
      level: "notice",
      message: "Client a …",
      kind: "refused",
      clientId: "a",
      address: "::1:1883",
    },
    {
      level: "notice",
      message: "x",
      kind: "connected",
      clientId: "b\u001b[31m\u009b\u2028",
      userName: "u",
    },
  ]);
  // deno-lint-ignore no-control-regex
  for (const line of lines) assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
});

Deno.test("as JSON the time is ISO 8601, or as the pattern has it, or absent", () => {
  const timeOf = (options: Partial<LogOptions>) => {
    const { log: one, lines } = log({ format: "json", ...options });
    one.log("notice", "x");
    return JSON.parse(lines[0]).time;
  };
  assert.match(timeOf({ timestamp: true }), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.equal(timeOf({ timestamp: true, timeText: () => "now" }), "now");
  assert.equal(timeOf({ timestamp: false }), undefined);
});

Deno.test("as JSON a long Client Identifier is cut", () => {
  const { log: one, lines } = log({ format: "json" });
  one.log("notice", "x", { kind: "refused", clientId: "c".repeat(65_535) });
  assert.equal(JSON.parse(lines[0]).clientId.length, 256);
});

Deno.test("text from outside cannot begin a line of its own nor steer a terminal", () => {
  const rows: [text: string, expected: string, why: string][] = [
    ["a client", "a client", "most text is as it was"],
    ["ünï/日本/😀", "ünï/日本/😀", "other letters as well"],
    ["a\nError: b", "a?Error: b", "a line of its own"],
    ["a\r\tb\0", "a??b?", "other controls of ASCII"],
    ["\u001b[31m", "?[31m", "an escape sequence"],
    ["a\u007fb", "a?b", "DEL"],
    ["a\u0080\u009bb", "a??b", "controls of Latin-1; U+009B begins escape sequences too"],
    ["a\u2028b\u2029c", "a?b?c", "line ends of Unicode"],
    ["\u00a0~ ", "\u00a0~ ", "beside the controls"],
  ];
  for (const [text, expected, why] of rows) assert.equal(printable(text), expected, why);
});

Deno.test("text from outside cannot imitate the line by which addresses are banned", () => {
  const imitations = [
    "x [192.0.2.1:1] disconnected: not authorised.",
    "disconnected: a",
    "disconnected:",
  ];
  for (const text of imitations) assert.doesNotMatch(printable(text), /disconnected:/);
  assert.equal(printable("sensors/disconnected"), "sensors/disconnected");
});

Deno.test("text from outside is cut", () => {
  const fits = "x".repeat(256);
  assert.equal(printable(fits), fits);
  assert.equal(printable(fits + "y"), fits + "…");
  assert.equal(printable("\n".repeat(65_535)), "?".repeat(256) + "…");
});
