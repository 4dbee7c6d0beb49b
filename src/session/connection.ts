import { type LogDetails, printable } from "../log.ts";
import { Frame, type PartialFrame } from "../wire/frame_reader.ts";
import { Outbox } from "../wire/outbox.ts";
import { PacketType, type Version } from "../wire/packet_type.ts";
import { ProtocolError } from "../wire/protocol_error.ts";
import type { Publish, TopicName } from "../wire/publish.ts";
import type { Backlog } from "./backlog.ts";
import { delivery } from "./delivery.ts";
import type { Entry } from "./entry.ts";
import type { TopicMapping } from "./mount_point.ts";
import { PacketLog } from "./packet_log.ts";
import { HeldAcks, type HeldOutput } from "./held_acks.ts";
import type { Deadline, Host, Identity, Link, ListenerSettings } from "./ports.ts";
import type { RateLimit } from "./rate_limit.ts";
import { RETAINED_SLICE, RETAINED_UNITS } from "./retained_delivery.ts";
import type { Session } from "./session.ts";
import type { IncomingTopicAliases } from "./topic_aliases.ts";

/** Opening: CONNECT or its answer is awaited. */
type State = "opening" | "connected" | "closed";

/** Answers that may wait for a commit before a client is read no further. */
const HELD_MAXIMUM = 65_536;
/** The same for the queue of a receiver: more than most clients have in flight. */
const PACED_MAXIMUM = 256;

/** Acknowledgements in their order, and what they wait for. */
interface PacedAcks {
  readonly backlog: Backlog;
  readonly acks: { position: number; type: number; packetId: number; reason: number }[];
}

/** Limits of frames, the same for all connections. */
export interface FrameLimits {
  readonly before: Uint32Array;
  readonly after: Uint32Array;
}

/**
 * One Network Connection, whichever of the two ends is the client: {@linkcode ClientConnection} is one
 * that a client has opened, a bridge's is one that this broker has. Synchronous: bytes come in by
 * {@linkcode receive}, bytes go out by the outbox, at the end of the turn.
 */
export abstract class Connection implements HeldOutput {
  readonly outbox: Outbox;
  readonly link: Link;
  /** What this side says to its peer. */
  readonly listener: ListenerSettings;
  /** Until CONNECT has told, what an answer would be written in. */
  version: Version = 4;
  identity: Identity | null = null;
  session: Session | null = null;
  /** The client is a bridge of a foreign broker: its subscriptions are No Local. */
  isBridge = false;
  /** The client's names of topics; null: they are the broker's. */
  mapping: TopicMapping | null = null;
  /** What holds its publishing back; null: nothing. */
  rateLimits: readonly RateLimit[] | null = null;
  /** Null: packets are not logged. */
  packetLog: PacketLog | null = null;
  /** Topic Aliases the client has set; null: none yet. */
  aliases: IncomingTopicAliases | null = null;
  /** Messages in flight to the client at a time: its Receive Maximum and ours. */
  sendQuota = 0;
  /** The same while all of them are of QoS 1, where they may be more. */
  qos1SendQuota = 0;
  keepAliveMs = 0;
  lastPacketAtMs: number;
  /** Publishers that wait for this receiver. */
  waiters: Connection[] | null = null;
  /** Took nothing for so long that nobody waits for it any more. */
  isStalled = false;
  /** When the transport last got rid of something. */
  progressAtMs = 0;
  /** Reads no further until its own answers have been taken. */
  waitsForItself = false;
  /** Is among the waiters of a receiver. */
  waitsForReceiver = false;
  /** Connect time-out, then keep alive. */
  deadline: Deadline | null = null;
  /** When a suspended connection goes on; null: nothing goes by time. */
  resumption: Deadline | null = null;
  /** A message to it was dropped, which is logged once. */
  hasDropped = false;
  /** In the host's list of connections to be handled again. */
  continues = false;
  /** In the host's list of connections with held acknowledgements. */
  isHolding = false;

  /** The beginning of a packet that was cut by the end of a chunk. */
  #partial: PartialFrame | null = null;
  /** Packets that came while an answer of `Access` is awaited. */
  #rest: Uint8Array | null = null;
  #state: State = "opening";
  /** A question to `Access` is open; nothing more is read until its answer. */
  protected isSuspended = false;
  /** Suspended only until the others have had their turn, to go on with this. */
  #interrupted: (() => void) | null = null;
  #held: HeldAcks | null = null;
  /** What is acknowledged when a queue is shorter. */
  #paced: PacedAcks | null = null;

