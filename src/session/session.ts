import type { StoredMessage } from "../routing/stored_message.ts";
import type { Match } from "../routing/subscription_tree.ts";
import type { Topic } from "../routing/topic.ts";
import { encodeSession, encodeSubscription } from "../store/records.ts";
import type { WillPacket } from "../wire/connect_packet.ts";
import type { Publish, Qos } from "../wire/publish.ts";
import type { Connection } from "./connection.ts";
import { InboundFlow } from "./inbound_flow.ts";
import { OutboundFlow } from "./outbound_flow.ts";
import type { Host, Identity, Receiver } from "./ports.ts";
import { Rights } from "./rights.ts";
import type { RetainedDelivery } from "./retained_delivery.ts";

/** A subscription as its session has it. */
export class SessionSubscription {
  /** Number of its record; 0: it has none. */
  number = 0;

  constructor(
    readonly session: Session,
    /** As in SUBSCRIBE, `$share/…` included. */
    readonly filter: string,
    readonly qos: Qos,
    readonly noLocal: boolean,
    readonly retainAsPublished: boolean,
    readonly identifier: number,
  ) {}

  encode(): Uint8Array {
    return encodeSubscription({
      session: this.session.number,
      filter: this.filter,
      qos: this.qos,
      noLocal: this.noLocal,
      retainAsPublished: this.retainAsPublished,
      identifier: this.identifier,
    });
  }
}

/**
 * What the broker keeps of one Client Identifier: subscriptions, messages in both directions, the
 * Will. Lives as long as the connection, or longer by its Session Expiry Interval.
 */
export class Session implements Receiver {
  // What each delivery looks at stands first, side by side in memory.
  readonly #host: Host;
  /** Null while the client is away. */
  connection: Connection | null = null;
  /** Made when the first message of QoS 1 or 2 comes, or one has to wait. */
  #outbound: OutboundFlow | null = null;
  readonly clientId: string;
  userName = "";
  version: 3 | 4 | 5 = 4;
  /** Seconds; 0xFFFFFFFF: never. */
  sessionExpirySeconds = 0;
  /** On the monotonic clock; Infinity while connected. */
  disconnectedAtMs = Infinity;
  will: WillPacket | null = null;
  /** Made when the first QoS 2 PUBLISH comes. */
  inbound: InboundFlow | null = null;
  subscriptions: Map<string, SessionSubscription> | null = null;
  /** Retained messages still to be sent, as fast as the client takes them; by Topic Filter, in turn. */
  retainedDeliveries: Map<string, RetainedDelivery> | null = null;
  /** Messages of QoS 0 wait for it, whatever `queue_qos0_messages` says. */
  queuesQos0 = false;
  /** Messages that its limits have kept from it. */
  dropped = 0;
  /** Number of its record; 0: it has none. */
  number = 0;
  #identity: Identity | null = null;
  #rights: Rights | null = null;

  constructor(host: Host, clientId: string) {
    this.#host = host;
    this.clientId = clientId;
  }

  /** Of the last connection; its Will is published in this name. Null after a restart. */
  get identity(): Identity | null {
    return this.#identity;
  }

  set identity(identity: Identity | null) {
    this.#identity = identity;
    this.#rights = null;
  }

  /** What the client may do, remembered. Only for one that has connected since the start. */
  get rights(): Rights {
    return this.#rights ??= new Rights(this.#host.access, this.#identity!);
  }

  /** Whether the client may get messages of that topic, as far as that is known yet. */
  mayReceive(topic: Topic): boolean {
    // After a restart nobody knows who it will be; what waits is looked at when it connects.
    if (!this.#host.access.checksReceive || this.#identity === null) return true;
    return this.rights.mayReceive(topic);
  }

  get outbound(): OutboundFlow {
    return this.#outbound ??= new OutboundFlow(this.#host, this);
  }

  /** Whether anything was ever on its way to the client; asking costs nothing. */
  get hasOutbound(): boolean {
    return this.#outbound !== null;
  }

  get isReady(): boolean {
    return this.connection !== null;
  }

  /** Outlives the connection. */
  get isLasting(): boolean {
    return this.sessionExpirySeconds > 0;
  }

  /** Something of it is on disk: it lasts, or did so until this connection. */
  get isRecorded(): boolean {
    return this.number !== 0;
  }

  /** Messages of QoS 0 wait while the client is away. */
  get #keepsQos0(): boolean {
    return this.isLasting && (this.queuesQos0 || this.#host.settings.queueQos0Messages);
  }

  deliver(publish: Publish, topic: Topic, match: Match<Receiver>): void {
    const upgrade = this.#host.settings.upgradeOutgoingQos;
    const qos = upgrade || match.qos < publish.qos ? match.qos : publish.qos;
    const retain = publish.retain && match.retainAsPublished;
    const connection = this.connection;
    if (qos !== 0) {
      this.outbound.deliver(
        publish,
        topic,
        qos,
        retain,
        match.identifiers,
        publish.messageExpirySeconds,
        null,
      );
    } else if (connection !== null && (this.#outbound === null || !this.#outbound.holdsQos0)) {
      // None of QoS 0 may overtake those that wait [MQTT-4.6.0-6].
      connection.sendQos0(
        publish,
        topic,
        retain,
        match.identifiers,
        publish.messageExpirySeconds,
      );
    } else if (connection !== null || this.#keepsQos0) {
      this.outbound.queueQos0(this.#host.stored(publish, topic), retain, match.identifiers);
    }
  }

  /** Sends a retained message. */
  deliverRetained(
    message: StoredMessage,
    qos: Qos,
    identifiers: readonly number[] | null,
    nowMs: number,
  ): void {
    const { publish, topic } = message;
    const expirySeconds = message.expirySecondsAt(nowMs);
    if (qos === 0) {
      this.connection!.sendQos0(publish, topic, true, identifiers, expirySeconds);
    } else {
      this.outbound.deliver(publish, topic, qos, true, identifiers, expirySeconds, message);
    }
  }

  /** The flow has room for more retained messages. */
  quotaFreed(): void {
    if (this.retainedDeliveries !== null) this.connection?.feedRetained();
  }

  /** Sends no more of the retained messages that subscribing to this filter brought. */
  endRetained(filter: string): void {
    if (this.retainedDeliveries?.delete(filter) && this.retainedDeliveries.size === 0) {
      this.retainedDeliveries = null;
    }
  }

  inboundFlow(): InboundFlow {
    return this.inbound ??= new InboundFlow(this.#host, this);
  }

  encode(): Uint8Array {
    return encodeSession({
      clientId: this.clientId,
      userName: this.userName,
      version: this.version,
      sessionExpirySeconds: this.sessionExpirySeconds,
      disconnectedAtMs: this.disconnectedAtMs + this.#host.wallOffsetMs,
      packetId: this.#outbound === null ? 0 : this.#outbound.packetId,
    });
  }
}
