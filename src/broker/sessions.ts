import { printable } from "../log.ts";
import type { RetainedMessages } from "../routing/retained_messages.ts";
import type { StoredMessage } from "../routing/stored_message.ts";
import { parseFilter, type SubscriptionTree } from "../routing/subscription_tree.ts";
import { Kind } from "../store/records.ts";
import type { ConnectPacket } from "../wire/connect_packet.ts";
import { Reason } from "../wire/reason.ts";
import type { SubscriptionRequest } from "../wire/subscribe_packet.ts";
import type { Connection } from "../session/connection.ts";
import type { Deadline, Host, Receiver } from "../session/ports.ts";
import { RetainedDelivery } from "../session/retained_delivery.ts";
import { Session, SessionSubscription } from "../session/session.ts";
import type { Deadlines } from "./deadlines.ts";

/** Session Expiry Interval of a session that never expires [MQTT-3.1.2.11.2]. */
const NEVER = 0xffff_ffff;

/** What ends while a client is away. */
interface Absence {
  expiry: Deadline | null;
  will: Deadline | null;
}

/** All sessions, by Client Identifier: how they begin, are taken over, expire and end. */
export class Sessions {
  readonly #host: Host;
  readonly #tree: SubscriptionTree<Receiver>;
  readonly #retained: RetainedMessages;
  readonly #deadlines: Deadlines;
  readonly #publishWill: (session: Session) => void;
  readonly #sessions = new Map<string, Session>();
  readonly #absences = new Map<Session, Absence>();
  /** Where the journal has the end of a session, until that is safe; by Client Identifier. */
  readonly #endings = new Map<string, number>();
  /** Client Identifiers of the broker's own bridges. */
  readonly #reserved = new Set<string>();
  #connected = 0;
  #maximum = 0;

  constructor(
    host: Host,
    tree: SubscriptionTree<Receiver>,
    retained: RetainedMessages,
    deadlines: Deadlines,
    publishWill: (session: Session) => void,
  ) {
    this.#host = host;
    this.#tree = tree;
    this.#retained = retained;
    this.#deadlines = deadlines;
    this.#publishWill = publishWill;
  }

  get count(): number {
    return this.#sessions.size;
  }

  get connected(): number {
    return this.#connected;
  }

  /** The highest number of sessions so far. */
  get maximum(): number {
    return this.#maximum;
  }

  get(clientId: string): Session | undefined {
    return this.#sessions.get(clientId);
  }

  [Symbol.iterator](): IterableIterator<Session> {
    return this.#sessions.values();
  }

