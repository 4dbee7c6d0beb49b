import type { AclAction, AclClient, AclRule } from "./acl_rule.ts";

interface Ranked {
  readonly rank: number;
  readonly rule: AclRule;
}

/** The rules of one kind of action, so arranged that exact ones need not be tried one by one. */
interface Index {
  /** By topic; of several the first. */
  readonly exact: ReadonlyMap<string, Ranked>;
  /** With wildcards or place-holders, in order of rank. */
  readonly others: readonly Ranked[];
}

/** The rules of one user, of clients without a user name, or all patterns. */
export class AclList {
  readonly #denials: AclRule[] = [];
  readonly #grants: AclRule[] = [];
  /** Made when first asked: a file may have a list for each of a hundred thousand users. */
  #indexes: { readonly read: Index; readonly write: Index } | null = null;

  /** Denials come before all else, the last one first; grants keep the order of the file. */
  add(rule: AclRule): void {
    this.#indexes = null;
    if (rule.access === "deny") this.#denials.unshift(rule);
    else this.#grants.push(rule);
  }

  /** The first rule that decides about the topic: a denial, or a grant of what is wanted. */
  find(client: AclClient, topicName: string, action: AclAction): AclRule | null {
    this.#indexes ??= { read: this.#index("read"), write: this.#index("write") };
    const { exact, others } = this.#indexes[action];
    const found = exact.get(topicName) ?? null;
    for (let i = 0; i < others.length; i++) {
      const { rank, rule } = others[i];
      if (found !== null && found.rank < rank) break;
      if (rule.matches(client, topicName)) return rule;
    }
    return found?.rule ?? null;
  }

  /** In the order in which they are tried. */
  rulesFor(action: AclAction): AclRule[] {
    return [...this.#denials, ...this.#grants].filter((rule) => rule.concerns(action));
  }

  #index(action: AclAction): Index {
    const exact = new Map<string, Ranked>(), others: Ranked[] = [];
    this.rulesFor(action).forEach((rule, rank) => {
      if (!rule.isExact) others.push({ rank, rule });
      else if (!exact.has(rule.filter)) exact.set(rule.filter, { rank, rule });
    });
    return { exact, others };
  }
}
