import type { Broker } from "../broker/broker.ts";
import type { Session } from "../session/session.ts";
import type { Qos } from "../wire/publish.ts";
import { subscribeRequest, unsubscribeRequest } from "../wire/requests.ts";
import type { SubscriptionRequest } from "../wire/subscribe_packet.ts";
import type { BridgeConnection } from "./bridge_connection.ts";
import type { BridgeSettings } from "./settings.ts";
import { TopicLines } from "./topic_mapping.ts";

/**
 * What a bridge has subscribed to on both sides, and the session that holds the messages for the remote
 * broker. A lasting one is there as long as the bridge is; another only while it is connected.
 */
export class Subscriptions {
  readonly lines: TopicLines;
  readonly #broker: Broker;
  readonly #settings: BridgeSettings;
  #session: Session | null;
  /** SUBSCRIBEs that wait for their answers. */
  #asked = new Map<number, string>();

  constructor(broker: Broker, settings: BridgeSettings, session: Session | null = null) {
    this.#broker = broker;
    this.#settings = settings;
    this.#session = session;
    this.lines = new TopicLines(settings.topics);
  }

  /** Null while there is none. */
  get session(): Session | null {
    const { sessions } = this.#broker;
    const session = this.#session;
    // One that does not last has ended with its connection.
    return session !== null && sessions.get(session.clientId) === session ? session : null;
  }

  /** Messages that wait for the remote broker, those in flight included. */
  get waiting(): number {
    const { session } = this;
    if (session === null || !session.hasOutbound) return 0;
    return session.outbound.queued + session.outbound.inFlight;
  }

  /** Messages that the limits of queues have kept from the session. */
  get dropped(): number {
    return this.session?.dropped ?? 0;
  }

  /** The same session under other settings. */
  changed(settings: BridgeSettings): Subscriptions {
    return new Subscriptions(this.#broker, settings, this.session);
  }

  /** Makes or takes up the session, subscribed to what goes out and to nothing else. */
  open(maximumQos: Qos = 2): Session {
    const { localClientId, localCleanSession, localUsername, startType } = this.#settings;
    const { sessions } = this.#broker;
    const session = this.session ?? sessions.reserve(localClientId, !localCleanSession);
    this.#session = session;
    session.userName = localUsername;
    session.queuesQos0 = startType === "lazy";
    const wanted = new Map(
      this.lines.localFilters.map(({ filter, qos }) => [filter, lower(qos, maximumQos)]),
    );
    for (const filter of [...session.subscriptions?.keys() ?? []]) {
      if (!wanted.has(filter)) sessions.unsubscribe(session, filter);
    }
    for (const [filter, qos] of wanted) {
      if (session.subscriptions?.get(filter)?.qos === qos) continue;
      sessions.subscribe(session, requestFor(filter, qos), 0);
    }
    return session;
  }

  /** Asks the remote broker for what is to come in, and for no more of what is not. */
  askRemote(connection: BridgeConnection, maximumQos: Qos): void {
    this.#asked.clear();
    const { version, outbox } = connection;
    for (const { filter, qos } of this.lines.remoteFilters) {
      if (qos === null && !this.#settings.attemptUnsubscribe) continue;
      const packetId = this.#session!.outbound.takeUnusedPacketId();
      if (qos === null) {
        outbox.packet(unsubscribeRequest(version, packetId, filter));
        continue;
      }
      this.#asked.set(packetId, filter);
      outbox.packet(subscribeRequest(version, packetId, filter, {
        qos: lower(qos, maximumQos),
        noLocal: true,
        retainAsPublished: true,
      }));
    }
  }

  /** The filter of a SUBSCRIBE whose answer has come; undefined: it was none of ours. */
  answered(packetId: number): string | undefined {
    const filter = this.#asked.get(packetId);
    this.#asked.delete(packetId);
    return filter;
  }

  /** Sends what is retained here, behind all that waits. */
  sendRetained(connection: BridgeConnection): void {
    const session = this.#session!;
    for (const { filter, qos } of session.subscriptions?.values() ?? []) {
      this.#broker.sessions.retainedFor(session, requestFor(filter, qos), 0);
    }
    connection.feedRetained();
  }

  /** The bridge is gone for good. */
  forget(): void {
    this.#broker.sessions.release(this.#settings.localClientId);
    this.#session = null;
  }
}

function requestFor(filter: string, qos: Qos): SubscriptionRequest {
  return { filter, qos, noLocal: true, retainAsPublished: true, retainHandling: 0 };
}

function lower(qos: Qos, maximum: Qos): Qos {
  return qos < maximum ? qos : maximum;
}