  constructor(
    protected readonly host: Host,
    link: Link,
    listener: ListenerSettings,
    protected readonly limits: FrameLimits,
    outbox: Outbox = new Outbox(host),
  ) {
    this.link = link;
    this.listener = listener;
    this.outbox = outbox;
    this.outbox.sink = link;
    this.lastPacketAtMs = host.nowMs;
    this.logPackets(host.logs("debug"));
  }

  /** Writes a line for each packet from now on, or none. */
  logPackets(wanted: boolean): void {
    this.packetLog = this.outbox.observer = wanted ? new PacketLog(this.host, this) : null;
  }

  get isOpening(): boolean {
    return this.#state === "opening";
  }

  get isConnected(): boolean {
    return this.#state === "connected";
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  /** More waits for this receiver than it should; publishers are slowed down. */
  get isCongested(): boolean {
    return this.outbox.waiting > this.host.settings.maxUnsentBytes / 4;
  }

  /** Its own answers pile up, unread or held for a commit; it is to make no more of them. */
  get isBehind(): boolean {
    return this.isCongested || this.#held !== null && this.#held.size > HELD_MAXIMUM ||
      this.#isPacedLong;
  }

  /** It publishes on without its acknowledgements, or others do. */
  get #isPacedLong(): boolean {
    const paced = this.#paced;
    // Read no further it could not acknowledge what makes its own queue shorter.
    return paced !== null && paced.backlog.receiver !== this &&
      (paced.acks.length > PACED_MAXIMUM || paced.backlog.isNearlyFull);
  }

  /** Is read no further until the queue of a receiver is shorter. */
  protected get waitsForQueue(): boolean {
    return this.waitsForItself && this.#paced !== null;
  }

  /** What it publishes, or the next of it, waits: for receivers that are slower, or for its rate. */
  get isHeldBack(): boolean {
    return this.isConnected &&
      (this.waitsForReceiver || this.waitsForItself || this.#paced !== null ||
        this.resumption !== null);
  }

