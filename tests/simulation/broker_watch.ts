import assert from "node:assert/strict";
import type { Broker } from "../../src/broker/broker.ts";
import type { Observer } from "../../src/broker/ports.ts";
import type { Connection } from "../../src/session/connection.ts";
import type { Settings } from "../../src/session/ports.ts";
import type { Session } from "../../src/session/session.ts";
import type { ChangingRights } from "./changing_rights.ts";
import type { Ledger } from "./ledger.ts";
import { idIn, type Message } from "./message.ts";

/** More than any client can have in flight, and any payload. */
const IN_FLIGHT_MAXIMUM = 20, PAYLOAD_MAXIMUM = 150, LARGE_PAYLOAD_MAXIMUM = 1250;

/**
 * Looks at a broker from within, for what no client sees: that a message is dropped where a limit says
 * so, and only there, and counted; that rates, rights and memory are kept to.
 */
export class BrokerWatch {
  readonly #ledger: Ledger;
  readonly #rights: ChangingRights | null;
  /** What should be in force. */
  readonly #settings: () => Settings;
  readonly #dropped = new Map<Session, number>();
  #publishers = new Map<Connection, { count: number; sinceMs: number }>();
  #broker: Broker | null = null;
  /** What is routed now. */
  #message: Message | null = null;
  #size = 0;
  readonly #isBounded: boolean;
  #failure: unknown = null;

  /** @param isBounded false: the limits change, so that queues may be longer than they say */
  constructor(
    ledger: Ledger,
    rights: ChangingRights | null,
    settings: () => Settings,
    isBounded: boolean,
  ) {
    this.#isBounded = isBounded;
    this.#ledger = ledger;
    this.#rights = rights;
    this.#settings = settings;
  }

  readonly observer: Observer = {
    connected: () => {},
    disconnected: () => {},
    subscribed: () => {},
    unsubscribed: () => {},
    published: null,
    dropped: (session, reason) => this.#noteFailure(() => this.#drop(session, reason)),
  };

  /** Sees what is routed from now on. */
  attach(broker: Broker): void {
    this.#broker = broker;
    const route = broker.route.bind(broker);
    broker.route = (publish, topic, publisher, message) => {
      const payload = publish.payload();
      this.#message = this.#ledger.message(idIn(payload)) ?? null;
      this.#size = payload.length;
      if (publisher !== null && publish.qos < 2) {
        this.#noteFailure(() => this.#assertAllowed(publisher, topic.name));
      }
      const matched = route(publish, topic, publisher, message);
      this.#message = null;
      return matched;
    };
  }

  /** Other settings are in force: the rates begin anew. */
  settingsChanged(): void {
    this.#publishers = new Map();
  }

  /** After each step. */
  look(): void {
    if (this.#failure !== null) throw this.#failure;
    const broker = this.#broker!, settings = this.#settings();
    let sum = 0;
    for (const session of broker.sessions) {
      const dropped = this.#dropped.get(session) ?? 0;
      assert.equal(session.dropped, dropped, `${session.clientId}: dropped messages are counted`);
      if (session.hasOutbound && this.#isBounded) this.#assertBounded(session, settings);
    }
    for (const count of this.#dropped.values()) sum += count;
    assert.ok(broker.counters.dropped >= sum, "dropped messages are counted");
    if (settings.memoryLimit > 0) this.#assertMemory(broker, settings.memoryLimit);
  }

  #noteFailure(check: () => void) {
    try {
      check();
    } catch (error) {
      this.#failure ??= error;
    }
  }

  #drop(session: Session, reason: string) {
    this.#dropped.set(session, (this.#dropped.get(session) ?? 0) + 1);
    const { maxQueuedMessages, maxQueuedBytes } = this.#settings();
    const { clientId } = session;
    const message = this.#message;
    if (reason === "queue full") {
      const { queued, queuedBytes } = session.outbound;
      const isFull = maxQueuedMessages > 0 && queued >= maxQueuedMessages ||
        maxQueuedBytes > 0 && (message === null || queuedBytes + this.#size > maxQueuedBytes);
      assert.ok(isFull, `${clientId} lost a message though its queue has room`);
    } else {assert.ok(
        session.connection!.outbox.waiting > 0,
        `${clientId} reads, and lost a message`,
      );}
    if (message !== null) this.#ledger.dropped(clientId, message);
  }

  #assertAllowed({ clientId, connection }: Session, topic: string) {
    const mayWrite = this.#rights?.mayWrite(clientId, topic) ?? true;
    assert.ok(mayWrite, `${clientId} may not publish to ${topic}, and did`);
    const { messages } = this.#settings().clientRate;
    if (messages === 0 || connection === null) return;
    const { nowMs } = this.#broker!;
    let publisher = this.#publishers.get(connection);
    if (publisher === undefined) {
      this.#publishers.set(connection, publisher = { count: 0, sinceMs: nowMs });
    }
    const count = ++publisher.count;
    // A second's worth at once, and one that overdraws.
    const allowed = messages * ((nowMs - publisher.sinceMs) / 1000 + 1) + 1;
    assert.ok(count <= allowed, `${clientId} published ${count} messages, ${allowed} are allowed`);
  }

  #assertBounded({ clientId, outbound }: Session, settings: Settings) {
    const { maxQueuedMessages, maxQueuedBytes, memoryLimit } = settings;
    const { queued, queuedBytes } = outbound;
    // What was in flight goes back to the queue when a connection ends.
    const isBounded = maxQueuedMessages === 0 || queued <= maxQueuedMessages + IN_FLIGHT_MAXIMUM;
    assert.ok(isBounded, `${queued} messages are queued for ${clientId}`);
    const payloadMaximum = memoryLimit > 0 ? LARGE_PAYLOAD_MAXIMUM : PAYLOAD_MAXIMUM;
    const bytesMaximum = maxQueuedBytes + IN_FLIGHT_MAXIMUM * payloadMaximum;
    const isSmall = maxQueuedBytes === 0 || queuedBytes <= bytesMaximum;
    assert.ok(isSmall, `${queuedBytes} bytes are queued for ${clientId}`);
  }

  #assertMemory(broker: Broker, limit: number) {
    const { storeBytes, storeMessages, clientsTotal } = broker.statistics();
    const held = storeBytes + storeMessages * 300 + clientsTotal * 1000;
    // Sessions are opened, and messages released, after the last look at it.
    assert.ok(held <= limit + 3000, `${held} bytes are held, memory_limit is ${limit}`);
  }
}
