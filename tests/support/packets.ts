/**
 * MQTT Control Packets as bytes, for tests: plain functions that write what they are told, right or
 * wrong, and a decoder for what a server sends. Nothing here is shared with the broker's own code,
 * so that a mistake there cannot hide here.
 * @module
 */

/** MQTT 3.1, 3.1.1 and 5.0, by their protocol levels. */
export type Version = 3 | 4 | 5;

/** What `concat` takes: bytes, one byte, or a list of these. */
export type Part = Uint8Array | number | readonly Part[];

/** A string is written as UTF-8; bytes are taken as they are, so that they may be ill-formed. */
export type Text = string | Uint8Array;

const encoder = new TextEncoder();

/** The parts behind one another. */
export function concat(...parts: Part[]): Uint8Array {
  const flat: number[] = [];
  const add = (part: Part): void => {
    if (typeof part === "number") flat.push(part);
    else for (const inner of part) add(inner);
  };
  parts.forEach(add);
  return Uint8Array.from(flat);
}

/** Bytes written as hexadecimal digits, blanks ignored: `hex("30 02 00 00")`. */
export function hex(digits: string): Uint8Array {
  const compact = digits.replaceAll(/\s/g, "");
  if (!/^([0-9a-f]{2})*$/i.test(compact)) throw new SyntaxError(`not hexadecimal: ${digits}`);
  return Uint8Array.from(compact.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** A two byte integer. */
export function u16(value: number): number[] {
  return [value >> 8 & 0xff, value & 0xff];
}

/** A four byte integer. */
export function u32(value: number): number[] {
  return [...u16(value >>> 16), ...u16(value & 0xffff)];
}

/** A variable byte integer in its shortest form, or padded to `length` bytes with idle groups. */
export function varint(value: number, length = 1): number[] {
  const groups = [];
  do {
    groups.push(value & 0x7f);
    value >>>= 7;
  } while (value > 0 || groups.length < length);
  return groups.map((group, index) => index < groups.length - 1 ? group | 0x80 : group);
}

/** The bytes of a text, without a length. */
export function raw(text: Text): Uint8Array {
  return typeof text === "string" ? encoder.encode(text) : text;
}

/** A text or binary data with its two byte length. */
export function field(text: Text): Uint8Array {
  const content = raw(text);
  return concat(u16(content.length), content);
}

/** What may be said otherwise than it is about a packet as a whole. */
export interface Frame {
  /** The first byte, type and flags. */
  readonly header?: number;
  /** Remaining Length: another number, or the bytes that stand for it. */
  readonly remainingLength?: number | readonly number[];
  /** Bytes that follow the payload and are counted in Remaining Length. */
  readonly trailing?: Part;
  /** How many bytes of the body are kept; Remaining Length is that of what is left. */
  readonly cutTo?: number;
}

/** A packet with its fixed header. */
export function packet(header: number, body: Part, frame: Frame = {}): Uint8Array {
  const whole = concat(body, frame.trailing ?? []).subarray(0, frame.cutTo);
  const length = frame.remainingLength ?? whole.length;
  return concat(
    frame.header ?? header,
    typeof length === "number" ? varint(length) : length,
    whole,
  );
}

/** Identifiers of the properties of MQTT 5.0. */
export const Property = {
  payloadFormatIndicator: 0x01,
  messageExpiryInterval: 0x02,
  contentType: 0x03,
  responseTopic: 0x08,
  correlationData: 0x09,
  subscriptionIdentifier: 0x0b,
  sessionExpiryInterval: 0x11,
  assignedClientIdentifier: 0x12,
  serverKeepAlive: 0x13,
  authenticationMethod: 0x15,
  authenticationData: 0x16,
  requestProblemInformation: 0x17,
  willDelayInterval: 0x18,
  requestResponseInformation: 0x19,
  responseInformation: 0x1a,
  serverReference: 0x1c,
  reasonString: 0x1f,
  receiveMaximum: 0x21,
  topicAliasMaximum: 0x22,
  topicAlias: 0x23,
  maximumQos: 0x24,
  retainAvailable: 0x25,
  userProperty: 0x26,
  maximumPacketSize: 0x27,
  wildcardSubscriptionAvailable: 0x28,
  subscriptionIdentifierAvailable: 0x29,
  sharedSubscriptionAvailable: 0x2a,
} as const;

/** A property's value: integers of all lengths are numbers, a User Property is a pair. */
export type PropertyValue = number | string | Uint8Array | readonly [string, string];

type PropertyKind = "byte" | "u16" | "u32" | "varint" | "string" | "binary" | "pair";

/** How the value of each property is written; an identifier that is missing here is unknown. */
export const propertyKinds: ReadonlyMap<number, PropertyKind> = new Map<number, PropertyKind>([
  ...[0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a].map((id) => [id, "byte"] as const),
  ...[0x13, 0x21, 0x22, 0x23].map((id) => [id, "u16"] as const),
  ...[0x02, 0x11, 0x18, 0x27].map((id) => [id, "u32"] as const),
  [0x0b, "varint"],
  ...[0x03, 0x08, 0x12, 0x15, 0x1a, 0x1c, 0x1f].map((id) => [id, "string"] as const),
  ...[0x09, 0x16].map((id) => [id, "binary"] as const),
  [0x26, "pair"],
]);

/** One property with its identifier. Texts may be bytes, so that they may be ill-formed. */
export function property(id: number, value: PropertyValue | readonly [Text, Text]): Uint8Array {
  switch (propertyKinds.get(id)) {
    case "byte":
      return concat(id, value as number);
    case "u16":
      return concat(id, u16(value as number));
    case "u32":
      return concat(id, u32(value as number));
    case "varint":
      return concat(id, varint(value as number));
    case "string":
    case "binary":
      return concat(id, field(value as Text));
    case "pair":
      return concat(id, (value as readonly [Text, Text]).map(field));
    case undefined:
      throw new RangeError(`property 0x${id.toString(16)} is unknown: write its bytes`);
  }
}

/** Properties: the bytes after Property Length, or `{ length, bytes }` to lie about it. */
export type Properties = Part | {
  readonly length: number | readonly number[];
  readonly bytes: Part;
};

/** Property Length and properties in MQTT 5, nothing before it. */
function propertiesOf(version: Version, properties: Properties = []): Uint8Array {
  if (version !== 5) return new Uint8Array();
  if (typeof properties === "number" || !("bytes" in properties)) {
    const content = concat(properties);
    return concat(varint(content.length), content);
  }
  const { length, bytes } = properties;
  return concat(typeof length === "number" ? varint(length) : length, bytes);
}

/** A Will Message. */
export interface WillFields {
  readonly topic: Text;
  readonly payload?: Text;
  readonly qos?: number;
  readonly retain?: boolean;
  readonly properties?: Properties;
}

/** The fields of CONNECT; what is left out is absent, except what has a default. */
export interface ConnectFields {
  readonly protocolName?: Text;
  readonly protocolLevel?: number;
  /** The Connect Flags as they shall stand there, whatever the fields say. */
  readonly flags?: number;
  /** Clean Session or Clean Start; default true. */
  readonly clean?: boolean;
  /** Default 60. */
  readonly keepAliveSeconds?: number;
  readonly properties?: Properties;
  /** Default "c". */
  readonly clientId?: Text;
  readonly will?: WillFields;
  readonly userName?: Text;
  readonly password?: Text;
}

/** CONNECT. */
export function connect(version: Version, fields: ConnectFields = {}, frame?: Frame): Uint8Array {
  const { clean = true, will, userName, password } = fields;
  const flags = fields.flags ??
    ((clean ? 0x02 : 0) | (will ? 0x04 | (will.qos ?? 0) << 3 | (will.retain ? 0x20 : 0) : 0) |
      (password === undefined ? 0 : 0x40) | (userName === undefined ? 0 : 0x80));
  return packet(0x10, [
    field(fields.protocolName ?? (version === 3 ? "MQIsdp" : "MQTT")),
    fields.protocolLevel ?? version,
    flags,
    u16(fields.keepAliveSeconds ?? 60),
    propertiesOf(version, fields.properties),
    field(fields.clientId ?? "c"),
    will
      ? [propertiesOf(version, will.properties), field(will.topic), field(will.payload ?? "")]
      : [],
    userName === undefined ? [] : field(userName),
    password === undefined ? [] : field(password),
  ], frame);
}

/** The fields of PUBLISH. */
export interface PublishFields {
  readonly topic: Text;
  readonly payload?: Text;
  readonly qos?: number;
  readonly dup?: boolean;
  readonly retain?: boolean;
  /** Written if it is given, and by default 1 where the QoS asks for one. */
  readonly packetId?: number;
  readonly properties?: Properties;
}

/** PUBLISH. */
export function publish(version: Version, fields: PublishFields, frame?: Frame): Uint8Array {
  const { qos = 0, packetId = qos > 0 ? 1 : undefined } = fields;
  return packet(0x30 | (fields.dup ? 8 : 0) | qos << 1 | (fields.retain ? 1 : 0), [
    field(fields.topic),
    packetId === undefined ? [] : u16(packetId),
    propertiesOf(version, fields.properties),
    raw(fields.payload ?? ""),
  ], frame);
}

/** The packets that answer a PUBLISH, with their first bytes. */
export const ackHeaders = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 } as const;

/** What an acknowledgement may say in MQTT 5: properties only with a reason. */
export interface AckFields {
  readonly reason?: number;
  readonly properties?: Properties;
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP. */
export function ack(
  type: keyof typeof ackHeaders,
  packetId: number,
  fields: AckFields = {},
  frame?: Frame,
): Uint8Array {
  return packet(ackHeaders[type], [u16(packetId), reasonAndProperties(fields)], frame);
}

function reasonAndProperties({ reason, properties }: AckFields): Part {
  if (reason === undefined) return [];
  return [reason, properties === undefined ? [] : propertiesOf(5, properties)];
}

/** The fields of SUBSCRIBE: filters with their subscription options (in MQTT 3 the QoS). */
export interface SubscribeFields {
  readonly packetId?: number;
  readonly filters: readonly (readonly [filter: Text, options: number])[];
  readonly properties?: Properties;
}

/** SUBSCRIBE. */
export function subscribe(version: Version, fields: SubscribeFields, frame?: Frame): Uint8Array {
  return packet(0x82, [
    u16(fields.packetId ?? 1),
    propertiesOf(version, fields.properties),
    fields.filters.map(([filter, options]) => [field(filter), options]),
  ], frame);
}

/** The fields of UNSUBSCRIBE. */
export interface UnsubscribeFields {
  readonly packetId?: number;
  readonly filters: readonly Text[];
  readonly properties?: Properties;
}

/** UNSUBSCRIBE. */
export function unsubscribe(
  version: Version,
  fields: UnsubscribeFields,
  frame?: Frame,
): Uint8Array {
  return packet(0xa2, [
    u16(fields.packetId ?? 1),
    propertiesOf(version, fields.properties),
    fields.filters.map(field),
  ], frame);
}

/** PINGREQ. */
export function pingreq(frame?: Frame): Uint8Array {
  return packet(0xc0, [], frame);
}

/** DISCONNECT; reason and properties belong to MQTT 5. */
export function disconnect(fields: AckFields = {}, frame?: Frame): Uint8Array {
  return packet(0xe0, reasonAndProperties(fields), frame);
}

/** AUTH. */
export function auth(fields: AckFields = {}, frame?: Frame): Uint8Array {
  return packet(0xf0, reasonAndProperties(fields), frame);
}
