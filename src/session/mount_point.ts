import type { Topic } from "../routing/topic.ts";
import type { TopicTable } from "../routing/topic_table.ts";
import type { TopicName } from "../wire/publish.ts";

/** How a client's names of topics differ from the broker's. */
export interface TopicMapping {
  /** The broker's name for a topic of the client; null: it has none. */
  incoming(topic: Topic): Topic | null;
  /** The client's name for a topic of the broker. */
  outgoing(topic: TopicName): TopicName;
}

/** [MQTT-1.5.4] the length of a string is written in two bytes. */
const NAME_BYTES_MAXIMUM = 65_535;

/**
 * `mount_point`: a prefix that the clients of a listener do not see. It is put in front of what they
 * publish and subscribe to, and taken away from what they get.
 */
export class MountPoint implements TopicMapping {
  readonly #prefix: string;
  readonly #topics: TopicTable;
  // A client mostly stays with one topic for a while.
  #given: Topic | null = null;
  #mounted: Topic | null = null;
  #taken: TopicName | null = null;
  #shown: TopicName | null = null;

  constructor(prefix: string, topics: TopicTable) {
    this.#prefix = prefix;
    this.#topics = topics;
  }

  incoming(topic: Topic): Topic | null {
    if (topic !== this.#given) {
      this.#given = topic;
      const mounted = this.#topics.named(this.#prefix + topic.name);
      this.#mounted = mounted.bytes.length <= NAME_BYTES_MAXIMUM ? mounted : null;
    }
    return this.#mounted;
  }

  outgoing(topic: TopicName): TopicName {
    if (topic !== this.#taken) {
      this.#taken = topic;
      const { name } = topic;
      const isBelow = name.startsWith(this.#prefix) && name.length > this.#prefix.length;
      this.#shown = isBelow ? this.#topics.named(name.slice(this.#prefix.length)) : topic;
    }
    return this.#shown!;
  }
}

/** The broker's filter for one of a client; that of a Shared Subscription is behind its ShareName. */
export function mountedFilter(prefix: string, filter: string): string {
  const group = /^\$share\/[^/]*\//.exec(filter)?.[0] ?? "";
  return group + prefix + filter.slice(group.length);
}
