/** What is wanted of a topic: to get its messages, or to publish to it. */
export type AclAction = "read" | "write";

export type AclAccess = AclAction | "readwrite" | "deny";

/** Who asks. */
export interface AclClient {
  readonly clientId: string;
  readonly userName: string | undefined;
}

/** A line `topic` or `pattern` of an ACL file. */
export class AclRule {
  readonly line: number;
  readonly kind: "topic" | "pattern";
  readonly access: AclAccess;
  readonly filter: string;
  readonly #levels: readonly string[];
  /** A rule for `$SYS` and its like; others never match a topic that begins with `$`. */
  readonly #forDollar: boolean;
  readonly #usesUserName: boolean;

  constructor(line: number, kind: "topic" | "pattern", access: AclAccess, filter: string) {
    this.line = line;
    this.kind = kind;
    this.access = access;
    this.filter = filter;
    this.#levels = filter.split("/");
    this.#forDollar = filter.startsWith("$");
    this.#usesUserName = kind === "pattern" && this.#levels.includes("%u");
  }

  /** Neither wildcard nor place-holder: matches the topic that it is. */
  get isExact(): boolean {
    return !this.#levels.some((level) =>
      level === "+" || level === "#" || this.kind === "pattern" && isPlaceholder(level)
    );
  }

  concerns(action: AclAction): boolean {
    return this.access === action || this.access === "readwrite" || this.access === "deny";
  }

  /**
   * Whether the rule speaks of that topic for that client. `%c` and `%u` stand for whole levels: a
   * client id that holds a `/` is never one. What they stand for is compared and not interpreted.
   */
  matches(client: AclClient, topicName: string): boolean {
    if (!this.#forDollar && topicName.startsWith("$")) return false;
    if (this.#usesUserName && client.userName === undefined) return false;
    let at = 0;
    for (const level of this.#levels) {
      if (level === "#") return true;
      if (at > topicName.length) return false;
      const slash = topicName.indexOf("/", at);
      const end = slash === -1 ? topicName.length : slash;
      if (level !== "+") {
        const wanted = this.kind === "pattern" ? standsFor(level, client) : level;
        if (wanted.length !== end - at || !topicName.startsWith(wanted, at)) return false;
      }
      at = end + 1;
    }
    return at === topicName.length + 1;
  }

  /** The rule's filter for that client; null if it can match nothing. */
  filterFor(client: AclClient): string | null {
    if (this.kind === "topic") return this.filter;
    if (this.#usesUserName && client.userName === undefined) return null;
    const levels = this.#levels.map((level) => standsFor(level, client));
    return levels.some((level) => level.includes("/")) ? null : levels.join("/");
  }

  /** As it stands in the file. */
  toString(): string {
    return `${this.kind} ${this.access} ${this.filter}`;
  }
}

function isPlaceholder(level: string): boolean {
  return level === "%c" || level === "%u";
}

function standsFor(level: string, client: AclClient): string {
  if (level === "%c") return client.clientId;
  if (level === "%u") return client.userName!;
  return level;
}
