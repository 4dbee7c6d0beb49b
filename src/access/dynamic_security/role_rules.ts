import type { Identity } from "../../session/ports.ts";
import { isTopicFilter } from "../../wire/utf8.ts";
import type { Acl, Role } from "./security_state.ts";

/** Who asks, as far as patterns are concerned. */
export type Asker = Pick<Identity, "clientId" | "userName">;

/** A question about a Topic Name or Topic Filter; split once, however many rules are asked. */
export class Question {
  readonly levels: readonly string[];
  readonly isSystem: boolean;

  constructor(readonly topic: string, readonly asker: Asker) {
    this.levels = topic.split("/");
    this.isSystem = topic.startsWith("$");
  }
}

/** A rule's pattern. `%c` and `%u` as a whole level stand for Client Identifier and user name. */
class Pattern {
  readonly allow: boolean;
  readonly #levels: readonly string[];
  readonly #isSystem: boolean;

  constructor({ topic, allow }: Acl) {
    this.allow = allow;
    this.#levels = topic.split("/");
    this.#isSystem = topic.startsWith("$");
  }

  /** Every topic that the Topic Filter can match is matched by the pattern. */
  covers(question: Question): boolean {
    if (this.#isSystem !== question.isSystem) return false;
    const levels = this.#levels, asked = question.levels;
    for (let index = 0; index < levels.length; index++) {
      const level = levels[index];
      // `a/#` covers `a` as well.
      if (level === "#") return true;
      if (index >= asked.length) return false;
      if (level === "+") {
        if (asked[index] === "#") return false;
      } else if (level === "%c" || level === "%u") {
        const { clientId, userName } = question.asker;
        if (!stands(level === "%c" ? clientId : userName, asked[index])) return false;
      } else if (level !== asked[index]) return false;
    }
    return levels.length === asked.length;
  }
}

/** A name with a wildcard or a slash in it could stand for what belongs to others. */
function stands(name: string | undefined, level: string): boolean {
  return name !== undefined && name !== "" && name === level && !/[+#/]/.test(name);
}

/** The rules of a role, ready to be asked. Each answer: allowed, denied, or undefined: no rule fits. */
export class RoleRules {
  readonly #send: readonly Pattern[];
  readonly #receive: readonly Pattern[];
  readonly #subscribe: readonly Pattern[];
  readonly #unsubscribe: readonly Pattern[];
  readonly #subscribeLiterals: ReadonlyMap<string, boolean>;
  readonly #unsubscribeLiterals: ReadonlyMap<string, boolean>;
  readonly #deniesWildcards: boolean;

  constructor({ acls, allowWildcardSubscriptions }: Role) {
    this.#send = patterns(acls.publishClientSend);
    this.#receive = patterns(acls.publishClientReceive);
    this.#subscribe = patterns(acls.subscribePattern);
    this.#unsubscribe = patterns(acls.unsubscribePattern);
    this.#subscribeLiterals = literals(acls.subscribeLiteral);
    this.#unsubscribeLiterals = literals(acls.unsubscribeLiteral);
    this.#deniesWildcards = !allowWildcardSubscriptions;
  }

  publishClientSend(question: Question): boolean | undefined {
    return firstThatCovers(this.#send, question);
  }

  publishClientReceive(question: Question): boolean | undefined {
    return firstThatCovers(this.#receive, question);
  }

  subscribe(question: Question): boolean | undefined {
    if (this.#deniesWildcards && /[+#]/.test(question.topic)) return false;
    return this.#subscribeLiterals.get(question.topic) ??
      firstThatCovers(this.#subscribe, question);
  }

  unsubscribe(question: Question): boolean | undefined {
    return this.#unsubscribeLiterals.get(question.topic) ??
      firstThatCovers(this.#unsubscribe, question);
  }
}

function patterns(acls: readonly Acl[]): Pattern[] {
  return acls.filter(({ topic }) => isTopicFilter(topic)).map((acl) => new Pattern(acl));
}

function literals(acls: readonly Acl[]): Map<string, boolean> {
  return new Map(acls.map(({ topic, allow }) => [topic, allow]));
}

function firstThatCovers(patterns: readonly Pattern[], question: Question): boolean | undefined {
  return patterns.find((pattern) => pattern.covers(question))?.allow;
}
