import type { Qos } from "../wire/publish.ts";
import { matchesFilter } from "../wire/topic_filter.ts";
import type { BridgeTopic } from "./settings.ts";

/** What is subscribed to at one of the two brokers. */
export interface BridgeFilter {
  readonly filter: string;
  readonly qos: Qos;
}

/** A `topic` line with the filters that follow from it. */
class Line {
  readonly topic: BridgeTopic;
  readonly localFilter: string;
  readonly remoteFilter: string;

  constructor(topic: BridgeTopic) {
    this.topic = topic;
    this.localFilter = localFilterOf(topic);
    this.remoteFilter = remoteFilterOf(topic);
  }

  get goesOut(): boolean {
    return this.topic.direction !== "in";
  }

  get comesIn(): boolean {
    return this.topic.direction !== "out";
  }

  /** A line without prefixes changes no name, and leaves it to others. */
  get renames(): boolean {
    return this.topic.localPrefix !== "" || this.topic.remotePrefix !== "";
  }
}

/**
 * Which topics a bridge shares, and how they are called on the other side. Of the lines in a direction
 * that have a prefix the first whose filter has the name decides; without one the name stays.
 *
 *     topic sensors/# out 1 house/ site7/      house/sensors/a  →  site7/sensors/a
 */
export class TopicLines {
  /** What the bridge's own session subscribes to, each filter once, at the highest QoS asked for. */
  readonly localFilters: readonly BridgeFilter[];
  /**
   * What the remote broker is asked for, in the order of the configuration. Without a QoS: no longer,
   * as it may have been under an earlier configuration.
   */
  readonly remoteFilters: readonly { readonly filter: string; readonly qos: Qos | null }[];
  readonly #out: readonly Line[];
  readonly #in: readonly Line[];

  constructor(topics: readonly BridgeTopic[]) {
    const lines = topics.filter((topic, index) => !isRepeated(topic, topics.slice(0, index)))
      .map((topic) => new Line(topic));
    const outgoing = lines.filter((line) => line.goesOut);
    const incoming = lines.filter((line) => line.comesIn);
    this.#out = outgoing.filter((line) => line.renames);
    this.#in = incoming.filter((line) => line.renames);
    this.localFilters = strongest(outgoing.map(({ localFilter, topic }) => ({
      filter: localFilter,
      qos: topic.qos,
    })));
    const wanted = strongest(incoming.map(({ remoteFilter, topic }) => ({
      filter: remoteFilter,
      qos: topic.qos,
    })));
    const filters = new Set(lines.map((line) => line.remoteFilter));
    this.remoteFilters = [...filters].map((filter) => ({
      filter,
      qos: wanted.find((one) => one.filter === filter)?.qos ?? null,
    }));
  }

  /** Topics that go out, or come in, may have another name on the other side. */
  get renames(): boolean {
    return this.#out.length > 0 || this.#in.length > 0;
  }

  /** The remote broker's name for a local topic. */
  remoteName(localName: string): string {
    const line = this.#out.find(({ localFilter }) => matchesFilter(localName, localFilter));
    if (line === undefined) return localName;
    return exchanged(localName, line.topic.localPrefix, line.topic.remotePrefix);
  }

  /** The local name for a topic of the remote broker. */
  localName(remoteName: string): string {
    const line = this.#in.find(({ remoteFilter }) => matchesFilter(remoteName, remoteFilter));
    if (line === undefined) return remoteName;
    return exchanged(remoteName, line.topic.remotePrefix, line.topic.localPrefix);
  }
}

export function localFilterOf({ localPrefix, pattern }: BridgeTopic): string {
  return localPrefix + pattern;
}

export function remoteFilterOf({ remotePrefix, pattern }: BridgeTopic): string {
  return remotePrefix + pattern;
}

/** `x/#` has the topic `x` too, which does not begin with `x/`: that is kept, with the new prefix. */
export function exchanged(name: string, before: string, after: string): string {
  return after + (name.startsWith(before) ? name.slice(before.length) : name);
}

function isRepeated(topic: BridgeTopic, earlier: readonly BridgeTopic[]): boolean {
  return earlier.some((other) =>
    other.pattern === topic.pattern && other.direction === topic.direction &&
    other.qos === topic.qos && other.localPrefix === topic.localPrefix &&
    other.remotePrefix === topic.remotePrefix
  );
}

/** Each filter once, where it came first, with the highest QoS. */
function strongest(filters: readonly BridgeFilter[]): BridgeFilter[] {
  const found = new Map<string, BridgeFilter>();
  for (const { filter, qos } of filters) {
    const before = found.get(filter)?.qos ?? 0;
    found.set(filter, { filter, qos: qos > before ? qos : before });
  }
  return [...found.values()];
}
