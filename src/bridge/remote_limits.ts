import { OutgoingTopicAliases } from "../session/topic_aliases.ts";
import type { ConnackPacket } from "../wire/connack_packet.ts";
import type { Qos } from "../wire/publish.ts";
import type { BridgeConnection } from "./bridge_connection.ts";

/** What this side keeps to, whatever the remote broker allows. */
export interface OwnLimits {
  /** Messages in flight, unless the remote broker says how many; 0: no limit. */
  readonly inflight: number;
  /** The same while all of them are of QoS 1, where they may be more; null: they may not. */
  readonly qos1Inflight: number | null;
  readonly maxTopicAlias: number;
  /** Messages may go out with RETAIN. */
  readonly retains: boolean;
}

/** Makes a connection keep to what the remote broker says of itself in its CONNACK. */
export function keepToLimits(
  connection: BridgeConnection,
  connack: ConnackPacket,
  own: OwnLimits,
): void {
  const { outbox } = connection;
  connection.sendQuota = connack.receiveMaximum > 0
    ? connack.receiveMaximum
    : own.inflight || 0xffff;
  if (connack.receiveMaximum <= 0) connection.qos1SendQuota = own.qos1Inflight ?? 0;
  outbox.keepsRetain = own.retains && connack.retainAvailable;
  if (connack.maximumPacketSize > 0) {
    outbox.maximumPacketSize = Math.min(outbox.maximumPacketSize, connack.maximumPacketSize);
  }
  const aliases = Math.min(Math.max(0, connack.topicAliasMaximum), own.maxTopicAlias);
  if (aliases > 0) outbox.aliases = new OutgoingTopicAliases(aliases);
  if (connack.serverKeepAliveSeconds >= 0) {
    connection.keepAliveSeconds = connack.serverKeepAliveSeconds;
  }
}

/** The highest QoS that the remote broker takes. */
export function maximumQosOf({ maximumQos }: ConnackPacket): Qos {
  return maximumQos === 0 || maximumQos === 1 ? maximumQos : 2;
}
