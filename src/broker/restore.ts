import type { RetainedMessages } from "../routing/retained_messages.ts";
import { StoredMessage } from "../routing/stored_message.ts";
import type { TopicTable } from "../routing/topic_table.ts";
import { Entry, EntryState } from "../session/entry.ts";
import { Received } from "../session/inbound_flow.ts";
import type { Host } from "../session/ports.ts";
import { Session, SessionSubscription } from "../session/session.ts";
import {
  decodeEntry,
  decodeMessage,
  decodeReceived,
  decodeSession,
  decodeSubscription,
  Kind,
} from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { Publish, type Qos } from "../wire/publish.ts";
import type { Sessions } from "./sessions.ts";

/** What was found in the store. */
export interface Restored {
  messages: number;
  retained: number;
  sessions: number;
  subscriptions: number;
  entries: number;
  received: number;
  /** Records that referred to something that is not there; they are removed. */
  orphans: number;
  /** Payload bytes of the messages, without orphans. */
  messageBytes: number;
}

/**
 * Reads the store into memory. Records come by kind, and a kind refers only to kinds before it, so
 * one pass is enough. Returns the highest number in use besides the counts.
 */
export function restore(
  store: Store,
  host: Host,
  topics: TopicTable,
  sessions: Sessions,
  retained: RetainedMessages,
): Restored & { lastNumber: number } {
  const found = {
    messages: 0,
    retained: 0,
    sessions: 0,
    subscriptions: 0,
    entries: 0,
    received: 0,
    orphans: 0,
    messageBytes: 0,
    lastNumber: 0,
  };
  const messages = new Map<number, StoredMessage>();
  const byNumber = new Map<number, Session>();
  const orphans: [kind: number, number: number][] = [];

  const readMessage = (number: number, value: Uint8Array) => {
    const record = decodeMessage(value);
    const topic = topics.lookup(value, record.topicStart, record.topicEnd);
    if (topic === null) return false;
    const publish = Publish.over(value, record.propertiesStart, record.payloadStart);
    publish.qos = record.qos as Qos;
    publish.retain = record.retain;
    const message = new StoredMessage({
      topic,
      publish,
      expiresAtMs: record.expiresAtMs - host.wallOffsetMs,
      clientId: record.clientId,
      userName: record.userName,
      wallOffsetMs: host.wallOffsetMs,
    });
    message.number = number;
    messages.set(number, message);
    return true;
  };
  const readSession = (number: number, value: Uint8Array) => {
    const record = decodeSession(value);
    const session = new Session(host, record.clientId);
    session.userName = record.userName;
    session.version = record.version as 3 | 4 | 5;
    session.sessionExpirySeconds = record.sessionExpirySeconds;
    // Still connected when the process ended: away since now.
    session.disconnectedAtMs = Math.min(record.disconnectedAtMs - host.wallOffsetMs, host.nowMs);
    session.outbound.restorePacketId(record.packetId);
    session.number = number;
    byNumber.set(number, session);
    sessions.restoreSession(session);
    found.sessions++;
  };
  const readSubscription = (number: number, value: Uint8Array) => {
    const record = decodeSubscription(value);
    const session = byNumber.get(record.session);
    if (session === undefined) return false;
    const subscription = new SessionSubscription(
      session,
      record.filter,
      record.qos as Qos,
      record.noLocal,
      record.retainAsPublished,
      record.identifier,
    );
    subscription.number = number;
    sessions.restoreSubscription(session, subscription);
    found.subscriptions++;
    return true;
  };
  const readEntry = (number: number, value: Uint8Array) => {
    const record = decodeEntry(value);
    const session = byNumber.get(record.session);
    const message = messages.get(record.message);
    const needsMessage = record.state !== EntryState.Released;
    if (session === undefined || needsMessage && message === undefined) return false;
    const entry = new Entry(
      session,
      message ?? null,
      record.packetId,
      record.qos as Qos,
      record.retain,
      record.identifiers,
    );
    entry.state = entry.keptState = record.state;
    entry.number = number;
    entry.messageNumber = record.message;
    if (message !== undefined) message.references++;
    session.outbound.restore(entry);
    // After a crash the session's own record may be older than its newest entry.
    const ahead = record.packetId - session.outbound.packetId & 0xffff;
    if (record.packetId !== 0 && ahead < 0x8000) session.outbound.restorePacketId(record.packetId);
    found.entries++;
    return true;
  };
  const readRetained = (number: number) => {
    const message = messages.get(number);
    if (message === undefined) return false;
    message.references++;
    retained.set(message);
    found.retained++;
    return true;
  };
  const readReceived = (number: number, value: Uint8Array) => {
    const record = decodeReceived(value);
    const session = byNumber.get(record.session);
    const message = messages.get(record.message);
    if (session === undefined || message === undefined) return false;
    const received = new Received(session, record.packetId, message);
    received.number = number;
    received.messageNumber = record.message;
    message.references++;
    session.inboundFlow().add(received, false);
    found.received++;
    return true;
  };

  store.restore((kind, number, value) => {
    found.lastNumber = Math.max(found.lastNumber, number);
    let owned = true;
    if (kind === Kind.Message) owned = readMessage(number, value);
    else if (kind === Kind.Session) readSession(number, value);
    else if (kind === Kind.Subscription) owned = readSubscription(number, value);
    else if (kind === Kind.Entry) owned = readEntry(number, value);
    else if (kind === Kind.Retained) owned = readRetained(number);
    else if (kind === Kind.Received) owned = readReceived(number, value);
    else owned = false;
    if (!owned) orphans.push([kind, number]);
  });
  for (const message of messages.values()) {
    if (message.references === 0) orphans.push([Kind.Message, message.number]);
    else {
      found.messages++;
      found.messageBytes += message.publish.payloadLength;
    }
  }
  for (const [kind, number] of orphans) host.journal.forget(kind, number);
  found.orphans = orphans.length;
  sessions.restored();
  return found;
}
