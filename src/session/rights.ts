import type { Topic } from "../routing/topic.ts";
import type { Publish } from "../wire/publish.ts";
import type { Access, Identity } from "./ports.ts";

/** Topics remembered for one client and direction before all are forgotten. */
const TOPICS_MAXIMUM = 256;

/**
 * What `Access` has said of one client, by topic. Remembered until its generation changes, so that a
 * message costs one look-up and not a walk through rules.
 */
export class Rights {
  readonly #access: Access;
  readonly #identity: Identity;
  readonly #publish = new Map<Topic, boolean>();
  readonly #receive = new Map<Topic, boolean>();
  #generation: number;

  constructor(access: Access, identity: Identity) {
    this.#access = access;
    this.#identity = identity;
    this.#generation = access.generation;
  }

  /** Only where `Access.publishIsRemembered`. */
  mayPublish(topic: Topic, publish: Publish): boolean {
    this.#refresh();
    const known = this.#publish.get(topic);
    if (known !== undefined) return known;
    const allowed = this.#access.mayPublish(this.#identity, topic.name, publish, noLaterAnswer);
    return remember(this.#publish, topic, allowed === true);
  }

  mayReceive(topic: Topic): boolean {
    this.#refresh();
    const known = this.#receive.get(topic);
    if (known !== undefined) return known;
    return remember(this.#receive, topic, this.#access.mayReceive(this.#identity, topic.name));
  }

  #refresh() {
    if (this.#generation === this.#access.generation) return;
    this.#generation = this.#access.generation;
    this.#publish.clear();
    this.#receive.clear();
  }
}

function remember(topics: Map<Topic, boolean>, topic: Topic, allowed: boolean): boolean {
  if (topics.size >= TOPICS_MAXIMUM) topics.clear();
  topics.set(topic, allowed);
  return allowed;
}

function noLaterAnswer(): void {}
