import type { Acl, AclReason } from "./acl.ts";
import type { AclAction, AclClient } from "./acl_rule.ts";

/** May a client read or write a topic? */
export interface AclQuestion extends AclClient {
  readonly topic: string;
  readonly action: AclAction;
}

/** The answer to a question, and whose it is. */
export interface AclExplanation {
  readonly allowed: boolean;
  readonly file: string;
  /** The line of the rule that decided, counted from 1; undefined: no rule did. */
  readonly line?: number;
  /** The rule, or why there is none. */
  readonly because: string;
}

/** @param path of the file that `acl` was read from */
export function explainAcl(acl: Acl, path: string, question: AclQuestion): AclExplanation {
  const decision = acl.decide(question, question.topic, question.action);
  return typeof decision === "object"
    ? {
      allowed: decision.access !== "deny",
      file: path,
      line: decision.line,
      because: decision.toString(),
    }
    : { allowed: false, file: path, because: textOf(decision, question) };
}

/** `allowed: FILE:LINE: RULE`, or `denied: FILE: REASON`. */
export function formatExplanation({ allowed, file, line, because }: AclExplanation): string {
  const place = line === undefined ? file : `${file}:${line}`;
  return `${allowed ? "allowed" : "denied"}: ${place}: ${because}`;
}

function textOf(reason: AclReason, { topic, action, userName }: AclQuestion): string {
  switch (reason) {
    case "no client id":
      return "a client without an id may do nothing";
    case "reserved topic":
      return topic.startsWith("$share")
        ? "$share is no topic: it begins shared subscriptions"
        : "only the broker writes to $SYS";
    case "dangerous client id":
      return "no rule of the user decides, and patterns are not applied to a client id or user name" +
        " with + or #";
    case "no rule": {
      const who = userName === undefined
        ? "clients without a user name"
        : `the user ${JSON.stringify(userName)}`;
      return `no rule for ${who} and no pattern lets the client ${action} this topic`;
    }
  }
}
