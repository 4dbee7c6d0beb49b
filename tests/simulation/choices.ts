import type { Chance } from "./chance.ts";
import type { Dimensions } from "./dimensions.ts";
import type { ConnectOptions, HonestClient } from "./honest_client.ts";
import type { Ledger } from "./ledger.ts";
import type { Message } from "./message.ts";
import type { FilterRequest } from "./questions.ts";

/** Session Expiry Interval of a session that never expires. */
export const NEVER = 0xffff_ffff;
export const MOUNT_POINT = "m/";
const PLAIN_TOPICS = ["a", "a/b", "a/b/c", "b", "b/a", "$a/b"];
const RETAINED_TOPICS = ["r/1", "r/2", "r/1/2"];
const FILTERS = [
  "a",
  "a/b",
  "a/#",
  "a/+",
  "+",
  "+/b",
  "#",
  "b/#",
  "r/#",
  "r/+",
  "r/1",
  "w/+",
  "$a/#",
];
const GROUP_TOPIC = "s/1";

/** What clients do next, by chance, as far as the dimensions of their world allow it. */
export class Choices {
  readonly #chance: Chance;
  readonly #dimensions: Dimensions;
  readonly #ledger: Ledger;

  constructor(chance: Chance, dimensions: Dimensions, ledger: Ledger) {
    this.#chance = chance;
    this.#dimensions = dimensions;
    this.#ledger = ledger;
  }

  get retainedTopics(): string[] {
    const mounted = this.#dimensions.mountPoint
      ? RETAINED_TOPICS.map((topic) => MOUNT_POINT + topic)
      : [];
    return [...RETAINED_TOPICS, ...mounted];
  }

  connect(client: HonestClient): ConnectOptions {
    const chance = this.#chance, { wills, groups, memoryLimit } = this.#dimensions;
    const clean = chance.percent(groups ? 3 : 12);
    const mqtt5 = client.version === 5;
    const expirySeconds = mqtt5
      ? chance.weighted([[70, NEVER], [15, 3600], [groups ? 0 : 10, 20], [groups ? 1 : 5, 0]])
      : clean
      ? 0
      : NEVER;
    // Who is refused for want of memory cannot tell what becomes of a Will.
    const hasWill = memoryLimit === 0 && chance.percent(wills ? 70 : 30);
    return {
      clean,
      expirySeconds,
      receiveMaximum: mqtt5 ? chance.weighted([[2, 1], [3, 4], [3, 0xffff]]) : 0xffff,
      will: hasWill ? this.#will(client) : null,
      willDelaySeconds: mqtt5 && chance.percent(wills ? 60 : 40) ? chance.pick([1, 5, 30]) : 0,
      topicAliasMaximum: mqtt5 && this.#dimensions.aliases ? chance.below(4) : 0,
    };
  }

  #will({ name, parts }: HonestClient): Message {
    return this.#ledger.newMessage(`will of ${name}`, `${parts.mountPoint}w/${name}`, {
      qos: this.#chance.below(3),
      padding: this.#padding(),
    });
  }

  /** To become quiet: a session that stays, and no Will. */
  quiet(client: HonestClient): ConnectOptions {
    return {
      clean: false,
      expirySeconds: client.version === 5 ? 3600 : NEVER,
      receiveMaximum: 10,
      will: null,
      willDelaySeconds: 0,
      topicAliasMaximum: 0,
    };
  }

  /** Filters and a Subscription Identifier; 0: none. */
  subscription({ expirySeconds, version, parts }: HonestClient): [FilterRequest[], number] {
    const chance = this.#chance, { groups, noLocal, identifiers } = this.#dimensions;
    const requests = new Map<string, FilterRequest>();
    const count = identifiers ? 1 : 1 + chance.below(3);
    let identifier = 0;
    for (let index = 0; index < count; index++) {
      const at = chance.below(FILTERS.length);
      // Only sessions that last are in the group: what is given to another is gone with it.
      const inGroup = expirySeconds > 0 && chance.percent(groups ? 50 : 10);
      const filter = inGroup ? `$share/g/${parts.mountPoint}s/#` : parts.mountPoint + FILTERS[at];
      requests.set(filter, {
        filter,
        qos: chance.pick(groups ? [1, 2] : [0, 1, 1, 2, 2, 2]),
        noLocal: noLocal && !inGroup && version === 5 && chance.percent(50),
      });
      identifier = inGroup ? FILTERS.length + 1 : at + 1;
    }
    return [[...requests.values()], identifiers && version === 5 ? identifier : 0];
  }

  unsubscription({ session, parts }: HonestClient): string {
    const known = session!.asked.map(({ filter }) => filter);
    return this.#chance.pick([...known, ...FILTERS.map((filter) => parts.mountPoint + filter)]);
  }

  message({ name, version, parts }: HonestClient): Message {
    const chance = this.#chance, { expiry, groups, rights } = this.#dimensions;
    const [topic, retain] = chance.weighted([
      [14, [chance.pick(PLAIN_TOPICS), false] as const],
      [4, [chance.pick(RETAINED_TOPICS), true] as const],
      [groups ? 14 : 2, [GROUP_TOPIC, false] as const],
    ]);
    // Without a payload it does not say whose it is, and so not who had the right.
    const empty = retain && !rights && chance.percent(25);
    const expires = !retain && version === 5 && chance.percent(expiry ? 60 : 5);
    return this.#ledger.newMessage(name, parts.mountPoint + topic, {
      qos: chance.pick([0, 1, 1, 2, 2]),
      retain,
      empty,
      expirySeconds: expires ? chance.pick(expiry ? [1, 2, 10, 60, 2_000_000] : [2]) : 0,
      padding: this.#padding(),
    });
  }

  #padding(): number {
    const { packetSizes, maxInflightBytes, maxQueuedBytes, memoryLimit } = this.#dimensions;
    if (memoryLimit > 0) return this.#chance.below(1200);
    const isVaried = packetSizes || maxInflightBytes > 0 || maxQueuedBytes > 0;
    return isVaried && this.#chance.percent(60) ? this.#chance.below(100) : 0;
  }

  /** A right that may change: of which client, for which topic. */
  right({ parts }: HonestClient): { right: "read" | "write"; topic: string; allowed: boolean } {
    const chance = this.#chance;
    const topics = [...PLAIN_TOPICS.slice(0, 3), ...RETAINED_TOPICS, GROUP_TOPIC];
    return {
      right: chance.pick(["read", "write"]),
      topic: parts.mountPoint + chance.pick(topics),
      allowed: chance.percent(50),
    };
  }
}
