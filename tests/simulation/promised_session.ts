import type { Message } from "./message.ts";

/** What a client asks for with a filter. */
export interface SubscriptionTerms {
  readonly noLocal: boolean;
  /** Subscription Identifier; 0: none. */
  readonly identifier: number;
}

interface Asked extends SubscriptionTerms {
  readonly filter: string;
  readonly qos: number;
  readonly from: number;
  /** When its end was acknowledged. */
  until: number;
}

interface Granted extends SubscriptionTerms {
  readonly qos: number;
  readonly at: number;
}

/** What a session was promised, as far as its client can know. */
export class PromisedSession {
  readonly client: string;
  readonly since: number;
  /** Subscriptions that were acknowledged, and nothing else was asked since. */
  readonly acknowledged = new Map<string, Granted>();
  /** Every subscription asked for. */
  readonly asked: Asked[] = [];
  /** Messages it has to get, and by which Subscription Identifiers a copy; 0: any. */
  readonly owed = new Map<Message, Set<number>>();
  /** Messages that a limit or missing rights may have kept from it. */
  readonly excused = new Set<Message>();
  readonly seen = new Set<Message>();
  /** Copies at QoS 2. */
  readonly seenAtQos2 = new Map<Message, number>();
  readonly newest = new Map<string, number>();
  /** A QoS 2 message was refused when it came again; after a crash its first copy may be back. */
  hasRefused = false;
  /** False: the client has thrown away what it knew of identifiers, though the session may live on. */
  isExact = true;
  /** When it may have ended last. */
  weakenedAt = 0;
  /** What was sent before may come from an earlier session, which a crash has brought back. */
  hauntedUntil = 0;
  readonly #former: PromisedSession | null;

  /** @param former the session its client had before */
  constructor(client: string, since: number, former: PromisedSession | null) {
    this.client = client;
    this.since = since;
    this.#former = former;
  }

  /** The session may end, or may have ended: nothing is promised any more. */
  weaken(now: number): void {
    this.acknowledged.clear();
    this.owed.clear();
    this.isExact = false;
    this.weakenedAt = now;
    for (const asked of this.asked) asked.until = Infinity;
  }

  /** A crash has taken everything back that was promised after a moment. */
  rollBack(safe: number, now: number): void {
    if (this.since > safe) {
      this.weaken(now);
      for (let former = this.#former; former !== null; former = former.#former) {
        this.asked.push(...former.asked.map((asked) => ({ ...asked, until: Infinity })));
      }
    }
    for (const [filter, { at }] of this.acknowledged) {
      if (at > safe) this.acknowledged.delete(filter);
    }
    for (const asked of this.asked) if (asked.until > safe) asked.until = Infinity;
    for (const message of this.owed.keys()) {
      if (message.doneAt > safe) this.owed.delete(message);
    }
    this.isExact = false;
    this.hauntedUntil = now;
  }

  /** The message need not come. */
  excuse(message: Message): void {
    this.excused.add(message);
    this.owed.delete(message);
  }

  /** One of the copies that are owed has come. */
  paid(message: Message, identifiers: readonly number[]): void {
    const copies = this.owed.get(message);
    if (copies === undefined) return;
    copies.delete(0);
    for (const identifier of identifiers) copies.delete(identifier);
    if (copies.size === 0) this.owed.delete(message);
  }

  /** The subscriptions asked for that may bring a message. */
  reasonsFor(message: Message): Asked[] {
    return this.asked.filter(({ filter, from, until, noLocal }) =>
      from <= message.doneAt && until >= message.sentAt &&
      !(noLocal && message.client === this.client) && filterMatches(filter, message.topic)
    );
  }

  /** It had a subscription of that QoS, and knew it, when the message was sent first. */
  wasOwed(message: Message, wantedQos: number): boolean {
    return [...this.acknowledged].some(([filter, { qos, at }]) =>
      qos >= wantedQos && at <= message.sentAt && filterMatches(filter, message.topic)
    );
  }

  /** All that can bring the message is one subscription each, known before it was sent. */
  isCertainOf(message: Message): boolean {
    if (!this.isExact) return false;
    const matching = this.asked.filter(({ filter }) => filterMatches(filter, message.topic));
    const filters = new Set(matching.map(({ filter }) => filter));
    return filters.size === matching.length && matching.every(({ filter }) => {
      const at = this.acknowledged.get(filter)?.at ?? Infinity;
      return at <= message.sentAt && !filter.startsWith("$share/");
    });
  }

  /** Its client had another session when the message was sent, which subscribed to that filter. */
  isNewTo(message: Message, filter: string): boolean {
    if (this.since < message.sentAt) return false;
    for (let former = this.#former; former !== null; former = former.#former) {
      if (former.asked.some((asked) => asked.filter === filter)) return true;
    }
    return false;
  }

  /** The session can have got the message by a Shared Subscription only. */
  isOnlyInGroup(message: Message): boolean {
    return this.asked.every(({ filter }) =>
      filter.startsWith("$share/") || !filterMatches(filter, message.topic)
    );
  }
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
