import type { Broker } from "../broker/broker.ts";
import type { Session } from "../session/session.ts";
import { Publish, type Qos } from "../wire/publish.ts";
import type { BridgeConnection } from "./bridge_connection.ts";
import type { BridgeSettings } from "./settings.ts";

/** The word for "connected", and that for "not connected". */
export type LinkState = "1" | "0";

/** Tells both brokers, by a retained message, whether the bridge is up. */
export class Notifications {
  readonly #broker: Broker;
  readonly #settings: BridgeSettings;

  constructor(broker: Broker, settings: BridgeSettings) {
    this.#broker = broker;
    this.#settings = settings;
  }

  tellHere(state: LinkState, session: Session | null): void {
    const { notifications, notificationTopic } = this.#settings;
    if (!notifications) return;
    const payload = new TextEncoder().encode(state);
    const message = { topic: notificationTopic, payload, qos: 1, retain: true } as const;
    this.#broker.publishMessage(message, session);
  }

  /** What is told when the connection is lost stands in the Will. */
  tellRemote(state: LinkState, connection: BridgeConnection, qos: Qos): void {
    const { notifications, notificationsLocalOnly, notificationTopic } = this.#settings;
    if (!notifications || notificationsLocalOnly) return;
    const topic = this.#broker.topics.named(notificationTopic);
    const publish = Publish.of({ payload: new TextEncoder().encode(state), qos, retain: true });
    const { outbox } = connection;
    // The topic is meant as it is, not as the name of a local one.
    const { names } = outbox;
    outbox.names = null;
    connection.session!.outbound.sendOnce(publish, topic, qos, true);
    outbox.names = names;
  }
}
