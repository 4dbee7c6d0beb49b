/**
 * What the core keeps, as bytes. Numbers of records are given by the core and never used twice in a
 * store; order by number is order of arrival. Times are wall-clock milliseconds, since they have to
 * mean the same after a restart; Infinity stands for never.
 */

/** The kinds of records. They are on disk: never renumber. */
export const Kind = {
  /** A message that waits or is retained, once, however many refer to it. */
  Message: 1,
  Session: 2,
  Subscription: 3,
  /** A message in the queue or in flight of one session: {@linkcode EntryRecord}. */
  Entry: 4,
  /** Marks the message of the same number as the retained one of its topic. */
  Retained: 5,
  /** A QoS 2 message received and not yet released. */
  Received: 6,
} as const;

export interface MessageRecord {
  topic: Uint8Array;
  properties: Uint8Array;
  payload: Uint8Array;
  qos: number;
  retain: boolean;
  expiresAtMs: number;
  /** Who published it; empty for the broker itself. */
  clientId: string;
  userName: string;
}

export interface SessionRecord {
  clientId: string;
  userName: string;
  version: number;
  sessionExpirySeconds: number;
  /** When the connection ended; Infinity while connected. */
  disconnectedAtMs: number;
  /** The last Packet Identifier given out. */
  packetId: number;
}

export interface SubscriptionRecord {
  session: number;
  filter: string;
  qos: number;
  noLocal: boolean;
  retainAsPublished: boolean;
  identifier: number;
}

export interface EntryRecord {
  session: number;
  /** 0: released, the message is no longer needed. */
  message: number;
  packetId: number;
  qos: number;
  retain: boolean;
  /** 0 waits, 1 sent, 2 PUBREC received. */
  state: number;
  identifiers: readonly number[] | null;
}