  /** A Reason Code: whether one more session may be opened under that identifier. */
  admits(clientId: string): number {
    if (this.#reserved.has(clientId)) return Reason.ClientIdentifierNotValid;
    const maximum = this.#host.settings.globalMaxClients;
    const full = maximum > 0 && this.#sessions.size >= maximum && !this.#sessions.has(clientId);
    return full ? Reason.ServerBusy : Reason.Success;
  }

  /** The journal's position at which the end of the client's last session is safe; 0: it is. */
  endSafeAt(clientId: string): number {
    return this.#endings.get(clientId) ?? 0;
  }

  /** All up to this position of the journal is safe. */
  committed(position: number): void {
    for (const [clientId, end] of this.#endings) {
      if (end <= position) this.#endings.delete(clientId);
    }
  }

  /** Opens the session of an accepted CONNECT. True: it was there before [MQTT-3.2.2-3]. */
  open(connection: Connection, connect: ConnectPacket, clientId: string): boolean {
    const before = this.#sessions.get(clientId);
    if (before !== undefined) this.#takeOver(before, connect.cleanStart);
    let session = this.#sessions.get(clientId);
    const present = session !== undefined;
    if (session === undefined) session = this.#add(new Session(this.#host, clientId));
    this.#endAbsence(session);
    session.userName = connection.identity?.userName ?? "";
    session.sessionExpirySeconds = connect.sessionExpirySeconds;
    session.will = connect.will ?? null;
    session.identity = connection.identity;
    this.resume(session, connection);
    return present;
  }

  /**
   * The session of a bridge of this broker: no client can have it. A lasting one gathers messages while
   * the bridge is down, and never expires.
   */
  reserve(clientId: string, isLasting: boolean): Session {
    this.#reserved.add(clientId);
    const before = this.#sessions.get(clientId);
    before?.connection?.disconnect(Reason.SessionTakenOver, { sendWill: false });
    if (before !== undefined && !isLasting) this.end(before);
    const session = this.#sessions.get(clientId) ?? this.#add(new Session(this.#host, clientId));
    this.#endAbsence(session);
    session.will = session.identity = null;
    session.sessionExpirySeconds = isLasting ? NEVER : 0;
    session.disconnectedAtMs = Infinity;
    this.keep(session);
    return session;
  }

  /** The bridge is gone for good, and its session with it. */
  release(clientId: string): void {
    this.#reserved.delete(clientId);
    const session = this.#sessions.get(clientId);
    if (session !== undefined) this.end(session);
  }

  /** The client, or bridge, of that session has connected. */
  resume(session: Session, connection: Connection): void {
    session.version = connection.version;
    session.connection = connection;
    session.disconnectedAtMs = Infinity;
    connection.session = session;
    session.inbound?.resume();
    this.#connected++;
    this.keep(session);
  }

  /** [MQTT-3.1.4-3]: the old connection ends; the session goes on, or with a Clean Start ends. */
  #takeOver(session: Session, cleanStart: boolean) {
    const { connection, will } = session;
    // As Mosquitto: a Will is sent when the session ends, not when both connections are lasting.
    const ends = cleanStart || !session.isLasting;
    connection?.disconnect(Reason.SessionTakenOver, { sendWill: false });
    // Only now, for whoever is replaced does not get it.
    session.will = ends ? will : null;
    if (session.will !== null) this.#sendWill(session);
    if (ends) this.end(session);
  }

  /** The connection is gone. */
  connectionEnded(connection: Connection, sendWill: boolean): void {
    const { session } = connection;
    if (session === null || session.connection !== connection) return;
    session.connection = null;
    this.#connected--;
    const now = session.disconnectedAtMs = this.#host.nowMs;
    if (!sendWill) session.will = null;
    if (!session.isLasting) {
      if (session.will !== null) this.#sendWill(session);
      this.end(session);
      return;
    }
    if (session.hasOutbound) session.outbound.suspend();
    const delaySeconds = session.will?.delaySeconds ?? 0;
    if (session.will !== null && delaySeconds === 0) this.#sendWill(session);
    this.#beginAbsence(session, now, delaySeconds);
    this.keep(session);
  }

