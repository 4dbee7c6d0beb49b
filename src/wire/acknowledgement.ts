import { readUint16 } from "./bytes.ts";
import { PacketType, type Version } from "./packet_type.ts";
import { Place, Properties } from "./properties.ts";
import { malformed, protocolError } from "./protocol_error.ts";
import { Reason } from "./reason.ts";

/** Reasons of PUBACK and PUBREC, section 3.4.2.1; of PUBREL and PUBCOMP, section 3.6.2.1. */
const PUBLISH_REASONS = new Set<number>([
  Reason.Success,
  Reason.NoMatchingSubscribers,
  Reason.UnspecifiedError,
  Reason.ImplementationSpecificError,
  Reason.NotAuthorized,
  Reason.TopicNameInvalid,
  Reason.PacketIdentifierInUse,
  Reason.QuotaExceeded,
  Reason.PayloadFormatInvalid,
]);
const RELEASE_REASONS = new Set<number>([Reason.Success, Reason.PacketIdentifierNotFound]);

const properties = new Properties();

/** A PUBACK, PUBREC, PUBREL or PUBCOMP. One object is read into again and again. */
export class Acknowledgement {
  packetId = 0;
  /** Success in MQTT 3. */
  reason = 0;

  /** @throws {ProtocolError} 0x81 for a wrong length, 0x82 for Packet Identifier 0 or a wrong reason */
  read(type: number, bytes: Uint8Array, at: number, end: number, version: Version): void {
    const length = end - at;
    if (length < 2 || version !== 5 && length !== 2) throw malformed("acknowledgement's length");
    this.packetId = readUint16(bytes, at);
    this.reason = Reason.Success;
    if (this.packetId === 0) throw protocolError("[MQTT-2.2.1-3] Packet Identifier 0");
    if (length === 2) return;
    this.reason = bytes[at + 2];
    const allowed = type === PacketType.Puback || type === PacketType.Pubrec
      ? PUBLISH_REASONS
      : RELEASE_REASONS;
    if (!allowed.has(this.reason)) {
      throw protocolError(
        `[MQTT-3.4.2-1] reason 0x${this.reason.toString(16)} does not exist here`,
      );
    }
    if (length === 3) return;
    properties.read(bytes, at + 3, end, Place.Acknowledgement);
    if (properties.end !== end) throw malformed("bytes behind the properties");
  }
}

/** What a client's DISCONNECT says. */
export interface DisconnectPacket {
  readonly reason: number;
  /** −1: absent. */
  readonly sessionExpirySeconds: number;
}

/** @throws {ProtocolError} */
export function readDisconnect(
  bytes: Uint8Array,
  at: number,
  end: number,
  version: Version,
): DisconnectPacket {
  if (version !== 5) {
    if (at !== end) throw malformed("DISCONNECT with a body");
    return { reason: Reason.Success, sessionExpirySeconds: -1 };
  }
  if (at === end) return { reason: Reason.Success, sessionExpirySeconds: -1 };
  const reason = bytes[at];
  if (at + 1 === end) return { reason, sessionExpirySeconds: -1 };
  properties.read(bytes, at + 1, end, Place.Disconnect);
  if (properties.end !== end) throw malformed("bytes behind the properties");
  return { reason, sessionExpirySeconds: properties.sessionExpirySeconds };
}
