import type { StoredMessage } from "../routing/stored_message.ts";
import { encodeEntry } from "../store/records.ts";
import type { Qos } from "../wire/publish.ts";
import type { Session } from "./session.ts";

/** How far an entry has come; as it is on disk. */
export const EntryState = { Waiting: 0, Sent: 1, Released: 2 } as const;

/** A message on its way to one session, in its queue or in flight. */
export class Entry {
  readonly session: Session;
  /** Null once released: PUBREL needs no message. */
  message: StoredMessage | null;
  packetId: number;
  qos: Qos;
  readonly retain: boolean;
  readonly identifiers: readonly number[] | null;
  state: number = EntryState.Waiting;
  /** The state its record has, −1 while none was written. */
  keptState = -1;
  /** Number of its record; 0: it has none. */
  number = 0;
  /** Number of the message's record. By the time the entry is written the message may be let go of. */
  messageNumber = 0;
  /** Bytes that count against max_inflight_bytes and max_queued_bytes: the payload's. */
  size: number;
  /** The journal's batch in which its acknowledgement would cancel it; 0: none. */
  expectedIn = 0;

  constructor(
    session: Session,
    message: StoredMessage | null,
    packetId: number,
    qos: Qos,
    retain: boolean,
    identifiers: readonly number[] | null,
  ) {
    this.session = session;
    this.message = message;
    this.packetId = packetId;
    this.qos = qos;
    this.retain = retain;
    this.identifiers = identifiers;
    this.size = message === null ? 0 : message.publish.payloadLength;
  }

  encode(): Uint8Array {
    this.keptState = this.state;
    return encodeEntry({
      session: this.session.number,
      message: this.message === null ? 0 : this.messageNumber,
      packetId: this.packetId,
      qos: this.qos,
      retain: this.retain,
      state: this.state,
      identifiers: this.identifiers,
    });
  }
}
