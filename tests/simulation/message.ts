/** A message as its publisher knows it. Moments count events, so that no two are the same. */
export interface Message {
  /** What its payload begins with. */
  readonly id: string;
  readonly publisher: string;
  /** The Client Identifier of the publisher, whose Will it may be. */
  readonly client: string;
  /** The broker's name of it. */
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
  /** It removes the retained message. */
  readonly empty: boolean;
  /** Message Expiry Interval; 0: none. */
  readonly expirySeconds: number;
  /** It may be dropped when its time has passed. */
  readonly expires: boolean;
  /** Blanks behind its payload. */
  readonly padding: number;
  /** Grows with each message of a publisher. */
  readonly sequence: number;
  readonly sentAt: number;
  /** On the wall clock, when it was sent first and last; Infinity: nobody knows when it arrived. */
  firstSentMs: number;
  lastSentMs: number;
  /** From here on it may have been routed: PUBREL at QoS 2; Infinity: not yet. */
  routedFrom: number;
  /** After this moment it is routed no more. */
  doneAt: number;
  /** The broker has said that it has it. */
  acknowledged: boolean;
  /** It may overtake others: the broker may have refused it, without a word in MQTT 3. */
  unordered: boolean;
  /** Its publisher had the right when it came, or may have had. */
  wasAllowed: boolean;
  /** A Will whose client said goodbye, or was back in time. */
  cancelled: boolean;
}

export interface MessageOptions {
  readonly qos: number;
  readonly retain?: boolean;
  readonly empty?: boolean;
  readonly expirySeconds?: number;
  readonly padding?: number;
}

/** Intervals longer than any world lasts. */
const LONG_SECONDS = 1_000_000;

export function newMessage(
  publisher: string,
  topic: string,
  sequence: number,
  sentAt: number,
  options: MessageOptions,
): Message {
  const { qos, retain = false, empty = false, expirySeconds = 0, padding = 0 } = options;
  return {
    id: `${publisher} ${sequence}`,
    publisher,
    client: publisher.replace(/^will of /, ""),
    topic,
    qos,
    retain,
    empty,
    expirySeconds,
    expires: expirySeconds > 0 && expirySeconds < LONG_SECONDS,
    padding,
    sequence,
    sentAt,
    firstSentMs: Infinity,
    lastSentMs: Infinity,
    routedFrom: qos === 2 ? Infinity : sentAt,
    doneAt: Infinity,
    acknowledged: false,
    unordered: false,
    wasAllowed: publisher.startsWith("will"),
    cancelled: false,
  };
}

/** The payload of a PUBLISH. */
export function payloadOf({ id, empty, padding }: Message): string {
  return empty ? "" : id + " ".repeat(padding);
}

/** What a payload says. */
export function idIn(payload: Uint8Array | undefined): string {
  return new TextDecoder().decode(payload).trimEnd();
}

export function isWill({ publisher }: Message): boolean {
  return publisher.startsWith("will");
}
