import { encodeMessage } from "../store/records.ts";
import type { Publish } from "../wire/publish.ts";
import type { Topic } from "./topic.ts";

/**
 * A message that waits or is retained: one copy, shared by all that refer to it. While anything
 * refers to it that has to outlive the process, it has a record under its number.
 */
export class StoredMessage {
  readonly topic: Topic;
  /** In bytes of its own. */
  readonly publish: Publish;
  /** On the monotonic clock; Infinity: never. */
  readonly expiresAtMs: number;
  /** Who published it; empty for the broker itself. */
  readonly clientId: string;
  readonly userName: string;
  /** Number of its record; 0: it has none. */
  number = 0;
  /** Records that refer to it. */
  references = 0;
  /** Records that no longer do may still be written as they were. */
  mayBeReferredTo = false;
  /** Wall-clock minus monotonic time, to write what the monotonic clock says for ever. */
  readonly #wallOffsetMs: number;

  constructor(parts: {
    topic: Topic;
    publish: Publish;
    expiresAtMs: number;
    clientId: string;
    userName: string;
    wallOffsetMs: number;
  }) {
    this.topic = parts.topic;
    this.publish = parts.publish;
    this.expiresAtMs = parts.expiresAtMs;
    this.clientId = parts.clientId;
    this.userName = parts.userName;
    this.#wallOffsetMs = parts.wallOffsetMs;
  }

  /** Message Expiry Interval that is left, in whole seconds, −1 when there is none [MQTT-3.3.2-6]. */
  expirySecondsAt(nowMs: number): number {
    if (this.expiresAtMs === Infinity) return -1;
    return Math.max(0, Math.ceil((this.expiresAtMs - nowMs) / 1000));
  }

  isExpiredAt(nowMs: number): boolean {
    return this.expiresAtMs <= nowMs;
  }

  encode(): Uint8Array {
    const publish = this.publish;
    return encodeMessage({
      topic: this.topic.bytes,
      properties: publish.forwarded(),
      payload: publish.payload(),
      qos: publish.qos,
      retain: publish.retain,
      expiresAtMs: this.expiresAtMs + this.#wallOffsetMs,
      clientId: this.clientId,
      userName: this.userName,
    });
  }
}
