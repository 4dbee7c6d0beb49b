import assert from "node:assert/strict";
import type { ChangingRights } from "./changing_rights.ts";
import { GroupDebts } from "./group_debts.ts";
import { type Message, type MessageOptions, newMessage } from "./message.ts";
import { filterMatches, PromisedSession } from "./promised_session.ts";

/** A PUBLISH that came to a client's application. */
export interface Delivered {
  readonly id: string;
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
  readonly identifiers: readonly number[];
}

/** What of the world changes what is promised. */
export interface LedgerOptions {
  readonly rights?: ChangingRights | null;
  /** Copies that overlapping subscriptions bring. "either": it changes. */
  readonly copies?: "one" | "each" | "either";
  /** A client takes no such message: it may be too large. */
  readonly mayBeTooLarge?: (client: string, message: Message) => boolean;
}

/** All that was sent, promised and received; says when a promise was broken. */
export class Ledger {
  readonly sessions = new Map<string, PromisedSession>();
  readonly #options: LedgerOptions;
  readonly #messages = new Map<string, Message>();
  readonly #sequences = new Map<string, number>();
  readonly #groups = new GroupDebts();
  /** Wills that are owed unless the broker crashes before it has kept them. */
  #tentative: [session: PromisedSession, will: Message][] = [];
  #now = 0;
  /** Told of every event, to see what led to a failure. */
  note: (line: string) => void = () => {};
  /** How much was checked; a simulation in which nothing happens proves nothing. */
  readonly counts = {
    acknowledged: 0,
    owed: 0,
    delivered: 0,
    exactlyOnce: 0,
    repeated: 0,
    dropped: 0,
    groups: 0,
    identified: 0,
  };

  constructor(options: LedgerOptions = {}) {
    this.#options = options;
  }

  /** The moment of a new event. */
  moment(): number {
    return ++this.#now;
  }

  newSession(client: string): PromisedSession {
    const session = new PromisedSession(client, this.moment(), this.sessions.get(client) ?? null);
    this.sessions.set(client, session);
    return session;
  }

