import type { LogDetails, LogType } from "../log.ts";
import type { Topic } from "../routing/topic.ts";
import type { Access } from "../session/ports.ts";
import type { Session } from "../session/session.ts";
import type { JournalOptions } from "../store/journal.ts";
import type { Store } from "../store/store.ts";
import type { Publish } from "../wire/publish.ts";
import type { SubscriptionRequest } from "../wire/subscribe_packet.ts";

/** Everything that is not computed: time, chance, disk, the event loop. */
export interface Ports {
  readonly clock: {
    /** Milliseconds that never jump. */
    monotonicMs(): number;
    /** Milliseconds since 1970. */
    wallMs(): number;
  };
  readonly store: Store;
  readonly journal: Omit<JournalOptions, "clock" | "onCommitted">;
  readonly access: Access;
  /** Calls once, when all input of this turn has been handled. */
  endOfTurn(run: () => void): void;
  /** Calls once, in a later turn, after input that has come meanwhile. */
  nextTurn(run: () => void): void;
  /** Call `Broker.wake` at this monotonic time; replaces the time asked for before. */
  wakeAt(atMs: number): void;
  /** 32 bits of chance. */
  random(): number;
  randomUuid(): string;
  /** Memory in use. */
  heapBytes(): number;
  log(type: LogType, text: string, details?: LogDetails): void;
  logs(type: LogType): boolean;
  readonly observer: Observer | null;
  readonly version: string;
}

/** Told of what happens; for embedding. Called in the middle of a turn: must only take notes. */
export interface Observer {
  connected(session: Session): void;
  disconnected(session: Session, text: string | undefined): void;
  subscribed(session: Session, request: SubscriptionRequest): void;
  unsubscribed(session: Session, filter: string): void;
  /** Null: `published` is not asked for. */
  published: ((publish: Publish, topic: Topic, publisher: Session | null) => void) | null;
  dropped(session: Session, reason: string): void;
}
