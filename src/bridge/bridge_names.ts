import type { Broker } from "../broker/broker.ts";
import type { Connection } from "../session/connection.ts";
import type { TopicName } from "../wire/publish.ts";
import type { TopicLines } from "./topic_mapping.ts";

type Mapping = NonNullable<Connection["mapping"]>;
type Topic = Parameters<Mapping["incoming"]>[0];

/** Names remembered in each direction before all are forgotten. */
const NAMES_MAXIMUM = 10_000;
/** [MQTT-1.5.4] the length of a string is written in two bytes. */
const NAME_BYTES_MAXIMUM = 65_535;

/** The names of a bridge's topics at the remote broker, remembered. */
export class BridgeNames implements Mapping {
  readonly #lines: TopicLines;
  readonly #topics: Broker["topics"];
  readonly #remote = new Map<string, TopicName>();
  readonly #local = new Map<string, Topic | null>();

  constructor(lines: TopicLines, topics: Broker["topics"]) {
    this.#lines = lines;
    this.#topics = topics;
  }

  incoming(topic: Topic): Topic | null {
    let local = this.#local.get(topic.name);
    if (local === undefined) {
      const named = this.#topics.named(this.#lines.localName(topic.name));
      local = named.bytes.length <= NAME_BYTES_MAXIMUM ? named : null;
      if (this.#local.size >= NAMES_MAXIMUM) this.#local.clear();
      this.#local.set(topic.name, local);
    }
    return local;
  }

  outgoing(topic: TopicName): TopicName {
    let remote = this.#remote.get(topic.name);
    if (remote === undefined) {
      remote = this.#topics.named(this.#lines.remoteName(topic.name));
      if (this.#remote.size >= NAMES_MAXIMUM) this.#remote.clear();
      this.#remote.set(topic.name, remote);
    }
    return remote;
  }

  /** Whether the remote name can be written. */
  fits(topic: TopicName): boolean {
    return this.outgoing(topic).bytes.length <= NAME_BYTES_MAXIMUM;
  }
}
