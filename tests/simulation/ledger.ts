import assert from "node:assert/strict";

/** A message as its publisher knows it. Moments count events, so that no two are the same. */
export interface Message {
  /** What its payload says. */
  readonly id: string;
  readonly publisher: string;
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
  /** It removes the retained message. */
  readonly empty: boolean;
  /** It may be dropped when its time has passed. */
  readonly expires: boolean;
  /** Grows with each message of a publisher. */
  readonly sequence: number;
  readonly sentAt: number;
  /** From here on it may have been routed: PUBREL at QoS 2; Infinity: not yet. */
  routedFrom: number;
  /** After this moment it is routed no more. */
  doneAt: number;
  /** The broker has said that it has it. */
  acknowledged: boolean;
  /** It may overtake others: the broker may have refused it, without a word in MQTT 3. */
  unordered: boolean;
  /** A Will whose client said goodbye. */
  cancelled: boolean;
}

interface Asked {
  readonly filter: string;
  readonly from: number;
  /** When its end was acknowledged. */
  until: number;
}

/** What a session was promised, as far as its client can know. */
export class PromisedSession {
  readonly client: string;
  readonly since: number;
  /** Subscriptions that were acknowledged, and nothing else was asked since. */
  readonly acknowledged = new Map<string, { qos: number; at: number }>();
  /** Every subscription asked for. */
  readonly asked: Asked[] = [];
  /** Messages it has to get. */
  readonly owed = new Set<Message>();
  readonly seen = new Set<Message>();
  readonly seenAtQos2 = new Map<Message, number>();
  readonly newest = new Map<string, number>();
  /** A QoS 2 message was refused when it came again; after a crash its first copy may be back. */
  hasRefused = false;
  /** False: the client has thrown away what it knew of identifiers, though the session may live on. */
  isExact = true;

  constructor(client: string, since: number) {
    this.client = client;
    this.since = since;
  }

  /** The session may end, or may have ended: nothing is promised any more. */
  weaken(): void {
    this.acknowledged.clear();
    this.owed.clear();
    this.isExact = false;
    for (const asked of this.asked) asked.until = Infinity;
  }
}

/** All that was sent, promised and received; says when a promise was broken. */
export class Ledger {
  readonly sessions = new Map<string, PromisedSession>();
  readonly #messages = new Map<string, Message>();
  readonly #sequences = new Map<string, number>();
  /** Wills that are owed unless the broker crashes before it has kept them. */
  #tentative: [session: PromisedSession, will: Message][] = [];
  #now = 0;
  /** Told of every event, to see what led to a failure. */
  note: (line: string) => void = () => {};
  /** How much was checked; a simulation in which nothing happens proves nothing. */
  readonly counts = { acknowledged: 0, owed: 0, delivered: 0, exactlyOnce: 0, repeated: 0 };

  /** The moment of a new event. */
  moment(): number {
    return ++this.#now;
  }

  newSession(client: string): PromisedSession {
    const session = new PromisedSession(client, this.moment());
    this.sessions.set(client, session);
    return session;
  }

