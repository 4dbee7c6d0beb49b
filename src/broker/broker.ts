import type { LogType } from "../log.ts";
import { RetainedMessages } from "../routing/retained_messages.ts";
import { StoredMessage } from "../routing/stored_message.ts";
import { type Match, SubscriptionTree } from "../routing/subscription_tree.ts";
import type { Topic } from "../routing/topic.ts";
import { TopicTable } from "../routing/topic_table.ts";
import { Connection, type FrameLimits } from "../session/connection.ts";
import { mayBePublished } from "../session/publishing.ts";
import { limitsAfterConnect, limitsBeforeConnect } from "../session/frame_limits.ts";
import type {
  Access,
  Counters,
  Host,
  Link,
  ListenerSettings,
  Receiver,
  Settings,
} from "../session/ports.ts";
import type { Entry } from "../session/entry.ts";
import type { Session } from "../session/session.ts";
import { Journal, type JournalOptions } from "../store/journal.ts";
import { Kind, PRESENT } from "../store/records.ts";
import type { Store, StoreHealth } from "../store/store.ts";
import type { ConnectPacket } from "../wire/connect_packet.ts";
import { FrameReader } from "../wire/frame_reader.ts";
import type { Outbox, SentCounters } from "../wire/outbox.ts";
import { Publish, type Qos } from "../wire/publish.ts";
import { Reason } from "../wire/reason.ts";
import type { SubscriptionRequest } from "../wire/subscribe_packet.ts";
import { newCounters, newSentCounters, type Statistics } from "./counters.ts";
import { Deadlines } from "./deadlines.ts";
import { restore, type Restored } from "./restore.ts";
import { Sessions } from "./sessions.ts";
import { SysTopics } from "./sys_topics.ts";

/** Everything that is not computed: time, chance, disk, the event loop. */
export interface Ports {
  readonly clock: {
    /** Milliseconds that never jump. */
    monotonicMs(): number;
    /** Milliseconds since 1970. */
    wallMs(): number;
  };
  readonly store: Store;
  readonly journal: Omit<JournalOptions, "clock" | "onCommitted">;
  readonly access: Access;
  /** Calls once, when all input of this turn has been handled. */
  endOfTurn(run: () => void): void;
  /** Calls once, in a later turn, after input that has come meanwhile. */
  nextTurn(run: () => void): void;
  /** Call {@linkcode Broker.wake} at this monotonic time; replaces the time asked for before. */
  wakeAt(atMs: number): void;
  /** 32 bits of chance. */
  random(): number;
  randomUuid(): string;
  log(type: LogType, text: string): void;
  logs(type: LogType): boolean;
  readonly observer: Observer | null;
  readonly version: string;
}

/** Told of what happens; for embedding. Called in the middle of a turn: must only take notes. */
export interface Observer {
  connected(session: Session): void;
  disconnected(session: Session, text: string | undefined): void;
  subscribed(session: Session, request: SubscriptionRequest): void;
  unsubscribed(session: Session, filter: string): void;
  /** Null: `published` is not asked for. */
  published: ((publish: Publish, topic: Topic, publisher: Session | null) => void) | null;
  dropped(session: Session, reason: string): void;
}

/** Interned Topic Names; each weighs some 200 bytes and its name twice. */
const TOPICS_MAXIMUM = 100_000;
/** A receiver that took nothing for this long is waited for no more. */
const STALL_MS = 200;
const STALL_CHECK_MS = 100;
const JOURNAL_TICK_MS = 100;
/** A batch of more is written even if nobody waits for it, so that a commit stays short. */
const OPEN_CHANGES_MAXIMUM = 20_000;

/**
 * The broker's core: owns all state, and the turn in which it changes. Input is handled as it comes;
 * what it makes leaves at the end of the turn, disk first.
 */
export class Broker implements Host {
  readonly settings: Settings;
  readonly topics: TopicTable;
  readonly tree: SubscriptionTree<Receiver>;
  readonly retained: RetainedMessages = new RetainedMessages();
  readonly sessions: Sessions;
  readonly journal: Journal;
  readonly access: Access;
  readonly counters: Counters = newCounters();
  readonly sent: SentCounters = newSentCounters();
  readonly publish: Publish = new Publish();
  readonly reader: FrameReader = new FrameReader(new Uint32Array(16));
  wallOffsetMs: number;
  readonly connections: Set<Connection> = new Set();

