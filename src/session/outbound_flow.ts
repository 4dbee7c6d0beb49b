import type { StoredMessage } from "../routing/stored_message.ts";
import type { Topic } from "../routing/topic.ts";
import { Kind } from "../store/records.ts";
import { PacketType } from "../wire/packet_type.ts";
import { protocolError } from "../wire/protocol_error.ts";
import type { Publish, Qos } from "../wire/publish.ts";
import { Reason } from "../wire/reason.ts";
import { Backlog, type LongQueue } from "./backlog.ts";
import type { Connection } from "./connection.ts";
import { delivery } from "./delivery.ts";
import { Deque } from "./deque.ts";
import { Entry, EntryState } from "./entry.ts";
import { InFlight, PacketWindow } from "./packet_window.ts";
import type { Host } from "./ports.ts";
import type { Session } from "./session.ts";

const PACKET_ID_MAXIMUM = 0xffff;
/** Who has made publishers wait in vain is not waited for again for so long. */
const LEFT_BEHIND_MS = 10_000;

/**
 * The messages on their way to one session: in flight within the send quota, and behind it a queue
 * that outlives the connection. Entries of a lasting session are kept by the journal.
 *
 *     deliver → [ queue ] → send → AwaitsPuback ──────────── PUBACK → done
 *                                → AwaitsPubrec → AwaitsPubcomp ── PUBCOMP → done
 */
export class OutboundFlow implements LongQueue {
  readonly #host: Host;
  readonly #session: Session;
  #window: PacketWindow<Entry> | null = null;
  #queue: Deque<Entry> | null = null;
  #queuedBytes = 0;
  /** How many in the queue are of QoS 0. */
  #queuedQos0 = 0;
  #inflightBytes = 0;
  /** Null: the queue is short, or the client is away. */
  #backlog: Backlog | null = null;
  /** Until then nobody waits for the receiver. */
  #leftBehindUntilMs = -Infinity;
  /** The identifier given out last; counts on through reconnects. */
  #packetId = 0;

  constructor(host: Host, session: Session) {
    this.#host = host;
    this.#session = session;
  }

  get packetId(): number {
    return this.#packetId;
  }

  get inFlight(): number {
    return this.#window === null ? 0 : this.#window.count;
  }

  get queued(): number {
    return this.#queue === null ? 0 : this.#queue.size;
  }

  /** A message of QoS 0 that comes now has to wait behind others [MQTT-4.6.0-6]. */
  get holdsQos0(): boolean {
    return this.#queuedQos0 > 0;
  }

