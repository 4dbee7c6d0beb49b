import type { Broker } from "../broker/broker.ts";
import type { LogDestination, LogType } from "../log.ts";

const PREFIX = "$SYS/broker/log/";
/** Debug and internal lines are not published: a line for each packet would beget packets. */
const TOPICS: Partial<Record<LogType, string>> = {
  error: `${PREFIX}E`,
  warning: `${PREFIX}W`,
  notice: `${PREFIX}N`,
  information: `${PREFIX}I`,
  subscribe: `${PREFIX}M/subscribe`,
  unsubscribe: `${PREFIX}M/unsubscribe`,
};
/** Nobody who was away wants to read old lines first. */
const EXPIRY_SECONDS = 20;
/** Lines that wait for the end of what is being done; those beyond it are not published. */
const WAITING_MAXIMUM = 1000;

const encoder = new TextEncoder();

/** The log as messages of the broker: `log_dest topic`. */
export class LogTopics implements LogDestination {
  #broker: Pick<Broker, "publishMessage"> | null = null;
  #waiting: { topic: string; line: string }[] = [];
  #isPublishing = false;

  /** From now on lines are published, those that have come before first. */
  attach(broker: Pick<Broker, "publishMessage">): void {
    this.#broker = broker;
    if (this.#waiting.length > 0) queueMicrotask(() => this.#publish());
  }

  detach(): void {
    this.#broker = null;
    this.#waiting = [];
  }

  close(): void {
    this.detach();
  }

  write(type: LogType, line: string): void {
    const topic = TOPICS[type];
    // What publishing the log has to say must not be published in turn.
    if (topic === undefined || this.#isPublishing) return;
    if (this.#waiting.length === WAITING_MAXIMUM) return;
    // A line may come in the middle of routing a message, which cannot route another.
    if (this.#waiting.push({ topic, line }) === 1 && this.#broker !== null) {
      queueMicrotask(() => this.#publish());
    }
  }

  #publish() {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#isPublishing = true;
    try {
      for (const { topic, line } of waiting) {
        this.#broker?.publishMessage({
          topic,
          payload: encoder.encode(line),
          qos: 2,
          messageExpirySeconds: EXPIRY_SECONDS,
        });
      }
    } finally {
      this.#isPublishing = false;
    }
  }
}
