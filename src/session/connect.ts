import type { ConnackProperties } from "../wire/answers.ts";
import type { ConnectPacket } from "../wire/connect_packet.ts";
import type { ProtocolError } from "../wire/protocol_error.ts";
import { Reason, ReturnCode, returnCodeFor } from "../wire/reason.ts";
import type { ListenerSettings, Settings } from "./ports.ts";

/** Why a CONNECT is refused, in the words of both protocol families. */
export interface Refusal {
  /** CONNACK reason of MQTT 5. */
  readonly reason: number;
  /** CONNACK return code of MQTT 3; undefined: the connection is closed without one. */
  readonly returnCode: number | undefined;
}

/** What is wrong with a well-formed CONNECT on this listener; undefined: nothing. */
export function refusalOf(
  connect: ConnectPacket,
  settings: Settings,
  listener: ListenerSettings,
): Refusal | undefined {
  const { version, will } = connect;
  if (!listener.acceptProtocolVersions.includes(version)) {
    return refusal(Reason.UnsupportedProtocolVersion);
  }
  if (connect.clientId === "") {
    const mayBeAssigned = version === 5 || version === 4 && connect.cleanStart;
    if (!mayBeAssigned) return refusal(Reason.ClientIdentifierNotValid);
    if (!listener.allowZeroLengthClientid) {
      return { reason: Reason.UnspecifiedError, returnCode: ReturnCode.IdentifierRejected };
    }
  }
  const { maxKeepalive } = settings;
  if (version !== 5 && maxKeepalive > 0 && exceeds(connect.keepAliveSeconds, maxKeepalive)) {
    return { reason: Reason.ProtocolError, returnCode: ReturnCode.IdentifierRejected };
  }
  if (will !== undefined) {
    const { message } = will;
    if (message.retain && !settings.retainAvailable) return refusal(Reason.RetainNotSupported);
    if (message.qos > listener.maxQos) return refusal(Reason.QosNotSupported);
    const limit = settings.messageSizeLimit;
    if (limit > 0 && message.payloadLength > limit) return refusal(Reason.PacketTooLarge);
  }
  if (connect.authenticationMethod !== undefined) {
    return refusal(Reason.BadAuthenticationMethod);
  }
  return undefined;
}

export function refusal(reason: number): Refusal {
  return { reason, returnCode: returnCodeFor(reason) };
}

/** A parse error as the answer to a CONNECT. */
export function refusalFor(error: ProtocolError): Refusal {
  const { reason } = error;
  const named = reason === Reason.UnsupportedProtocolVersion;
  return { reason, returnCode: named ? ReturnCode.UnacceptableProtocolVersion : undefined };
}

/** The keep alive in force, in seconds; 0: none [MQTT-3.2.2-21]. */
export function effectiveKeepAlive(connect: ConnectPacket, settings: Settings): number {
  const { maxKeepalive } = settings;
  return maxKeepalive > 0 && exceeds(connect.keepAliveSeconds, maxKeepalive)
    ? maxKeepalive
    : connect.keepAliveSeconds;
}

/** What the accepting CONNACK of MQTT 5 says. */
export function connackProperties(
  connect: ConnectPacket,
  clientId: string,
  settings: Settings,
  listener: ListenerSettings,
): ConnackProperties {
  const keepAlive = effectiveKeepAlive(connect, settings);
  const inflight = settings.maxInflightMessages;
  return {
    serverKeepAlive: keepAlive === connect.keepAliveSeconds ? undefined : keepAlive,
    topicAliasMaximum: listener.maxTopicAlias > 0 ? listener.maxTopicAlias : undefined,
    assignedClientIdentifier: connect.clientId === "" ? clientId : undefined,
    retainAvailable: settings.retainAvailable,
    maximumPacketSize: settings.maxPacketSize > 0 ? settings.maxPacketSize : undefined,
    receiveMaximum: inflight > 0 && inflight < 0xffff ? inflight : undefined,
    maximumQos: listener.maxQos < 2 ? listener.maxQos : undefined,
  };
}

/** 0 stands for no keep alive at all, so it exceeds every maximum. */
function exceeds(keepAliveSeconds: number, maximum: number): boolean {
  return keepAliveSeconds === 0 || keepAliveSeconds > maximum;
}
