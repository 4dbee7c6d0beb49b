import {
  badStrings,
  closesWith,
  connectedRow as row,
  malformed,
  malformedProperties,
  otherProperties,
  protocolError,
  repeatedProperties,
} from "./case_parts.ts";
import type { Expectation, PacketCaseRow } from "./packet_cases.ts";
import {
  concat,
  type Frame,
  hex,
  Property,
  property,
  publish,
  type PublishFields,
  type Version,
} from "./packets.ts";

const fine: Expectation = { survives: true };

function publishRow(
  name: string,
  fields: Partial<PublishFields>,
  expect: PacketCaseRow["expect"],
  versions: readonly Version[] = [3, 4, 5],
  frame?: Frame,
): PacketCaseRow {
  return row(
    name,
    (version) => publish(version, { topic: "a", ...fields }, frame),
    expect,
    ...versions,
  );
}

const topicNames: PacketCaseRow[] = [
  publishRow("an empty Topic Name", { topic: "" }, malformed),
  publishRow("PUBLISH with nothing in it", {}, malformed, [3, 4, 5], { cutTo: 0 }),
  publishRow("a Topic Name's length cut in two", {}, malformed, [3, 4, 5], { cutTo: 1 }),
  publishRow("a Topic Name longer than the packet", { topic: "abc" }, malformed, [3, 4, 5], {
    cutTo: 4,
  }),
  publishRow("QoS 1 without an identifier", { qos: 1 }, malformed, [3, 4, 5], { cutTo: 3 }),
  publishRow("QoS 2 with half an identifier", { qos: 2 }, malformed, [3, 4, 5], { cutTo: 4 }),
  publishRow("DUP with QoS 0", { dup: true }, malformed),
  publishRow("QoS 3", { qos: 3 }, malformed),
  publishRow("QoS 3 with DUP", { qos: 3, dup: true }, malformed),
  ...["+", "#", "a/+", "a/+/b", "a/#", "a+", "#a"].map((topic) =>
    publishRow(`the Topic Name ${topic}`, { topic }, malformed)
  ),
  publishRow("a wildcard at QoS 1", { topic: "a/#", qos: 1 }, malformed),
  ...badStrings.map(([what, topic]) =>
    publishRow(`${what} in the Topic Name`, { topic }, malformed)
  ),
  publishRow("a Topic Name of 201 slashes", { topic: "/".repeat(201) }, malformed),
  publishRow("a Topic Name of 65,535 slashes", { topic: "/".repeat(65_535) }, malformed),
  publishRow("a Topic Name of 200 slashes", { topic: "/".repeat(200) }, fine),
  publishRow("a byte order mark in the Topic Name", { topic: hex("ef bb bf") }, fine),
  publishRow("a Topic Name of 65,535 bytes", { topic: "a".repeat(65_535) }, fine),
  ...[
    "$",
    "$x",
    "$SYS",
    "$SYS/x",
    "$share",
    "$share/g/x",
    "$queue/x",
    "/",
    "//",
    " ",
    "constructor",
  ]
    .map((topic) => publishRow(`the Topic Name ${topic}`, { topic }, fine)),
];

const publishProperties: PacketCaseRow[] = [
  ...otherProperties(0x01, 0x02, 0x03, 0x08, 0x09, 0x0b, 0x23, 0x26).map(([name, properties]) =>
    publishRow(`${name} in PUBLISH`, { properties }, protocolError, [5])
  ),
  ...repeatedProperties(0x01, 0x02, 0x03, 0x08, 0x09, 0x23).map(([name, properties]) =>
    publishRow(`${name} twice in PUBLISH`, { properties }, protocolError, [5])
  ),
  ...malformedProperties.map(([what, properties]) =>
    publishRow(`${what} in PUBLISH`, { properties }, malformed, [5])
  ),
  publishRow("PUBLISH without a Property Length", {}, malformed, [5], { cutTo: 3 }),
  ...([
    ["a client's Subscription Identifier", "a", property(Property.subscriptionIdentifier, 1), 0x82],
    ["Payload Format Indicator 2", "a", property(Property.payloadFormatIndicator, 2), 0x82],
    ["an empty Response Topic", "a", property(Property.responseTopic, ""), 0x82],
    ["a wildcard in the Response Topic", "a", property(Property.responseTopic, "a/#"), 0x82],
    ["Topic Alias 0", "a", property(Property.topicAlias, 0), [0x82, 0x94]],
    ["Topic Alias 0 without a topic", "", property(Property.topicAlias, 0), [0x82, 0x94]],
    ["Topic Alias 11", "a", property(Property.topicAlias, 11), 0x94],
    ["Topic Alias 65535", "a", property(Property.topicAlias, 65_535), 0x94],
    ["a Topic Alias that was never set", "", property(Property.topicAlias, 1), 0x82],
    ["a Topic Alias before a broken property", "", concat(property(0x23, 1), hex("26 00")), 0x81],
    ["ill-formed UTF-8 in the Response Topic", "a", hex("08 0002 c080"), 0x81],
    ["ill-formed UTF-8 in the Content Type", "a", hex("03 0001 ff"), 0x81],
    ["ill-formed UTF-8 in a User Property", "a", hex("26 0001 61 0003 eda080"), 0x81],
    ["half a Message Expiry Interval", "a", hex("02 0000"), 0x81],
  ] as const).map(([name, topic, properties, reason]) =>
    publishRow(name, { topic, properties }, closesWith(reason), [5])
  ),
  publishRow("Topic Alias 10", { properties: property(Property.topicAlias, 10) }, fine, [5]),
  row(
    "a Topic Alias set and used",
    concat(
      publish(5, { topic: "a", properties: property(Property.topicAlias, 1) }),
      publish(5, { topic: "", properties: property(Property.topicAlias, 1) }),
    ),
    fine,
    5,
  ),
  row("publishing to $SYS", publish(5, { topic: "$SYS/x", qos: 1 }), {
    survives: true,
    answers: ["puback"],
    reason: 0x87,
  }, 5),
  row("publishing to $share", publish(5, { topic: "$share/g/x", qos: 2 }), {
    survives: true,
    answers: ["pubrec"],
    reason: 0x87,
  }, 5),
];

/** PUBLISH, good and bad, after a good CONNECT. */
export const publishCases: readonly PacketCaseRow[] = [...topicNames, ...publishProperties];
