import assert from "node:assert/strict";
import type { ServerPacket } from "../support/packet_decoder.ts";
import { Property, property } from "../support/packets.ts";
import type { Chance } from "./chance.ts";

/**
 * How a client and the broker call topics on one connection: below a mount point, and by Topic
 * Aliases in both directions.
 */
export class WireNames {
  readonly #mountPoint: string;
  readonly #chance: Chance;
  /** Aliases the client may set. */
  readonly #sentMaximum: number;
  readonly #sent = new Map<number, string>();
  /** Aliases the broker may set. */
  readonly #heardMaximum: number;
  readonly #heard = new Map<number, string>();

  constructor(mountPoint: string, chance: Chance, sentMaximum: number, heardMaximum: number) {
    this.#mountPoint = mountPoint;
    this.#chance = chance;
    this.#sentMaximum = sentMaximum;
    this.#heardMaximum = heardMaximum;
  }

  /** The client's word for a topic. */
  topic(name: string): string {
    assert.ok(name.startsWith(this.#mountPoint));
    return name.slice(this.#mountPoint.length);
  }

  filter(filter: string): string {
    const group = /^\$share\/[^/]*\//.exec(filter)?.[0] ?? "";
    return group + this.topic(filter.slice(group.length));
  }

  /** What stands in a PUBLISH: the name, or an alias, or both. */
  outgoing(name: string): { topic: string; properties: Uint8Array[] } {
    const topic = this.topic(name), chance = this.#chance;
    if (this.#sentMaximum === 0 || chance.percent(30)) return { topic, properties: [] };
    const alias = 1 + chance.below(this.#sentMaximum);
    const known = this.#sent.get(alias) === topic;
    this.#sent.set(alias, topic);
    return {
      topic: known && chance.percent(80) ? "" : topic,
      properties: [property(Property.topicAlias, alias)],
    };
  }

  /** The topic of a PUBLISH that came. */
  incoming({ topic = "", properties }: ServerPacket): string {
    const alias = properties.find(([id]) => id === Property.topicAlias)?.[1] as number | undefined;
    if (alias === undefined) {
      assert.notEqual(topic, "", "a PUBLISH without topic");
      return this.#mountPoint + topic;
    }
    assert.ok(alias >= 1 && alias <= this.#heardMaximum, `Topic Alias ${alias} is not allowed`);
    if (topic !== "") this.#heard.set(alias, topic);
    const known = this.#heard.get(alias);
    assert.ok(known !== undefined, `Topic Alias ${alias} was never set`);
    return this.#mountPoint + known;
  }
}
