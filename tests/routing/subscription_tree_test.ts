import assert from "node:assert/strict";
import fc from "fast-check";
import { parseFilter, SubscriptionTree } from "../../src/routing/subscription_tree.ts";
import { TopicTable } from "../../src/routing/topic_table.ts";
import type { Qos } from "../../src/wire/publish.ts";
import { filterMatches, topicFilter, topicName } from "./oracle.ts";

interface Client {
  readonly name: string;
  isReady: boolean;
  mayReceive(): boolean;
}

interface Held {
  readonly client: Client;
  readonly filter: string;
  readonly group: string | null;
  readonly qos: Qos;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly identifier: number;
}

const clients: Client[] = ["x", "y", "z"].map((name) => ({
  name,
  isReady: true,
  mayReceive: () => true,
}));
const change = fc.record({
  client: fc.constantFrom(...clients),
  filter: topicFilter,
  group: fc.constantFrom(null, null, "g", "h"),
  qos: fc.constantFrom<Qos>(0, 1, 2),
  noLocal: fc.boolean(),
  retainAsPublished: fc.boolean(),
  identifier: fc.nat(3),
  isNew: fc.boolean(),
  /** An earlier filter again, so that something is replaced and removed. */
  again: fc.option(fc.nat(), { freq: 2 }),
});
const names = fc.array(topicName, { minLength: 1, maxLength: 6 });

const key = ({ client, filter, group }: Pick<Held, "client" | "filter" | "group">) =>
  `${client.name} ${group} ${filter}`;

for (const duplicates of [false, true]) {
  const title = duplicates ? "a delivery for each subscription" : "one delivery for each client";
  Deno.test(`routes are what a list of all subscriptions gives, ${title}`, () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), names, (changes, names) => {
        const tree = new SubscriptionTree<Client>(duplicates);
        const topics = new TopicTable(100, 1);
        const held = new Map<string, Held>();
        const before: Held[] = [];
        for (const one of changes) {
          const subscription = one.again !== null && before.length > 0
            ? { ...one, ...pickKey(before[one.again % before.length]) }
            : one;
          before.push(subscription);
          const { client: subscriber, filter, group } = subscription;
          const known = held.has(key(subscription));
          if (one.isNew) {
            assert.equal(tree.subscribe(filter, { ...subscription, subscriber }, group), !known);
            held.set(key(subscription), subscription);
          } else {
            assert.equal(tree.unsubscribe(filter, subscriber, group), known);
            held.delete(key(subscription));
          }
          const shared = [...held.values()].filter(({ group }) => group !== null).length;
          assert.deepEqual([tree.count, tree.sharedCount], [held.size - shared, shared]);
          for (const name of names) assertRoute(tree, topics, name, [...held.values()], duplicates);
        }
      }),
      { numRuns: 300 },
    );
  });
}

function pickKey({ client, filter, group }: Held) {
  return { client, filter, group };
}

function assertRoute(
  tree: SubscriptionTree<Client>,
  topics: TopicTable,
  name: string,
  held: Held[],
  duplicates: boolean,
) {
  const { matches, groups } = tree.route(topics.named(name));
  const matching = held.filter(({ filter }) => filterMatches(filter, name));
  const plain = matching.filter(({ group }) => group === null);
  const byClient = Map.groupBy(
    plain,
    ({ client, filter }) => duplicates ? filter + client.name : client.name,
  );
  const expected = [...byClient.values()].map((list) => [
    list[0].client.name,
    Math.max(...list.map(({ qos }) => qos)),
    list.every(({ noLocal }) => noLocal),
    list.some(({ retainAsPublished }) => retainAsPublished),
    list.map(({ identifier }) => identifier).filter((identifier) => identifier !== 0).sort(),
  ]);
  const found = matches.map((match) => [
    match.subscriber.name,
    match.qos,
    match.noLocal,
    match.retainAsPublished,
    [...match.identifiers ?? []].sort(),
  ]);
  assert.deepEqual(sorted(found), sorted(expected), name);
  const sizes = Map.groupBy(
    matching.filter(({ group }) => group !== null),
    ({ filter, group }) => `${group} ${filter}`,
  );
  assert.deepEqual(
    groups.map(({ size }) => size).sort(),
    [...sizes.values()].map(({ length }) => length).sort(),
    `groups of ${name}`,
  );
}

