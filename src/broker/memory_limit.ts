import type { Connection } from "../session/connection.ts";
import type { Session } from "../session/session.ts";
import type { Messages } from "./messages.ts";

/** What an object weighs beside the bytes it carries, roughly. */
const SESSION_BYTES = 1000, SUBSCRIPTION_BYTES = 200, MESSAGE_BYTES = 300;
/** Adding up takes a look at each session: not for each message. */
const MEASURE_EVERY_MS = 250;

/** What is added up. */
export interface MemoryUsers {
  readonly messages: Pick<Messages, "keptCount" | "keptBytes">;
  readonly sessions: Iterable<Session>;
  readonly connections: Iterable<Connection>;
}

/**
 * `memory_limit`: bytes that are held for clients, in queues, retained, unreleased and unsent. What the
 * program itself and the garbage collector take is not counted. Between two measurements what has been
 * copied meanwhile counts, whether it is still needed or not.
 */
export class MemoryLimit {
  readonly #users: MemoryUsers;
  #measuredAtMs = -Infinity;
  #bytes = 0;

  constructor(users: MemoryUsers) {
    this.#users = users;
  }

  /** A message was copied, to wait. */
  copied(bytes: number): void {
    this.#bytes += MESSAGE_BYTES + bytes;
  }

  /** Whether `limitBytes` are held; 0: there is no limit. */
  isExceeded(limitBytes: number, nowMs: number): boolean {
    if (limitBytes === 0) return false;
    if (nowMs - this.#measuredAtMs >= MEASURE_EVERY_MS) {
      this.#measuredAtMs = nowMs;
      this.#bytes = this.#measure();
    }
    return this.#bytes > limitBytes;
  }

  #measure(): number {
    const { messages, sessions, connections } = this.#users;
    let bytes = messages.keptBytes + messages.keptCount * MESSAGE_BYTES;
    for (const session of sessions) {
      bytes += SESSION_BYTES + (session.subscriptions?.size ?? 0) * SUBSCRIPTION_BYTES;
      // What lasting sessions wait for, or are to release, is kept, and counted once for all of them.
      if (session.isLasting) continue;
      if (session.inbound !== null) bytes += session.inbound.bytes;
      if (session.hasOutbound) bytes += session.outbound.heldBytes;
    }
    for (const { outbox } of connections) bytes += outbox.waiting;
    return bytes;
  }
}