  newMessage(publisher: string, topic: string, options: MessageOptions): Message {
    const sequence = (this.#sequences.get(publisher) ?? 0) + 1;
    this.#sequences.set(publisher, sequence);
    const message = newMessage(publisher, topic, sequence, this.moment(), options);
    this.#messages.set(message.id, message);
    return message;
  }

  message(id: string): Message | undefined {
    return this.#messages.get(id);
  }

  /** The broker has taken the message: from now on it owes it to all who subscribed before. */
  acknowledged(message: Message): void {
    message.doneAt = this.moment();
    message.acknowledged = true;
    this.counts.acknowledged++;
    if (message.expires || message.empty) return;
    for (const session of this.#subscribersOf(message)) this.#owe(session, message);
    this.#groups.add(
      message,
      [...this.sessions.values()],
      (session) => !this.#mayHave(session, message),
    );
  }

  /** A Will is to be published now, at once. */
  willDue(will: Message): void {
    if (!(this.#options.rights?.mayWrite(will.client, will.topic) ?? true)) {
      will.cancelled = true;
      return;
    }
    will.routedFrom = this.moment();
    if (will.qos === 0) return;
    for (const session of this.#subscribersOf(will)) this.#tentative.push([session, will]);
  }

  /** The process has died; what was promised after `safe` may be lost with it. */
  crashed(safe = Infinity): void {
    this.#tentative = [];
    if (safe === Infinity) return;
    this.#groups.clear();
    const now = this.moment();
    for (const session of this.sessions.values()) session.rollBack(safe, now);
    for (const message of this.#messages.values()) {
      if (message.doneAt > safe) message.acknowledged = false;
    }
  }

  /** Everything the broker has is safe. */
  settled(): void {
    for (const [session, message] of this.#tentative) {
      // Meanwhile the client may have asked for another session or other subscriptions.
      if ([...this.#subscribersOf(message)].includes(session)) this.#owe(session, message);
    }
    this.#tentative = [];
  }

  /** The broker says that a limit has kept the message from the client. */
  dropped(client: string, message: Message): void {
    this.counts.dropped++;
    this.sessions.get(client)?.excuse(message);
  }

  /** The client may not read messages of that topic any more: what waits for it does not come. */
  denied(client: string, topic: string): void {
    const session = this.sessions.get(client);
    if (session === undefined) return;
    for (const message of [...session.owed.keys()]) {
      if (message.topic === topic) session.excuse(message);
    }
    this.#groups.denied(session, topic);
  }

  #owe(session: PromisedSession, message: Message) {
    if (session.seen.has(message) || !this.#mayHave(session, message)) return;
    const identifiers = this.#options.copies === "each"
      ? this.#identifiersFor(session, message)
      : [];
    session.owed.set(message, new Set(identifiers.length > 0 ? identifiers : [0]));
    this.counts.owed++;
  }

  /** Neither a limit nor missing rights can have kept the message from the session. */
  #mayHave(session: PromisedSession, message: Message): boolean {
    const { rights, mayBeTooLarge } = this.#options;
    if (session.excused.has(message) || mayBeTooLarge?.(session.client, message)) return false;
    const unreadableUntil = rights?.unreadableUntil(session.client, message.topic) ?? 0;
    return unreadableUntil === 0 || unreadableUntil < message.sentAt;
  }

  /** By which Subscription Identifiers a copy is due. */
  #identifiersFor(session: PromisedSession, message: Message): number[] {
    const granted = [...session.acknowledged].filter(([filter, { qos, at, noLocal }]) =>
      qos > 0 && at <= message.routedFrom && !filter.startsWith("$share/") &&
      !(noLocal && message.client === session.client) && filterMatches(filter, message.topic)
    );
    return granted.map(([, { identifier }]) => identifier).filter((identifier) => identifier > 0);
  }

  *#subscribersOf(message: Message): Generator<PromisedSession> {
    for (const session of this.sessions.values()) {
      for (const [filter, { qos, at, noLocal }] of session.acknowledged) {
        if (qos === 0 || at > message.routedFrom || filter.startsWith("$share/")) continue;
        if (noLocal && message.client === session.client) continue;
        if (filterMatches(filter, message.topic)) {
          yield session;
          break;
        }
      }
    }
  }

  /** A client's application has got a message. */
  delivered(session: PromisedSession, packet: Delivered): void {
    const message = this.#messages.get(packet.id);
    assert.ok(message, `${session.client} got "${packet.id}", which nobody published`);
    assert.equal(packet.topic, message.topic, `"${message.id}" came under another topic`);
    const who = `${session.client} got "${message.id}" of ${message.topic}`;
    this.counts.delivered++;
    assert.ok(!message.cancelled, `${who}, a Will that was not to be sent`);
    assert.ok(message.wasAllowed, `${who}, which was not allowed to be published`);
    if (packet.retain) return this.#retainedCopy(session, message, packet, who);
    const isHaunted = message.sentAt < session.hauntedUntil;
    assert.ok(
      isHaunted || message.doneAt > session.since,
      `${who}, which its session, now ended, was sent`,
    );
    const reasons = session.reasonsFor(message);
    assert.ok(isHaunted || reasons.length > 0, `${who} without a subscription`);
    if (!isHaunted) this.#assertIdentifiers(session, message, packet, who);
    if (packet.qos === 2) this.#atQos2(session, message, who);
    session.paid(message, packet.identifiers);
    if (session.seen.has(message)) {
      this.counts.repeated++;
      return;
    }
    session.seen.add(message);
    if (!isHaunted) this.#assertOrder(session, message, packet, who);
  }

  /** A copy that was retained comes whenever a subscription is made. */
  #retainedCopy(session: PromisedSession, message: Message, packet: Delivered, who: string) {
    const reasons = session.asked.filter(({ filter }) => filterMatches(filter, message.topic));
    const isHaunted = message.sentAt < session.hauntedUntil;
    assert.ok(isHaunted || reasons.length > 0, `${who} and never subscribed to it`);
    if (isHaunted) return;
    assert.ok(packet.identifiers.length < 2, `${who}, retained, by several subscriptions`);
    const [identifier = 0] = packet.identifiers;
    const isKnown = reasons.some((reason) => reason.identifier === identifier);
    assert.ok(isKnown, `${who}, retained, with a foreign identifier ${identifier}`);
  }

  /** [MQTT-3.3.4-3], [MQTT-3.3.4-4]: the identifiers of the subscriptions that match, and no others. */
  #assertIdentifiers(
    session: PromisedSession,
    message: Message,
    { identifiers }: Delivered,
    who: string,
  ) {
    const matching = session.asked.filter(({ filter }) => filterMatches(filter, message.topic));
    for (const identifier of identifiers) {
      const isKnown = matching.some((reason) => reason.identifier === identifier);
      assert.ok(isKnown, `${who} with a foreign identifier ${identifier}`);
    }
    const { copies = "one" } = this.#options;
    const isOne = copies !== "each" || identifiers.length < 2;
    assert.ok(isOne, `${who} in one copy for several subscriptions`);
    // Which of several subscriptions count when one of them is No Local is nobody's promise.
    const isMixed = message.client === session.client && matching.some(({ noLocal }) => noLocal);
    if (copies !== "one" || isMixed || !session.isCertainOf(message)) return;
    const expected = matching.map(({ identifier }) => identifier).filter((one) => one > 0);
    if (expected.length > 0) this.counts.identified++;
    assert.deepEqual(
      [...identifiers].sort((a, b) => a - b),
      expected.sort((a, b) => a - b),
      `${who}: its identifiers`,
    );
  }

