import assert from "node:assert/strict";
import type { BridgeTopic } from "../../src/bridge/settings.ts";
import { TopicLines } from "../../src/bridge/topic_mapping.ts";
import { topic } from "./support.ts";

/** Lines, a local name and its remote one. */
const NAMES: readonly [why: string, lines: BridgeTopic[], local: string, remote: string][] = [
  ["both prefixes", [topic("p", "both", 0, "L/", "R/")], "L/p", "R/p"],
  ["a local one only", [topic("p", "both", 0, "L/", "")], "L/p", "p"],
  ["a remote one only", [topic("p", "both", 0, "", "R/")], "p", "R/p"],
  ["none", [topic("p", "both")], "p", "p"],
  ["an empty pattern renames one topic", [topic("", "both", 0, "l", "r")], "l", "r"],
  ["wildcards in the pattern", [topic("+/x/#", "both", 0, "L/", "R/")], "L/a/x/b/c", "R/a/x/b/c"],
  ["a prefix ends inside a level", [topic("1/#", "both", 0, "dev", "site")], "dev1/a", "site1/a"],
  ["$SYS at the other side", [topic("#", "both", 0, "L/", "$SYS/b/")], "L/x", "$SYS/b/x"],
  ["blanks", [topic("a b/#", "both", 0, "my home/", "")], "my home/a b/c", "a b/c"],
  ["what no line has stays", [topic("p", "both", 0, "L/", "R/")], "q", "q"],
  [
    "of two lines the first decides",
    [
      topic("a/#", "both", 0, "L/", "R/"),
      topic("#", "both", 0, "L/", "S/"),
    ],
    "L/a/b",
    "R/a/b",
  ],
  [
    "the second has what the first has not",
    [
      topic("a/#", "both", 0, "L/", "R/"),
      topic("#", "both", 0, "L/", "S/"),
    ],
    "L/b",
    "S/b",
  ],
  [
    "a line without prefixes leaves the name to others",
    [
      topic("#", "both"),
      topic("a", "both", 0, "", "R/"),
    ],
    "a",
    "R/a",
  ],
  ["the parent that # has too", [topic("#", "both", 0, "", "R/")], "a", "R/a"],
];

for (const [why, lines, local, remote] of NAMES) {
  Deno.test(`names of topics: ${why}`, () => {
    const mapping = new TopicLines(lines);
    assert.equal(mapping.remoteName(local), remote);
    assert.equal(mapping.localName(remote), local);
  });
}

Deno.test("a name is changed only by lines of its direction", () => {
  const mapping = new TopicLines([
    topic("a/#", "in", 0, "in/", ""),
    topic("a/#", "out", 0, "", "out/"),
  ]);
  assert.equal(mapping.remoteName("a/1"), "out/a/1");
  assert.equal(mapping.localName("a/1"), "in/a/1");
});

Deno.test("each side is subscribed to in the order of the lines, once, at the highest QoS", () => {
  const mapping = new TopicLines([
    topic("a", "in", 1, "l/", "r/"),
    topic("b", "out", 1, "l/", "r/"),
    topic("c", "both", 0),
    topic("b", "out", 2, "l/", "r/"),
    topic("a", "in", 1, "l/", "r/"),
    topic("c", "in", 2),
  ]);
  assert.deepEqual(mapping.localFilters, [{ filter: "l/b", qos: 2 }, { filter: "c", qos: 0 }]);
  assert.deepEqual(mapping.remoteFilters, [
    { filter: "r/a", qos: 1 },
    { filter: "r/b", qos: null },
    { filter: "c", qos: 2 },
  ]);
});

Deno.test("lines that differ in one prefix alone are two", () => {
  const mapping = new TopicLines([topic("x", "out", 0), topic("x", "out", 0, "", "R/")]);
  assert.equal(mapping.remoteName("x"), "R/x");
});
