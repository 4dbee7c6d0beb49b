import assert from "node:assert/strict";
import { commonFilter, matchesFilter } from "../../src/wire/topic_filter.ts";

const IN_FILTER: readonly [filter: string, name: string, isIn: boolean][] = [
  ["a/b", "a/b", true],
  ["a/b", "a", false],
  ["a", "a/b", false],
  ["a/+", "a/b", true],
  ["a/+", "a/b/c", false],
  ["a/+", "a", false],
  ["a/#", "a", true],
  ["a/#", "a/b/c", true],
  ["#", "a/b", true],
  ["#", "$SYS/a", false],
  ["+/a", "$SYS/a", false],
  ["$SYS/#", "$SYS/a", true],
  ["+", "", true],
  ["+/+", "/", true],
];

Deno.test("a filter has the topics that MQTT says", () => {
  for (const [filter, name, isIn] of IN_FILTER) {
    assert.equal(matchesFilter(name, filter), isIn, `${filter} and ${name}`);
  }
});

const COMMON: readonly [a: string, b: string, common: string | null][] = [
  ["a", "a", "a"],
  ["a", "b", null],
  ["a/b", "a", null],
  ["#", "a/+", "a/+"],
  ["a/#", "a", "a"],
  ["a/#", "+", "a"],
  ["a/#", "+/b/#", "a/b/#"],
  ["a/+/c", "a/b/+", "a/b/c"],
  ["a/+", "a/b/c", null],
  ["#", "$SYS/#", null],
  ["+/x", "$SYS/x", null],
  ["$SYS/#", "$SYS/+/x", "$SYS/+/x"],
];

Deno.test("two filters have in common what MQTT says", () => {
  for (const [a, b, common] of COMMON) {
    assert.equal(commonFilter(a, b), common, `${a} and ${b}`);
    assert.equal(commonFilter(b, a), common, `${b} and ${a}`);
  }
});
