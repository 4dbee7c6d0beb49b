import { errorTrace } from "../error_text.ts";
import { type LogDetails, type LogType, printable } from "../log.ts";
import { RetainedMessages } from "../routing/retained_messages.ts";
import type { StoredMessage } from "../routing/stored_message.ts";
import { SubscriptionTree } from "../routing/subscription_tree.ts";
import type { Topic } from "../routing/topic.ts";
import { TopicTable } from "../routing/topic_table.ts";
import type { Backlog } from "../session/backlog.ts";
import { ClientConnection } from "../session/client_connection.ts";
import type { Connection, FrameLimits } from "../session/connection.ts";
import { mayBePublished } from "../session/publishing.ts";
import { limitsAfterConnect, limitsBeforeConnect } from "../session/frame_limits.ts";
import type {
  Access,
  ControlHandler,
  Counters,
  Deadline,
  Host,
  Identity,
  Link,
  ListenerSettings,
  Receiver,
  Settings,
} from "../session/ports.ts";
import type { Entry } from "../session/entry.ts";
import type { Session } from "../session/session.ts";
import { Journal } from "../store/journal.ts";
import type { StoreHealth } from "../store/store.ts";
import type { ConnectPacket } from "../wire/connect_packet.ts";
import { FrameReader } from "../wire/frame_reader.ts";
import type { Outbox, SentCounters } from "../wire/outbox.ts";
import { Publish, type Qos } from "../wire/publish.ts";
import { Reason } from "../wire/reason.ts";
import type { SubscriptionRequest } from "../wire/subscribe_packet.ts";
import {
  newCounters,
  newSentCounters,
  packetStatistics,
  type Statistics,
  statisticsOf,
} from "./counters.ts";
import { Backlogs } from "./backlogs.ts";
import { CommitPolicy } from "./commit_policy.ts";
import { Control } from "./control.ts";
import { Congestion } from "./congestion.ts";
import { Deadlines, type Due } from "./deadlines.ts";
import { Housekeeping } from "./housekeeping.ts";
import { LoginFailures } from "./login_failures.ts";
import { MemoryLimit } from "./memory_limit.ts";
import { Messages } from "./messages.ts";
import type { Ports } from "./ports.ts";
import { Rates } from "./rates.ts";
import { restore, type Restored } from "./restore.ts";
import { Sessions } from "./sessions.ts";
import { SysTopics } from "./sys_topics.ts";

function frameLimits(settings: Settings): FrameLimits {
  return { before: limitsBeforeConnect(settings), after: limitsAfterConnect(settings) };
}

/** Interned Topic Names; each weighs some 200 bytes and its name twice. */
const TOPICS_MAXIMUM = 100_000;
/** In all routes that topics hold, some 75 bytes each: thousands may subscribe to all of the topics. */
const HELD_MATCHES_MAXIMUM = 1_000_000;
/** Of {@linkcode Host.spent}: looking at a node of the subscription tree. */
const NODE_UNITS = 4;
/** {@linkcode Host.spent} of one chunk before others get their turn: some 100 ms. */
const CHUNK_UNITS_MAXIMUM = 1_000_000;

/**
 * The broker's core: owns all state, and the turn in which it changes. Input is handled as it comes;
 * what it makes leaves at the end of the turn, disk first.
 */
export class Broker implements Host {
  /** In force now; see {@linkcode Broker.configure}. */
  settings: Settings;
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
  turn = 0;
  backlog: Backlog | null = null;

  readonly #ports: Ports;
  #limits: FrameLimits;
  readonly #deadlines = new Deadlines();
  readonly #congestion = new Congestion(this.#deadlines);
  readonly #backlogs = new Backlogs(this.#deadlines);
  readonly #commits: CommitPolicy;
  readonly #rates = new Rates();
  readonly #memory: MemoryLimit;
  readonly #loginFailures = new LoginFailures();
  readonly #messages: Messages;
  readonly #control = new Control(this);
  readonly #housekeeping: Housekeeping;
  readonly #startedAtMs: number;
  #nowMs = -1;
  #touched: Outbox[] = [];
  #borrowed: Outbox[] = [];
  #holding: Connection[] = [];
  #continuing: Connection[] = [];
  #number = 0;
  #heapMaximum = 0;
  /** Matches in the routes of interned topics, or a little more. */
  #heldMatches = 0;
  /** Units that the chunk which is handled now has cost so far. */
  #chunkUnits = 0;
  #isStopping = false;