  newMessage(
    publisher: string,
    topic: string,
    options: { qos: number; retain?: boolean; empty?: boolean; expires?: boolean },
  ): Message {
    const sequence = (this.#sequences.get(publisher) ?? 0) + 1;
    this.#sequences.set(publisher, sequence);
    const sentAt = this.moment();
    const message: Message = {
      id: `${publisher} ${sequence}`,
      publisher,
      topic,
      qos: options.qos,
      retain: options.retain ?? false,
      empty: options.empty ?? false,
      expires: options.expires ?? false,
      sequence,
      sentAt,
      routedFrom: options.qos === 2 ? Infinity : sentAt,
      doneAt: Infinity,
      acknowledged: false,
      unordered: false,
      cancelled: false,
    };
    this.#messages.set(message.id, message);
    return message;
  }

  /** The broker has taken the message: from now on it owes it to all who subscribed before. */
  acknowledged(message: Message): void {
    message.doneAt = this.moment();
    message.acknowledged = true;
    this.counts.acknowledged++;
    if (message.expires || message.empty) return;
    for (const session of this.#subscribersOf(message)) this.#owe(session, message);
  }

  /** A Will is to be published now, at once. */
  willDue(message: Message): void {
    message.routedFrom = this.moment();
    if (message.qos === 0) return;
    for (const session of this.#subscribersOf(message)) this.#tentative.push([session, message]);
  }

  crashed(): void {
    this.#tentative = [];
  }

  /** Everything the broker has is safe. */
  settled(): void {
    for (const [session, message] of this.#tentative) {
      // Meanwhile the client may have asked for another session or other subscriptions.
      if ([...this.#subscribersOf(message)].includes(session)) this.#owe(session, message);
    }
    this.#tentative = [];
  }

  #owe(session: PromisedSession, message: Message) {
    if (session.seen.has(message)) return;
    session.owed.add(message);
    this.counts.owed++;
  }

  *#subscribersOf(message: Message): Generator<PromisedSession> {
    for (const session of this.sessions.values()) {
      for (const [filter, { qos, at }] of session.acknowledged) {
        if (qos === 0 || at > message.routedFrom || filter.startsWith("$share/")) continue;
        if (filterMatches(filter, message.topic)) {
          yield session;
          break;
        }
      }
    }
  }

  /** A client's application has got a message. */
  delivered(
    session: PromisedSession,
    packet: { id: string; topic: string; qos: number; retain: boolean },
  ): void {
    const message = this.#messages.get(packet.id);
    assert.ok(message, `${session.client} got "${packet.id}", which nobody published`);
    assert.equal(packet.topic, message.topic, `"${message.id}" came under another topic`);
    const who = `${session.client} got "${message.id}" of ${message.topic}`;
    this.counts.delivered++;
    assert.ok(!message.cancelled, `${who}, the Will of a client that said goodbye`);
    if (packet.retain) {
      // A copy that was retained: it comes whenever a subscription is made.
      const asked = session.asked.some(({ filter }) => filterMatches(filter, message.topic));
      assert.ok(asked, `${who} and never subscribed to it`);
      return;
    }
    assert.ok(message.doneAt > session.since, `${who}, which its session, now ended, was sent`);
    const asked = session.asked.some(({ filter, from, until }) =>
      from <= message.doneAt && until >= message.sentAt && filterMatches(filter, message.topic)
    );
    assert.ok(asked, `${who} without a subscription`);
    if (packet.qos === 2) this.#atQos2(session, message, who);
    session.owed.delete(message);
    if (session.seen.has(message)) {
      this.counts.repeated++;
      return;
    }
    session.seen.add(message);
    // What is sent again may come for the first time to who subscribed after the first time, in a
    // group to another member, at QoS 0 to who was away.
    if (message.topic.startsWith("s/") || packet.qos < message.qos && packet.qos === 0) return;
    // One that has expired in the queue comes late, when it is published again.
    if (message.unordered || message.expires || !wasOwed(session, message, packet.qos)) return;
    // [MQTT-4.6.0-5]: what comes for the first time comes in order, for each topic and QoS.
    const stream = `${message.publisher}|${message.topic}|${message.qos}|${packet.qos}`;
    const newest = session.newest.get(stream) ?? 0;
    assert.ok(message.sequence > newest, `${who} after "${message.publisher} ${newest}"`);
    session.newest.set(stream, message.sequence);
  }

  #atQos2(session: PromisedSession, message: Message, who: string) {
    // A Shared Subscription and another one bring a copy each.
    const isShared = message.topic.startsWith("s/");
    if (!session.isExact || isShared && !onlyByGroup(session, message)) return;
    const before = session.seenAtQos2.get(message) ?? 0;
    assert.equal(before, 0, `${who} twice at QoS 2`);
    session.seenAtQos2.set(message, 1);
    this.counts.exactlyOnce++;
    if (!isShared) return;
    for (const other of this.sessions.values()) {
      if (other === session || !other.isExact || !onlyByGroup(other, message)) continue;
      const both = other.seenAtQos2.has(message);
      assert.ok(!both, `${who}, and so did ${other.client} of the same group`);
    }
  }

  /** Nothing is on its way any more: every promise must have been kept. */
  assertPaid(): void {
    for (const session of this.sessions.values()) {
      const [missing] = session.owed;
      if (missing === undefined) continue;
      assert.fail(
        `${session.client} never got "${missing.id}" of ${missing.topic} ` +
          `(QoS ${missing.qos}), nor ${session.owed.size - 1} others`,
      );
    }
  }

  /** The retained message of a topic: the last acknowledged one, or one that may have come later. */
  assertRetained(topic: string, payload: string | undefined): void {
    const sent = [...this.#messages.values()].filter((one) => one.retain && one.topic === topic);
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
      possible.includes(payload),
      `"${payload}" is retained for ${topic}; it should be one of: ${possible.join(", ")}`,
    );
  }
}

/** The session can have got the message by a Shared Subscription only. */
function onlyByGroup(session: PromisedSession, message: Message): boolean {
  return session.asked.every(({ filter }) =>
    filter.startsWith("$share/") || !filterMatches(filter, message.topic)
  );
}

/** The session had a subscription of that QoS, and knew it, when the message was sent first. */
function wasOwed(session: PromisedSession, message: Message, wantedQos: number): boolean {
  return [...session.acknowledged].some(([filter, { qos, at }]) =>
    qos >= wantedQos && at <= message.sentAt && filterMatches(filter, message.topic)
  );
}

/** Section 4.7 in its simplest form, for filters that are valid. */
export function filterMatches(filter: string, topic: string): boolean {
  if (filter.startsWith("$share/")) filter = filter.split("/").slice(2).join("/");
  const filterLevels = filter.split("/"), topicLevels = topic.split("/");
  if (topic.startsWith("$") && /^[+#]/.test(filter)) return false;
  for (let index = 0; index < filterLevels.length; index++) {
    if (filterLevels[index] === "#") return topicLevels.length >= index;
    if (index >= topicLevels.length) return false;
    if (filterLevels[index] !== "+" && filterLevels[index] !== topicLevels[index]) return false;
  }
  return filterLevels.length === topicLevels.length;
}
