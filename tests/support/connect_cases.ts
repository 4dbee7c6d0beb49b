import {
  badStrings,
  malformedProperties,
  otherProperties,
  refusedWith,
  repeatedProperties,
  silently,
} from "./case_parts.ts";
import type { Expectation, PacketCaseRow } from "./packet_cases.ts";
import {
  ack,
  auth,
  concat,
  connect,
  type ConnectFields,
  disconnect,
  field,
  type Frame,
  hex,
  pingreq,
  Property,
  property,
  publish,
  subscribe,
  unsubscribe,
  type Version,
} from "./packets.ts";

const accepted: Expectation = { survives: true, answers: ["connack"], reason: 0 };
const unsupported: Expectation = { close: true, raw: "20 03 00 84 00" };
const mismatched: Expectation = { close: true, raw: "20 02 00 01" };
const will = { topic: "will", payload: "gone" };

function row(
  name: string,
  bytes: PacketCaseRow["bytes"],
  expect: PacketCaseRow["expect"],
  ...versions: Version[]
): PacketCaseRow {
  return {
    name,
    phase: "first",
    bytes,
    expect,
    versions: versions.length > 0 ? versions : undefined,
  };
}

/** A CONNECT that is right but for the fields and the frame given. */
function connectRow(
  name: string,
  fields: ConnectFields,
  expect: PacketCaseRow["expect"],
  versions: readonly Version[] = [3, 4, 5],
  frame?: Frame,
): PacketCaseRow {
  return row(name, (version) => connect(version, fields, frame), expect, ...versions);
}

/** What is good later is closed without a word, and without reading on, when it comes first. */
const beforeConnect: PacketCaseRow[] = [
  row("CONNACK first", hex("20 02 00 00"), silently),
  row("PUBLISH first", (version) => publish(version, { topic: "a" }), silently),
  row("PUBACK first", ack("puback", 1), silently),
  row("PUBREC first", ack("pubrec", 1), silently),
  row("PUBREL first", ack("pubrel", 1), silently),
  row("PUBCOMP first", ack("pubcomp", 1), silently),
  row("SUBSCRIBE first", (version) => subscribe(version, { filters: [["a", 0]] }), silently),
  row("SUBACK first", hex("90 03 0001 00"), silently),
  row("UNSUBSCRIBE first", (version) => unsubscribe(version, { filters: ["a"] }), silently),
  row("UNSUBACK first", hex("b0 02 0001"), silently),
  row("PINGREQ first", pingreq(), silently),
  row("PINGRESP first", hex("d0 00"), silently),
  row("DISCONNECT first", disconnect(), silently),
  row("AUTH first", auth(), silently),
  row("type 0 first", hex("00 00"), silently),
  ...[0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15].map((type) =>
    row(
      `type ${type} first, announcing 268,435,455 bytes`,
      concat(type << 4 | ([6, 8, 10].includes(type) ? 2 : 0), hex("ff ff ff 7f")),
      silently,
    )
  ),
  row("an HTTP request", new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), silently),
  row("a TLS ClientHello", hex("16 03 01 00 c8 01 00 00 c4 03 03 00 01 02 03 04"), silently),
];

const frames: PacketCaseRow[] = [
  row("CONNECT with nothing in it", hex("10 00"), silently),
  row("CONNECT with a Remaining Length of five bytes", hex("10 80 80 80 80 01"), silently),
  row("CONNECT with a padded Remaining Length of 0", hex("10 80 00"), silently),
  row("CONNECT that announces 268,435,455 bytes", hex("10 ff ff ff 7f"), silently),
  ...[0x11, 0x12, 0x14, 0x18, 0x1f].map((header) =>
    connectRow(
      `CONNECT with the first byte 0x${header.toString(16)}`,
      {},
      (version) => version === 3 ? accepted : silently,
      [3, 4, 5],
      { header },
    )
  ),
];

const protocols: PacketCaseRow[] = [
  ...[2, 6].flatMap((protocolLevel) => [
    connectRow(`MQTT with level ${protocolLevel}`, { protocolLevel }, unsupported, [4, 5]),
    connectRow(`MQIsdp with level ${protocolLevel}`, { protocolLevel }, unsupported, [3]),
  ]),
  ...[0, 1, 7, 127].map((protocolLevel) =>
    connectRow(`level ${protocolLevel}`, { protocolLevel }, unsupported)
  ),
  connectRow("MQTT with level 3", { protocolLevel: 3 }, mismatched, [4, 5]),
  connectRow("MQIsdp with level 4", { protocolLevel: 4 }, mismatched, [3]),
  ...["", "MQT", "MQTTX", "mqtt", "MQIsdpX", "HTTP", "\0\0\0\0"].map((protocolName) =>
    connectRow(`the protocol name ${JSON.stringify(protocolName)}`, { protocolName }, silently)
  ),
  row("a protocol name that ends with the packet", hex("10 06 0004 4d515454"), silently),
  row("a protocol name longer than the packet", hex("10 06 00ff 4d515454"), silently),
  row("a length of the protocol name cut in two", hex("10 01 00"), silently),
];