function sorted(rows: unknown[][]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort();
}

Deno.test("a tree from which all is removed matches nothing and counts nothing", () => {
  fc.assert(fc.property(fc.array(change, { maxLength: 20 }), names, (changes, names) => {
    const tree = new SubscriptionTree<Client>(false);
    for (const { filter, group, client, ...options } of changes) {
      tree.subscribe(filter, { ...options, subscriber: client }, group);
    }
    for (const { filter, group, client } of changes) tree.unsubscribe(filter, client, group);
    assert.deepEqual([tree.count, tree.sharedCount], [0, 0]);
    const topics = new TopicTable(100, 1);
    for (const name of names) {
      assert.deepEqual(tree.route(topics.named(name)), { matches: [], groups: [] });
    }
  }));
});

Deno.test("a group gives each message to the next member, past those who are away", () => {
  const tree = new SubscriptionTree<Client>(false);
  const members: Client[] = ["1", "2", "3"].map((name) => ({
    name,
    isReady: true,
    mayReceive: () => true,
  }));
  for (const subscriber of members) {
    const options = { qos: 0 as const, noLocal: false, retainAsPublished: false, identifier: 0 };
    tree.subscribe("a", { subscriber, ...options }, "g");
  }
  const topic = new TopicTable(10, 1).named("a");
  const [group] = tree.route(topic).groups;
  const next = (count: number) =>
    Array.from({ length: count }, () => group.choose(topic)!.subscriber.name).join("");
  assert.equal(next(4), "1231");
  members[1].isReady = false;
  assert.equal(next(4), "3131");
  members[0].isReady = members[2].isReady = false;
  assert.equal(new Set(next(3)).size, 3, "with nobody there it is each one's turn all the same");
  members[0].mayReceive = () => false;
  assert.equal(next(4), "2323", "who may not have it is passed over");
  members[2].isReady = true;
  assert.equal(next(2), "33");
  members[0].isReady = true;
  assert.equal(next(2), "33", "who is there and may not have it is no choice");
  group.delete(members[0]);
  group.delete(members[1]);
  assert.equal(next(2), "33");
  members[2].mayReceive = () => false;
  assert.equal(group.choose(topic), undefined);
});

Deno.test("only $share/NAME/FILTER with a name and a filter is a Shared Subscription", () => {
  const cases: [string, ReturnType<typeof parseFilter>][] = [
    ["$share/g/a/+", { filter: "a/+", group: "g" }],
    ["$share/g//", { filter: "/", group: "g" }],
    ["$share/g/#", { filter: "#", group: "g" }],
    ["a/$share/g", { filter: "a/$share/g", group: null }],
    ["$shared/g/a", { filter: "$shared/g/a", group: null }],
    ["$share", null],
    ["$share/", null],
    ["$share/g", null],
    ["$share/g/", null],
    ["$share//a", null],
    ["$share/+/a", null],
    ["$share/#/a", null],
  ];
  for (const [filter, expected] of cases) assert.deepEqual(parseFilter(filter), expected, filter);
});

Deno.test("filters match in Mosquitto's order: on each level the name, +, #; a/# before a", () => {
  const tree = new SubscriptionTree<Client>(true);
  const filters = ["#", "a/#", "a/+", "+/b", "a/b", "a/b/#", "+/+"];
  const options = { qos: 0 as const, noLocal: false, retainAsPublished: false };
  for (const [index, filter] of filters.entries()) {
    const subscription = { ...options, subscriber: clients[0], identifier: index + 1 };
    tree.subscribe(filter, subscription, null);
  }
  const { matches } = tree.route(new TopicTable(100, 1).named("a/b"));
  assert.deepEqual(matches.map(({ identifiers }) => filters[identifiers![0] - 1]), [
    "a/b/#",
    "a/b",
    "a/+",
    "a/#",
    "+/b",
    "+/+",
    "#",
  ]);
});
