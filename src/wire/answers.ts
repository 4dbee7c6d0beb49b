/** The packets that only a server sends, as bytes. */
import {
  encodeUtf8,
  variableByteIntegerLength,
  writeUint16,
  writeVariableByteInteger,
} from "./bytes.ts";
import { PacketType, type Version } from "./packet_type.ts";
import { Property } from "./properties.ts";

export const PINGRESP = Uint8Array.of(PacketType.Pingresp << 4, 0);

/** What a CONNACK of MQTT 5 says besides its reason; undefined is left out. */
export interface ConnackProperties {
  serverKeepAlive?: number;
  topicAliasMaximum?: number;
  assignedClientIdentifier?: string;
  authenticationMethod?: string;
  authenticationData?: Uint8Array;
  retainAvailable?: boolean;
  maximumPacketSize?: number;
  receiveMaximum?: number;
  maximumQos?: number;
}

/** A CONNACK; in 3.x `reason` is the return code. Properties stand in Mosquitto's order. */
export function connack(
  version: Version,
  sessionPresent: boolean,
  reason: number,
  properties: ConnackProperties = {},
): Uint8Array {
  // MQTT 3.1 has no Session Present: that byte is reserved.
  const flags = sessionPresent && version !== 3 ? 1 : 0;
  if (version !== 5) return Uint8Array.of(PacketType.Connack << 4, 2, flags, reason);
  const list: number[] = [];
  const two = (identifier: number, value: number | undefined) => {
    if (value !== undefined) list.push(identifier, value >> 8, value & 0xff);
  };
  const binary = (identifier: number, value: Uint8Array | undefined) => {
    if (value !== undefined) {
      list.push(identifier, value.length >> 8, value.length & 0xff, ...value);
    }
  };
  const text = (identifier: number, value: string | undefined) =>
    binary(identifier, value === undefined ? undefined : encodeUtf8(value));
  two(Property.ServerKeepAlive, properties.serverKeepAlive);
  two(Property.TopicAliasMaximum, properties.topicAliasMaximum);
  text(Property.AssignedClientIdentifier, properties.assignedClientIdentifier);
  text(Property.AuthenticationMethod, properties.authenticationMethod);
  binary(Property.AuthenticationData, properties.authenticationData);
  if (properties.retainAvailable === false) list.push(Property.RetainAvailable, 0);
  const size = properties.maximumPacketSize;
  if (size !== undefined) {
    list.push(
      Property.MaximumPacketSize,
      size >>> 24,
      size >> 16 & 0xff,
      size >> 8 & 0xff,
      size & 0xff,
    );
  }
  two(Property.ReceiveMaximum, properties.receiveMaximum);
  if (properties.maximumQos !== undefined) list.push(Property.MaximumQos, properties.maximumQos);
  return framed(PacketType.Connack << 4, [flags, reason], list);
}

/** A SUBACK, or an UNSUBACK of MQTT 5. */
export function subscriptionAnswer(
  type: typeof PacketType.Suback | typeof PacketType.Unsuback,
  version: Version,
  packetId: number,
  reasons: readonly number[],
): Uint8Array {
  const mqtt5 = version === 5;
  const answers = type === PacketType.Unsuback && !mqtt5 ? [] : reasons;
  const remaining = 2 + (mqtt5 ? 1 : 0) + answers.length;
  const bytes = new Uint8Array(1 + variableByteIntegerLength(remaining) + remaining);
  bytes[0] = type << 4;
  let at = writeUint16(bytes, writeVariableByteInteger(bytes, 1, remaining), packetId);
  if (mqtt5) bytes[at++] = 0;
  bytes.set(answers, at);
  return bytes;
}

/** A DISCONNECT of MQTT 5. */
export function disconnect(reason: number): Uint8Array {
  return Uint8Array.of(PacketType.Disconnect << 4, 1, reason);
}

function framed(firstByte: number, head: number[], properties: number[]): Uint8Array {
  const remaining = head.length + variableByteIntegerLength(properties.length) + properties.length;
  const bytes = new Uint8Array(1 + variableByteIntegerLength(remaining) + remaining);
  bytes[0] = firstByte;
  let at = writeVariableByteInteger(bytes, 1, remaining);
  bytes.set(head, at);
  at = writeVariableByteInteger(bytes, at + head.length, properties.length);
  bytes.set(properties, at);
  return bytes;
}
