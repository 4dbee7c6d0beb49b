import type { Connection } from "../session/connection.ts";
import type { Deadlines } from "./deadlines.ts";

/** A receiver that took nothing for this long is waited for no more. */
const STALL_MS = 200;
const STALL_CHECK_MS = 100;

/**
 * Who has to wait for whom. A publisher whose message went to a receiver with too much unread is read
 * no further until that has caught up; a receiver that takes nothing at all holds nobody for long, and
 * from then on loses QoS 0 messages.
 */
export class Congestion {
  readonly #deadlines: Deadlines;
  readonly #congested = new Set<Connection>();
  /** The receiver that the publisher handled now has to wait for. */
  #slow: Connection | null = null;
  #isChecking = false;

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  /** A message was appended to more than the receiver should have waiting. */
  add(receiver: Connection, nowMs: number): void {
    // Of several it is the one with the most to read that is waited for.
    if (this.#slow === null || receiver.outbox.waiting > this.#slow.outbox.waiting) {
      this.#slow = receiver;
    }
    if (this.#congested.has(receiver)) return;
    this.#congested.add(receiver);
    receiver.progressAtMs = Math.max(receiver.progressAtMs, nowMs);
    if (this.#isChecking) return;
    this.#isChecking = true;
    this.#deadlines.set(nowMs + STALL_CHECK_MS, { due: (atMs) => this.#check(atMs) });
  }

  /** The connection is gone. */
  delete(receiver: Connection): void {
    this.#congested.delete(receiver);
  }

  /** A connection's input has been handled: it waits for itself or a receiver, or is read on. */
  settle(connection: Connection): void {
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
  }

  #check(nowMs: number): number {
    for (const receiver of this.#congested) {
      if (receiver.isClosed || !receiver.isCongested) this.#congested.delete(receiver);
      else if (nowMs - receiver.progressAtMs >= STALL_MS) {
        receiver.isStalled = true;
        receiver.releaseWaiters();
        this.#congested.delete(receiver);
      }
    }
    this.#isChecking = this.#congested.size > 0;
    return this.#isChecking ? nowMs + STALL_CHECK_MS : Infinity;
  }
}
