import {
  badStrings,
  closesWith,
  malformed,
  malformedProperties,
  otherProperties,
  protocolError,
  repeatedProperties,
  silently,
} from "./case_parts.ts";
import type { Expectation, PacketCaseRow } from "./packet_cases.ts";
import {
  ack,
  type ackHeaders,
  auth,
  concat,
  connect,
  disconnect,
  type Frame,
  hex,
  pingreq,
  type Properties,
  Property,
  property,
  publish,
  type PublishFields,
  subscribe,
  type Text,
  unsubscribe,
  varint,
  type Version,
} from "./packets.ts";

const fine: Expectation = { survives: true };
const ackTypes = ["puback", "pubrec", "pubrel", "pubcomp"] as const;

function row(
  name: string,
  bytes: PacketCaseRow["bytes"],
  expect: PacketCaseRow["expect"],
  ...versions: Version[]
): PacketCaseRow {
  return {
    name,
    phase: "connected",
    bytes,
    expect,
    versions: versions.length > 0 ? versions : undefined,
  };
}

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

const again = (version: Version): Expectation =>
  version === 5 ? { close: true, disconnect: 0x82, optional: true } : silently;

const wrongPlace: PacketCaseRow[] = [
  row("type 0", hex("00 00"), protocolError),
  row("the first byte of type 0", hex("00"), protocolError),
  row("type 0 with flags", hex("0f 00"), protocolError),
  row("type 0, announcing 268,435,455 bytes", hex("00 ff ff ff 7f"), protocolError),
  row("CONNECT again", (version) => connect(version, { clientId: "case" }), again),
  row(
    "CONNECT again with another identifier",
    (version) => connect(version, { clientId: "other" }),
    again,
  ),
  row("CONNACK", (version) => hex(version === 5 ? "20 03 00 00 00" : "20 02 00 00"), protocolError),
  row("CONNACK with nothing in it", hex("20 00"), protocolError),
  row(
    "SUBACK",
    (version) => hex(version === 5 ? "90 04 0001 00 00" : "90 03 0001 00"),
    protocolError,
  ),
  row(
    "UNSUBACK",
    (version) => hex(version === 5 ? "b0 04 0001 00 00" : "b0 02 0001"),
    protocolError,
  ),
  row("PINGRESP", hex("d0 00"), protocolError),
  row("type 15", hex("f0 00"), silently, 3, 4),
  row("AUTH without a method", auth(), protocolError, 5),
  row("AUTH to go on", auth({ reason: 0x18, properties: property(0x15, "X") }), protocolError, 5),
  row(
    "AUTH to begin again",
    auth({ reason: 0x19, properties: property(0x15, "X") }),
    protocolError,
    5,
  ),
];

const fixedHeaders: PacketCaseRow[] = [
  ...[0x41, 0x42, 0x48, 0x4f].map((header) => wrongFlags("PUBACK", header, ack("puback", 1), 0x81)),
  ...[0x51, 0x52, 0x58, 0x5f].map((header) => wrongFlags("PUBREC", header, ack("pubrec", 1), 0x81)),
  ...[0x60, 0x61, 0x63, 0x6a, 0x6f].map((header) =>
    wrongFlags("PUBREL", header, ack("pubrel", 1), 0x82)
  ),
  ...[0x71, 0x72, 0x78, 0x7f].map((header) =>
    wrongFlags("PUBCOMP", header, ack("pubcomp", 1), 0x81)
  ),
  ...[0x80, 0x81, 0x83, 0x8a, 0x8f].map((header) =>
    subscribeRow(
      `SUBSCRIBE with the first byte ${header.toString(16)}`,
      [["a", 0]],
      closesWith(0x81),
      [4, 5],
      { header },
    )
  ),
  ...[0xa0, 0xa1, 0xa3, 0xaa, 0xaf].map((header) =>
    row(
      `UNSUBSCRIBE with the first byte ${header.toString(16)}`,
      (version) => unsubscribe(version, { filters: ["a"] }, { header }),
      closesWith(0x81),
      4,
      5,
    )
  ),
  ...[0xc1, 0xc2, 0xc8, 0xcf].map((header) => wrongFlags("PINGREQ", header, pingreq(), 0x81)),
  ...[0xd1, 0xdf].map((header) => wrongFlags("PINGRESP", header, hex("d0 00"), 0x81)),
  ...[0x91, 0x9f].map((header) => wrongFlags("SUBACK", header, hex("90 03 0001 00"), 0x81)),
  ...[0xb1, 0xbf].map((header) => wrongFlags("UNSUBACK", header, hex("b0 02 0001"), 0x81)),
  ...[0x21, 0x2f].map((header) => wrongFlags("CONNACK", header, hex("20 02 00 00"), 0x82)),
  ...[0xe1, 0xe2, 0xe8, 0xef].map((header) => wrongFlags("DISCONNECT", header, disconnect(), 0x82)),
  ...[0xf1, 0xff].map((header) => wrongFlags("AUTH", header, auth(), 0x82)),
  ...[0xc0, 0x30, 0x82, 0xe0].map((header) =>
    row(
      `a Remaining Length of five bytes after ${header.toString(16)}`,
      concat(header, hex("80 80 80 80 01")),
      silently,
    )
  ),
  row("a Remaining Length of five bytes, FF and more", hex("30 ff ff ff ff 01"), silently),
  row("PINGREQ with a body", pingreq({ trailing: 0 }), silently),
  row("PINGREQ with a long body", pingreq({ trailing: new Uint8Array(200) }), silently),
  row("PINGRESP with a body", hex("d0 01 00"), silently),
  row("a packet above Maximum Packet Size", concat(0x30, varint(2_000_001)), closesWith(0x95)),
  row("a packet of 268,435,455 bytes", hex("30 ff ff ff 7f 00 01 61"), closesWith(0x95)),
];

