import { decodeUtf8, EMPTY, readUint16 } from "./bytes.ts";
import type { Version } from "./packet_type.ts";
import { Place, Properties } from "./properties.ts";
import { malformed, ProtocolError, unanswered } from "./protocol_error.ts";
import { forwardedProperties, Publish, type Qos } from "./publish.ts";
import { Reason } from "./reason.ts";
import { isTopicName, isUtf8String } from "./utf8.ts";

/** A CONNECT whose form is right, in values of its own. */
export interface ConnectPacket {
  readonly version: Version;
  /** The protocol level marked an incoming bridge (0x83, 0x84): its subscriptions are No Local. */
  readonly bridge: boolean;
  /** Empty: the client asks for an assigned one. */
  readonly clientId: string;
  /** Clean Start, Clean Session in 3.x. */
  readonly cleanStart: boolean;
  readonly keepAliveSeconds: number;
  readonly userName: string | undefined;
  readonly password: Uint8Array | undefined;
  readonly will: WillPacket | undefined;
  /** 0 when absent; 0xFFFFFFFF: never. For 3.x what Clean Session means. */
  readonly sessionExpirySeconds: number;
  /** 65,535 when absent. */
  readonly receiveMaximum: number;
  /** 0xFFFFFFFF when absent. */
  readonly maximumPacketSize: number;
  readonly topicAliasMaximum: number;
  readonly requestProblemInformation: boolean;
  readonly requestResponseInformation: boolean;
  readonly authenticationMethod: string | undefined;
  readonly authenticationData: Uint8Array | undefined;
}

/** The Will Message as the CONNECT has it. */
export interface WillPacket {
  readonly message: Publish;
  readonly topicName: string;
  readonly delaySeconds: number;
}

/** The protocol name and level: what has to be known to answer at all. */
export interface ProtocolLevel {
  readonly version: Version;
  readonly bridge: boolean;
  /** Where the Connect Flags stand. */
  readonly flagsAt: number;
}

const BRIDGE_MARK = 0x80;
const properties = new Properties();

/**
 * Reads protocol name and level.
 *
 * @throws {ProtocolError} with reason 0x84 and the version to answer in; not answered for a name
 * that is none of MQTT's [MQTT-3.1.2-1]
 */
export function readProtocolLevel(bytes: Uint8Array, at: number, end: number): ProtocolLevel {
  if (at + 2 > end) throw unanswered("CONNECT without a protocol name");
  const length = readUint16(bytes, at);
  const nameAt = at + 2;
  at = nameAt + length;
  if (at + 2 > end || length !== 4 && length !== 6) throw unanswered("not MQTT's protocol name");
  const name = String.fromCharCode(...bytes.subarray(nameAt, at));
  const level = bytes[at];
  const plain = level & ~BRIDGE_MARK;
  const bridge = (level & BRIDGE_MARK) !== 0;
  if (name === "MQTT") {
    if (plain === 4 || level === 5) {
      return { version: plain as Version, bridge, flagsAt: at + 1 };
    }
    throw new UnsupportedVersion(plain === 3 ? 4 : 5, `protocol level ${level}`);
  }
  if (name === "MQIsdp") {
    if (plain === 3) return { version: 3, bridge, flagsAt: at + 1 };
    throw new UnsupportedVersion(plain === 4 ? 4 : 5, `protocol level ${level} of MQIsdp`);
  }
  throw unanswered("not MQTT's protocol name");
}

/** The protocol level is none we speak; `answerIn` is the form of the CONNACK. */
export class UnsupportedVersion extends ProtocolError {
  constructor(readonly answerIn: Version, message: string) {
    super(Reason.UnsupportedProtocolVersion, `[MQTT-3.1.2-2] ${message}`);
  }
}

/**
 * Reads what stands behind protocol name and level.
 *
 * @throws {ProtocolError} 0x81, 0x82, 0x85 …; `answered` false where Mosquitto closes without a word
 */
