import type { Broker } from "../broker/broker.ts";
import { printable } from "../log.ts";
import { Connection, type FrameLimits } from "../session/connection.ts";
import type { Link, ListenerSettings } from "../session/ports.ts";
import { readPublish, receivePubrel, takePublish } from "../session/publishing.ts";
import { Acknowledgement } from "../wire/acknowledgement.ts";
import { disconnect } from "../wire/answers.ts";
import {
  type ConnackPacket,
  readConnack,
  readServerDisconnect,
  readSubscriptionAnswer,
} from "../wire/connack_packet.ts";
import { PacketType, type Version } from "../wire/packet_type.ts";
import { malformed, type ProtocolError, protocolError } from "../wire/protocol_error.ts";
import { Reason, reasonText } from "../wire/reason.ts";
import { GOODBYE, PINGREQ } from "../wire/requests.ts";
import type { BridgeNames } from "./bridge_names.ts";
import { BridgeOutbox } from "./bridge_outbox.ts";
import type { BridgeReport } from "./bridge_report.ts";

/** Whoever the connection belongs to. */
export interface BridgeOwner {
  readonly report: BridgeReport;
  /** The remote broker has answered the CONNECT. */
  answered(connection: BridgeConnection, connack: ConnackPacket): void;
  /** A SUBACK has come. */
  subscribed(packetId: number, reasons: readonly number[]): void;
  /** The connection is over; without a text it was ended from here. */
  ended(connection: BridgeConnection, text: string | undefined): void;
}

/** What a connection is told at its beginning. */
export interface BridgeConnectionOptions {
  readonly version: Version;
  readonly keepAliveSeconds: number;
  /** Bytes; 0: no limit. */
  readonly maxPacketSize: number;
  readonly maxTopicAlias: number;
  /** Null: the topics have the same names at the remote broker. */
  readonly names: BridgeNames | null;
}

/** Whole packets that a server may send: before the CONNACK only that. */
const CONTROL_MAXIMUM = 100_000, ANY = 0xffff_ffff;
const LIMITS: FrameLimits = {
  before: limits([[PacketType.Connack, CONTROL_MAXIMUM]]),
  after: limits([
    [PacketType.Publish, ANY],
    [PacketType.Puback, CONTROL_MAXIMUM],
    [PacketType.Pubrec, CONTROL_MAXIMUM],
    [PacketType.Pubrel, CONTROL_MAXIMUM],
    [PacketType.Pubcomp, CONTROL_MAXIMUM],
    [PacketType.Suback, CONTROL_MAXIMUM],
    [PacketType.Unsuback, CONTROL_MAXIMUM],
    [PacketType.Pingresp, 2],
    [PacketType.Disconnect, CONTROL_MAXIMUM],
  ]),
};

const acknowledgement = new Acknowledgement();

/** A connection in the client's role: its peer is a remote broker, its session that of a bridge. */
export class BridgeConnection extends Connection {
  declare readonly outbox: BridgeOutbox;
  /** Messages that came. */
  received = 0;
  /** Seconds; the remote broker may ask for less. */
  keepAliveSeconds: number;
  readonly #owner: BridgeOwner;
  #lastSentAtMs: number;
  #awaitsPong = false;

  constructor(broker: Broker, link: Link, owner: BridgeOwner, options: BridgeConnectionOptions) {
    const outbox = new BridgeOutbox(
      broker,
      options.names,
      (topic) => owner.report.messageTooLarge(topic),
    );
    super(broker, link, listenerFor(options), LIMITS, outbox);
    this.#owner = owner;
    this.version = outbox.version = options.version;
    this.mapping = options.names;
    if (options.maxPacketSize > 0) outbox.maximumPacketSize = options.maxPacketSize;
    this.keepAliveSeconds = options.keepAliveSeconds;
    this.#lastSentAtMs = broker.nowMs;
    outbox.sink = {
      flush: () => {
        this.#lastSentAtMs = broker.nowMs;
        link.flush();
      },
    };
  }