  readonly #ports: Ports;
  readonly #limits: FrameLimits;
  readonly #isSync: boolean;
  readonly #deadlines = new Deadlines();
  readonly #sys: SysTopics;
  readonly #startedAtMs: number;
  #nowMs = -1;
  #touched: Outbox[] = [];
  #borrowed: Outbox[] = [];
  #holding: Connection[] = [];
  #continuing: Connection[] = [];
  /** The receiver that the publisher handled now has to wait for. */
  #slow: Connection | null = null;
  /** Messages of the open batch `#expectedIn` whose acknowledgement would cancel them. */
  #expected = 0;
  #expectedIn = 0;
  /** The same of the sealed batch, and the position of one that has waited long enough. */
  #sealedExpected = 0;
  #patienceOverAt = 0;
  readonly #congested = new Set<Connection>();
  #stallCheck = false;
  /** The lasting copy of the message that is routed now, and its publisher. */
  #stored: StoredMessage | null = null;
  #publisher: Session | null = null;
  #number = 0;
  /** Messages with a record, and their payload bytes. */
  #keptMessages = 0;
  #keptBytes = 0;
  #isStopping = false;

  constructor(settings: Settings, ports: Ports) {
    this.settings = settings;
    this.#ports = ports;
    this.access = ports.access;
    this.#isSync = ports.journal.durability === "sync";
    const { clock } = ports;
    this.#startedAtMs = clock.monotonicMs();
    this.wallOffsetMs = clock.wallMs() - this.#startedAtMs;
    this.topics = new TopicTable(TOPICS_MAXIMUM, ports.random());
    this.tree = new SubscriptionTree(settings.allowDuplicateMessages);
    this.#limits = {
      before: limitsBeforeConnect(settings),
      after: limitsAfterConnect(settings),
    };
    this.journal = new Journal(ports.store, {
      ...ports.journal,
      clock,
      onCommitted: (position) => this.#committed(position),
    });
    this.sessions = new Sessions(
      this,
      this.tree,
      this.retained,
      this.#deadlines,
      (session) => this.#publishWill(session),
    );
    this.#sys = new SysTopics(ports.version, (topic, value) => this.#publishSys(topic, value));
  }

  /** Reads the store, once, before anything else. @throws {StoreError} */
  restore(): Restored {
    const found = restore(this.#ports.store, this, this.topics, this.sessions, this.retained);
    this.#number = found.lastNumber;
    this.#keptMessages = found.messages;
    this.#keptBytes = found.messageBytes;
    return found;
  }

  /** Begins the work that time drives. */
  start(): void {
    const { sysInterval, retainExpiryInterval } = this.settings;
    const now = this.nowMs;
    if (sysInterval > 0) {
      this.#sys.update(this.statistics());
      this.#deadlines.set(this.#nextSysUpdateMs(), {
        due: () => {
          this.#sys.update(this.statistics());
          return this.#nextSysUpdateMs();
        },
      });
    }
    if (retainExpiryInterval > 0) {
      const every = retainExpiryInterval * 1000;
      this.#deadlines.set(now + every, {
        due: (at) => {
          this.#expireRetained(at);
          return at + every;
        },
      });
    }
    if (this.#ports.journal.durability !== "none") {
      this.#deadlines.set(now + JOURNAL_TICK_MS, {
        due: (at) => {
          this.journal.tick();
          return at + JOURNAL_TICK_MS;
        },
      });
    }
  }

  /** A socket was accepted. The caller then hands its bytes to the connection. */
  accept(link: Link, listener: ListenerSettings): Connection {
    this.counters.sockets++;
    const connection = new Connection(this, link, listener, this.#limits);
    this.connections.add(connection);
    connection.deadline = this.#deadlines.set(
      this.nowMs + this.settings.connectTimeoutSeconds * 1000,
      connection,
    );
    return connection;
  }

  /** Publishes for the process itself. Returns whether anybody subscribed. */
  publishMessage(message: {
    topic: string;
    payload: Uint8Array;
    qos?: Qos;
    retain?: boolean;
    properties?: Uint8Array;
    messageExpirySeconds?: number;
  }): boolean {
    const topic = this.topics.named(message.topic);
    const publish = Publish.of(message);
    this.#beginTurn();
    return this.route(publish, topic, null);
  }

  /** Time has come for something that was asked for by `wakeAt`. */
  wake(): void {
    const { clock } = this.#ports;
    // The wall clock may have been set: what is written from now on is to mean the same after a restart.
    this.wallOffsetMs = clock.wallMs() - clock.monotonicMs();
    this.#deadlines.run(this.nowMs);
    this.#beginTurn();
  }

  /** Tells the clients, sends all Wills and ends every connection. The journal is closed by the caller. */
  stop(): void {
    this.#isStopping = true;
    for (const connection of this.connections) {
      connection.disconnect(Reason.ServerShuttingDown, { text: "server shutting down" });
    }
    this.sessions.sendAllWills();
    this.endTurn();
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Whether the store takes more, and its size on disk. */
  storeHealth(): StoreHealth {
    return this.#ports.store.health();
  }

  statistics(): Statistics {
    const { counters, sent, sessions } = this;
    return {
      uptimeSeconds: (this.nowMs - this.#startedAtMs) / 1000,
      clientsTotal: sessions.count,
      clientsConnected: sessions.connected,
      clientsDisconnected: sessions.count - sessions.connected,
      clientsMaximum: sessions.maximum,
      clientsExpired: counters.expiredSessions,
      socketsAccepted: counters.sockets,
      connectsReceived: counters.connects,
      messagesReceived: counters.packetsReceived,
      messagesSent: sent.packets,
      bytesReceived: counters.bytesReceived,
      bytesSent: counters.bytesSent,
      publishMessagesReceived: counters.publishesReceived,
      publishMessagesSent: sent.publishes,
      publishMessagesDropped: counters.dropped,
      publishBytesReceived: counters.publishBytesReceived,
      publishBytesSent: sent.publishBytes,
      subscriptions: this.tree.count,
      sharedSubscriptions: this.tree.sharedCount,
      retainedMessages: this.retained.count,
      storeMessages: this.#keptMessages,
      storeBytes: this.#keptBytes,
      protocolErrors: counters.protocolErrors,
      faults: counters.faults,
    };
  }

  // Host: the turn

  get nowMs(): number {
    if (this.#nowMs < 0) {
      this.#nowMs = this.#ports.clock.monotonicMs();
      this.#ports.endOfTurn(() => this.endTurn());
    }
    return this.#nowMs;
  }

  /** Makes sure that a turn is open, and so ends. */
  #beginTurn() {
    void this.nowMs;
  }

  touched(outbox: Outbox): void {
    this.#touched.push(outbox);
    this.#beginTurn();
  }

  borrowed(outbox: Outbox): void {
    this.#borrowed.push(outbox);
  }

  inputHandled(connection: Connection): void {
    const borrowed = this.#borrowed;
    if (borrowed.length > 0) {
      for (let index = 0; index < borrowed.length; index++) borrowed[index].settle();
      this.#borrowed = [];
    }
    const slow = this.#slow;
    this.#slow = null;
    if (connection.isClosed) return;
    if (connection.isBehind || slow === connection) {
      connection.waitsForItself = true;
      connection.link.pause();
    } else if (slow !== null && !slow.isClosed) {
      (slow.waiters ??= []).push(connection);
      connection.waitsForReceiver = true;
      connection.link.pause();
    }
    this.#beginTurn();
  }

  /** Disk first, then the sockets: the only place where bytes leave. */
  endTurn(): void {
    this.#flushJournal();
    const touched = this.#touched;
    this.#touched = [];
    for (let index = 0; index < touched.length; index++) {
      const outbox = touched[index];
      outbox.isTouched = false;
      outbox.sink!.flush();
    }
    this.#nowMs = -1;
    this.#ports.wakeAt(this.#deadlines.nextAtMs);
  }

  /**
   * Writes what somebody waits for; what nobody waits for, such as what was forgotten, is left to the
   * next such batch or to the tick. A batch with messages that are on their way to clients is sealed
   * and waits a moment: what they acknowledge meanwhile need not be written at all, and if that is
   * everything, the batch counts as committed without touching the disk.
   */
  #flushJournal() {
    const { journal } = this;
    if (!this.#isSync) return journal.flush();
    if (journal.isWriting) return;
    if (journal.sealedPosition === 0) {
      if (!journal.isAwaited && journal.openChanges < OPEN_CHANGES_MAXIMUM) return;
      const isExpecting = this.#expectedIn === journal.openPosition && this.#expected > 0;
      if (!isExpecting) return journal.flush();
      journal.seal();
      this.#sealedExpected = this.#expected;
      this.#expected = 0;
      this.#beginPatience(journal.sealedPosition);
    }
    if (this.#sealedExpected === 0 || this.#patienceOverAt === journal.sealedPosition) {
      this.#sealedExpected = 0;
      journal.flush();
    }
  }

  #beginPatience(position: number) {
    this.#ports.nextTurn(() => {
      if (this.journal.sealedPosition !== position) return;
      this.#patienceOverAt = position;
      this.#beginTurn();
    });
  }

  expectAcknowledgement(entry: Entry): void {
    const open = this.journal.openPosition;
    if (this.#expectedIn !== open) {
      this.#expectedIn = open;
      this.#expected = 0;
    }
    entry.expectedIn = open;
    this.#expected++;
  }

  acknowledgementCame(entry: Entry): void {
    const { journal } = this;
    if (entry.expectedIn === journal.openPosition) this.#expected--;
    else if (entry.expectedIn === journal.sealedPosition) this.#sealedExpected--;
    entry.expectedIn = 0;
  }

  #committed(position: number) {
    this.sessions.committed(position);
    this.#beginTurn();
    const holding = this.#holding;
    this.#holding = [];
    for (const connection of holding) {
      if (connection.isClosed) connection.isHolding = false;
      else if (connection.releaseHeld(position)) connection.isHolding = false;
      else this.#holding.push(connection);
    }
  }

  holds(connection: Connection): void {
    this.#holding.push(connection);
  }

  continueLater(connection: Connection): void {
    if (connection.continues) return;
    connection.continues = true;
    if (this.#continuing.push(connection) > 1) return;
    this.#ports.nextTurn(() => {
      const continuing = this.#continuing;
      this.#continuing = [];
      for (const one of continuing) {
        one.continues = false;
        one.continue();
      }
      this.#beginTurn();
    });
  }

  congested(receiver: Connection): void {
    // Of several it is the one with the most to read that is waited for.
    if (this.#slow === null || receiver.outbox.waiting > this.#slow.outbox.waiting) {
      this.#slow = receiver;
    }
    if (this.#congested.has(receiver)) return;
    this.#congested.add(receiver);
    receiver.progressAtMs = Math.max(receiver.progressAtMs, this.nowMs);
    if (this.#stallCheck) return;
    this.#stallCheck = true;
    this.#deadlines.set(this.nowMs + STALL_CHECK_MS, { due: (at) => this.#checkStalls(at) });
  }

  /** A receiver that takes nothing must not hold its publishers: from then on messages are dropped. */
  #checkStalls(nowMs: number): number {
    for (const receiver of this.#congested) {
      if (receiver.isClosed || !receiver.isCongested) this.#congested.delete(receiver);
      else if (nowMs - receiver.progressAtMs >= STALL_MS) {
        receiver.isStalled = true;
        receiver.releaseWaiters();
        this.#congested.delete(receiver);
      }
    }
    this.#stallCheck = this.#congested.size > 0;
    return this.#stallCheck ? nowMs + STALL_CHECK_MS : Infinity;
  }

  // Host: log

  log(type: LogType, text: string): void {
    this.#ports.log(type, text);
  }

  logs(type: LogType): boolean {
    return this.#ports.logs(type);
  }

  fault(error: unknown, doing: string): void {
    this.counters.faults++;
    const stack = error instanceof Error ? error.stack ?? error.message : String(error);
    this.log("error", `Error: a defect in the broker, ${doing}: ${stack}`);
  }

  // Host: connections and sessions

  newClientId(): string {
    return this.settings.autoIdPrefix + this.#ports.randomUuid().toUpperCase();
  }

  admits(clientId: string): number {
    return this.sessions.admits(clientId);
  }

  endSafeAt(clientId: string): number {
    return this.sessions.endSafeAt(clientId);
  }

  openSession(connection: Connection, connect: ConnectPacket, clientId: string): boolean {
    return this.sessions.open(connection, connect, clientId);
  }

  connectionStarted(connection: Connection): void {
    // Where the connect time-out is due first, it looks at the keep alive then.
    const dueAtMs = this.nowMs + connection.keepAliveMs * 1.5;
    if (connection.keepAliveMs > 0 && dueAtMs < connection.deadline!.atMs) {
      this.#deadlines.cancel(connection.deadline);
      connection.deadline = this.#deadlines.set(dueAtMs, connection);
    }
    this.#ports.observer?.connected(connection.session!);
  }

  connectionEnded(connection: Connection, sendWill: boolean, text: string | undefined): void {
    this.connections.delete(connection);
    this.#congested.delete(connection);
    this.#deadlines.cancel(connection.deadline);
    connection.deadline = null;
    const { session } = connection;
    this.sessions.connectionEnded(connection, sendWill);
    if (session !== null) this.#ports.observer?.disconnected(session, text);
  }

  lastingChanged(session: Session): void {
    this.sessions.keep(session);
  }

  subscribe(session: Session, request: SubscriptionRequest, identifier: number): number {
    const reason = this.sessions.subscribe(session, request, identifier);
    if (reason < 0x80) this.#ports.observer?.subscribed(session, request);
    return reason;
  }

  unsubscribe(session: Session, filter: string): number {
    const reason = this.sessions.unsubscribe(session, filter);
    if (reason === Reason.Success) this.#ports.observer?.unsubscribed(session, filter);
    return reason;
  }

  retainedFor(session: Session, request: SubscriptionRequest, identifier: number): void {
    this.sessions.retainedFor(session, request, identifier);
  }

  dropped(session: Session, reason: string): void {
    this.counters.dropped++;
    this.#ports.observer?.dropped(session, reason);
    const { connection } = session;
    if (connection === null || connection.hasDropped) return;
    connection.hasDropped = true;
    this.log("notice", `Outgoing messages are being dropped for client ${session.clientId}.`);
  }

  // Host: messages

  hasRoomFor(publish: Publish, topic: Topic, publisher: Session): boolean {
    if (publish.retain && publish.payloadLength > 0) {
      const maximum = this.settings.maxRetainedMessages;
      if (
        maximum > 0 && this.retained.count >= maximum && this.retained.get(topic.name) === null
      ) return false;
    }
    if (this.journal.accepting) return true;
    if (publish.retain || publish.qos === 2 && publisher.isLasting) return false;
    const { matches, groups } = this.tree.route(topic);
    const isLasting = ({ subscriber }: Match<Receiver>) =>
      (subscriber as Partial<Session>).isLasting === true;
    return groups.length === 0 && !matches.some(isLasting);
  }

  route(
    publish: Publish,
    topic: Topic,
    publisher: Session | null,
    message: StoredMessage | null = null,
  ): boolean {
    this.#stored = message;
    this.#publisher = publisher;
    this.#ports.observer?.published?.(publish, topic, publisher);
    if (publish.retain) this.#retain(publish, topic);
    const { matches, groups } = this.tree.route(topic);
    let matched = false;
    for (let index = 0; index < matches.length; index++) {
      const match = matches[index];
      if (match.noLocal && match.subscriber === publisher) continue;
      matched = true;
      match.subscriber.deliver(publish, topic, match);
    }
    for (let index = 0; index < groups.length; index++) {
      const member = groups[index].choose();
      if (member === undefined) continue;
      matched = true;
      member.subscriber.deliver(publish, topic, member);
    }
    this.#stored = null;
    return matched;
  }

  stored(publish: Publish, topic: Topic): StoredMessage {
    return this.#stored ??= this.store(publish, topic, this.#publisher);
  }

  store(publish: Publish, topic: Topic, publisher: Session | null): StoredMessage {
    const seconds = publish.messageExpirySeconds;
    return new StoredMessage({
      topic,
      publish: publish.copy(),
      expiresAtMs: seconds < 0 ? Infinity : this.nowMs + seconds * 1000,
      clientId: publisher?.clientId ?? "",
      userName: publisher?.userName ?? "",
      wallOffsetMs: this.wallOffsetMs,
    });
  }

  keep(message: StoredMessage): void {
    if (message.references++ > 0) return;
    message.number = this.nextNumber();
    this.#keptMessages++;
    this.#keptBytes += message.publish.payloadLength;
    this.journal.create(Kind.Message, message.number, message);
  }

  release(message: StoredMessage, settled: boolean): void {
    if (--message.references > 0) return;
    if (settled) this.journal.cancel(Kind.Message, message.number);
    else this.journal.forget(Kind.Message, message.number);
    this.#keptMessages--;
    this.#keptBytes -= message.publish.payloadLength;
    message.number = 0;
  }

  nextNumber(): number {
    return ++this.#number;
  }

  /** [MQTT-3.3.1-5], [MQTT-3.3.1-6]: the last one is kept; an empty one removes it. */
  #retain(publish: Publish, topic: Topic) {
    if (publish.payloadLength === 0) {
      this.removeRetained(topic.name);
      return;
    }
    const message = this.stored(publish, topic);
    message.publish.detach();
    const before = this.retained.set(message);
    if (isKeptWhenRetained(topic.name)) {
      this.keep(message);
      this.journal.create(Kind.Retained, message.number, RETAINED);
    }
    if (before !== null) this.#unkeepRetained(before);
  }

  /** Removes a retained message. False: there is none. */
  removeRetained(topicName: string): boolean {
    const before = this.retained.delete(topicName);
    if (before === null) return false;
    this.#unkeepRetained(before);
    this.#beginTurn();
    return true;
  }

  #unkeepRetained(message: StoredMessage) {
    // One of $SYS may have a number, but only by the queues it waits in.
    if (!isKeptWhenRetained(message.topic.name)) return;
    this.journal.forget(Kind.Retained, message.number);
    this.release(message, false);
  }

  #expireRetained(nowMs: number) {
    for (const message of this.retained.all()) {
      if (message.isExpiredAt(nowMs)) this.removeRetained(message.topic.name);
    }
  }

  /** The rights are those of the moment in which the Will is published, as with Mosquitto. */
  #publishWill(session: Session) {
    const { message, topicName } = session.will!;
    if (message.retain && !this.settings.retainAvailable) return;
    if (!mayBePublished(topicName)) return;
    const publish = (allowed: boolean) => {
      if (!allowed) return;
      this.route(message, this.topics.named(topicName), session);
      this.#beginTurn();
    };
    const { access } = this;
    const allowed = access.checksPublish
      ? access.mayPublish(session.identity!, topicName, message, publish)
      : true;
    if (allowed !== undefined) publish(allowed);
  }

  #publishSys(topicName: string, value: string) {
    const topic = this.topics.named(topicName);
    const payload = new TextEncoder().encode(value);
    const publish = Publish.of({ payload, qos: 2, retain: true });
    this.route(publish, topic, null);
  }

  /** $SYS is updated when Unix time is a multiple of the interval. */
  #nextSysUpdateMs(): number {
    const every = this.settings.sysInterval * 1000;
    const wall = this.nowMs + this.wallOffsetMs;
    return this.nowMs + every - wall % every;
  }
}

/** $SYS is made anew at each start. */
function isKeptWhenRetained(topicName: string): boolean {
  return !topicName.startsWith("$SYS/");
}

/** The record that says "this message is retained": all in its key. */
const RETAINED = { encode: () => PRESENT };
