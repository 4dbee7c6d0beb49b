import {
  badStrings,
  closesWith,
  connectedRow as row,
  malformed,
  malformedProperties,
  otherProperties,
  protocolError,
} from "./case_parts.ts";
import type { PacketCaseRow } from "./packet_cases.ts";
import {
  type Frame,
  hex,
  Property,
  property,
  subscribe,
  type Text,
  unsubscribe,
  type Version,
} from "./packets.ts";

function subscribeRow(
  name: string,
  filters: readonly (readonly [Text, number])[],
  expect: PacketCaseRow["expect"],
  versions: readonly Version[] = [3, 4, 5],
  frame?: Frame,
): PacketCaseRow {
  return row(name, (version) => subscribe(version, { filters }, frame), expect, ...versions);
}

function unsubscribeRow(
  name: string,
  filters: readonly Text[],
  expect: PacketCaseRow["expect"],
  frame?: Frame,
): PacketCaseRow {
  return row(name, (version) => unsubscribe(version, { filters }, frame), expect);
}

const badFilters: readonly (readonly [what: string, filter: Text])[] = [
  ["an empty filter", ""],
  ...["a/#/b", "a#", "#/a", "##", "+a", "a+", "a/+b/c", "a/b#"].map((filter) =>
    [`the filter ${filter}`, filter] as const
  ),
  ...badStrings.map(([what, bytes]) => [`${what} in the filter`, bytes] as const),
  ["a filter of 201 slashes", "/".repeat(201)],
  ["a filter of 65,535 slashes", "/".repeat(65_535)],
];

const subscribes: PacketCaseRow[] = [
  subscribeRow("SUBSCRIBE without a filter", [], malformed),
  subscribeRow("SUBSCRIBE with nothing in it", [["a", 0]], malformed, [3, 4, 5], { cutTo: 0 }),
  subscribeRow("SUBSCRIBE with half an identifier", [["a", 0]], malformed, [3, 4, 5], { cutTo: 1 }),
  subscribeRow("SUBSCRIBE without options", [["a", 0]], malformed, [3, 4], { cutTo: 5 }),
  subscribeRow("SUBSCRIBE without options", [["a", 0]], malformed, [5], { cutTo: 6 }),
  subscribeRow("a second filter without options", [["a", 0]], malformed, [3, 4, 5], {
    trailing: hex("0001 62"),
  }),
  subscribeRow("a filter longer than the packet", [["a", 0]], malformed, [3, 4, 5], {
    trailing: hex("00ff 62 00"),
  }),
  subscribeRow("a bad filter after a good one", [["a", 0], ["a/#/b", 0]], malformed),
  ...badFilters.map(([what, filter]) =>
    subscribeRow(`SUBSCRIBE: ${what}`, [[filter, 0]], malformed)
  ),
  subscribeRow("requested QoS 3", [["a", 3]], malformed),
  ...[0x04, 0x08, 0x10, 0x20, 0x40, 0x80].map((options) =>
    subscribeRow(`reserved bits 0x${options.toString(16)}`, [["a", options]], malformed, [4])
  ),
  ...[0x40, 0x80, 0xc0].map((options) =>
    subscribeRow(`reserved bits 0x${options.toString(16)}`, [["a", options]], malformed, [5])
  ),
  subscribeRow("Retain Handling 3", [["a", 0x30]], malformed, [5]),
  subscribeRow("No Local on a shared subscription", [["$share/g/a", 0x04]], protocolError, [5]),
  ...[
    "$share/",
    "$share//",
    "$share/g",
    "$share/g/",
    "$share//t",
    "$share/+/t",
    "$share/#/t",
    "$share/g/#x",
    "$share/g+/t",
  ].map((filter) => subscribeRow(`the filter ${filter}`, [[filter, 0]], { refused: true })),
  ...["/+", "a/+/+/#", "$share/g/a/#", "/", "/".repeat(200), "a/ /b", "$x/#"].map((filter) =>
    subscribeRow(`the filter ${filter.slice(0, 20)}`, [[filter, 0]], {
      survives: true,
      answers: ["suback"],
    })
  ),
];

const subscribeProperties: PacketCaseRow[] = [
  ...otherProperties(0x0b, 0x26).map(([name, properties]) =>
    row(`${name} in SUBSCRIBE`, subscribe(5, { filters: [["a", 0]], properties }), malformed, 5)
  ),
  ...otherProperties(0x26).map(([name, properties]) =>
    row(`${name} in UNSUBSCRIBE`, unsubscribe(5, { filters: ["a"], properties }), malformed, 5)
  ),
  ...malformedProperties.flatMap(([what, properties]) => [
    row(`${what} in SUBSCRIBE`, subscribe(5, { filters: [["a", 0]], properties }), malformed, 5),
    row(`${what} in UNSUBSCRIBE`, unsubscribe(5, { filters: ["a"], properties }), malformed, 5),
  ]),
  ...([
    ["Subscription Identifier 0", property(Property.subscriptionIdentifier, 0), 0x82],
    ["Subscription Identifier of five bytes", hex("0b 80 80 80 80 01"), 0x81],
    ["Subscription Identifier 0 in two bytes", hex("0b 80 00"), 0x81],
    ["Subscription Identifier 1 in two bytes", hex("0b 81 00"), 0x81],
    ["Subscription Identifier without a value", hex("0b"), 0x81],
    ["two Subscription Identifiers", hex("0b 01 0b 02"), 0x82],
  ] as const).map(([name, properties, reason]) =>
    row(name, subscribe(5, { filters: [["a", 0]], properties }), closesWith(reason), 5)
  ),
  row(
    "the highest Subscription Identifier",
    subscribe(5, { filters: [["a", 0]], properties: hex("0b ff ff ff 7f") }),
    { survives: true, answers: ["suback"] },
    5,
  ),
];

const unsubscribes: PacketCaseRow[] = [
  unsubscribeRow("UNSUBSCRIBE without a filter", [], malformed),
  unsubscribeRow("UNSUBSCRIBE with nothing in it", ["a"], malformed, { cutTo: 0 }),
  unsubscribeRow("UNSUBSCRIBE with half an identifier", ["a"], malformed, { cutTo: 1 }),
  unsubscribeRow("UNSUBSCRIBE: a filter longer than the packet", ["a"], malformed, {
    trailing: hex("00ff 62"),
  }),
  unsubscribeRow("UNSUBSCRIBE: a length cut in two", ["a"], malformed, { trailing: 0 }),
  ...badFilters.map(([what, filter]) =>
    unsubscribeRow(`UNSUBSCRIBE: ${what}`, [filter], malformed)
  ),
  unsubscribeRow("UNSUBSCRIBE: nothing to remove", ["a"], {
    survives: true,
    answers: ["unsuback"],
  }),
];

/** SUBSCRIBE and UNSUBSCRIBE, good and bad, after a good CONNECT. */
export const subscribeCases: readonly PacketCaseRow[] = [
  ...subscribes,
  ...subscribeProperties,
  ...unsubscribes,
];
