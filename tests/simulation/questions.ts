import assert from "node:assert/strict";
import type { Version } from "../support/packets.ts";
import type { Ledger } from "./ledger.ts";
import type { PromisedSession } from "./promised_session.ts";

/** A filter to subscribe to, in the broker's words. */
export interface FilterRequest {
  readonly filter: string;
  readonly qos: number;
  readonly noLocal: boolean;
}

/** A SUBSCRIBE. */
export interface SubscribeQuestion {
  readonly type: "subscribe";
  readonly requests: readonly FilterRequest[];
  /** Subscription Identifier; 0: none. */
  readonly identifier: number;
  /** The store did not work, so that the broker may say no. */
  readonly mayBeRefused: boolean;
}

type Question = SubscribeQuestion | { readonly type: "unsubscribe"; readonly filter: string };

/** What a client asked for and has no answer to, by Packet Identifier. */
export class Questions {
  readonly #ledger: Ledger;
  readonly #name: string;
  readonly #version: Version;
  readonly #open = new Map<number, Question>();

  constructor(ledger: Ledger, name: string, version: Version) {
    this.#ledger = ledger;
    this.#name = name;
    this.#version = version;
  }

  get count(): number {
    return this.#open.size;
  }

  has(packetId: number): boolean {
    return this.#open.has(packetId);
  }

  /** The connection is gone: there will be no answer. */
  clear(): void {
    this.#open.clear();
  }

  subscribe(session: PromisedSession, packetId: number, question: SubscribeQuestion): void {
    const { identifier } = question;
    for (const { filter, qos, noLocal } of question.requests) {
      session.acknowledged.delete(filter);
      const from = this.#ledger.moment();
      session.asked.push({ filter, qos, from, until: Infinity, noLocal, identifier });
    }
    this.#open.set(packetId, question);
  }

  unsubscribe(session: PromisedSession, packetId: number, filter: string): void {
    session.acknowledged.delete(filter);
    this.#open.set(packetId, { type: "unsubscribe", filter });
  }

  /** SUBACK. @param isLasting nothing is promised to a session that ends with its connection */
  subscribed(
    session: PromisedSession,
    packetId: number,
    reasons: readonly number[],
    isLasting: boolean,
  ): void {
    const question = this.#answered(packetId, "subscribe");
    const { identifier } = question;
    question.requests.forEach(({ filter, noLocal }, index) => {
      const qos = reasons[index];
      if (qos === (this.#version === 5 ? 0x97 : 0x80) && question.mayBeRefused) return;
      assert.ok(qos <= 2, `${this.#name} may not subscribe to ${filter}: ${qos}`);
      if (!isLasting || this.#isAskedAgain(filter)) return;
      session.acknowledged.set(filter, { qos, at: this.#ledger.moment(), noLocal, identifier });
    });
  }

  /** UNSUBACK. */
  unsubscribed(session: PromisedSession, packetId: number): void {
    const { filter } = this.#answered(packetId, "unsubscribe");
    if (this.#isAskedAgain(filter)) return;
    for (const asked of session.asked) {
      if (asked.filter === filter) asked.until = Math.min(asked.until, this.#ledger.moment());
    }
  }

  #isAskedAgain(filter: string): boolean {
    return [...this.#open.values()].some((question) =>
      question.type === "unsubscribe"
        ? question.filter === filter
        : question.requests.some((one) => one.filter === filter)
    );
  }

  #answered<T extends Question["type"]>(packetId: number, type: T): Question & { type: T } {
    const question = this.#open.get(packetId);
    assert.ok(question?.type === type, `${this.#name} got an answer to nothing: ${packetId}`);
    this.#open.delete(packetId);
    return question as Question & { type: T };
  }
}
