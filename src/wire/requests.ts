/** The packets that only a client sends, as bytes. */
import {
  encodeUtf8,
  variableByteIntegerLength,
  writeUint16,
  writeVariableByteInteger,
} from "./bytes.ts";
import { PacketType, type Version } from "./packet_type.ts";
import { Property } from "./properties.ts";
import type { Qos } from "./publish.ts";

export const PINGREQ = Uint8Array.of(PacketType.Pingreq << 4, 0);
/** Normal disconnection, the same in all versions. */
export const GOODBYE = Uint8Array.of(PacketType.Disconnect << 4, 0);

/** The bit of the protocol level by which a bridge makes itself known; Mosquitto's extension of 3.x. */
const BRIDGE_MARK = 0x80;

/** What a CONNECT says. */
export interface ConnectRequest {
  readonly version: Version;
  /** Sets the mark of a bridge; only in 3.x. */
  readonly marksBridge: boolean;
  readonly clientId: string;
  readonly cleanStart: boolean;
  readonly keepAliveSeconds: number;
  readonly will:
    | { readonly topic: string; readonly payload: string; readonly qos: Qos; retain: boolean }
    | undefined;
  readonly userName: string | undefined;
  readonly password: string | undefined;
  /** Properties of MQTT 5; 0: not sent. */
  readonly topicAliasMaximum: number;
  readonly receiveMaximum: number;
  readonly sessionExpirySeconds: number;
}

/** A CONNECT. Properties stand in Mosquitto's order. @throws {RangeError} a text over 65,535 bytes */
export function connectRequest(connect: ConnectRequest): Uint8Array {
  const { version, will, userName, password } = connect;
  const level = version | (connect.marksBridge && version !== 5 ? BRIDGE_MARK : 0);
  const flags = (connect.cleanStart ? 0x02 : 0) |
    (will === undefined ? 0 : 0x04 | will.qos << 3 | (will.retain ? 0x20 : 0)) |
    (password === undefined ? 0 : 0x40) | (userName === undefined ? 0 : 0x80);
  const body = [
    ...text(version === 3 ? "MQIsdp" : "MQTT"),
    level,
    flags,
    ...two(connect.keepAliveSeconds),
  ];
  if (version === 5) {
    const list: number[] = [];
    if (connect.topicAliasMaximum > 0) {
      list.push(Property.TopicAliasMaximum, ...two(connect.topicAliasMaximum));
    }
    if (connect.receiveMaximum > 0) {
      list.push(Property.ReceiveMaximum, ...two(connect.receiveMaximum));
    }
    const expiry = connect.sessionExpirySeconds;
    if (expiry > 0) {
      list.push(Property.SessionExpiryInterval, ...two(expiry >>> 16), ...two(expiry & 0xffff));
    }
    body.push(list.length, ...list);
  }
  body.push(...text(connect.clientId));
  if (will !== undefined) {
    if (version === 5) body.push(0);
    body.push(...text(will.topic), ...text(will.payload));
  }
  if (userName !== undefined) body.push(...text(userName));
  if (password !== undefined) body.push(...text(password));
  return framed(PacketType.Connect << 4, body);
}

/** A SUBSCRIBE for one Topic Filter; `options` are those of MQTT 5, of which 3.x has the QoS alone. */
export function subscribeRequest(
  version: Version,
  packetId: number,
  filter: string,
  options: { qos: Qos; noLocal: boolean; retainAsPublished: boolean },
): Uint8Array {
  const mqtt5 = version === 5;
  const bits = !mqtt5
    ? options.qos
    : options.qos | (options.noLocal ? 4 : 0) | (options.retainAsPublished ? 8 : 0);
  const head = mqtt5 ? [...two(packetId), 0] : two(packetId);
  return framed(PacketType.Subscribe << 4 | 2, [...head, ...text(filter), bits]);
}

/** An UNSUBSCRIBE for one Topic Filter. */
export function unsubscribeRequest(
  version: Version,
  packetId: number,
  filter: string,
): Uint8Array {
  const head = version === 5 ? [...two(packetId), 0] : two(packetId);
  return framed(PacketType.Unsubscribe << 4 | 2, [...head, ...text(filter)]);
}

function two(value: number): [number, number] {
  return [value >> 8 & 0xff, value & 0xff];
}

function text(value: string): number[] {
  const bytes = encodeUtf8(value);
  if (bytes.length > 0xffff) throw new RangeError("a string holds at most 65,535 bytes");
  const field = new Uint8Array(2 + bytes.length);
  field.set(bytes, writeUint16(field, 0, bytes.length));
  return [...field];
}

function framed(firstByte: number, body: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(1 + variableByteIntegerLength(body.length) + body.length);
  bytes[0] = firstByte;
  bytes.set(body, writeVariableByteInteger(bytes, 1, body.length));
  return bytes;
}
