import { printable } from "../log.ts";
import { certificateTopic } from "../access/sparkplug.ts";
import type { Broker } from "../broker/broker.ts";
import type { Topic } from "../routing/topic.ts";
import type { Session } from "../session/session.ts";
import { Publish } from "../wire/publish.ts";

/** Bytes of a Topic Name [MQTT-4.7.3-3]. */
const TOPIC_NAME_MAXIMUM = 65_535;

/**
 * Keeps the birth certificates of Sparkplug as retained messages. A certificate is published in the turn
 * of its birth, before it: where the birth is acknowledged, the certificate is on disk.
 */
export class BirthCertificates {
  readonly #broker: Broker;
  #isFull = false;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** To be called with each message of a client; `publish` is borrowed. */
  published(publish: Publish, topic: Topic, publisher: Session): void {
    const name = certificateTopic(topic.name);
    if (name === null) return;
    const broker = this.#broker;
    const certificateName = broker.topics.named(name);
    if (certificateName.bytes.length > TOPIC_NAME_MAXIMUM) return;
    // Without its Message Expiry: it holds until the next one.
    const certificate = Publish.of({
      payload: publish.payload(),
      properties: publish.forwarded(),
      qos: publish.qos,
      retain: true,
    });
    const hasRoom = broker.hasRoomFor(certificate, certificateName, publisher);
    if (hasRoom) broker.route(certificate, certificateName, null);
    else if (!this.#isFull) {
      const name = printable(topic.name);
      broker.log("warning", `Warning: No room for the Sparkplug certificate of ${name}.`);
    }
    this.#isFull = !hasRoom;
  }
}