/** Where a CONNECT ends too early, MQTT 5 may be told why, or not. */
const mayBeTold = (version: Version): Expectation =>
  version === 5 ? { close: true, connack: 0x81, optional: true } : silently;

const cut: PacketCaseRow[] = [1, 2, 3, 4, 5, 6].map((missing) =>
  row(
    `CONNECT cut ${missing} bytes before its end`,
    (version) => {
      const whole = connect(version, { clientId: "abcd" });
      return connect(version, { clientId: "abcd" }, { cutTo: whole.length - 2 - missing });
    },
    mayBeTold,
  )
).concat(
  row(
    "CONNECT that ends after the flags",
    (version) => connect(version, {}, { cutTo: version === 3 ? 10 : 8 }),
    mayBeTold,
  ),
  row(
    "CONNECT that ends after the level",
    (version) => connect(version, {}, { cutTo: version === 3 ? 9 : 7 }),
    mayBeTold,
  ),
);

/** MQTT 3.1 lets Remaining Length take precedence over the flags for user name and password. */
const absentFields = (version: Version): Expectation => version === 3 ? accepted : silently;

const flags: PacketCaseRow[] = [
  connectRow(
    "the reserved flag",
    { flags: 0x03 },
    (version) => version === 3 ? accepted : silently,
  ),
  connectRow("Will QoS 3", { will: { ...will, qos: 3 } }, silently),
  connectRow("Will QoS 3 without a will", { flags: 0x1a }, silently),
  connectRow("Will QoS 1 without a will", { flags: 0x0a }, silently, [4, 5]),
  connectRow("Will QoS 2 without a will", { flags: 0x12 }, silently, [4, 5]),
  connectRow("Will Retain without a will", { flags: 0x22 }, silently, [4, 5]),
  connectRow("User Name Flag without a user name", { flags: 0x82 }, absentFields),
  connectRow("Password Flag without a password", { flags: 0xc2, userName: "u" }, absentFields),
  connectRow("both flags with neither", { flags: 0xc2 }, absentFields),
  connectRow("a password without a user name", { password: "p" }, silently, [4]),
  connectRow("a password without a user name", { password: "p" }, accepted, [5]),
  connectRow("an empty user name", { userName: "" }, accepted),
  connectRow("U+0000 in the password", { userName: "u", password: "a\0b" }, accepted),
  connectRow("FF in the password", { userName: "u", password: hex("ff fe") }, accepted),
  connectRow("an empty password", { userName: "u", password: "" }, accepted),
  connectRow("Will Flag without a will", { flags: 0x06 }, refusedWith(0x81)),
  connectRow("a user name without its flag", { flags: 0x02, userName: "u" }, refusedWith(0x81)),
  connectRow(
    "a password without its flag",
    { flags: 0x82, userName: "u", password: "p" },
    refusedWith(0x81),
  ),
  connectRow("a will without its flag", { flags: 0x02, will }, refusedWith(0x81)),
  row("a will without its payload", (version) =>
    connect(version, { flags: 0x06 }, {
      trailing: version === 5 ? [0, field("topic")] : field("topic"),
    }), refusedWith(0x81)),
  connectRow("a byte after the end", {}, refusedWith(0x81), [3, 4, 5], { trailing: 0 }),
  connectRow("another packet within", {}, refusedWith(0x81), [3, 4, 5], { trailing: pingreq() }),
  connectRow("a user name longer than the packet", { flags: 0x82 }, silently, [3, 4, 5], {
    trailing: hex("00ff 75"),
  }),
  connectRow("a password longer than the packet", { flags: 0xc2, userName: "u" }, silently, [
    3,
    4,
    5,
  ], { trailing: hex("ffff 70") }),
];

const identifiers: PacketCaseRow[] = [
  connectRow("an empty identifier", { clientId: "" }, { close: true, connack: 2 }, [3]),
  connectRow("an empty identifier, not clean", { clientId: "", clean: false }, {
    close: true,
    connack: 2,
  }, [3, 4]),
  connectRow("an empty identifier", { clientId: "" }, accepted, [4, 5]),
  connectRow("an empty identifier, not clean", { clientId: "", clean: false }, accepted, [5]),
  connectRow("an identifier of 23 letters", { clientId: "abcdefghijklmnopqrstuvw" }, accepted),
  connectRow("an identifier with a byte order mark", { clientId: hex("ef bb bf 61") }, accepted),
  connectRow("an identifier called constructor", { clientId: "constructor" }, accepted),
  connectRow("an identifier called __proto__", { clientId: "__proto__" }, accepted),
];

const strings: PacketCaseRow[] = badStrings.flatMap(([what, bytes]) => [
  connectRow(`${what} in the identifier`, { clientId: bytes }, refusedWith(0x85)),
  connectRow(`${what} in the user name`, { userName: bytes }, silently),
  connectRow(`${what} in the Will Topic`, { will: { topic: bytes } }, refusedWith(0x81)),
]);

