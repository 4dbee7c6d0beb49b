import { Reason } from "./reason.ts";

/**
 * The peer broke the protocol. Thrown in `wire` and `session`, caught in one place: the connection
 * answers with `reason` where the version and the state allow an answer, and is closed.
 */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  /** False: the connection is closed without a DISCONNECT or CONNACK, in MQTT 5 as well. */
  readonly answered: boolean;

  constructor(readonly reason: number, message: string, options: { answered?: boolean } = {}) {
    super(message);
    this.answered = options.answered ?? true;
  }
}

/** The packet could not be parsed: 0x81. */
export function malformed(message: string): ProtocolError {
  return new ProtocolError(Reason.MalformedPacket, message);
}

/** The packet can be parsed, but must not be sent like this or now: 0x82. */
export function protocolError(message: string): ProtocolError {
  return new ProtocolError(Reason.ProtocolError, message);
}

/** So far off that the connection is closed without a word, in MQTT 5 as well. */
export function unanswered(message: string): ProtocolError {
  return new ProtocolError(Reason.ProtocolError, message, { answered: false });
}