  constructor(settings: Settings, ports: Ports) {
    this.settings = settings;
    this.#ports = ports;
    this.access = ports.access;
    const { clock } = ports;
    this.#startedAtMs = clock.monotonicMs();
    this.wallOffsetMs = clock.wallMs() - this.#startedAtMs;
    this.topics = new TopicTable(TOPICS_MAXIMUM, ports.random());
    this.tree = new SubscriptionTree(
      settings.allowDuplicateMessages,
      (nodes, held) => this.#routeFound(nodes, held),
    );
    this.#limits = frameLimits(settings);
    this.journal = new Journal(ports.store, {
      ...ports.journal,
      clock,
      onCommitted: (position) => this.#committed(position),
    });
    this.#commits = new CommitPolicy(this.journal, ports.journal.durability === "sync", {
      nextTurn: (run) => ports.nextTurn(run),
      beginTurn: () => this.#beginTurn(),
    });
    this.#messages = new Messages(
      this,
      this.tree,
      this.retained,
      (bytes) => this.#memory.copied(bytes),
    );
    this.sessions = new Sessions(
      this,
      this.tree,
      this.retained,
      this.#deadlines,
      (session) => this.#publishWill(session),
    );
    const { sessions, connections } = this;
    this.#memory = new MemoryLimit({ messages: this.#messages, sessions, connections });
    const sys = new SysTopics(ports.version, (topic, value) => this.#publishSys(topic, value));
    this.#housekeeping = new Housekeeping(settings, this.#deadlines, this, {
      updateSys: () => sys.update(this.statistics(), packetStatistics(this.counters, this.sent)),
      removeExpired: (nowMs) => this.#messages.removeExpired(nowMs),
      tickJournal: ports.journal.durability === "none" ? null : () => this.journal.tick(),
    });
  }

  /** Reads the store, once, before anything else. @throws {StoreError} */
  restore(): Restored {
    const found = restore(this.#ports.store, this, this.topics, this.sessions, this.retained);
    this.#number = found.lastNumber;
    this.#messages.restored(found.messages, found.messageBytes);
    return found;
  }

  /** Begins the work that time drives. */
  start(): void {
    this.#housekeeping.start();
  }

  /** Other settings are in force. What a client was told when it connected goes on to hold for it. */
  configure(settings: Settings): void {
    const before = this.settings;
    this.settings = settings;
    this.#limits = frameLimits(settings);
    this.tree.allowDuplicates(settings.allowDuplicateMessages);
    this.#housekeeping.configure(settings);
    for (const connection of this.connections) {
      connection.logPackets(this.logs("debug"));
      this.#rates.ended(connection);
      if (connection.isConnected) connection.rateLimits = this.#rates.of(connection, settings);
    }
    if (settings.persistentClientExpiration !== before.persistentClientExpiration) {
      this.sessions.expirationChanged();
    }
    this.#beginTurn();
  }

  /** Ends the connections of clients that may no longer be here. Returns how many. */
  disconnectClients(
    where: (identity: Identity) => boolean,
    reason: number,
    options: { sendWill?: boolean } = {},
  ): number {
    let count = 0;
    for (const connection of [...this.connections]) {
      const { identity } = connection;
      if (identity === null || !connection.isConnected || !where(identity)) continue;
      connection.disconnect(reason, options);
      count++;
    }
    this.#beginTurn();
    return count;
  }

  /**
   * A socket was accepted. The caller then hands its bytes to the connection.
   *
   * @param elapsedMs of the time for its CONNECT, spent on handshakes
   */
  accept(link: Link, listener: ListenerSettings, elapsedMs = 0): Connection {
    this.counters.sockets++;
    const connection = new ClientConnection(this, link, listener, this.#limits);
    this.connections.add(connection);
    connection.deadline = this.#deadlines.set(
      this.nowMs + this.settings.connectTimeoutSeconds * 1000 - elapsedMs,
      connection,
    );
    return connection;
  }

  /**
   * Publishes for the process itself, or for one of its bridges, which does not get it then. Returns
   * whether anybody subscribed.
   */
  publishMessage(
    message: {
      topic: string;
      payload: Uint8Array;
      qos?: Qos;
      retain?: boolean;
      properties?: Uint8Array;
      messageExpirySeconds?: number;
    },
    publisher: Session | null = null,
  ): boolean {
    const topic = this.topics.named(message.topic);
    const publish = Publish.of(message);
    this.#beginTurn();
    return this.route(publish, topic, publisher);
  }

  /** Has something looked at when its time has come; for what lives beside the connections. */
  schedule(atMs: number, target: Due): Deadline {
    this.#beginTurn();
    return this.#deadlines.set(atMs, target);
  }

  unschedule(deadline: Deadline | null): void {
    this.#deadlines.cancel(deadline);
  }

  /** Who answers what clients publish to a topic below `$CONTROL/`; null: nobody any more. */
  onControl(topicName: string, handler: ControlHandler | null): void {
    this.#control.register(topicName, handler);
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
    const heapCurrent = this.#ports.heapBytes();
    this.#heapMaximum = Math.max(this.#heapMaximum, heapCurrent);
    return statisticsOf(this, this.#messages, {
      uptimeSeconds: (this.nowMs - this.#startedAtMs) / 1000,
      heapCurrent,
      heapMaximum: this.#heapMaximum,
    });
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

  #routeFound(nodes: number, held: number) {
    this.spent(nodes * NODE_UNITS);
    this.#heldMatches += held;
    if (this.#heldMatches <= HELD_MATCHES_MAXIMUM) return;
    this.#heldMatches = 0;
    this.topics.forget();
  }

  spent(units: number): void {
    this.#chunkUnits += units;
    if (this.#chunkUnits > CHUNK_UNITS_MAXIMUM) this.reader.stop();
  }

  inputHandled(connection: Connection): void {
    this.#chunkUnits = 0;
    const borrowed = this.#borrowed;
    if (borrowed.length > 0) {
      for (let index = 0; index < borrowed.length; index++) borrowed[index].settle();
      this.#borrowed = [];
    }
    this.#congestion.settle(connection);
    this.#beginTurn();
  }

  /** Disk first, then the sockets: the only place where bytes leave. */
  endTurn(): void {
    this.#commits.flush();
    const touched = this.#touched;
    this.#touched = [];
    for (let index = 0; index < touched.length; index++) {
      const outbox = touched[index];
      outbox.isTouched = false;
      outbox.sink!.flush();
    }
    this.#nowMs = -1;
    this.turn++;
    this.#ports.wakeAt(this.#deadlines.nextAtMs);
  }

  expectAcknowledgement(entry: Entry): void {
    this.#commits.expect(entry);
  }

  acknowledgementCame(entry: Entry): void {
    this.#commits.came(entry);
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
    this.#congestion.add(receiver, this.nowMs);
  }

  backlogBegins(backlog: Backlog): void {
    this.#backlogs.add(backlog);
  }

  backlogEnds(backlog: Backlog): void {
    this.#backlogs.delete(backlog);
    // Nobody may wait for it any more.
    if (this.backlog === backlog) this.backlog = null;
  }

  backlogged(backlog: Backlog): void {
    if (this.backlog === null || backlog.queued > this.backlog.queued) this.backlog = backlog;
  }

  // Host: log

  log(type: LogType, text: string, details?: LogDetails): void {
    this.#ports.log(type, text, details);
  }

  logs(type: LogType): boolean {
    return this.#ports.logs(type);
  }

  fault(error: unknown, doing: string): void {
    this.counters.faults++;
    this.log("error", `Error: a defect in the broker, ${doing}: ${errorTrace(error)}`);
  }

  // Host: connections and sessions

  newClientId(prefix: string): string {
    return prefix + this.#ports.randomUuid().toUpperCase();
  }

  admits(clientId: string): number {
    // Who has a session may come for what waits there, and so make room.
    if (this.sessions.get(clientId) === undefined && this.isOutOfMemory) return Reason.ServerBusy;
    return this.sessions.admits(clientId);
  }

  endSafeAt(clientId: string): number {
    return this.sessions.endSafeAt(clientId);
  }

  openSession(connection: Connection, connect: ConnectPacket, clientId: string): boolean {
    return this.sessions.open(connection, connect, clientId);
  }

  connectionStarted(connection: Connection): void {
    connection.rateLimits = this.#rates.of(connection, this.settings);
    // Where the connect time-out is due first, it looks at the keep alive then.
    const dueAtMs = this.nowMs + connection.keepAliveMs * 1.5;
    if (connection.keepAliveMs > 0 && dueAtMs < connection.deadline!.atMs) {
      this.#deadlines.cancel(connection.deadline);
      connection.deadline = this.#deadlines.set(dueAtMs, connection);
    }
    this.#ports.observer?.connected(connection.session!);
  }

  loginDelayMs(identity: Identity): number {
    const { loginFailuresPerMinute, connectTimeoutSeconds } = this.settings;
    const longestMs = connectTimeoutSeconds * 1000;
    return this.#loginFailures.delayOf(identity, loginFailuresPerMinute, this.nowMs, longestMs);
  }

  loginFailed(identity: Identity): void {
    this.#loginFailures.failed(identity, this.settings.loginFailuresPerMinute, this.nowMs);
  }

  resumeAfter(connection: Connection, delayMs: number, act: () => void): void {
    connection.resumption = this.#deadlines.set(this.nowMs + delayMs, {
      due: () => {
        connection.resumption = null;
        connection.resumeWith(act);
        return Infinity;
      },
    });
  }

  connectionEnded(connection: Connection, sendWill: boolean, text: string | undefined): void {
    this.connections.delete(connection);
    this.#congestion.delete(connection);
    this.#rates.ended(connection);
    this.#deadlines.cancel(connection.deadline);
    this.#deadlines.cancel(connection.resumption);
    connection.deadline = connection.resumption = null;
    const { session } = connection;
    this.sessions.connectionEnded(connection, sendWill);
    // A bridge is no client: it has no identity, and nobody was told that it came.
    if (connection.identity !== null && session !== null) {
      this.#ports.observer?.disconnected(session, text);
    }
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
    session.dropped++;
    this.#ports.observer?.dropped(session, reason);
    const { connection } = session;
    if (connection === null || connection.hasDropped) return;
    connection.hasDropped = true;
    this.log(
      "notice",
      `Outgoing messages are being dropped for client ${printable(session.clientId)}.`,
    );
  }

  // Host: messages

  get isOutOfMemory(): boolean {
    return this.#memory.isExceeded(this.settings.memoryLimit, this.nowMs);
  }

  makesRoom(publish: Publish, topic: Topic): boolean {
    return this.#messages.makesRoom(publish, topic);
  }

  hasRoomFor(publish: Publish, topic: Topic, publisher: Session): boolean {
    return this.#messages.hasRoomFor(publish, topic, publisher);
  }

  route(
    publish: Publish,
    topic: Topic,
    publisher: Session | null,
    message: StoredMessage | null = null,
  ): boolean {
    this.#ports.observer?.published?.(publish, topic, publisher);
    return this.#messages.route(publish, topic, publisher, message);
  }

  control(publish: Publish, topic: Topic, publisher: Session): void {
    this.#control.handle(publisher, publish, topic);
  }

  stored(publish: Publish, topic: Topic): StoredMessage {
    return this.#messages.stored(publish, topic);
  }

  store(publish: Publish, topic: Topic, publisher: Session | null): StoredMessage {
    return this.#messages.store(publish, topic, publisher);
  }

  keep(message: StoredMessage): void {
    this.#messages.keep(message);
  }

  release(message: StoredMessage, leavesTrace: boolean): void {
    this.#messages.release(message, leavesTrace);
  }

  nextNumber(): number {
    return ++this.#number;
  }

  /** Removes a retained message. False: there is none. */
  removeRetained(topicName: string): boolean {
    this.#beginTurn();
    return this.#messages.removeRetained(topicName);
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
    const allowed = access.checksPublish && session.identity !== null
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
}