  override get name(): string {
    return printable(this.session?.clientId ?? this.#owner.report.name);
  }

  override peerEnded(text = "closed by the remote broker"): void {
    this.close({ sendWill: false, text });
  }

  /** A PINGREQ is due, or its answer overdue. Returns when to look again. */
  override due(nowMs: number): number {
    if (!this.isConnected || this.keepAliveSeconds === 0) return Infinity;
    const keepAliveMs = this.keepAliveSeconds * 1000;
    if (this.waitsForReceiver || this.waitsForItself) {
      // Whoever is not read cannot be told from the silent. To the remote broker we are not silent.
      if (nowMs >= this.#lastSentAtMs + keepAliveMs) this.outbox.packet(PINGREQ);
      return nowMs + keepAliveMs / 2;
    }
    if (this.#awaitsPong) {
      const overdueAtMs = this.lastPacketAtMs + keepAliveMs * 1.5;
      if (nowMs < overdueAtMs) return overdueAtMs;
      this.close({ sendWill: false, text: reasonText(Reason.KeepAliveTimeout) });
      return Infinity;
    }
    const dueAtMs = Math.min(this.#lastSentAtMs, this.lastPacketAtMs) + keepAliveMs;
    if (nowMs < dueAtMs) return dueAtMs;
    this.#awaitsPong = true;
    this.lastPacketAtMs = Math.max(this.lastPacketAtMs, nowMs - keepAliveMs);
    this.outbox.packet(PINGREQ);
    return nowMs + keepAliveMs / 2;
  }

  override disconnect(reason: number, options: { text?: string } = {}): void {
    if (this.isConnected && this.version === 5) this.outbox.packet(disconnect(reason));
    this.close({ sendWill: false, text: options.text ?? reasonText(reason) });
  }

  /** Ends the connection in order: the remote broker publishes no Will. */
  leave(): void {
    if (this.isConnected) this.outbox.packet(GOODBYE);
    this.close({ sendWill: false });
  }

  override close(options: { sendWill: boolean; text?: string }): void {
    if (this.isClosed) return;
    super.close(options);
    this.#owner.ended(this, options.text);
  }

  /** A client has no word for messages that nobody here subscribed to. */
  override acknowledge(type: number, packetId: number, reason: number, kept = false): void {
    const told = reason === Reason.NoMatchingSubscribers ? Reason.Success : reason;
    super.acknowledge(type, packetId, told, kept);
  }

  protected override handle(): void {
    const { bytes, bodyStart, end, firstByte } = this.host.reader;
    const type = firstByte >> 4;
    if (type === PacketType.Publish) return this.#receivePublish();
    this.host.counters.packetsReceived[type]++;
    this.packetLog?.received(type);
    const outbound = () => {
      acknowledgement.read(type, bytes, bodyStart, end, this.version);
      return this.session!.outbound;
    };
    switch (type) {
      case PacketType.Connack:
        return this.#owner.answered(this, readConnack(bytes, bodyStart, end, this.version));
      case PacketType.Puback:
        outbound().puback(acknowledgement.packetId);
        return this.#lookAtReason();
      case PacketType.Pubrec:
        outbound().pubrec(acknowledgement.packetId, acknowledgement.reason);
        return this.#lookAtReason();
      case PacketType.Pubcomp:
        return outbound().pubcomp(acknowledgement.packetId);
      case PacketType.Pubrel:
        outbound();
        return receivePubrel(this.host, this, acknowledgement.packetId);
      case PacketType.Suback: {
        const answer = readSubscriptionAnswer(bytes, bodyStart, end, this.version);
        return this.#owner.subscribed(answer.packetId, answer.reasons);
      }
      case PacketType.Unsuback:
        return;
      case PacketType.Pingresp:
        this.#awaitsPong = false;
        return;
      case PacketType.Disconnect: {
        if (this.version !== 5) throw protocolError("DISCONNECT from a server of MQTT 3");
        const { reason, reasonString } = readServerDisconnect(bytes, bodyStart, end);
        const said = reasonString === "" ? reasonText(reason) : printable(reasonString);
        return this.close({ sendWill: false, text: `remote broker disconnects, ${said}` });
      }
      default:
        throw protocolError(`packet type ${type} from a server`);
    }
  }

  #receivePublish() {
    this.received++;
    const topic = readPublish(this.host, this);
    const { publish, journal, settings } = this.host;
    const full = (publish.retain || !journal.accepting) &&
      !this.host.hasRoomFor(publish, topic, this.session!);
    if (full && !journal.accepting && publish.qos > 0) {
      // The remote broker keeps it for later, if it is not told anything else.
      return this.close({ sendWill: false, text: "the store takes nothing" });
    }
    // Live it can be had all the same.
    if (full || !settings.retainAvailable) publish.retain = false;
    takePublish(this.host, this, publish, topic);
  }

  #lookAtReason() {
    if (acknowledgement.reason >= 0x80) this.#owner.report.messageRefused(acknowledgement.reason);
  }

  protected override failed(error: ProtocolError): void {
    this.host.counters.protocolErrors++;
    const text = `protocol error, ${printable(error.message)}`;
    if (error.answered) this.disconnect(error.reason, { text });
    else this.close({ sendWill: false, text });
  }

  protected override refused(): void {
    const type = this.host.reader.firstByte >> 4;
    this.failed(malformed(`packet type ${type}, too long or not expected`));
  }

  /** The owner knows more, and writes one line. */
  protected override logEnding(): void {}
}

function listenerFor(options: BridgeConnectionOptions): ListenerSettings {
  return {
    number: -1,
    port: 0,
    maxQos: 2,
    maxTopicAlias: options.maxTopicAlias,
    maxTopicAliasBroker: options.maxTopicAlias,
    acceptProtocolVersions: [],
    allowZeroLengthClientid: false,
    autoIdPrefix: "",
    userNameFrom: "connect",
    useUsernameAsClientid: false,
    mountPoint: "",
    rate: { messages: 0, bytes: 0 },
  };
}

function limits(entries: readonly (readonly [type: number, maximum: number])[]): Uint32Array {
  const table = new Uint32Array(16);
  for (const [type, maximum] of entries) table[type] = maximum;
  return table;
}