export interface ReceivedRecord {
  session: number;
  message: number;
  packetId: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const EMPTY = new Uint8Array(0);

export function encodeMessage(record: MessageRecord): Uint8Array {
  const writer = new Writer(
    40 + record.topic.length + record.properties.length + record.payload.length +
      record.clientId.length + record.userName.length,
  );
  writer.byte(record.qos | (record.retain ? 4 : 0));
  writer.float(record.expiresAtMs);
  writer.text(record.clientId);
  writer.text(record.userName);
  writer.bytes(record.topic);
  writer.bytes(record.properties);
  writer.rest(record.payload);
  return writer.finish();
}

/** A message as it stands in its record: the body's parts as offsets, nothing copied. */
export interface StoredMessageRecord
  extends Omit<MessageRecord, "topic" | "properties" | "payload"> {
  topicStart: number;
  topicEnd: number;
  propertiesStart: number;
  /** The properties end here; the payload goes on to the end of the record. */
  payloadStart: number;
}

export function decodeMessage(value: Uint8Array): StoredMessageRecord {
  const reader = new Reader(value);
  const flags = reader.byte();
  const expiresAtMs = reader.float();
  const clientId = reader.text();
  const userName = reader.text();
  const topicStart = reader.skip();
  const topicEnd = reader.at;
  const propertiesStart = reader.skip();
  return {
    qos: flags & 3,
    retain: (flags & 4) !== 0,
    expiresAtMs,
    clientId,
    userName,
    topicStart,
    topicEnd,
    propertiesStart,
    payloadStart: reader.at,
  };
}

export function encodeSession(record: SessionRecord): Uint8Array {
  const writer = new Writer(40 + record.clientId.length + record.userName.length);
  writer.text(record.clientId);
  writer.text(record.userName);
  writer.byte(record.version);
  writer.integer(record.sessionExpirySeconds);
  writer.float(record.disconnectedAtMs);
  writer.integer(record.packetId);
  return writer.finish();
}

export function decodeSession(value: Uint8Array): SessionRecord {
  const reader = new Reader(value);
  return {
    clientId: reader.text(),
    userName: reader.text(),
    version: reader.byte(),
    sessionExpirySeconds: reader.integer(),
    disconnectedAtMs: reader.float(),
    packetId: reader.integer(),
  };
}

export function encodeSubscription(record: SubscriptionRecord): Uint8Array {
  const writer = new Writer(32 + record.filter.length);
  writer.float(record.session);
  writer.byte(record.qos | (record.noLocal ? 4 : 0) | (record.retainAsPublished ? 8 : 0));
  writer.integer(record.identifier);
  writer.text(record.filter);
  return writer.finish();
}

export function decodeSubscription(value: Uint8Array): SubscriptionRecord {
  const reader = new Reader(value);
  const session = reader.float();
  const flags = reader.byte();
  return {
    session,
    qos: flags & 3,
    noLocal: (flags & 4) !== 0,
    retainAsPublished: (flags & 8) !== 0,
    identifier: reader.integer(),
    filter: reader.text(),
  };
}

export function encodeEntry(record: EntryRecord): Uint8Array {
  const identifiers = record.identifiers ?? [];
  const writer = new Writer(24 + 4 * identifiers.length);
  writer.float(record.session);
  writer.float(record.message);
  writer.byte(record.qos | (record.retain ? 4 : 0) | record.state << 4);
  writer.integer(record.packetId);
  for (const identifier of identifiers) writer.integer(identifier);
  return writer.finish();
}

export function decodeEntry(value: Uint8Array): EntryRecord {
  const reader = new Reader(value);
  const session = reader.float(), message = reader.float(), flags = reader.byte();
  const packetId = reader.integer();
  const identifiers: number[] = [];
  while (!reader.atEnd) identifiers.push(reader.integer());
  return {
    session,
    message,
    packetId,
    qos: flags & 3,
    retain: (flags & 4) !== 0,
    state: flags >> 4,
    identifiers: identifiers.length === 0 ? null : identifiers,
  };
}

export function encodeReceived(record: ReceivedRecord): Uint8Array {
  const writer = new Writer(24);
  writer.float(record.session);
  writer.float(record.message);
  writer.integer(record.packetId);
  return writer.finish();
}

export function decodeReceived(value: Uint8Array): ReceivedRecord {
  const reader = new Reader(value);
  return { session: reader.float(), message: reader.float(), packetId: reader.integer() };
}

/** A value for records that say all by being there. */
export const PRESENT = EMPTY;

class Writer {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;

  constructor(expected: number) {
    this.#bytes = new Uint8Array(expected);
    this.#view = new DataView(this.#bytes.buffer);
  }

  byte(value: number) {
    this.#room(1);
    this.#bytes[this.#at++] = value;
  }

  integer(value: number) {
    this.#room(4);
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
  }

  float(value: number) {
    this.#room(8);
    this.#view.setFloat64(this.#at, value);
    this.#at += 8;
  }

  text(value: string) {
    // The usual name is ASCII and short: no intermediate array.
    this.#room(4 + value.length * 3);
    const { written } = encoder.encodeInto(value, this.#bytes.subarray(this.#at + 4));
    this.#view.setUint32(this.#at, written);
    this.#at += 4 + written;
  }

  bytes(value: Uint8Array) {
    this.integer(value.length);
    this.rest(value);
  }

  rest(value: Uint8Array) {
    this.#room(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  #room(length: number) {
    if (this.#at + length <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#at + length, this.#bytes.length * 2));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    return this.#bytes[this.#at++];
  }

  integer(): number {
    const value = this.#view.getUint32(this.#at);
    this.#at += 4;
    return value;
  }

  float(): number {
    const value = this.#view.getFloat64(this.#at);
    this.#at += 8;
    return value;
  }

  get at(): number {
    return this.#at;
  }

  text(): string {
    const start = this.skip();
    // Most are empty: who has no user name, and what the broker itself published.
    return start === this.#at ? "" : decoder.decode(this.#bytes.subarray(start, this.#at));
  }

  /** Goes over bytes with a length; returns where they start. */
  skip(): number {
    const start = this.#at + 4;
    this.#at = start + this.#view.getUint32(this.#at);
    return start;
  }
}
