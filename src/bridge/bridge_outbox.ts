import { type Delivery, Outbox, type OutboxHost } from "../wire/outbox.ts";
import type { Publish, TopicName } from "../wire/publish.ts";
import type { BridgeNames } from "./bridge_names.ts";

/** The bytes that wait for a remote broker. */
export class BridgeOutbox extends Outbox {
  /** False: RETAIN is cleared on everything. */
  keepsRetain = true;
  /** Messages appended. */
  published = 0;
  readonly #names: BridgeNames | null;
  readonly #dropped: (topic: TopicName) => void;

  /** @param dropped told of what the remote broker cannot take */
  constructor(host: OutboxHost, names: BridgeNames | null, dropped: (topic: TopicName) => void) {
    super(host);
    this.names = this.#names = names;
    this.#dropped = dropped;
  }

  override publish(message: Publish, topic: TopicName, delivery: Delivery): boolean {
    if (!this.keepsRetain) delivery.retain = false;
    const fits = this.#names === null || this.#names.fits(topic);
    if (fits && super.publish(message, topic, delivery)) {
      this.published++;
      return true;
    }
    this.#dropped(topic);
    return false;
  }
}
