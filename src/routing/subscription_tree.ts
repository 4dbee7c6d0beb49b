import { SharedGroup } from "./shared_group.ts";
import type { Topic } from "./topic.ts";
import type { Qos } from "../wire/publish.ts";

/** What the tree has to know of whoever subscribes. */
export interface Subscriber {
  /** Can take a message at once: connected. */
  readonly isReady: boolean;
  /** Is allowed to have messages of that topic. */
  mayReceive(topic: Topic): boolean;
}

export interface Subscription<S> {
  readonly subscriber: S;
  readonly qos: Qos;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** Subscription Identifier, 0 when there is none. */
  readonly identifier: number;
}

/** One delivery of a route: a subscription, or several overlapping ones of one subscriber. */
export class Match<S> {
  readonly subscriber: S;
  qos: Qos;
  /** All the subscriptions that match are No Local. */
  noLocal: boolean;
  retainAsPublished: boolean;
  /** In the order found; null when none has one. */
  identifiers: number[] | null;

  constructor(subscription: Subscription<S>) {
    this.subscriber = subscription.subscriber;
    this.qos = subscription.qos;
    this.noLocal = subscription.noLocal;
    this.retainAsPublished = subscription.retainAsPublished;
    this.identifiers = subscription.identifier === 0 ? null : [subscription.identifier];
  }

  /** [MQTT-3.3.4-2] the highest QoS, [MQTT-3.3.4-3] all the identifiers. */
  merge(subscription: Subscription<S>): void {
    if (subscription.qos > this.qos) this.qos = subscription.qos;
    this.noLocal &&= subscription.noLocal;
    this.retainAsPublished ||= subscription.retainAsPublished;
    if (subscription.identifier !== 0) (this.identifiers ??= []).push(subscription.identifier);
  }
}

/** Who gets the messages of one topic. Read-only for everyone but the tree. */
export interface Route<S> {
  readonly matches: Match<S>[];
  /** One member of each takes a message. */
  readonly groups: SharedGroup<S & Subscriber>[];
}

/** Who subscribed to one filter. */
export interface FilterSubscriptions<S extends Subscriber> {
  readonly levels: readonly string[];
  readonly subscriptions: readonly Subscription<S>[];
  /** By ShareName. */
  readonly groups: ReadonlyMap<string, SharedGroup<S>>;
}

class Node<S extends Subscriber> {
  children: Map<string, Node<S>> | null = null;
  /** The child `+`. */
  single: Node<S> | null = null;
  /** The child `#`. */
  multi: Node<S> | null = null;
  subscriptions: Map<S, Subscription<S>> | null = null;
  groups: Map<string, SharedGroup<S>> | null = null;

  get isEmpty(): boolean {
    return this.children === null && this.single === null && this.multi === null &&
      this.subscriptions === null && this.groups === null;
  }
}

/**
 * Who subscribed to what: a tree of filter levels, in which the wildcards are fields.
 *
 *     a/+/c  a/#        root ─ a ─┬─ single ─ c ·
 *                                 └─ multi ·
 *
 * Adding, removing and matching cost the levels of the filter or name. A route is kept with its
 * topic until the next change of the tree, which its generation tells.
 */
export class SubscriptionTree<S extends Subscriber> {
  readonly #root = new Node<S>();
  #duplicates: boolean;
  readonly #looked: (nodes: number, held: number) => void;
  #generation = 0;
  #count = 0;
  #sharedCount = 0;

  /**
   * @param duplicates one delivery for each overlapping subscription, not one for each subscriber
   * @param looked told what a route that was not known has cost: the nodes that were looked at, and by
   * how many matches the topic holds more than before
   */
  constructor(duplicates: boolean, looked: (nodes: number, held: number) => void = () => {}) {
    this.#duplicates = duplicates;
    this.#looked = looked;
  }

  /** Whether overlapping subscriptions deliver once each, from now on. */
  allowDuplicates(duplicates: boolean): void {
    this.#duplicates = duplicates;
    this.#generation++;
  }

  /** Subscriptions that are not shared. */
  get count(): number {
    return this.#count;
  }

  get sharedCount(): number {
    return this.#sharedCount;
  }

  /** Adds or replaces; `group` is the ShareName. True: there was none. */
  subscribe(filter: string, subscription: Subscription<S>, group: string | null): boolean {
    this.#generation++;
    let node = this.#root;
    for (const level of filter.split("/")) node = childOf(node, level);
    if (group === null) {
      const subscriptions = node.subscriptions ??= new Map();
      const isNew = !subscriptions.has(subscription.subscriber);
      subscriptions.set(subscription.subscriber, subscription);
      if (isNew) this.#count++;
      return isNew;
    }
    const groups = node.groups ??= new Map();
    let shared = groups.get(group);
    if (shared === undefined) groups.set(group, shared = new SharedGroup());
    const isNew = shared.set(subscription);
    if (isNew) this.#sharedCount++;
    return isNew;
  }