  /** Sets the deadlines of a session whose client has been away since `sinceMs`. */
  #beginAbsence(session: Session, sinceMs: number, willDelaySeconds: number) {
    const absence: Absence = { expiry: this.#expiryOf(session, sinceMs), will: null };
    if (session.will !== null) {
      absence.will = this.#deadlines.set(sinceMs + willDelaySeconds * 1000, {
        due: () => {
          this.#sendWill(session);
          return Infinity;
        },
      });
    }
    if (absence.expiry !== null || absence.will !== null) this.#absences.set(session, absence);
  }

  /** When the session of a client that has been away since `sinceMs` expires; null: never. */
  #expiryOf(session: Session, sinceMs: number): Deadline | null {
    const seconds = this.expirySeconds(session);
    if (seconds === NEVER) return null;
    return this.#deadlines.set(sinceMs + seconds * 1000, {
      due: () => {
        this.#host.counters.expiredSessions++;
        this.#host.log("notice", `Expiring client ${printable(session.clientId)} due to timeout.`);
        this.end(session);
        return Infinity;
      },
    });
  }

  /** persistent_client_expiration has changed: those who are away expire earlier or later. */
  expirationChanged(): void {
    for (const session of this.#sessions.values()) {
      if (session.connection !== null) continue;
      const absence = this.#absences.get(session) ?? { expiry: null, will: null };
      this.#deadlines.cancel(absence.expiry);
      absence.expiry = this.#expiryOf(session, session.disconnectedAtMs);
      this.#absences.set(session, absence);
    }
  }

  #endAbsence(session: Session) {
    const absence = this.#absences.get(session);
    if (absence === undefined) return;
    this.#deadlines.cancel(absence.expiry);
    this.#deadlines.cancel(absence.will);
    this.#absences.delete(session);
  }

  /** What the client asked for, cut by persistent_client_expiration. */
  expirySeconds(session: Session): number {
    if (this.#reserved.has(session.clientId)) return NEVER;
    const maximum = this.#host.settings.persistentClientExpiration;
    const asked = session.sessionExpirySeconds;
    return maximum > 0 && maximum < asked ? maximum : asked;
  }

  #sendWill(session: Session) {
    this.#publishWill(session);
    session.will = null;
  }

  /** Ends a session and all that belongs to it; a Will that still waits is sent [MQTT-3.1.3-9]. */
  end(session: Session): void {
    if (this.#sessions.get(session.clientId) !== session) return;
    this.#sessions.delete(session.clientId);
    this.#endAbsence(session);
    if (session.will !== null) this.#sendWill(session);
    for (const subscription of session.subscriptions?.values() ?? []) {
      this.#removeSubscription(session, subscription);
    }
    session.subscriptions = null;
    session.retainedDeliveries = null;
    if (session.hasOutbound) session.outbound.clear();
    session.inbound?.clear();
    if (session.number === 0) return;
    const { journal } = this.#host;
    // The number stays: what was kept before and is still to be written refers to it.
    journal.forget(Kind.Session, session.number);
    if (journal.position > journal.committed) {
      this.#endings.set(session.clientId, journal.position);
    }
  }

  /** Writes what the session is now, if it is to outlive its connection or did so before. */
  keep(session: Session): void {
    const { journal } = this.#host;
    if (session.number !== 0) journal.replace(Kind.Session, session.number, session);
    else if (session.isLasting) {
      session.number = this.#host.nextNumber();
      journal.create(Kind.Session, session.number, session);
    }
  }

  /** Sends all Wills, the delayed ones too: the server stops. */
  sendAllWills(): void {
    for (const session of this.#sessions.values()) {
      if (session.will !== null) this.#sendWill(session);
    }
  }

  /** A Reason Code: the granted QoS, or why not. */
  subscribe(session: Session, request: SubscriptionRequest, identifier: number): number {
    const parsed = parseFilter(request.filter);
    if (parsed === null) return Reason.TopicFilterInvalid;
    const subscriptions = session.subscriptions ??= new Map();
    const before = subscriptions.get(request.filter);
    if (session.isLasting && !this.#host.journal.accepting) return Reason.QuotaExceeded;
    const maximum = this.#host.settings.maxSubscriptionsPerClient;
    if (before === undefined && maximum > 0 && subscriptions.size >= maximum) {
      return Reason.QuotaExceeded;
    }
    const subscription = new SessionSubscription(
      session,
      request.filter,
      request.qos,
      request.noLocal,
      request.retainAsPublished,
      identifier,
    );
    this.#subscribe(session, subscription);
    if (this.#host.logs("subscribe")) {
      this.#host.log(
        "subscribe",
        `${printable(session.clientId)} ${request.qos} ${printable(request.filter)}`,
        session.connection?.logDetails("subscribed"),
      );
    }
    const { journal } = this.#host;
    if (before !== undefined && before.number !== 0) {
      // Also when the session will not last: its record is there and has to be found at its end.
      subscription.number = before.number;
      journal.replace(Kind.Subscription, subscription.number, subscription);
    } else if (session.isLasting) {
      subscription.number = this.#host.nextNumber();
      journal.create(Kind.Subscription, subscription.number, subscription);
    }
    return request.qos;
  }

  #subscribe(session: Session, subscription: SessionSubscription) {
    const parsed = parseFilter(subscription.filter)!;
    (session.subscriptions ??= new Map()).set(subscription.filter, subscription);
    this.#tree.subscribe(parsed.filter, {
      subscriber: session,
      qos: subscription.qos,
      noLocal: subscription.noLocal,
      retainAsPublished: subscription.retainAsPublished,
      identifier: subscription.identifier,
    }, parsed.group);
  }

  unsubscribe(session: Session, filter: string): number {
    const subscription = session.subscriptions?.get(filter);
    if (subscription === undefined) return Reason.NoSubscriptionExisted;
    session.subscriptions!.delete(filter);
    session.endRetained(filter);
    this.#removeSubscription(session, subscription);
    if (this.#host.logs("unsubscribe")) {
      const text = `${printable(session.clientId)} ${printable(filter)}`;
      this.#host.log("unsubscribe", text, session.connection?.logDetails("unsubscribed"));
    }
    return Reason.Success;
  }

  #removeSubscription(session: Session, subscription: SessionSubscription) {
    const { filter, group } = parseFilter(subscription.filter)!;
    this.#tree.unsubscribe(filter, session, group);
    if (subscription.number !== 0) {
      this.#host.journal.forget(Kind.Subscription, subscription.number);
    }
  }

  /** [MQTT-3.3.1-9]: what is retained goes to a new subscription, unless it is shared. */
  retainedFor(session: Session, request: SubscriptionRequest, identifier: number): void {
    if (session.connection === null || request.filter.startsWith("$share/")) return;
    // The SUBACK may have waited for a commit; an UNSUBSCRIBE may have come meanwhile.
    if (!session.subscriptions?.has(request.filter)) return;
    session.endRetained(request.filter);
    (session.retainedDeliveries ??= new Map()).set(
      request.filter,
      new RetainedDelivery(
        session,
        request.filter,
        this.#retained.search(request.filter),
        request.qos,
        this.#host.settings.upgradeOutgoingQos,
        identifier,
        this.#withheldFrom(session),
      ),
    );
  }

  /** Which retained messages a session does not get. */
  #withheldFrom(session: Session): ((message: StoredMessage) => boolean) | null {
    // What a bridge has brought it does not take back.
    if (this.#reserved.has(session.clientId)) {
      return ({ clientId }) => clientId === session.clientId;
    }
    const { settings, access } = this.#host;
    if (!settings.checkRetainSource || !access.checksPublish) return null;
    return (message) => !this.#mayStillPublish(message, session);
  }

  /** Whether who published a retained message may do so under the rights of now. */
  #mayStillPublish(message: StoredMessage, receiver: Session): boolean {
    const { clientId, userName, topic, publish } = message;
    if (clientId === "") return true;
    const known = this.#sessions.get(clientId)?.identity;
    const identity = known ?? {
      clientId,
      userName: userName === "" ? undefined : userName,
      isCertified: false,
      remoteAddress: "",
      version: 5,
      listener: receiver.identity!.listener,
    };
    // An answer that comes later comes too late for this question.
    return this.#host.access.mayPublish(identity, topic.name, publish, () => {}) !== false;
  }

  // From the store

  restoreSession(session: Session): void {
    this.#add(session);
  }

  restoreSubscription(session: Session, subscription: SessionSubscription): void {
    this.#subscribe(session, subscription);
  }

  /** All is restored: time goes on for those who are away, and that is all of them. */
  restored(): void {
    for (const session of this.#sessions.values()) {
      this.#beginAbsence(session, session.disconnectedAtMs, 0);
    }
  }

  #add(session: Session): Session {
    this.#sessions.set(session.clientId, session);
    this.#maximum = Math.max(this.#maximum, this.#sessions.size);
    return session;
  }
}