const wills: PacketCaseRow[] = [
  ...["", "a/+", "#", "a#", "$CONTROL/broker/v1"].map((topic) =>
    connectRow(`the Will Topic ${JSON.stringify(topic)}`, { will: { topic } }, refusedWith(0x81))
  ),
  connectRow("a Will Topic of 201 levels", { will: { topic: "/".repeat(201) } }, refusedWith(0x81)),
  connectRow("a Will Topic of 200 slashes", { will: { topic: "/".repeat(200) } }, accepted),
  connectRow("an empty will", { will: { topic: "will" } }, accepted),
];

/** Of MQTT 5 only. */
function propertiesRow(
  name: string,
  fields: ConnectFields,
  expect: Expectation,
): PacketCaseRow {
  return connectRow(name, fields, expect, [5]);
}

function refuse(reason: number): Expectation {
  return { close: true, connack: reason };
}

const connectProperties: PacketCaseRow[] = [
  ...otherProperties(0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x26, 0x27).map((
    [name, properties],
  ) => propertiesRow(`${name} in CONNECT`, { properties }, refuse(0x82))),
  ...repeatedProperties(0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x27).map(([name, properties]) =>
    propertiesRow(`${name} twice in CONNECT`, { properties }, refuse(0x82))
  ),
  ...malformedProperties.map(([what, properties]) =>
    propertiesRow(`${what} in CONNECT`, { properties }, refuse(0x81))
  ),
  ...([
    ["Receive Maximum 0", property(Property.receiveMaximum, 0), 0x82],
    ["Maximum Packet Size 0", property(Property.maximumPacketSize, 0), 0x82],
    ["Request Problem Information 2", property(Property.requestProblemInformation, 2), 0x82],
    ["Request Response Information 2", property(Property.requestResponseInformation, 2), 0x82],
    ["Authentication Data without a method", property(Property.authenticationData, "x"), 0x82],
    ["an authentication method nobody knows", property(Property.authenticationMethod, "X-?"), 0x8c],
    ["a Session Expiry Interval of three bytes", hex("11 00 00 00"), 0x81],
    ["a forbidden property without its value", hex("23 00"), 0x81],
  ] as const).map(([name, properties, reason]) =>
    propertiesRow(name, { properties }, refuse(reason))
  ),
  propertiesRow("a Maximum Packet Size too small for CONNACK", {
    properties: property(Property.maximumPacketSize, 2),
  }, silently),
  propertiesRow("Topic Alias Maximum 0", {
    properties: property(Property.topicAliasMaximum, 0),
  }, accepted),
  propertiesRow("the longest Session Expiry Interval but one", {
    properties: property(Property.sessionExpiryInterval, 0xfffffffe),
  }, accepted),
  propertiesRow("a user property twice", {
    properties: concat(property(0x26, ["a", "1"]), property(0x26, ["a", "1"])),
  }, accepted),
];

function willProperties(properties: ConnectFields["properties"]): ConnectFields {
  return { will: { ...will, properties } };
}

const willPropertyCases: PacketCaseRow[] = [
  ...otherProperties(0x01, 0x02, 0x03, 0x08, 0x09, 0x18, 0x26).map(([name, properties]) =>
    propertiesRow(`${name} in the will`, willProperties(properties), refuse(0x82))
  ),
  ...repeatedProperties(0x01, 0x02, 0x03, 0x08, 0x09, 0x18).map(([name, properties]) =>
    propertiesRow(`${name} twice in the will`, willProperties(properties), refuse(0x82))
  ),
  ...malformedProperties.map(([what, properties]) =>
    propertiesRow(`${what} in the will`, willProperties(properties), refuse(0x81))
  ),
  ...([
    ["Payload Format Indicator 2", property(Property.payloadFormatIndicator, 2)],
    ["an empty Response Topic", property(Property.responseTopic, "")],
    ["a wildcard in the Response Topic", property(Property.responseTopic, "a/#")],
  ] as const).map(([name, properties]) =>
    propertiesRow(`${name} in the will`, willProperties(properties), refuse(0x82))
  ),
  ...([
    ["an empty Content Type", property(Property.contentType, "")],
    ["empty Correlation Data", property(Property.correlationData, "")],
    ["Will Delay first", concat(property(0x18, 1), property(0x03, "text"))],
    ["Content Type first", concat(property(0x03, "text"), property(0x18, 1))],
  ] as const).map(([name, properties]) =>
    propertiesRow(`${name} in the will`, willProperties(properties), accepted)
  ),
];

/** Cases whose first bytes are the case. */
export const connectCases: readonly PacketCaseRow[] = [
  ...beforeConnect,
  ...frames,
  ...protocols,
  ...cut,
  ...flags,
  ...identifiers,
  ...strings,
  ...wills,
  ...connectProperties,
  ...willPropertyCases,
];