  /** True: there was such a subscription. */
  unsubscribe(filter: string, subscriber: S, group: string | null): boolean {
    const removed = this.#remove(this.#root, filter.split("/"), 0, subscriber, group);
    if (removed) this.#generation++;
    return removed;
  }

  /** Who gets a message of this topic now. */
  route(topic: Topic): Route<S> {
    if (topic.routeGeneration !== this.#generation) {
      topic.route = this.#match(topic);
      topic.routeGeneration = this.#generation;
    }
    return topic.route as Route<S>;
  }

  /** Every filter that has subscriptions, those below one level one after the other. Not for messages. */
  *filters(): Generator<FilterSubscriptions<S>> {
    yield* filtersBelow(this.#root, []);
  }

  /** In Mosquitto's order: on each level first the name, then `+`, then `#`; `a/#` before `a`. */
  #match(topic: Topic): Route<S> {
    const matches: Match<S>[] = [];
    const groups: SharedGroup<S>[] = [];
    const found = this.#duplicates ? null : new Map<S, Match<S>>();
    const levels = topic.name.split("/");
    let nodes = 0;
    const take = (node: Node<S>) => {
      if (node.groups !== null) groups.push(...node.groups.values());
      if (node.subscriptions === null) return;
      for (const subscription of node.subscriptions.values()) {
        const before = found?.get(subscription.subscriber);
        if (before !== undefined) before.merge(subscription);
        else {
          const match = new Match(subscription);
          found?.set(subscription.subscriber, match);
          matches.push(match);
        }
      }
    };
    const walk = (node: Node<S>, index: number) => {
      nodes++;
      const wildcards = index > 0 || !topic.isSystem;
      const isEnd = index === levels.length;
      if (!isEnd) {
        const child = node.children?.get(levels[index]);
        if (child !== undefined) walk(child, index + 1);
        if (node.single !== null && wildcards) walk(node.single, index + 1);
      }
      // `a/#` matches `a` as well [MQTT-4.7.1.2].
      if (node.multi !== null && wildcards) take(node.multi);
      if (isEnd) take(node);
    };
    walk(this.#root, 0);
    const before = topic.route as Route<S> | null;
    this.#looked(nodes + matches.length, matches.length - (before?.matches.length ?? 0));
    return { matches, groups };
  }

  #remove(
    node: Node<S>,
    levels: string[],
    index: number,
    subscriber: S,
    group: string | null,
  ): boolean {
    if (index === levels.length) return this.#removeFrom(node, subscriber, group);
    const level = levels[index];
    const child = level === "+"
      ? node.single
      : level === "#"
      ? node.multi
      : node.children?.get(level) ?? null;
    if (child === null || !this.#remove(child, levels, index + 1, subscriber, group)) return false;
    if (child.isEmpty) {
      if (level === "+") node.single = null;
      else if (level === "#") node.multi = null;
      else if (node.children!.delete(level) && node.children!.size === 0) node.children = null;
    }
    return true;
  }

  #removeFrom(node: Node<S>, subscriber: S, group: string | null): boolean {
    if (group === null) {
      if (!node.subscriptions?.delete(subscriber)) return false;
      if (node.subscriptions.size === 0) node.subscriptions = null;
      this.#count--;
      return true;
    }
    const shared = node.groups?.get(group);
    if (!shared?.delete(subscriber)) return false;
    if (shared.size === 0 && node.groups!.delete(group) && node.groups!.size === 0) {
      node.groups = null;
    }
    this.#sharedCount--;
    return true;
  }
}

function* filtersBelow<S extends Subscriber>(
  node: Node<S>,
  levels: readonly string[],
): Generator<FilterSubscriptions<S>> {
  if (node.subscriptions !== null || node.groups !== null) {
    const subscriptions = [...node.subscriptions?.values() ?? []];
    yield { levels, subscriptions, groups: node.groups ?? new Map() };
  }
  for (const [level, child] of node.children ?? []) yield* filtersBelow(child, [...levels, level]);
  if (node.single !== null) yield* filtersBelow(node.single, [...levels, "+"]);
  if (node.multi !== null) yield* filtersBelow(node.multi, [...levels, "#"]);
}

function childOf<S extends Subscriber>(node: Node<S>, level: string): Node<S> {
  if (level === "+") return node.single ??= new Node();
  if (level === "#") return node.multi ??= new Node();
  const children = node.children ??= new Map();
  let child = children.get(level);
  if (child === undefined) children.set(level, child = new Node());
  return child;
}

/** A filter as it stands in SUBSCRIBE, taken apart: ShareName and filter. Null: `$share` misused. */
export function parseFilter(filter: string): { group: string | null; filter: string } | null {
  if (filter !== "$share" && !filter.startsWith("$share/")) return { group: null, filter };
  const slash = filter.indexOf("/", 7);
  // [MQTT-4.8.2-1] a ShareName of at least one character, [MQTT-4.8.2-2] without wildcards
  if (slash <= 7 || slash === filter.length - 1) return null;
  const group = filter.slice(7, slash);
  if (/[+#]/.test(group)) return null;
  return { group, filter: filter.slice(slash + 1) };
}
