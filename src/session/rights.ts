import type { Topic } from "../routing/topic.ts";
import type { Publish } from "../wire/publish.ts";
import type { Access, Identity } from "./ports.ts";

/** Topics remembered for one client and direction before all are forgotten. */
const TOPICS_MAXIMUM = 256;
/** Bytes of their names: remembering must not keep alive what a client has made up. */
const NAME_BYTES_MAXIMUM = 65_536;

/** What was said of one direction. */
class Remembered {
  readonly #topics = new Map<Topic, boolean>();
  #nameBytes = 0;

  get(topic: Topic): boolean | undefined {
    return this.#topics.get(topic);
  }

  set(topic: Topic, allowed: boolean): boolean {
    const { length } = topic.bytes;
    const isFull = this.#topics.size >= TOPICS_MAXIMUM ||
      this.#nameBytes + length > NAME_BYTES_MAXIMUM;
    if (isFull) this.clear();
    this.#topics.set(topic, allowed);
    this.#nameBytes += length;
    return allowed;
  }

  clear(): void {
    this.#topics.clear();
    this.#nameBytes = 0;
  }
}

/**
 * What `Access` has said of one client, by topic. Remembered until its generation changes, so that a
 * message costs one look-up and not a walk through rules.
 */
export class Rights {
  readonly #access: Access;
  readonly #identity: Identity;
  readonly #publish = new Remembered();
  readonly #receive = new Remembered();
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
    return this.#publish.set(topic, allowed === true);
  }

  mayReceive(topic: Topic): boolean {
    this.#refresh();
    const known = this.#receive.get(topic);
    if (known !== undefined) return known;
    return this.#receive.set(topic, this.#access.mayReceive(this.#identity, topic.name));
  }

  #refresh() {
    if (this.#generation === this.#access.generation) return;
    this.#generation = this.#access.generation;
    this.#publish.clear();
    this.#receive.clear();
  }
}

function noLaterAnswer(): void {}
