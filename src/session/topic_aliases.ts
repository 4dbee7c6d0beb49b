import type { OutgoingAliases } from "../wire/outbox.ts";
import type { TopicName } from "../wire/publish.ts";
import type { Topic } from "../routing/topic.ts";

/** Topic Aliases that a client has set [MQTT-3.3.2-10]; they end with the Network Connection. */
export class IncomingTopicAliases {
  readonly #topics: (Topic | undefined)[] = [];

  get(alias: number): Topic | undefined {
    return this.#topics[alias];
  }

  set(alias: number, topic: Topic): void {
    this.#topics[alias] = topic;
  }
}

/** Topic Aliases set towards a client: 1, 2, … for the first topics, up to the maximum. */
export class OutgoingTopicAliases implements OutgoingAliases {
  isNew = false;
  readonly #maximum: number;
  readonly #aliases = new Map<string, number>();

  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  aliasFor(topic: TopicName): number {
    const known = this.#aliases.get(topic.name);
    this.isNew = known === undefined;
    if (known !== undefined) return known;
    if (this.#aliases.size >= this.#maximum) return 0;
    this.#aliases.set(topic.name, this.#aliases.size + 1);
    return this.#aliases.size;
  }

  forget(topic: TopicName): void {
    this.#aliases.delete(topic.name);
  }
}
