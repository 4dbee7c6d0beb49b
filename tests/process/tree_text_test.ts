import assert from "node:assert/strict";
import { SubscriptionTree } from "../../src/routing/subscription_tree.ts";
import type { Receiver } from "../../src/session/ports.ts";
import { treeText } from "../../src/process/tree_text.ts";

/** What is printed of filters that subscribers inside the process have, all of QoS 1. */
function printed(...filters: [filter: string, group: string | null][]): string[] {
  const tree = new SubscriptionTree<Receiver>(false);
  for (const [filter, group] of filters) {
    const subscriber: Receiver = { isReady: true, mayReceive: () => true, deliver: () => {} };
    const options = { qos: 1, noLocal: false, retainAsPublished: false, identifier: 0 } as const;
    tree.subscribe(filter, { subscriber, ...options }, group);
  }
  return [...treeText(tree)];
}

Deno.test("without subscriptions the root is printed, as Mosquitto does", () => {
  assert.deepEqual(printed(), ["    ", "      "]);
});

Deno.test("a level stands once above all that is below it, with those who subscribed to it", () => {
  assert.deepEqual(
    printed(["a/b", null], ["a", null], ["a/b", null], ["b/+/c", null], ["#", null]),
    [
      "    ",
      "      ",
      "        a (, 1)",
      "          b (, 1) (, 1)",
      "        b",
      "          +",
      "            c (, 1)",
      "        # (, 1)",
    ],
  );
});

Deno.test("the same name at another depth is another level", () => {
  assert.deepEqual(printed(["a/a", null], ["/a", null]), [
    "    ",
    "      ",
    "        a",
    "          a (, 1)",
    "        ",
    "          a (, 1)",
  ]);
});

Deno.test("shared subscriptions come last, by their ShareName; names that begin with $ apart", () => {
  assert.deepEqual(printed(["a", "z"], ["b", "y"], ["c", "z"], ["$SYS/x", null]), [
    "    ",
    "      ",
    "    $SYS",
    "      $SYS",
    "        x (, 1)",
    "    $share",
    "      y",
    "        b (, 1)",
    "      z",
    "        a (, 1)",
    "        c (, 1)",
  ]);
});
