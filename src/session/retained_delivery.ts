import type { StoredMessage } from "../routing/stored_message.ts";
import type { Qos } from "../wire/publish.ts";
import type { Session } from "./session.ts";

/** Messages sent, or looked for in vain, in one go before other connections get their turn. */
export const RETAINED_SLICE = 256;
/** Of `Host.spent`, for each of them: some 5 µs. */
export const RETAINED_UNITS = 50;

/** What of {@linkcode RETAINED_SLICE} is left. */
export interface RetainedSlice {
  left: number;
}

/** The retained messages of one subscription, sent as fast as the client takes them. */
export class RetainedDelivery {
  /** The filter as it stands in SUBSCRIBE. */
  readonly filter: string;
  readonly #session: Session;
  readonly #messages: Iterator<StoredMessage | null, void, void>;
  readonly #qos: Qos;
  readonly #upgrade: boolean;
  readonly #identifiers: readonly number[] | null;
  readonly #withholds: ((message: StoredMessage) => boolean) | null;

  constructor(
    session: Session,
    filter: string,
    messages: Iterator<StoredMessage | null, void, void>,
    qos: Qos,
    upgrade: boolean,
    identifier: number,
    withholds: ((message: StoredMessage) => boolean) | null,
  ) {
    this.#session = session;
    this.filter = filter;
    this.#messages = messages;
    this.#qos = qos;
    this.#upgrade = upgrade;
    this.#withholds = withholds;
    this.#identifiers = identifier === 0 ? null : [identifier];
  }

  /**
   * Sends until the client has enough for now. "done": there are no more; "waits": go on when the client
   * has taken something; "later": `slice` has been used up, go on in the next turn.
   */
  feed(nowMs: number, slice: RetainedSlice): "done" | "later" | "waits" {
    const session = this.#session;
    while (slice.left-- > 0) {
      if (session.connection!.isCongested || !session.outbound.hasRoom) return "waits";
      const next = this.#messages.next();
      if (next.done) return "done";
      const message = next.value;
      if (message === null || message.isExpiredAt(nowMs)) continue;
      if (!session.mayReceive(message.topic)) continue;
      if (this.#withholds?.(message)) continue;
      const { qos } = message.publish;
      const granted = this.#upgrade || this.#qos < qos ? this.#qos : qos;
      session.deliverRetained(message, granted, this.#identifiers, nowMs);
    }
    return "later";
  }
}
