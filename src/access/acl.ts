import { commonFilter } from "../wire/topic_filter.ts";
import { TOPIC_LEVELS_MAXIMUM } from "../wire/utf8.ts";
import type { AclList } from "./acl_list.ts";
import type { AclAction, AclClient, AclRule } from "./acl_rule.ts";

/** Why a question is decided by no rule. */
export type AclReason =
  | "no client id"
  | "reserved topic"
  | "dangerous client id"
  | "no rule";

/** A rule, which denies when it says so and allows otherwise; or why there is none: denied. */
export type AclDecision = AclRule | AclReason;

/** A level that no filter and no name can hold. */
const NO_NAME = "\0";

/** What an ACL file says; the order of its rules is Mosquitto's. */
export class Acl {
  readonly #users: ReadonlyMap<string, AclList>;
  readonly #anonymous: AclList;
  /** Null when the file has none. */
  readonly #patterns: AclList | null;

  constructor(users: ReadonlyMap<string, AclList>, anonymous: AclList, patterns: AclList | null) {
    this.#users = users;
    this.#anonymous = anonymous;
    this.#patterns = patterns;
  }

  /** May the client get a message of that topic, or publish to it? */
  allows(client: AclClient, topicName: string, action: AclAction): boolean {
    const decision = this.decide(client, topicName, action);
    return typeof decision === "object" && decision.access !== "deny";
  }

  /** The same, with what decided. */
  decide(client: AclClient, topicName: string, action: AclAction): AclDecision {
    const { clientId, userName } = client;
    if (clientId === "") return "no client id";
    if (topicName.startsWith("$") && isReserved(topicName, action)) return "reserved topic";
    const list = userName === undefined ? this.#anonymous : this.#users.get(userName);
    const own = list?.find(client, topicName, action) ?? null;
    if (own !== null) return own;
    if (this.#patterns === null) return "no rule";
    // Once substituted, they would be wildcards: Mosquitto had that hole (CVE-2017-7650).
    if (hasWildcard(clientId) || userName !== undefined && hasWildcard(userName)) {
      return "dangerous client id";
    }
    return this.#patterns.find(client, topicName, action) ?? "no rule";
  }

  /**
   * Whether there is a topic under the filter that the client may read; exact. It is enough to try a
   * few: what the filter and a grant have in common is a filter again, and of its topics with the same
   * number of levels the one made of names that occur in no rule is met by the fewest denials.
   *
   * @param filter without `$share/name/`
   */
  mayEverRead(client: AclClient, filter: string): boolean {
    if (!hasWildcard(filter)) return this.allows(client, filter, "read");
    const own = client.userName === undefined
      ? this.#anonymous
      : this.#users.get(client.userName) ?? null;
    const rules = [own, this.#patterns].flatMap((list) => list?.rulesFor("read") ?? []);
    const depth = Math.min(
      TOPIC_LEVELS_MAXIMUM,
      Math.max(...[filter, ...rules.map((rule) => rule.filter)].map(levelsOf)) + 1,
    );
    return rules.some((rule) => {
      const granted = rule.access === "deny" ? null : rule.filterFor(client);
      const common = granted === null ? null : commonFilter(filter, granted);
      return common !== null &&
        topicsOf(common, depth).some((topicName) =>
          topicName !== "" && this.allows(client, topicName, "read") // [MQTT-4.7.3-1]
        );
    });
  }
}

/** A topic for each number of levels up to `depth` that the filter matches, of names that occur nowhere. */
function topicsOf(filter: string, depth: number): string[] {
  const names = filter.split("/").map((level) => level === "+" ? NO_NAME : level);
  if (names.at(-1) !== "#") return [names.join("/")];
  names.pop();
  const topics: string[] = [];
  if (names.length > 0) topics.push(names.join("/"));
  while (names.length < depth) {
    names.push(NO_NAME);
    topics.push(names.join("/"));
  }
  return topics;
}

function levelsOf(filter: string): number {
  return filter.split("/").length;
}

function isReserved(topicName: string, action: AclAction): boolean {
  if (topicName.startsWith("$share")) return true;
  if (action === "read" || !topicName.startsWith("$SYS")) return false;
  return !/^\$SYS\/broker\/connection\/[^/]*\/state$/.test(topicName);
}

function hasWildcard(name: string): boolean {
  return name.includes("+") || name.includes("#");
}
