import assert from "node:assert/strict";
import type { Message } from "./message.ts";
import { filterMatches, type PromisedSession } from "./promised_session.ts";

interface Debt {
  readonly filter: string;
  readonly message: Message;
  /** Whoever may be the member that has it. */
  readonly candidates: readonly PromisedSession[];
}

/** What groups of Shared Subscriptions are owed: each message, by one of the members. */
export class GroupDebts {
  #debts: Debt[] = [];

  /** A message was acknowledged. @param excludes members that may not have it, or take it as QoS 0 */
  add(
    message: Message,
    sessions: readonly PromisedSession[],
    excludes: (session: PromisedSession) => boolean,
  ): void {
    const filters = sessions.flatMap((session) => session.asked.map(({ filter }) => filter))
      .filter((filter) => filter.startsWith("$share/") && filterMatches(filter, message.topic));
    for (const filter of new Set(filters)) {
      const candidates = sessions.filter((session) =>
        session.asked.some((asked) => asked.filter === filter && asked.until >= message.sentAt)
      );
      const hasMember = candidates.some((session) =>
        (session.acknowledged.get(filter)?.at ?? Infinity) <= message.routedFrom
      );
      const isKnown = hasMember && !sessions.some((one) => one.isNewTo(message, filter));
      if (!isKnown || candidates.some((one) => excludes(one) || !keeps(one, filter))) continue;
      this.#debts.push({ filter, message, candidates });
    }
  }

  /** It may not have messages of a topic any more, such as wait for it as the member that was chosen. */
  denied(session: PromisedSession, topic: string): void {
    for (const { message, candidates } of this.#debts) {
      if (message.topic === topic && candidates.includes(session)) session.excuse(message);
    }
  }

  clear(): void {
    this.#debts = [];
  }

  /** Nothing is on its way any more. Returns how many debts were looked at. */
  assertPaid(current: ReadonlyMap<string, PromisedSession>): number {
    let certain = 0;
    for (const { filter, message, candidates } of this.#debts) {
      // Who has it may have ended his session, and the message with it.
      const isCertain = candidates.every((one) =>
        current.get(one.client) === one && one.weakenedAt < message.sentAt &&
        !one.excused.has(message)
      );
      if (!isCertain) continue;
      certain++;
      const isSeen = candidates.some((one) => one.seen.has(message));
      assert.ok(isSeen, `nobody of ${filter} ever got "${message.id}" of ${message.topic}`);
    }
    this.#debts = [];
    return certain;
  }
}

/** Its member takes what comes at QoS 1 at least: it asked for nothing less. */
function keeps(session: PromisedSession, filter: string): boolean {
  return session.asked.every((asked) => asked.filter !== filter || asked.qos > 0);
}