  #assertOrder(session: PromisedSession, message: Message, { qos }: Delivered, who: string) {
    // What is sent again may come for the first time to who subscribed after the first time, in a
    // group to another member, at QoS 0 to who was away, to whom a limit or his rights kept it from.
    if (isShared(message) || qos < message.qos && qos === 0) return;
    const unreadableUntil = this.#options.rights?.unreadableUntil(session.client, message.topic);
    if (session.excused.has(message) || (unreadableUntil ?? 0) > message.sentAt) return;
    // One that has expired in the queue comes late, when it is published again.
    if (message.unordered || message.expires || !session.wasOwed(message, qos)) return;
    // [MQTT-4.6.0-5]: what comes for the first time comes in order, for each topic and QoS.
    const stream = `${message.publisher}|${message.topic}|${message.qos}|${qos}`;
    const newest = session.newest.get(stream) ?? 0;
    assert.ok(message.sequence > newest, `${who} after "${message.publisher} ${newest}"`);
    session.newest.set(stream, message.sequence);
  }

  #atQos2(session: PromisedSession, message: Message, who: string) {
    // A Shared Subscription and another one bring a copy each.
    const shared = isShared(message);
    if (!session.isExact || shared && !session.isOnlyInGroup(message)) return;
    const count = (session.seenAtQos2.get(message) ?? 0) + 1;
    session.seenAtQos2.set(message, count);
    const isOne = shared || (this.#options.copies ?? "one") === "one";
    const filters = new Set(session.reasonsFor(message).map(({ filter }) => filter));
    const allowed = isOne ? 1 : filters.size;
    assert.ok(count <= allowed, `${who} ${count === 2 ? "twice" : `${count} times`} at QoS 2`);
    this.counts.exactlyOnce++;
    if (!shared) return;
    for (const other of this.sessions.values()) {
      if (other === session || !other.isExact || !other.isOnlyInGroup(message)) continue;
      const both = other.seenAtQos2.has(message);
      assert.ok(!both, `${who}, and so did ${other.client} of the same group`);
    }
  }

  /** Nothing is on its way any more: every promise must have been kept. */
  assertPaid(): void {
    for (const session of this.sessions.values()) {
      const [missing] = session.owed.keys();
      if (missing === undefined) continue;
      assert.fail(
        `${session.client} never got "${missing.id}" of ${missing.topic} ` +
          `(QoS ${missing.qos}), nor ${session.owed.size - 1} others`,
      );
    }
    this.counts.groups += this.#groups.assertPaid(this.sessions);
  }

  /** The retained message of a topic: the last acknowledged one, or one that may have come later. */
  assertRetained(topic: string, id: string | undefined): void {
    const sent = [...this.#messages.values()].filter((one) =>
      one.retain && one.topic === topic && one.wasAllowed
    );
    const newestSure = Math.max(
      0,
      ...sent.filter((one) => one.acknowledged).map((one) =>
        one.qos === 2 ? one.routedFrom : one.sentAt
      ),
    );
    const possible = sent.filter((one) => one.doneAt >= newestSure)
      .map((one) => one.empty ? undefined : one.id);
    if (newestSure === 0) possible.push(undefined);
    assert.ok(
      possible.includes(id),
      `"${id}" is retained for ${topic}; it should be one of: ${possible.join(", ")}`,
    );
  }
}

/** Its topic is the one of the groups. */
function isShared({ topic }: Message): boolean {
  return /(^|\/)s\//.test(topic);
}
