import { printable } from "../log.ts";
import { Acknowledgement, readDisconnect } from "../wire/acknowledgement.ts";
import { disconnect, PINGRESP } from "../wire/answers.ts";
import { UnsupportedVersion } from "../wire/connect_packet.ts";
import { Frame } from "../wire/frame_reader.ts";
import { PacketType } from "../wire/packet_type.ts";
import {
  malformed,
  type ProtocolError,
  protocolError,
  unanswered,
} from "../wire/protocol_error.ts";
import { Reason, reasonText } from "../wire/reason.ts";
import { readSubscribe, readUnsubscribe } from "../wire/subscribe_packet.ts";
import { refusalFor } from "./connect.ts";
import { receiveConnect, refuseConnect } from "./connecting.ts";
import { Connection } from "./connection.ts";
import { receivePublish, receivePubrel } from "./publishing.ts";
import { receiveSubscribe, receiveUnsubscribe } from "./subscribing.ts";

const acknowledgement = new Acknowledgement();

/** A connection that a client has opened: what its packets mean, from CONNECT to the end. */
export class ClientConnection extends Connection {
  /**
   * Looks at the time: without a CONNECT in time, or without a packet for one and a half times Keep
   * Alive [MQTT-3.1.2-22], the connection ends. Returns when to look again.
   */
  override due(nowMs: number): number {
    if (this.isOpening) {
      this.close({ sendWill: false });
      return Infinity;
    }
    if (this.keepAliveMs === 0) return Infinity;
    // Whoever is not read cannot be told from the silent; its time begins anew when it is.
    if (this.isSuspended || this.waitsForReceiver || this.waitsForQueue) {
      return nowMs + this.keepAliveMs * 1.5;
    }
    const dueAtMs = this.lastPacketAtMs + this.keepAliveMs * 1.5;
    if (nowMs < dueAtMs) return dueAtMs;
    this.disconnect(Reason.KeepAliveTimeout);
    return Infinity;
  }

  /** Ends the connection with a DISCONNECT where MQTT 5 allows one. */
  override disconnect(reason: number, options: { sendWill?: boolean; text?: string } = {}): void {
    if (this.isConnected && this.version === 5) {
      this.outbox.packet(disconnect(reason));
    }
    this.close({ sendWill: options.sendWill ?? true, text: options.text ?? reasonText(reason) });
  }

  protected override handle() {
    const { firstByte } = this.host.reader;
    const type = firstByte >> 4;
    if (type === PacketType.Publish) return receivePublish(this.host, this);
    this.host.counters.packetsReceived[type]++;
    if (this.isOpening) return receiveConnect(this.host, this);
    const log = this.packetLog;
    const { bytes, bodyStart, end } = this.host.reader;
    this.#checkFlags(type, firstByte & 0x0f);
    switch (type) {
      case PacketType.Puback:
        this.#readAcknowledgement(type);
        return this.session!.outbound.puback(acknowledgement.packetId);
      case PacketType.Pubrec:
        this.#readAcknowledgement(type);
        return this.session!.outbound.pubrec(acknowledgement.packetId, acknowledgement.reason);
      case PacketType.Pubrel:
        this.#readAcknowledgement(type);
        return receivePubrel(this.host, this, acknowledgement.packetId);
      case PacketType.Pubcomp:
        this.#readAcknowledgement(type);
        return this.session!.outbound.pubcomp(acknowledgement.packetId);
      case PacketType.Subscribe: {
        const packet = readSubscribe(bytes, bodyStart, end, this.version);
        log?.receivedFilters(
          type,
          packet.subscriptions.map(({ filter, qos }) => `${printable(filter)} (QoS ${qos})`),
        );
        return receiveSubscribe(this.host, this, packet);
      }
      case PacketType.Unsubscribe: {
        const packet = readUnsubscribe(bytes, bodyStart, end, this.version);
        log?.receivedFilters(type, packet.filters.map((filter) => printable(filter)));
        return receiveUnsubscribe(this.host, this, packet);
      }
      case PacketType.Pingreq:
        log?.received(type);
        if (bodyStart !== end) throw unanswered("PINGREQ with a body");
        return this.outbox.packet(PINGRESP);
      case PacketType.Disconnect:
        log?.received(type);
        return this.#disconnected(bytes, bodyStart, end);
      case PacketType.Pingresp:
        if (bodyStart !== end) throw unanswered("PINGRESP with a body");
        throw protocolError("PINGRESP from a client");
      default:
        // CONNACK, SUBACK, UNSUBACK; and AUTH, as no authentication method is in use [MQTT-4.12.0-6]
        throw protocolError(`packet type ${type} from a client`);
    }
  }

  #readAcknowledgement(type: number) {
    const { bytes, bodyStart, end } = this.host.reader;
    acknowledgement.read(type, bytes, bodyStart, end, this.version);
    this.packetLog?.receivedAcknowledgement(
      type,
      acknowledgement.packetId,
      acknowledgement.reason,
    );
  }

  /** [MQTT-2.1.3-1]; MQTT 3.1 does not say it. */
  #checkFlags(type: number, flags: number) {
    if (this.version === 3) return;
    const withTwo = type === PacketType.Pubrel || type === PacketType.Subscribe ||
      type === PacketType.Unsubscribe;
    if (flags === (withTwo ? 2 : 0)) return;
    const text = `[MQTT-2.1.3-1] flags ${flags} of packet type ${type}`;
    const asProtocolError = type === PacketType.Pubrel || type === PacketType.Disconnect ||
      type === PacketType.Auth || type === PacketType.Connack;
    throw asProtocolError ? protocolError(text) : malformed(text);
  }

  protected override refused(frame: number) {
    this.host.counters.protocolErrors++;
    const type = this.host.reader.firstByte >> 4;
    if (!this.isConnected || frame === Frame.Malformed || type === PacketType.Connect) {
      return this.close({ sendWill: true, text: "protocol error" });
    }
    this.disconnect(type === 0 ? Reason.ProtocolError : Reason.PacketTooLarge);
  }

  protected override failed(error: ProtocolError) {
    this.host.counters.protocolErrors++;
    if (this.packetLog !== null) {
      this.host.log("debug", `${this.name} [${this.link.remoteAddress}]: ${error.message}`);
    }
    if (this.isOpening) {
      if (!error.answered) return this.close({ sendWill: false });
      if (error instanceof UnsupportedVersion) this.version = error.answerIn;
      return refuseConnect(this.host, this, refusalFor(error));
    }
    if (error.answered) this.disconnect(error.reason);
    else this.close({ sendWill: true, text: reasonText(error.reason) });
  }

  #disconnected(bytes: Uint8Array, bodyStart: number, end: number) {
    const packet = readDisconnect(bytes, bodyStart, end, this.version);
    const session = this.session!;
    if (packet.sessionExpirySeconds >= 0) {
      if (session.sessionExpirySeconds === 0 && packet.sessionExpirySeconds > 0) {
        throw protocolError("[MQTT-3.14.2-2] Session Expiry Interval raised from 0");
      }
      session.sessionExpirySeconds = packet.sessionExpirySeconds;
      this.host.lastingChanged(session);
    }
    const sendWill = this.version === 5 && packet.reason !== Reason.Success;
    this.close({ sendWill });
  }

  protected override logEnding(text: string | undefined): void {
    const ending = text === undefined ? "disconnected." : `disconnected: ${text}.`;
    const line = `Client ${this.name} [${this.link.remoteAddress}] ${ending}`;
    this.host.log("notice", line, this.logDetails("disconnected"));
  }
}
