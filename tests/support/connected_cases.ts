import {
  closesWith,
  connectedRow as row,
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
  subscribe,
  unsubscribe,
  varint,
  type Version,
} from "./packets.ts";
import { publishCases } from "./publish_cases.ts";
import { subscribeCases } from "./subscribe_cases.ts";

const fine: Expectation = { survives: true };
const ackTypes = ["puback", "pubrec", "pubrel", "pubcomp"] as const;

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
    row(
      `SUBSCRIBE with the first byte ${header.toString(16)}`,
      (version) => subscribe(version, { filters: [["a", 0]] }, { header }),
      closesWith(0x81),
      4,
      5,
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
  row(
    "PUBLISH of QoS 1 with identifier 0",
    (version) => publish(version, { topic: "a", qos: 1, packetId: 0 }),
    protocolError,
  ),
  row(
    "PUBLISH of QoS 2 with identifier 0",
    (version) => publish(version, { topic: "a", qos: 2, packetId: 0 }),
    protocolError,
  ),
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
  ...publishCases,
  ...acks,
  ...exchanges,
  ...subscribeCases,
  ...disconnects,
];
