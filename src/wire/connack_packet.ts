/** The packets that only a server sends, as a client reads them. */
import { decodeUtf8, readUint16, readUint32 } from "./bytes.ts";
import type { Version } from "./packet_type.ts";
import { Property } from "./properties.ts";
import { malformed } from "./protocol_error.ts";
import { Reason } from "./reason.ts";

/** What a server says of itself and of the connection. */
export interface ConnackPacket {
  /** The form it came in: a server that does not know MQTT 5 answers in that of 3.x. */
  readonly isMqtt5: boolean;
  readonly sessionPresent: boolean;
  /** A Reason Code of MQTT 5, or a return code of 3.x. */
  readonly reason: number;
  /** −1: absent, and so with all numbers below. */
  readonly serverKeepAliveSeconds: number;
  readonly receiveMaximum: number;
  readonly maximumPacketSize: number;
  readonly topicAliasMaximum: number;
  readonly maximumQos: number;
  readonly retainAvailable: boolean;
  /** Empty: none. */
  readonly reasonString: string;
}

type Value = number | string;

/** Reads the CONNACK that answers a CONNECT of this version. @throws {ProtocolError} */
export function readConnack(
  bytes: Uint8Array,
  at: number,
  end: number,
  version: Version,
): ConnackPacket {
  if (end - at < 2) throw malformed("CONNACK is too short");
  const isMqtt5 = version === 5 && end - at > 2;
  const found = isMqtt5 ? readProperties(bytes, at + 2, end) : new Map<number, Value>();
  const number = (identifier: number) => found.get(identifier) as number | undefined ?? -1;
  return {
    isMqtt5,
    sessionPresent: (bytes[at] & 1) !== 0,
    reason: bytes[at + 1],
    serverKeepAliveSeconds: number(Property.ServerKeepAlive),
    receiveMaximum: number(Property.ReceiveMaximum),
    maximumPacketSize: number(Property.MaximumPacketSize),
    topicAliasMaximum: number(Property.TopicAliasMaximum),
    maximumQos: number(Property.MaximumQos),
    retainAvailable: number(Property.RetainAvailable) !== 0,
    reasonString: found.get(Property.ReasonString) as string | undefined ?? "",
  };
}

/** A SUBACK or UNSUBACK. The latter has no reasons in 3.x. */
export interface SubscriptionAnswer {
  readonly packetId: number;
  readonly reasons: readonly number[];
}

/** @throws {ProtocolError} */
export function readSubscriptionAnswer(
  bytes: Uint8Array,
  at: number,
  end: number,
  version: Version,
): SubscriptionAnswer {
  if (end - at < 2) throw malformed("SUBACK or UNSUBACK is too short");
  const reasonsAt = version === 5 ? propertiesEnd(bytes, at + 2, end) : at + 2;
  return { packetId: readUint16(bytes, at), reasons: [...bytes.subarray(reasonsAt, end)] };
}

/** The reason of a server's DISCONNECT, which there is in MQTT 5 only. @throws {ProtocolError} */
export function readServerDisconnect(
  bytes: Uint8Array,
  at: number,
  end: number,
): { reason: number; reasonString: string } {
  if (at === end) return { reason: Reason.Success, reasonString: "" };
  const found = at + 1 < end ? readProperties(bytes, at + 1, end) : new Map<number, Value>();
  const reasonString = found.get(Property.ReasonString) as string | undefined ?? "";
  return { reason: bytes[at], reasonString };
}

/** How many bytes the values of numbers take. All other properties are strings, pairs or binary data. */
const SIZES = new Map<number, number>([
  [Property.SessionExpiryInterval, 4],
  [Property.ServerKeepAlive, 2],
  [Property.ReceiveMaximum, 2],
  [Property.TopicAliasMaximum, 2],
  [Property.MaximumQos, 1],
  [Property.RetainAvailable, 1],
  [Property.MaximumPacketSize, 4],
  [Property.WildcardSubscriptionAvailable, 1],
  [Property.SubscriptionIdentifierAvailable, 1],
  [Property.SharedSubscriptionAvailable, 1],
]);
const TEXTS = new Set<number>([
  Property.AssignedClientIdentifier,
  Property.AuthenticationMethod,
  Property.AuthenticationData,
  Property.ResponseInformation,
  Property.ServerReference,
  Property.ReasonString,
]);

/** Numbers and texts by their identifiers; User Properties are passed over. */
function readProperties(bytes: Uint8Array, at: number, packetEnd: number): Map<number, Value> {
  const found = new Map<number, Value>();
  const end = propertiesEnd(bytes, at, packetEnd);
  const text = () => {
    const start = at + 2;
    if (start > end || start + readUint16(bytes, at) > end) throw malformed("property is cut off");
    at = start + readUint16(bytes, at);
    return decodeUtf8(bytes, start, at);
  };
  at = propertiesStart(bytes, at);
  while (at < end) {
    const identifier = bytes[at++];
    const size = SIZES.get(identifier);
    if (size !== undefined) {
      if (at + size > end) throw malformed("property is cut off");
      const value = size === 1
        ? bytes[at]
        : size === 2
        ? readUint16(bytes, at)
        : readUint32(bytes, at);
      found.set(identifier, value);
      at += size;
    } else if (identifier === Property.UserProperty) {
      text();
      text();
    } else if (TEXTS.has(identifier)) found.set(identifier, text());
    else throw malformed(`unknown property 0x${identifier.toString(16)}`);
  }
  return found;
}

/** Where the properties begin whose length stands at `at`. */
function propertiesStart(bytes: Uint8Array, at: number): number {
  while (bytes[at++] >= 0x80);
  return at;
}

function propertiesEnd(bytes: Uint8Array, at: number, packetEnd: number): number {
  let length = 0;
  for (let shift = 0; shift <= 21; shift += 7) {
    if (at >= packetEnd) break;
    const byte = bytes[at++];
    length |= (byte & 0x7f) << shift;
    if (byte >= 0x80) continue;
    if (at + length > packetEnd) break;
    return at + length;
  }
  throw malformed("Property Length is cut off or too long");
}