  /** Payload bytes of what waits and of what is in flight and may be sent again. */
  get heldBytes(): number {
    return this.#queuedBytes + this.#inflightBytes;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Nothing waits behind the quota, so that more may be fed without filling the queue. */
  get hasRoom(): boolean {
    return this.queued === 0 && this.#hasQuota(2, 0);
  }

  /**
   * Takes a message of QoS 1 or 2: sends it, queues it or, where a limit says so, drops it.
   *
   * @param stored the message in a lasting copy, when there is one already
   */
  deliver(
    publish: Publish,
    topic: Topic,
    qos: Qos,
    retain: boolean,
    identifiers: readonly number[] | null,
    expirySeconds: number,
    stored: StoredMessage | null,
  ): void {
    const session = this.#session, connection = session.connection;
    const size = publish.payloadLength;
    const sendNow = connection !== null && this.queued === 0 && this.#hasQuota(qos, size);
    if (sendNow && !session.isLasting && this.#host.settings.maxInflightBytes === 0) {
      const packetId = this.#takePacketId();
      delivery.qos = qos;
      delivery.retain = retain;
      delivery.dup = false;
      delivery.packetId = packetId;
      delivery.identifiers = identifiers;
      delivery.expirySeconds = expirySeconds;
      if (!connection.outbox.publish(publish, topic, delivery)) return;
      const state = qos === 1 ? InFlight.AwaitsPuback : InFlight.AwaitsPubrec;
      (this.#window ??= new PacketWindow()).set(packetId, state, null);
      return;
    }
    if (!sendNow && !this.#mayQueue(size)) return;
    const packetId = sendNow ? this.#takePacketId() : this.#nextPacketId();
    const message = stored ?? this.#host.stored(publish, topic);
    const entry = new Entry(session, message, packetId, qos, retain, identifiers);
    this.#keep(entry);
    if (sendNow) {
      this.#send(entry);
      if (qos === 1 && entry.number !== 0) this.#host.expectAcknowledgement(entry);
    } else {
      this.#enqueue(entry);
      if (connection !== null) this.#lookAtLength(connection);
    }
  }

  /** Publishers have to wait where the queue grows longer than that of one who keeps up. */
  #lookAtLength(connection: Connection) {
    const host = this.#host;
    if (this.#backlog === null) {
      if (!Backlog.isLong(host, this) || host.nowMs < this.#leftBehindUntilMs) return;
      this.#backlog = new Backlog(host, connection, this);
      host.backlogBegins(this.#backlog);
    }
    host.backlogged(this.#backlog);
  }

  waitedEnough(isLong: boolean): void {
    this.#endBacklog();
    if (isLong) this.#leftBehindUntilMs = this.#host.nowMs + LEFT_BEHIND_MS;
  }

  #endBacklog() {
    const backlog = this.#backlog;
    if (backlog === null) return;
    this.#backlog = null;
    this.#host.backlogEnds(backlog);
    backlog.end();
  }

  /** Queues a QoS 0 message, for a client that is away or has others waiting. */
  queueQos0(message: StoredMessage, retain: boolean, identifiers: readonly number[] | null): void {
    if (!this.#mayQueue(message.publish.payloadLength)) return;
    const entry = new Entry(this.#session, message, 0, 0, retain, identifiers);
    this.#keep(entry);
    this.#enqueue(entry);
  }

  /** Sends a message that is not sent again when the connection is lost. */
  sendOnce(publish: Publish, topic: Topic, qos: Qos, retain: boolean): void {
    const packetId = qos === 0 ? 0 : this.takeUnusedPacketId();
    delivery.qos = qos;
    delivery.retain = retain;
    delivery.dup = false;
    delivery.packetId = packetId;
    delivery.identifiers = null;
    delivery.expirySeconds = -1;
    const isSent = this.#session.connection!.outbox.publish(publish, topic, delivery);
    if (!isSent || qos === 0) return;
    const state = qos === 1 ? InFlight.AwaitsPuback : InFlight.AwaitsPubrec;
    (this.#window ??= new PacketWindow()).set(packetId, state, null);
  }

  /** The receiver takes no QoS above this: what waits for it is lowered. Only before it is sent. */
  lowerQos(maximum: Qos): void {
    const queue = this.#queue;
    if (queue === null) return;
    for (let count = queue.size; count > 0; count--) {
      const entry = queue.peek()!;
      queue.shift();
      if (entry.qos > maximum) {
        // What was received at a higher QoS will not be asked for again at this one.
        if (entry.state === EntryState.Released) {
          this.#queuedBytes -= entry.size;
          this.#forget(entry);
          continue;
        }
        entry.qos = maximum;
        if (maximum === 0) this.#queuedQos0++;
      }
      queue.push(entry);
    }
    if (queue.size === 0) this.#queue = null;
  }

  /** Puts back what the store had, in the order of delivery. */
  restore(entry: Entry): void {
    this.#enqueue(entry);
  }

  restorePacketId(packetId: number): void {
    this.#packetId = packetId;
  }

  /** @throws {ProtocolError} for a QoS 2 message */
  puback(packetId: number): void {
    const state = this.#window?.state(packetId) ?? InFlight.None;
    if (state === InFlight.None) return;
    if (state !== InFlight.AwaitsPuback) {
      throw protocolError(`PUBACK for the QoS 2 message ${packetId}`);
    }
    this.#done(packetId);
  }

  /** @throws {ProtocolError} for a QoS 1 message */
  pubrec(packetId: number, reason: number): void {
    const window = this.#window;
    const state = window === null ? InFlight.None : window.state(packetId);
    if (state === InFlight.AwaitsPuback) {
      throw protocolError(`PUBREC for the QoS 1 message ${packetId}`);
    }
    if (reason >= 0x80) {
      if (state === InFlight.AwaitsPubrec) this.#done(packetId);
      return;
    }
    if (state === InFlight.AwaitsPubrec) {
      const entry = window!.entry(packetId);
      window!.set(packetId, InFlight.AwaitsPubcomp, entry);
      if (entry !== null) this.#released(entry);
    }
    // An identifier that is not known is answered as well: the client is to forget it.
    this.#session.connection!.acknowledge(
      PacketType.Pubrel,
      packetId,
      Reason.Success,
      this.#session.isRecorded,
    );
  }

  /** @throws {ProtocolError} for a message that has not come that far */
  pubcomp(packetId: number): void {
    const state = this.#window?.state(packetId) ?? InFlight.None;
    if (state === InFlight.None) return;
    if (state !== InFlight.AwaitsPubcomp) {
      throw protocolError(`PUBCOMP for the message ${packetId}, which was not released`);
    }
    this.#done(packetId);
  }

  /** Sends from the queue what the quota allows. */
  pump(): void {
    const queue = this.#queue, connection = this.#session.connection;
    if (queue === null || connection === null) return;
    for (let entry = queue.peek(); entry !== undefined; entry = queue.peek()) {
      const needsQuota = entry.qos !== 0 && entry.state !== EntryState.Released;
      if (needsQuota && !this.#hasQuota(entry.qos, entry.size)) return this.#releaseBehind(queue);
      queue.shift();
      this.#queuedBytes -= entry.size;
      if (entry.qos === 0) this.#queuedQos0--;
      // What was sent before is sent again, expired or not [MQTT-4.3.3-7] [MQTT-4.4.0-1].
      if (
        entry.state === EntryState.Waiting && this.#isExpired(entry) || this.#isForbidden(entry)
      ) {
        this.#forget(entry);
        this.#host.counters.dropped++;
      } else if (entry.qos === 0) {
        this.#sendQos0(entry);
      } else {
        if ((this.#window?.state(entry.packetId) ?? InFlight.None) !== InFlight.None) {
          entry.packetId = this.#takePacketId();
        }
        this.#send(entry);
      }
    }
    this.#queue = null;
    this.#session.quotaFreed();
  }

  /** [MQTT-3.3.4-10]: no PUBREL waits behind a PUBLISH for which the new window has no room. */
  #releaseBehind(queue: Deque<Entry>) {
    const passed: Entry[] = [];
    let entry = queue.peek();
    for (; entry !== undefined && entry.state !== EntryState.Waiting; entry = queue.peek()) {
      queue.shift();
      if (entry.state === EntryState.Sent) passed.push(entry);
      else {
        this.#queuedBytes -= entry.size;
        this.#send(entry);
      }
    }
    while (passed.length > 0) queue.unshift(passed.pop()!);
  }

  /** The connection is gone: what was in flight goes back to the head of the queue. */
  suspend(): void {
    this.#endBacklog();
    const window = this.#window;
    if (window === null) return;
    this.#window = null;
    this.#inflightBytes = 0;
    const inFlight = window.inOrder(this.#packetId);
    const queue = this.#queue ??= new Deque();
    for (let index = inFlight.length - 1; index >= 0; index--) {
      inFlight[index].message?.publish.detachToWait();
      const entry = inFlight[index];
      // Its bytes counted until PUBCOMP on that connection; only the identifier is left of it.
      if (entry.state === EntryState.Released) entry.size = 0;
      queue.unshift(entry);
      this.#queuedBytes += entry.size;
    }
    if (queue.size === 0) this.#queue = null;
  }

  /** The session ends: forgets everything. */
  clear(): void {
    this.suspend();
    for (const entry of this.#queue ?? []) this.#forget(entry, false);
    this.#queue = null;
    this.#queuedBytes = this.#queuedQos0 = 0;
  }

  /** What waited for a commit goes out. */
  transmitHeld(entry: Entry): void {
    // Meanwhile the session may have ended or the entry may have gone back to the queue.
    if (this.#window?.entry(entry.packetId) !== entry) return;
    // Or it may have expired, or the client may have lost the right to it.
    if (this.#isExpired(entry) || this.#isForbidden(entry)) {
      this.#giveUp(entry);
      this.#host.counters.dropped++;
    } else if (this.#transmit(entry)) return;
    this.#goOn();
  }

  /** False: the message is too large for the client and done with. */
  #transmit(entry: Entry): boolean {
    const connection = this.#session.connection!, message = entry.message!;
    delivery.qos = entry.qos;
    delivery.retain = entry.retain;
    delivery.dup = entry.state === EntryState.Sent;
    delivery.packetId = entry.packetId;
    delivery.identifiers = entry.identifiers;
    delivery.expirySeconds = message.expirySecondsAt(this.#host.nowMs);
    entry.state = EntryState.Sent;
    if (connection.outbox.publish(message.publish, message.topic, delivery)) {
      if (entry.keptState === EntryState.Waiting && entry.number !== 0) {
        // After a restart it has to carry DUP.
        this.#host.journal.replace(Kind.Entry, entry.number, entry);
      }
      return true;
    }
    // [MQTT-3.1.2-25]: too large for this client counts as delivered.
    this.#giveUp(entry);
    return false;
  }

  /** What is in the window is not sent after all. */
  #giveUp(entry: Entry) {
    this.#window!.delete(entry.packetId);
    this.#inflightBytes -= entry.size;
    this.#forget(entry);
  }

  #send(entry: Entry) {
    const window = this.#window ??= new PacketWindow();
    if (entry.state === EntryState.Released) {
      window.set(entry.packetId, InFlight.AwaitsPubcomp, entry);
      this.#session.connection!.acknowledge(
        PacketType.Pubrel,
        entry.packetId,
        Reason.Success,
        this.#session.isRecorded,
      );
      return;
    }
    this.#inflightBytes += entry.size;
    const state = entry.qos === 1 ? InFlight.AwaitsPuback : InFlight.AwaitsPubrec;
    window.set(entry.packetId, state, entry);
    const connection = this.#session.connection!;
    // Sent again it does not wait: its identifier is safe since the first time [MQTT-4.6.0-1].
    const isSafe = entry.number === 0 || entry.state === EntryState.Sent;
    if (isSafe || entry.qos === 1 && !connection.holdsMessages) this.#transmit(entry);
    else connection.transmitWhenSafe(entry);
  }

  #sendQos0(entry: Entry) {
    const message = entry.message!;
    delivery.qos = 0;
    delivery.retain = entry.retain;
    delivery.dup = false;
    delivery.packetId = 0;
    delivery.identifiers = entry.identifiers;
    delivery.expirySeconds = message.expirySecondsAt(this.#host.nowMs);
    this.#session.connection!.outbox.publish(message.publish, message.topic, delivery);
    this.#forget(entry);
  }

  #isExpired(entry: Entry): boolean {
    return entry.message !== null && entry.message.isExpiredAt(this.#host.nowMs);
  }

  /** The client may not have it any more, sent before or not. */
  #isForbidden({ message }: Entry): boolean {
    return message !== null && !this.#session.mayReceive(message.topic);
  }

  #hasQuota(qos: Qos, size: number): boolean {
    const connection = this.#session.connection;
    if (connection === null) return false;
    const window = this.#window;
    const count = window === null ? 0 : window.count;
    if (count >= connection.sendQuota) {
      const isQos1Only = qos === 1 && window !== null && window.qos2Count === 0;
      if (!isQos1Only || count >= connection.qos1SendQuota) return false;
    }
    const bytesMaximum = this.#host.settings.maxInflightBytes;
    return bytesMaximum === 0 || count === 0 || this.#inflightBytes + size <= bytesMaximum;
  }

  #mayQueue(size: number): boolean {
    const { maxQueuedMessages, maxQueuedBytes } = this.#host.settings;
    if (
      maxQueuedMessages > 0 && this.queued >= maxQueuedMessages ||
      maxQueuedBytes > 0 && this.#queuedBytes + size > maxQueuedBytes
    ) {
      this.#host.dropped(this.#session, "queue full");
      return false;
    }
    return true;
  }

  #enqueue(entry: Entry) {
    // It may wait for days: not in a block that others have long left.
    entry.message?.publish.detachToWait();
    (this.#queue ??= new Deque()).push(entry);
    this.#queuedBytes += entry.size;
    if (entry.qos === 0) this.#queuedQos0++;
  }

  #keep(entry: Entry) {
    if (!this.#session.isLasting) return;
    entry.number = this.#host.nextNumber();
    this.#host.keep(entry.message!);
    entry.messageNumber = entry.message!.number;
    this.#host.journal.create(Kind.Entry, entry.number, entry);
  }

  /**
   * Lets go of an entry. `settled`: the client has it, or need not have it any more, so that nothing else
   * depends on its record; a session's end does depend on that of the session.
   */
  #forget(entry: Entry, settled = true) {
    if (entry.number === 0) return;
    if (entry.expectedIn !== 0) this.#host.acknowledgementCame(entry);
    const { journal } = this.#host;
    let leavesTrace = false;
    if (settled) journal.cancel(Kind.Entry, entry.number);
    else leavesTrace = !journal.forget(Kind.Entry, entry.number);
    if (entry.message !== null) this.#host.release(entry.message, leavesTrace);
    entry.number = 0;
  }

  /** PUBREC has come: only the identifier is still of use. */
  #released(entry: Entry) {
    const message = entry.message;
    entry.state = EntryState.Released;
    entry.message = null;
    if (entry.number === 0) return;
    const isNew = this.#host.journal.replace(Kind.Entry, entry.number, entry);
    if (message !== null) this.#host.release(message, !isNew);
  }

  #done(packetId: number) {
    const window = this.#window!;
    const entry = window.entry(packetId);
    window.delete(packetId);
    if (entry !== null) {
      this.#inflightBytes -= entry.size;
      this.#forget(entry);
    }
    this.#goOn();
  }

  /** The window has room again. */
  #goOn() {
    if (this.#queue !== null) this.pump();
    else this.#session.quotaFreed();
    if (this.#backlog !== null && this.#backlog.taken()) this.#endBacklog();
  }

  #nextPacketId(): number {
    return this.#packetId = this.#packetId === PACKET_ID_MAXIMUM ? 1 : this.#packetId + 1;
  }

  /** The next identifier for what does not go through the queue, and may go before what stands there. */
  takeUnusedPacketId(): number {
    const sent = new Set<number>();
    for (const entry of this.#queue ?? []) {
      if (entry.state === EntryState.Waiting) break;
      sent.add(entry.packetId);
    }
    let packetId = this.#takePacketId();
    while (sent.has(packetId)) packetId = this.#takePacketId();
    return packetId;
  }

  /** The next identifier that is not in flight. The quota keeps at least one free. */
  #takePacketId(): number {
    let packetId = this.#nextPacketId();
    while (this.#window !== null && this.#window.state(packetId) !== InFlight.None) {
      packetId = this.#nextPacketId();
    }
    return packetId;
  }
}
