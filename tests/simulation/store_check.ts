import assert from "node:assert/strict";
import type { Broker } from "../../src/broker/broker.ts";
import {
  decodeEntry,
  decodeMessage,
  decodeReceived,
  decodeSession,
  decodeSubscription,
  Kind,
} from "../../src/store/records.ts";
import type { Store } from "../../src/store/store.ts";

/** What a store holds, with every reference followed. */
export interface StoreContents {
  readonly sessions: Map<string, { expirySeconds: number; filters: string[] }>;
  /** Topic Names and payloads. */
  readonly retained: Map<string, string>;
  readonly messages: number;
  readonly entries: number;
  readonly received: number;
}

/** Reads a store as a restart would, and fails where a record refers to nothing or has no owner. */
export function readStore(store: Store): StoreContents {
  const decoder = new TextDecoder();
  const sessions = new Map<number, { clientId: string; expirySeconds: number }>();
  const filters = new Map<number, string[]>();
  const messages = new Map<number, { topic: string; payload: string }>();
  const owned = new Set<number>();
  const retained = new Map<string, string>();
  let entries = 0, received = 0;
  const owner = (session: number, what: string) => {
    assert.ok(sessions.has(session), `${what} of session ${session}, which is not in the store`);
  };
  const message = (number: number, what: string) => {
    assert.ok(messages.has(number), `${what} of message ${number}, which is not in the store`);
    owned.add(number);
  };
  store.restore((kind, number, value) => {
    if (kind === Kind.Message) {
      const { topicStart, topicEnd, payloadStart } = decodeMessage(value);
      messages.set(number, {
        topic: decoder.decode(value.subarray(topicStart, topicEnd)),
        payload: decoder.decode(value.subarray(payloadStart)),
      });
    } else if (kind === Kind.Session) {
      const { clientId, sessionExpirySeconds } = decodeSession(value);
      const twice = [...sessions.values()].some((other) => other.clientId === clientId);
      assert.ok(!twice, `two sessions of ${clientId} in the store`);
      sessions.set(number, { clientId, expirySeconds: sessionExpirySeconds });
      filters.set(number, []);
    } else if (kind === Kind.Subscription) {
      const { session, filter } = decodeSubscription(value);
      owner(session, `subscription ${number}`);
      assert.ok(!filters.get(session)!.includes(filter), `${filter} twice in a session`);
      filters.get(session)!.push(filter);
    } else if (kind === Kind.Entry) {
      const entry = decodeEntry(value);
      owner(entry.session, `entry ${number}`);
      if (entry.message !== 0) message(entry.message, `entry ${number}`);
      entries++;
    } else if (kind === Kind.Retained) {
      message(number, "what is retained");
      const { topic, payload } = messages.get(number)!;
      assert.ok(!retained.has(topic), `two retained messages of ${topic} in the store`);
      retained.set(topic, payload);
    } else if (kind === Kind.Received) {
      const record = decodeReceived(value);
      owner(record.session, `received ${number}`);
      message(record.message, `received ${number}`);
      received++;
    } else assert.fail(`a record of kind ${kind}`);
  });
  for (const number of messages.keys()) {
    assert.ok(owned.has(number), `message ${number} is kept and nobody refers to it`);
  }
  return {
    sessions: new Map(
      [...sessions].map(([number, { clientId, expirySeconds }]) => [
        clientId,
        { expirySeconds, filters: filters.get(number)!.sort() },
      ]),
    ),
    retained,
    messages: messages.size,
    entries,
    received,
  };
}

/** The same of a broker's memory. */
export function readBroker(broker: Broker): StoreContents {
  const decoder = new TextDecoder();
  const sessions = new Map<string, { expirySeconds: number; filters: string[] }>();
  let entries = 0, received = 0;
  for (const session of broker.sessions) {
    if (session.number === 0) continue;
    sessions.set(session.clientId, {
      expirySeconds: session.sessionExpirySeconds,
      filters: [...session.subscriptions?.keys() ?? []].sort(),
    });
    entries += session.outbound.inFlight + session.outbound.queued;
    received += session.inbound?.count ?? 0;
  }
  const retained = new Map<string, string>();
  for (const { topic, publish } of broker.retained.all()) {
    retained.set(topic.name, decoder.decode(publish.payload()));
  }
  const messages = broker.statistics().storeMessages;
  return { sessions, retained, messages, entries, received };
}

/** Memory and disk say the same. `inTurn` is whatever the broker does by itself, told apart by the caller. */
export function assertSame(broker: Broker, store: Store): void {
  const memory = readBroker(broker), disk = readStore(store);
  assert.deepEqual(sorted(disk.sessions), sorted(memory.sessions), "sessions on disk, in memory");
  assert.deepEqual(sorted(disk.retained), sorted(memory.retained), "retained on disk, in memory");
  assert.deepEqual(
    [disk.messages, disk.entries, disk.received],
    [memory.messages, memory.entries, memory.received],
    "messages, entries and QoS 2 messages received, on disk and in memory",
  );
}

function sorted<V>(map: Map<string, V>): [string, V][] {
  return [...map].sort(([a], [b]) => a < b ? -1 : 1);
}
