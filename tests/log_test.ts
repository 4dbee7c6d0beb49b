import assert from "node:assert/strict";
import { Log, type LogOptions, type LogType, printable } from "../src/log.ts";

const defaults: LogOptions = {
  destinations: ["stderr"],
  types: ["error", "notice"],
  timestamp: false,
};

/** A log, and the texts it wrote. */
function log(options: Partial<LogOptions> = {}): { log: Log; written: string[] } {
  const written: string[] = [];
  return { log: new Log({ ...defaults, ...options }, (text) => void written.push(text)), written };
}

/** What a log without a writer of its own sends to the destinations, in order. */
function toDestinations(
  options: Partial<LogOptions>,
  run: (log: Log) => void,
  write: (bytes: Uint8Array) => number = (bytes) => bytes.length,
): string[] {
  const written: string[] = [];
  const original = { stdout: Deno.stdout.writeSync, stderr: Deno.stderr.writeSync };
  for (const name of ["stdout", "stderr"] as const) {
    Deno[name].writeSync = (bytes) => {
      const count = write(bytes);
      written.push(`${name}: ${new TextDecoder().decode(bytes.subarray(0, count))}`);
      return count;
    };
  }
  try {
    run(new Log({ ...defaults, ...options }));
  } finally {
    Deno.stdout.writeSync = original.stdout;
    Deno.stderr.writeSync = original.stderr;
  }
  return written;
}

Deno.test("only the types asked for are written", () => {
  const { log: one, written } = log({ types: ["error", "subscribe"] });
  const types: LogType[] = [
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
  for (const type of types) one.log(type, type);
  assert.deepEqual(written, ["error\n", "subscribe\n"]);
  assert.deepEqual(types.filter((type) => one.logs(type)), ["error", "subscribe"]);
});

Deno.test("without types nothing is written", () => {
  const { log: one, written } = log({ types: [] });
  one.log("error", "x");
  assert.deepEqual([written, one.logs("error")], [[], false]);
});

Deno.test("a line goes to each destination", () => {
  const write = (one: Log) => one.log("notice", "x");
  assert.deepEqual(toDestinations({ destinations: ["stdout"] }, write), ["stdout: x\n"]);
  assert.deepEqual(toDestinations({ destinations: ["stderr"] }, write), ["stderr: x\n"]);
  assert.deepEqual(toDestinations({ destinations: ["stdout", "stderr"] }, write), [
    "stdout: x\n",
    "stderr: x\n",
  ]);
});

Deno.test("without a destination nothing is worth building", () => {
  const written = toDestinations({ destinations: [] }, (one) => {
    assert.equal(one.logs("error"), false, "the caller builds no line");
    one.log("error", "x");
  });
  assert.deepEqual(written, []);
});

Deno.test("a writer of one's own is heard without a destination", () => {
  const { log: one, written } = log({ destinations: [] });
  assert.ok(one.logs("error"));
  one.log("error", "x");
  assert.deepEqual(written, ["x\n"]);
});

Deno.test("each call is written at once, each line of it on a line", () => {
  const { log: one, written } = log();
  one.log("notice", "first");
  one.log("error", "second\nthird");
  one.log("notice", "");
  assert.deepEqual(written, ["first\n", "second\nthird\n", "\n"]);
});

Deno.test("the time stands before each line, in whole seconds since 1970", () => {
  const { log: one, written } = log({ timestamp: true });
  const { now } = Date;
  try {
    Date.now = () => 1_700_000_000_999;
    one.log("notice", "first\nsecond");
  } finally {
    Date.now = now;
  }
  assert.deepEqual(written, ["1700000000: first\n1700000000: second\n"]);
});

Deno.test("what a destination does not take at once is written on", () => {
  const written = toDestinations(
    {},
    (one) => one.log("error", "abcdé"),
    (bytes) => Math.min(bytes.length, 2),
  );
  assert.deepEqual(written.slice(0, 2), ["stderr: ab", "stderr: cd"]);
  assert.equal(written.length, 4);
});

Deno.test("a reader of the log that is gone does not end the broker, another failure is told", () => {
  const failing = (error: Error) => () =>
    toDestinations({}, (one) => one.log("error", "x"), () => {
      throw error;
    });
  assert.deepEqual(failing(new Deno.errors.BrokenPipe("gone"))(), []);
  assert.deepEqual(failing(new Deno.errors.WouldBlock("full"))(), []);
  assert.throws(failing(new Deno.errors.BadResource("closed")), Deno.errors.BadResource);
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

Deno.test("text from outside is cut", () => {
  const fits = "x".repeat(256);
  assert.equal(printable(fits), fits);
  assert.equal(printable(fits + "y"), fits + "…");
  assert.equal(printable("\n".repeat(65_535)), "?".repeat(256) + "…");
});