export function readConnect(
  bytes: Uint8Array,
  level: ProtocolLevel,
  end: number,
): ConnectPacket {
  const { version } = level;
  let at = level.flagsAt;
  if (at + 3 > end) throw unanswered("CONNECT ends before Keep Alive");
  const flags = bytes[at];
  if ((flags & 1) !== 0 && version !== 3) throw unanswered("[MQTT-3.1.2-3] reserved flag is set");
  const cleanStart = (flags & 2) !== 0;
  const hasWill = (flags & 4) !== 0;
  const willQos = flags >> 3 & 3;
  const willRetain = (flags & 0x20) !== 0;
  const hasPassword = (flags & 0x40) !== 0, hasUserName = (flags & 0x80) !== 0;
  if (willQos === 3) throw unanswered("[MQTT-3.1.2-12] Will QoS 3");
  if (!hasWill && (willQos !== 0 || willRetain)) {
    throw unanswered("[MQTT-3.1.2-11] Will QoS or Will Retain without a Will");
  }
  if (version !== 5 && hasPassword && !hasUserName) {
    throw unanswered("[MQTT-3.1.2-22 v3] Password without User Name");
  }
  const keepAliveSeconds = readUint16(bytes, at + 1);
  at += 3;

  let sessionExpirySeconds = version === 5 || cleanStart ? 0 : 0xffff_ffff;
  let receiveMaximum = 0xffff, maximumPacketSize = 0xffff_ffff, topicAliasMaximum = 0;
  let requestProblemInformation = true, requestResponseInformation = false;
  let authenticationMethod: string | undefined, authenticationData: Uint8Array | undefined;
  if (version === 5) {
    properties.read(bytes, at, end, Place.Connect);
    at = properties.end;
    const p = properties;
    if (p.sessionExpirySeconds >= 0) sessionExpirySeconds = p.sessionExpirySeconds;
    if (p.receiveMaximum >= 0) receiveMaximum = p.receiveMaximum;
    if (p.maximumPacketSize >= 0) maximumPacketSize = p.maximumPacketSize;
    if (p.topicAliasMaximum >= 0) topicAliasMaximum = p.topicAliasMaximum;
    requestProblemInformation = p.requestProblemInformation !== 0;
    requestResponseInformation = p.requestResponseInformation === 1;
    if (p.authenticationMethodStart >= 0) {
      authenticationMethod = decodeUtf8(
        bytes,
        p.authenticationMethodStart,
        p.authenticationMethodEnd,
      );
    }
    if (p.authenticationDataStart >= 0) {
      authenticationData = bytes.slice(p.authenticationDataStart, p.authenticationDataEnd);
    }
  }

  const fields = new Fields(bytes, at, end);
  if (!fields.next()) throw malformed("CONNECT without a Client Identifier");
  if (!isUtf8String(bytes, fields.start, fields.end)) {
    throw new ProtocolError(
      Reason.ClientIdentifierNotValid,
      "[MQTT-3.1.3-4] ill-formed Client Identifier",
    );
  }
  const clientId = decodeUtf8(bytes, fields.start, fields.end);
  const will = hasWill ? readWill(fields, version, willQos as Qos, willRetain) : undefined;
  let userName: string | undefined, password: Uint8Array | undefined;
  // MQTT 3.1 lets a client promise a field and leave it out at the end.
  const mayBeAbsent = version === 3;
  if (hasUserName && !(mayBeAbsent && fields.at === end)) {
    if (!fields.next() || !isUtf8String(bytes, fields.start, fields.end)) {
      throw unanswered("[MQTT-3.1.3-12] User Name is absent or ill-formed");
    }
    userName = decodeUtf8(bytes, fields.start, fields.end);
  }
  if (hasPassword && !(mayBeAbsent && fields.at === end)) {
    if (!fields.next()) throw unanswered("Password is absent");
    password = bytes.slice(fields.start, fields.end);
  }
  if (fields.at !== end) throw malformed("CONNECT has bytes behind its last field");
  return {
    version,
    bridge: level.bridge,
    clientId,
    cleanStart,
    keepAliveSeconds,
    userName,
    password,
    will,
    sessionExpirySeconds,
    receiveMaximum,
    maximumPacketSize,
    topicAliasMaximum,
    requestProblemInformation,
    requestResponseInformation,
    authenticationMethod,
    authenticationData,
  };
}

function readWill(fields: Fields, version: Version, qos: Qos, retain: boolean): WillPacket {
  const { bytes } = fields;
  let delaySeconds = 0, messageExpirySeconds = -1;
  let forwarded: Uint8Array = EMPTY;
  if (version === 5) {
    properties.read(bytes, fields.at, fields.packetEnd, Place.Will);
    fields.at = properties.end;
    delaySeconds = Math.max(0, properties.willDelaySeconds);
    messageExpirySeconds = properties.messageExpirySeconds;
    forwarded = forwardedProperties(bytes, properties);
  }
  if (!fields.next() || !isTopicName(bytes, fields.start, fields.end)) {
    throw malformed("[MQTT-3.1.3-11] Will Topic is absent or not a Topic Name");
  }
  const topicName = decodeUtf8(bytes, fields.start, fields.end);
  if (topicName.startsWith("$CONTROL/")) throw malformed("Will Topic in $CONTROL");
  if (!fields.next()) throw malformed("Will Payload is absent");
  const payload = bytes.subarray(fields.start, fields.end);
  const message = Publish.of({
    payload,
    properties: forwarded,
    qos,
    retain,
    messageExpirySeconds,
  });
  return { message, topicName, delaySeconds };
}

/** Walks over fields with a two-byte length. */
class Fields {
  start = 0;
  end = 0;

  constructor(readonly bytes: Uint8Array, public at: number, readonly packetEnd: number) {}

  /** False: the field does not fit into the packet. */
  next(): boolean {
    const start = this.at + 2;
    if (start > this.packetEnd) return false;
    const end = start + readUint16(this.bytes, this.at);
    if (end > this.packetEnd) return false;
    this.start = start;
    this.end = this.at = end;
    return true;
  }
}
