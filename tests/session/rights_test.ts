import assert from "node:assert/strict";
import type { Access, Identity } from "../../src/session/ports.ts";
import { Rights } from "../../src/session/rights.ts";
import { TopicTable } from "../../src/routing/topic_table.ts";

/** Rights of somebody, and how often they have been asked for. */
function counted() {
  const asked: string[] = [];
  const access = {
    generation: 0,
    mayReceive: (_identity: Identity, topicName: string) => asked.push(topicName) > 0,
  };
  const rights = new Rights(access as unknown as Access, {} as Identity);
  const topics = new TopicTable(1000, 1);
  const ask = (topicName: string) => rights.mayReceive(topics.named(topicName));
  return { access, ask, asked };
}

Deno.test("a topic is asked for once, and again when the answers may have changed", () => {
  const { access, ask, asked } = counted();
  for (let times = 0; times < 3; times++) assert.ok(ask("a"));
  assert.equal(asked.length, 1);
  access.generation++;
  ask("a");
  assert.equal(asked.length, 2);
});

Deno.test("no more than 256 topics are remembered, and no more than 64 KiB of names", () => {
  for (const [count, length, remembered] of [[256, 10, true], [257, 10, false]] as const) {
    assert.equal(isRemembered(count, length), remembered, `${count} of ${length}`);
  }
  assert.equal(isRemembered(16, 4096), true);
  assert.equal(isRemembered(17, 4096), false);
});

/** Whether the first of these many topics is still remembered behind the last. */
function isRemembered(count: number, length: number): boolean {
  const { ask, asked } = counted();
  const name = (index: number) => `${index}`.padEnd(length, ".");
  for (let index = 0; index < count; index++) ask(name(index));
  ask(name(0));
  return asked.length === count;
}
