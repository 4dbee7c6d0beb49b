import { printable } from "../log.ts";
import type { ConnackPacket } from "../wire/connack_packet.ts";
import { Reason, reasonText } from "../wire/reason.ts";

/** The return codes of MQTT 3, in Mosquitto's words. */
const RETURN_CODES = [
  "",
  "unacceptable protocol version",
  "identifier rejected",
  "broker unavailable",
  "bad user name or password",
  "not authorised",
];

/** Reasons that a CONNACK may have and the broker itself has no words for. */
const REASONS: Record<number, string> = {
  [Reason.UnspecifiedError]: "unspecified error",
  [Reason.ImplementationSpecificError]: "implementation specific error",
  [Reason.UnsupportedProtocolVersion]: "unsupported protocol version",
  [Reason.ClientIdentifierNotValid]: "client identifier not valid",
  [Reason.BadUserNameOrPassword]: "bad user name or password",
  [Reason.ServerUnavailable]: "server unavailable",
  [Reason.Banned]: "banned",
  [Reason.TopicNameInvalid]: "topic name invalid",
  [Reason.UseAnotherServer]: "use another server",
  [Reason.ServerMoved]: "server moved",
  [Reason.ConnectionRateExceeded]: "connection rate exceeded",
};

/** Why a remote broker has refused a CONNECT. */
export function refusalText({ isMqtt5, reason, reasonString }: ConnackPacket): string {
  if (!isMqtt5) return RETURN_CODES[reason] ?? "unknown reason";
  const text = REASONS[reason] ?? reasonText(reason);
  return reasonString === "" ? text : `${text} (${printable(reasonString)})`;
}
