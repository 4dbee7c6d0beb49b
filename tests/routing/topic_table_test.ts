import assert from "node:assert/strict";
import fc from "fast-check";
import type { Topic } from "../../src/routing/topic.ts";
import { TopicTable } from "../../src/routing/topic_table.ts";
import { topicName } from "./oracle.ts";

const encoder = new TextEncoder();

/** Looks a name up where it stands in the middle of other bytes. */
function lookup(table: TopicTable, name: string | Uint8Array, before = "xx"): Topic | null {
  const bytes = typeof name === "string" ? encoder.encode(name) : name;
  const prefix = encoder.encode(before);
  const whole = new Uint8Array([...prefix, ...bytes, 0x2b, 0x00]);
  return table.lookup(whole, prefix.length, prefix.length + bytes.length);
}

Deno.test("a name is the same topic wherever its bytes stand", () => {
  const table = new TopicTable(1000, 7);
  fc.assert(fc.property(topicName, fc.string({ maxLength: 5 }), (name, before) => {
    const topic = lookup(table, name)!;
    assert.equal(topic.name, name);
    assert.deepEqual(topic.bytes, encoder.encode(name));
    assert.equal(topic.isSystem, name.startsWith("$"));
    assert.equal(lookup(table, name, before), topic);
    assert.equal(table.named(name), topic);
  }));
});

Deno.test("thousands of names, growing tables and collisions are kept apart", () => {
  for (const seed of [0, 1, -1, 0x7fffffff]) {
    const table = new TopicTable(100_000, seed);
    const names = Array.from({ length: 5000 }, (_, index) => `a/${index % 70}/${index}`);
    const topics = names.map((name) => table.named(name));
    assert.equal(table.size, names.length);
    names.forEach((name, index) => assert.equal(lookup(table, name), topics[index]));
  }
});

Deno.test("names that differ only in length or last byte are different topics", () => {
  const table = new TopicTable(1000, 3);
  const names = ["a", "aa", "aaa", "aaaa", "aaaaa", "aaaab", "aaaac", "aaaaaaaa", "aaaaaaab"];
  assert.equal(new Set(names.map((name) => table.named(name))).size, names.length);
});

Deno.test("what is no Topic Name is refused each time, and never interned", () => {
  const table = new TopicTable(10, 1);
  const invalid: (string | Uint8Array)[] = [
    "",
    "a/+",
    "#",
    "a\u0000b",
    "a\u0001",
    "/".repeat(201),
    Uint8Array.of(0xff),
    Uint8Array.of(0xc0, 0x80),
    Uint8Array.of(0xed, 0xa0, 0x80),
    Uint8Array.of(0x61, 0xe2, 0x82),
  ];
  for (let round = 0; round < 2; round++) {
    for (const name of invalid) assert.equal(lookup(table, name), null, String(name));
  }
  assert.equal(table.size, 0);
});

Deno.test("the table holds no more than its maximum and goes on serving", () => {
  const table = new TopicTable(50, 5);
  const kept = table.named("kept");
  for (let index = 0; index < 1000; index++) {
    assert.equal(table.named(`t/${index}`).name, `t/${index}`);
    assert.ok(table.size <= 50);
  }
  const again = table.named("kept");
  assert.notEqual(again, kept, "it started afresh");
  assert.deepEqual(again.bytes, kept.bytes);
});

Deno.test("of names as long as can be the table holds no more than 32 MiB", () => {
  const table = new TopicTable(100_000, 5);
  let most = 0;
  for (let index = 0; index < 1200; index++) {
    table.named(`${index}`.padEnd(60_000, "."));
    most = Math.max(most, table.size);
  }
  assert.equal(most, Math.floor(32 * 1024 * 1024 / 60_000));
});
