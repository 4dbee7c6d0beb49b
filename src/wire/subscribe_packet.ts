import { decodeUtf8, readUint16 } from "./bytes.ts";
import type { Version } from "./packet_type.ts";
import { Place, Properties } from "./properties.ts";
import { malformed } from "./protocol_error.ts";
import type { Qos } from "./publish.ts";
import { isTopicFilter, isUtf8String } from "./utf8.ts";

/** Subscription Options, section 3.8.3.1. */
export interface SubscriptionRequest {
  /** The Topic Filter, as it was given: also that of a Shared Subscription. */
  readonly filter: string;
  /** The Maximum QoS asked for. */
  readonly qos: Qos;
  /** What the client publishes itself does not come back to it. */
  readonly noLocal: boolean;
  /** Messages keep the RETAIN flag with which they were published. */
  readonly retainAsPublished: boolean;
  /** 0: send retained messages; 1: only if the subscription is new; 2: never. */
  readonly retainHandling: 0 | 1 | 2;
}

export interface SubscribePacket {
  readonly packetId: number;
  /** 0: none was given. */
  readonly identifier: number;
  readonly subscriptions: readonly SubscriptionRequest[];
}

export interface UnsubscribePacket {
  readonly packetId: number;
  readonly filters: readonly string[];
}

const properties = new Properties();

/** @throws {ProtocolError} 0x81 for whatever is wrong with it, but for a property's value (0x82) */
export function readSubscribe(
  bytes: Uint8Array,
  at: number,
  end: number,
  version: Version,
): SubscribePacket {
  const packetId = readPacketId(bytes, at, end);
  at += 2;
  let identifier = 0;
  if (version === 5) {
    properties.read(bytes, at, end, Place.Subscribe);
    identifier = Math.max(0, properties.subscriptionIdentifier);
    at = properties.end;
  }
  if (at === end) throw malformed("[MQTT-3.8.3-2] SUBSCRIBE without a Topic Filter");
  const subscriptions: SubscriptionRequest[] = [];
  while (at < end) {
    const filterEnd = filterEndAt(bytes, at, end);
    const filter = readFilter(bytes, at + 2, filterEnd);
    if (filterEnd >= end) throw malformed("SUBSCRIBE without Subscription Options");
    const options = bytes[filterEnd];
    const qos = options & 3, retainHandling = options >> 4 & 3;
    if (version === 5) {
      if ((options & 0xc0) !== 0) throw malformed("[MQTT-3.8.3-5] reserved option bits are set");
      if (retainHandling === 3) throw malformed("Retain Handling 3");
    } else if ((options & 0xfc) !== 0 && version === 4) {
      throw malformed("[MQTT-3.8.3-4 v3] reserved bits of the requested QoS are set");
    }
    if (qos === 3) throw malformed("QoS 3 requested");
    const mqtt5 = version === 5;
    subscriptions.push({
      filter,
      qos: qos as Qos,
      noLocal: mqtt5 && (options & 4) !== 0,
      retainAsPublished: mqtt5 && (options & 8) !== 0,
      retainHandling: mqtt5 ? retainHandling as 0 | 1 | 2 : 0,
    });
    at = filterEnd + 1;
  }
  return { packetId, identifier, subscriptions };
}

/** @throws {ProtocolError} 0x81 */
export function readUnsubscribe(
  bytes: Uint8Array,
  at: number,
  end: number,
  version: Version,
): UnsubscribePacket {
  const packetId = readPacketId(bytes, at, end);
  at += 2;
  if (version === 5) {
    properties.read(bytes, at, end, Place.Unsubscribe);
    at = properties.end;
  }
  if (at === end) throw malformed("[MQTT-3.10.3-2] UNSUBSCRIBE without a Topic Filter");
  const filters: string[] = [];
  while (at < end) {
    const filterEnd = filterEndAt(bytes, at, end);
    filters.push(readFilter(bytes, at + 2, filterEnd));
    at = filterEnd;
  }
  return { packetId, filters };
}

function readPacketId(bytes: Uint8Array, at: number, end: number): number {
  if (at + 2 > end) throw malformed("no Packet Identifier");
  const packetId = readUint16(bytes, at);
  if (packetId === 0) throw malformed("[MQTT-2.2.1-3] Packet Identifier 0");
  return packetId;
}

function filterEndAt(bytes: Uint8Array, at: number, end: number): number {
  const filterEnd = at + 2 > end ? end + 1 : at + 2 + readUint16(bytes, at);
  if (filterEnd > end) throw malformed("Topic Filter passes the end of the packet");
  return filterEnd;
}

function readFilter(bytes: Uint8Array, start: number, end: number): string {
  if (!isUtf8String(bytes, start, end)) {
    throw malformed("[MQTT-3.8.3-1] ill-formed UTF-8 in a Topic Filter");
  }
  const filter = decodeUtf8(bytes, start, end);
  if (!isTopicFilter(filter)) throw malformed("[MQTT-4.7.1-1] wildcard out of place or too deep");
  return filter;
}
