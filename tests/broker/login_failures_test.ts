import assert from "node:assert/strict";
import { LoginFailures } from "../../src/broker/login_failures.ts";

/** Lets an address fail three times and says how long the second attempt after that waits. */
function waitOf(failing: string, next: string, userName = "u"): number {
  const failures = new LoginFailures();
  const identity = { remoteAddress: failing, userName: "u" };
  for (let count = 0; count < 3; count++) failures.failed(identity, 3, 0);
  failures.delayOf({ remoteAddress: next, userName }, 3, 0);
  return failures.delayOf({ remoteAddress: next, userName }, 3, 0);
}

Deno.test("ports do not tell addresses apart, the first 64 bits of IPv6 do", () => {
  const rows: [failing: string, next: string, waits: boolean][] = [
    ["10.0.0.1:5000", "10.0.0.1:6000", true],
    ["10.0.0.1:5000", "10.0.0.2:5000", false],
    ["2001:db8:1:2::1:5000", "2001:db8:1:2:aaaa:bbbb:cccc:dddd:6000", true],
    ["[2001:db8:1:2::1]:5000", "[2001:db8:1:2::2]:5000", true],
    ["[2001:db8:1:2::1]:5000", "[2001:db8:1:3::1]:5000", false],
    ["[::1]:5000", "[::1]:6000", true],
  ];
  for (const [failing, next, waits] of rows) {
    assert.equal(waitOf(failing, next) > 0, waits, `${failing} ${next}`);
  }
});

Deno.test("another user at the same address does not wait", () => {
  assert.equal(waitOf("10.0.0.1:1", "10.0.0.1:1", "other"), 0);
});

Deno.test("no more than ten thousand are remembered", () => {
  const failures = new LoginFailures();
  for (let number = 0; number < 10_500; number++) {
    const remoteAddress = `10.0.${number >> 8}.${number & 255}:1`;
    failures.failed({ remoteAddress, userName: undefined }, 1, number);
  }
  assert.equal(failures.size, 10_000);
});

Deno.test("of a long user name the beginning counts, so that little is remembered of each", () => {
  const failures = new LoginFailures();
  const identity = (end: string) => ({
    remoteAddress: "10.0.0.1:1",
    userName: "u".repeat(300) + end,
  });
  failures.failed(identity("a"), 1, 0);
  failures.delayOf(identity("b"), 1, 0);
  assert.ok(failures.delayOf(identity("c"), 1, 0) > 0);
});

Deno.test("the line of those that wait is no longer than anybody is let wait", () => {
  const failures = new LoginFailures();
  const identity = { remoteAddress: "10.0.0.1:1", userName: "u" };
  for (let count = 0; count < 6; count++) failures.failed(identity, 6, 0);
  const waits = Array.from({ length: 1000 }, () => failures.delayOf(identity, 6, 0, 30_000));
  assert.deepEqual(waits.slice(0, 5), [0, 10_000, 20_000, 30_000, 40_000]);
  assert.equal(Math.max(...waits), 40_000);
});