  /** Handles what the peer sent. The bytes may be reused afterwards. */
  receive(chunk: Uint8Array, length: number): void {
    if (this.#state === "closed") return;
    this.host.counters.bytesReceived += length;
    this.#run(chunk, length);
    this.host.inputHandled(this);
  }

  /** The peer has closed, or the socket has failed. */
  peerEnded(text = "connection closed by client"): void {
    this.close({ sendWill: true, text });
  }

  /** The transport has written everything it took. */
  drained(): void {
    this.isStalled = false;
    this.progressAtMs = this.host.nowMs;
    if (this.waiters !== null && !this.isCongested) this.releaseWaiters();
    if (this.waitsForItself && !this.isBehind) {
      this.waitsForItself = false;
      this.#readOn();
    }
    if (this.#state === "connected" && this.session!.retainedDeliveries !== null) {
      this.feedRetained();
    }
  }

  releaseWaiters(): void {
    const waiters = this.waiters ?? [];
    this.waiters = null;
    for (const waiter of waiters) {
      waiter.waitsForReceiver = false;
      waiter.#readOn();
    }
  }

  /** Reads on, unless there is another reason to wait. */
  #readOn() {
    if (this.#interrupted !== null) return this.host.continueLater(this);
    const waits = this.isSuspended || this.waitsForItself || this.waitsForReceiver;
    if (waits || this.#state === "closed") return;
    this.lastPacketAtMs = this.host.nowMs;
    this.link.resume();
  }

  /** Handles the packet that the host's reader has found. @throws {ProtocolError} */
  protected abstract handle(): void;

  /** The peer broke the protocol. */
  protected abstract failed(error: ProtocolError): void;

  /** The reader takes no more of what comes: `frame` says why. */
  protected abstract refused(frame: number): void;

  /** Logs that the connection has ended; without a text as it should. */
  protected abstract logEnding(text: string | undefined): void;

  /** Looks at the time. Returns when to look again. */
  abstract due(nowMs: number): number;

  /** Ends the connection, with a DISCONNECT where the peer can be told. */
  abstract disconnect(reason: number, options?: { sendWill?: boolean; text?: string }): void;

  /** Sends a QoS 0 message, or drops it when too much waits already. */
  sendQos0(
    publish: Publish,
    topic: TopicName,
    retain: boolean,
    identifiers: readonly number[] | null,
    expirySeconds: number,
  ): void {
    const { outbox } = this;
    const waiting = outbox.waiting, maximum = this.host.settings.maxUnsentBytes;
    if (waiting > maximum / 4) {
      if (waiting > maximum) return this.host.dropped(this.session!, "does not read");
      if (!this.isStalled) this.host.congested(this);
    }
    delivery.qos = 0;
    delivery.retain = retain;
    delivery.dup = false;
    delivery.packetId = 0;
    delivery.identifiers = identifiers;
    delivery.expirySeconds = expirySeconds;
    outbox.publish(publish, topic, delivery);
  }

  /** Sends an acknowledgement when what it promises is safe. `kept`: this turn kept something of it. */
  acknowledge(type: number, packetId: number, reason: number, kept = false): void {
    const position = kept ? this.host.journal.position : 0;
    const paced = this.#paced;
    // PUBREC and PUBREL promise nothing that would let the peer publish more.
    if (paced === null || type !== PacketType.Puback && type !== PacketType.Pubcomp) {
      return this.#acknowledgeAt(position, type, packetId, reason);
    }
    paced.acks.push({ position, type, packetId, reason });
    if (this.#isPacedLong) this.host.reader.stop();
  }

  #acknowledgeAt(position: number, type: number, packetId: number, reason: number) {
    const held = this.#held;
    if (position <= this.host.journal.committed && (held === null || held.isEmpty)) {
      this.outbox.acknowledge(type, packetId, reason);
    } else {
      this.#holding().addAcknowledgement(position, type, packetId, reason);
    }
  }

  /** What it publishes is acknowledged when that queue is shorter. */
  waitFor(backlog: Backlog): void {
    if (this.#paced !== null) return;
    this.#paced = { backlog, acks: [] };
    backlog.add(this);
  }

  /** Waits for a backlog no longer. Returns how many messages are acknowledged. */
  proceed(backlog: Backlog): number {
    const paced = this.#paced;
    // The connection may have been closed.
    if (paced?.backlog !== backlog) return 0;
    this.#paced = null;
    for (const { position, type, packetId, reason } of paced.acks) {
      this.#acknowledgeAt(position, type, packetId, reason);
    }
    return paced.acks.length;
  }

  /** A message waits for a commit: those that come after it have to wait as well. */
  get holdsMessages(): boolean {
    return this.#held !== null && this.#held.transmissions > 0;
  }

  /** Sends a QoS 2 PUBLISH once its Packet Identifier is safe; one of QoS 1 behind those held. */
  transmitWhenSafe(entry: Entry): void {
    const { journal } = this.host;
    const held = this.#held;
    if (journal.position <= journal.committed && (held === null || held.isEmpty)) {
      this.session!.outbound.transmitHeld(entry);
    } else this.#holding().addTransmission(entry.qos === 1 ? 0 : journal.position, entry);
  }

  /** Sends what waited for a commit. True: nothing waits any more. */
  releaseHeld(committed: number): boolean {
    this.#held?.release(committed, this);
    return this.#held === null || this.#held.isEmpty;
  }

  sendAcknowledgement(type: number, packetId: number, reason: number): void {
    this.outbox.acknowledge(type, packetId, reason);
  }

  answer(packet: Uint8Array, after: (() => void) | null): void {
    // [MQTT-3.1.2-24]: what the client cannot take is not sent.
    if (packet.length <= this.outbox.maximumPacketSize) this.outbox.packet(packet);
    after?.();
  }

  transmit(entry: Entry): void {
    this.session?.outbound.transmitHeld(entry);
  }

  /** Goes on with retained messages where the client left room. */
  feedRetained(): void {
    const session = this.session;
    if (session === null) return;
    // One for all: thousands of subscriptions may each look through many names in vain.
    const slice = { left: RETAINED_SLICE };
    for (const next of session.retainedDeliveries?.values() ?? []) {
      const result = next.feed(this.host.nowMs, slice);
      if (result === "later") this.host.continueLater(this);
      if (result !== "done") break;
      session.endRetained(next.filter);
    }
    // And each SUBSCRIBE of a chunk may begin anew.
    this.host.spent((RETAINED_SLICE - slice.left) * RETAINED_UNITS);
  }

  /** Answers packets that came while an answer of `Access` was awaited, or a slice of other work. */
  continue(): void {
    if (this.#state === "connected" && this.session!.retainedDeliveries !== null) {
      this.feedRetained();
    }
    const act = this.#interrupted;
    if (act === null || this.waitsForItself || this.waitsForReceiver) return;
    this.#interrupted = null;
    this.resumeWith(act);
  }

  /** Ends the connection. `text` goes to the log; without it the client said goodbye. */
  close(options: { sendWill: boolean; text?: string }): void {
    if (this.#state === "closed") return;
    const wasConnected = this.#state === "connected";
    this.#state = "closed";
    this.#held = this.#paced = null;
    if (wasConnected && this.logsConnections) this.logEnding(options.text);
    this.releaseWaiters();
    this.host.connectionEnded(this, options.sendWill, options.text);
    this.link.end();
  }

  #run(chunk: Uint8Array, length: number) {
    const { reader } = this.host;
    reader.limits = this.#state === "connected" ? this.limits.after : this.limits.before;
    reader.feed(chunk, length, this.#partial);
    try {
      while (!this.isSuspended) {
        const frame = reader.next();
        if (frame === Frame.Complete) {
          this.lastPacketAtMs = this.host.nowMs;
          this.handle();
          // Set by what the packet did; the compiler takes it for unchanged.
          if ((this.#state as State) === "closed") return;
        } else if (frame === Frame.None) {
          this.#partial = reader.partial;
          const rest = reader.takeStopped();
          if (rest === null) return;
          this.#rest = rest;
          return this.interrupt(() => {});
        } else return this.refused(frame);
      }
      this.#partial = null;
      this.#rest = reader.takeRest();
    } catch (error) {
      this.#thrown(error);
    }
  }

  /** Handling a packet has thrown: the peer broke the protocol, or we are wrong. It ends nobody else. */
  #thrown(error: unknown) {
    if (error instanceof ProtocolError) return this.failed(error);
    this.host.fault(error, `handling a packet of ${this.name}`);
    this.close({ sendWill: true, text: "internal error" });
  }

  /** Its packets cost much: the others get their turn before it goes on with `act` and the rest. */
  interrupt(act: () => void): void {
    this.#interrupted = act;
    this.suspend();
    this.host.continueLater(this);
  }

  /** Sends a SUBACK or UNSUBACK when what it promises is safe; `after` follows it. */
  answerWhenSafe(packet: Uint8Array, kept: boolean, after: (() => void) | null): void {
    const { journal } = this.host;
    const position = kept ? journal.position : 0;
    if (position <= journal.committed && (this.#held === null || this.#held.isEmpty)) {
      this.answer(packet, after);
    } else this.#holding().addAnswer(position, packet, after);
  }

  /** CONNECT is accepted: from now on all packets are admitted. */
  accepted(): void {
    this.#state = "connected";
    this.host.reader.limits = this.limits.after;
  }

  /** Sends a packet, and does what follows it, once a position is committed. */
  answerAt(position: number, packet: Uint8Array, after: () => void): void {
    this.#holding().addAnswer(position, packet, after);
  }

  /** Reads no further until the answer to a question has come. */
  suspend(): void {
    this.isSuspended = true;
    this.link.pause();
  }

  /** The answer of `Access` has come, in a turn of its own. */
  resumeWith(act: () => void): void {
    if (this.#state === "closed") return;
    this.isSuspended = false;
    try {
      act();
      // `act` may have asked the next question.
      if (this.isSuspended as boolean) return;
      const rest = this.#rest!;
      this.#rest = null;
      this.#run(rest, rest.length);
    } catch (error) {
      this.#thrown(error);
    } finally {
      this.#readOn();
      this.host.inputHandled(this);
    }
  }

  #holding(): HeldAcks {
    if (!this.isHolding) {
      this.isHolding = true;
      this.host.holds(this);
    }
    return this.#held ??= new HeldAcks();
  }

  /** Whether it is logged who comes and goes. */
  get logsConnections(): boolean {
    return this.host.settings.connectionMessages && this.host.logs("notice");
  }

  /** Whom a line of the log tells of. */
  logDetails(kind: LogDetails["kind"]): LogDetails {
    const { identity, link } = this;
    const { clientId, userName } = identity ?? {};
    return { kind, clientId, userName, address: link.remoteAddress };
  }

  /** For the log. */
  get name(): string {
    const clientId = this.identity?.clientId;
    return clientId === undefined ? "<unknown>" : printable(clientId);
  }
}