/** The same packet with another first byte. MQTT 3.1 did not say that a receiver must look. */
function wrongFlags(
  type: string,
  header: number,
  whole: Uint8Array,
  reason: number,
): PacketCaseRow {
  return row(
    `${type} with the first byte ${header.toString(16)}`,
    concat(header, whole.subarray(1)),
    closesWith(reason),
    4,
    5,
  );
}

const packetIds: PacketCaseRow[] = [
  publishRow("PUBLISH of QoS 1 with identifier 0", { qos: 1, packetId: 0 }, protocolError),
  publishRow("PUBLISH of QoS 2 with identifier 0", { qos: 2, packetId: 0 }, protocolError),
  ...ackTypes.map((type) => row(`${type} with identifier 0`, ack(type, 0), protocolError)),
  row(
    "SUBSCRIBE with identifier 0",
    (version) => subscribe(version, { packetId: 0, filters: [["a", 0]] }),
    malformed,
  ),
  row(
    "UNSUBSCRIBE with identifier 0",
    (version) => unsubscribe(version, { packetId: 0, filters: ["a"] }),
    malformed,
  ),
];

const publishes: PacketCaseRow[] = [
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

function ackRow(
  name: string,
  type: keyof typeof ackHeaders,
  reason: number | undefined,
  properties: Properties | undefined,
  expect: PacketCaseRow["expect"],
  frame?: Frame,
): PacketCaseRow {
  return row(name, ack(type, 1, { reason, properties }, frame), expect, 5);
}

const acks: PacketCaseRow[] = ackTypes.flatMap((type) => [
  row(`${type} with nothing in it`, ack(type, 1, {}, { cutTo: 0 }), malformed),
  row(`${type} with half an identifier`, ack(type, 1, {}, { cutTo: 1 }), malformed),
  row(`${type} of three bytes`, ack(type, 1, { reason: 0 }), silently, 3, 4),
  row(`${type} of four bytes`, ack(type, 1, { reason: 0, properties: [] }), silently, 3, 4),
  ...otherProperties(0x1f, 0x26).map(([name, properties]) =>
    ackRow(`${name} in ${type}`, type, 0, properties, protocolError)
  ),
  ackRow(
    `reasonString twice in ${type}`,
    type,
    0,
    concat(property(0x1f, "a"), property(0x1f, "a")),
    protocolError,
  ),
  ...malformedProperties.map(([what, properties]) =>
    ackRow(`${what} in ${type}`, type, 0, properties, malformed)
  ),
  ...[0x01, 0x7f, 0x81, 0xff].map((reason) =>
    ackRow(`${type} with reason 0x${reason.toString(16)}`, type, reason, undefined, protocolError)
  ),
]);

const toSelf = (version: Version, qos: number) =>
  concat(
    subscribe(version, { filters: [["case/self", qos]] }),
    publish(version, { topic: "case/self", qos, packetId: 9 }),
  );

/** The server's first PUBLISH in a session has the identifier 1. */
function outOfStep(
  name: string,
  qos: 1 | 2,
  type: keyof typeof ackHeaders,
): PacketCaseRow {
  const answers = qos === 1
    ? ["suback", "publish", "puback"] as const
    : ["suback", "pubrec", "publish", "pubcomp"] as const;
  return row(
    name,
    (version) => concat(toSelf(version, qos), qos === 2 ? ack("pubrel", 9) : [], ack(type, 1)),
    (version) =>
      version === 5 ? { close: true, answers, disconnect: 0x82 } : { close: true, answers },
  );
}

const exchanges: PacketCaseRow[] = [
  row("PUBACK that nobody asked for", ack("puback", 77), fine),
  row("PUBCOMP that nobody asked for", ack("pubcomp", 77), fine),
  row("PUBREC that nobody asked for", ack("pubrec", 77), {
    survives: true,
    raw: "62 02 004d",
    answers: ["pubrel"],
  }),
  row("PUBREL that nobody asked for", ack("pubrel", 77), {
    survives: true,
    raw: "70 02 004d",
    answers: ["pubcomp"],
  }),
  outOfStep("PUBREC for a QoS 1 message", 1, "pubrec"),
  outOfStep("PUBCOMP for a QoS 1 message", 1, "pubcomp"),
  outOfStep("PUBACK for a QoS 2 message", 2, "puback"),
  outOfStep("PUBCOMP for a QoS 2 message before PUBREC", 2, "pubcomp"),
  row("a QoS 2 PUBLISH twice", (version) => repeat(2, version), {
    survives: true,
    answers: ["pubrec", "pubrec"],
  }),
  row("a QoS 2 PUBLISH three times", (version) => repeat(3, version), (version) => {
    const answers = ["pubrec", "pubrec"] as const;
    return version === 5 ? { close: true, answers, disconnect: 0x82 } : { close: true, answers };
  }),
];

function repeat(times: number, version: Version): Uint8Array {
  const message = { topic: "case/nobody", payload: "x", qos: 2, packetId: 7 };
  return concat(
    Array.from({ length: times }, (_, index) => publish(version, { ...message, dup: index > 0 })),
  );
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

const disconnects: PacketCaseRow[] = [
  row("DISCONNECT with a reason", disconnect({ reason: 0 }), silently),
  row("DISCONNECT", disconnect(), silently),
  ...[0x04, 0x01, 0x7f, 0x8e, 0xff].map((reason) =>
    row(`DISCONNECT with reason 0x${reason.toString(16)}`, disconnect({ reason }), silently, 5)
  ),
  row("DISCONNECT with no properties", disconnect({ reason: 0, properties: [] }), silently, 5),
  row(
    "DISCONNECT that raises a Session Expiry Interval of 0",
    disconnect({ reason: 0, properties: property(Property.sessionExpiryInterval, 60) }),
    protocolError,
    5,
  ),
  ...otherProperties(0x11, 0x1c, 0x1f, 0x26).map(([name, properties]) =>
    row(`${name} in DISCONNECT`, disconnect({ reason: 0, properties }), protocolError, 5)
  ),
  ...repeatedProperties(0x11, 0x1f).map(([name, properties]) =>
    row(`${name} twice in DISCONNECT`, disconnect({ reason: 0, properties }), protocolError, 5)
  ),
  ...malformedProperties.map(([what, properties]) =>
    row(`${what} in DISCONNECT`, disconnect({ reason: 0, properties }), malformed, 5)
  ),
  row(
    "PUBLISH after DISCONNECT",
    (version) => concat(disconnect(), publish(version, { topic: "a", qos: 1 })),
    silently,
  ),
];

/** Cases whose bytes follow a good CONNECT. */
export const connectedCases: readonly PacketCaseRow[] = [
  ...wrongPlace,
  ...fixedHeaders,
  ...packetIds,
  ...publishes,
  ...publishProperties,
  ...acks,
  ...exchanges,
  ...subscribes,
  ...subscribeProperties,
  ...unsubscribes,
  ...disconnects,
];
