import assert from "node:assert/strict";
import fc from "fast-check";
import { RetainedMessages } from "../../src/routing/retained_messages.ts";
import { StoredMessage } from "../../src/routing/stored_message.ts";
import { TopicTable } from "../../src/routing/topic_table.ts";
import { Publish } from "../../src/wire/publish.ts";
import { filterMatches, topicFilter, topicName } from "./oracle.ts";

const topics = new TopicTable(1000, 1);

function message(name: string, payloadLength: number): StoredMessage {
  return new StoredMessage({
    topic: topics.named(name),
    publish: Publish.of({ payload: new Uint8Array(payloadLength), retain: true }),
    expiresAtMs: Infinity,
    clientId: "",
    userName: "",
    wallOffsetMs: 0,
  });
}

/** A payload's length, or null to remove what is there. */
const changes = fc.array(
  fc.tuple(topicName, fc.option(fc.integer({ min: 1, max: 50 }), { freq: 3 })),
  { maxLength: 40 },
);

Deno.test("what is retained and what a filter finds is what a map holds", () => {
  fc.assert(
    fc.property(changes, fc.array(topicFilter, { minLength: 1, maxLength: 5 }), (all, filters) => {
      const retained = new RetainedMessages();
      const map = new Map<string, StoredMessage>();
      for (const [name, length] of all) {
        const before = map.get(name) ?? null;
        assert.equal(retained.get(name), before);
        if (length === null) {
          assert.equal(retained.delete(name), before);
          map.delete(name);
        } else {
          const one = message(name, length);
          assert.equal(retained.set(one), before);
          map.set(name, one);
        }
        assert.equal(retained.count, map.size);
        const bytes = [...map.values()].reduce((sum, one) => sum + one.publish.payloadLength, 0);
        assert.equal(retained.bytes, bytes);
      }
      assert.deepEqual(namesOf(retained.all()).sort(), [...map.keys()].sort());
      for (const filter of filters) {
        const found = namesOf(retained.matching(filter));
        const expected = [...map.keys()].filter((name) => filterMatches(filter, name));
        assert.deepEqual([...found].sort(), expected.sort(), filter);
        assertParentsFirst(found);
      }
    }),
    { numRuns: 500 },
  );
});

function namesOf(messages: Iterable<StoredMessage>): string[] {
  return [...messages].map(({ topic }) => topic.name);
}

function assertParentsFirst(names: string[]) {
  for (const [index, name] of names.entries()) {
    const child = names.slice(0, index).find((earlier) => earlier.startsWith(`${name}/`));
    assert.equal(child, undefined, `${name} comes after ${child}`);
  }
}

Deno.test("messages may come and go while a filter is walked", () => {
  const retained = new RetainedMessages();
  for (const name of ["a", "a/b", "a/c", "b"]) retained.set(message(name, 1));
  const walk = retained.matching("#");
  assert.equal(walk.next().value?.topic.name, "a");
  retained.delete("a/b");
  retained.delete("a/c");
  retained.set(message("c", 1));
  const rest = namesOf({ [Symbol.iterator]: () => walk });
  assert.ok(rest.includes("b"), "what was there all the time is found");
});

Deno.test("a search that finds nothing lets others have their turn", () => {
  const retained = new RetainedMessages();
  for (let index = 0; index < 10_000; index++) retained.set(message(`a/${index}/b`, 1));
  const found = [...retained.search("a/+/c")];
  assert.ok(found.length > 100, "nulls on the way");
  assert.ok(found.every((message) => message === null));
});
