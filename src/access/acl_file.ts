import type { Mistake } from "../mistake.ts";
import { isTopicFilter, isUtf8String } from "../wire/utf8.ts";
import { fileLines, type Parsed, trimBlanks } from "./access_file.ts";
import { Acl } from "./acl.ts";
import { AclList } from "./acl_list.ts";
import { type AclAccess, AclRule } from "./acl_rule.ts";

const ACCESSES: readonly string[] = ["read", "write", "readwrite", "deny"] satisfies AclAccess[];

/**
 * Reads an `acl_file`. A file without a rule denies everything; one with a mistake is of no use at
 * all, since a denial might be missing.
 */
export function parseAclFile(bytes: Uint8Array, path: string): Parsed<Acl> {
  const users = new Map<string, AclList>();
  const anonymous = new AclList();
  let patterns: AclList | null = null;
  let current = anonymous;
  const mistakes: Mistake[] = [], warnings: Mistake[] = [];
  for (const { number: line, text } of fileLines(bytes, path, mistakes)) {
    const [word, rest] = cutWord(text);
    if (word === "user") {
      if (rest === "") {
        const hint = "user NAME; rules for clients without one stand before the first user";
        const message = `Missing username in acl_file "${path}".`;
        mistakes.push({ file: path, line, message, hint });
        continue;
      }
      let list = users.get(rest);
      if (list === undefined) users.set(rest, list = new AclList());
      current = list;
    } else if (word === "topic" || word === "pattern") {
      const rule = readRule(line, word, rest, path);
      if (!(rule instanceof AclRule)) mistakes.push(rule);
      else if (word === "topic") current.add(rule);
      else {
        (patterns ??= new AclList()).add(rule);
        warnings.push(...patternWarnings(rule, path));
      }
    } else {
      const message = `Invalid line in acl_file "${path}": ${text.trimStart()}.`;
      const column = text.length - text.trimStart().length + 1;
      mistakes.push({ file: path, line, column, message, hint: hintFor(word) });
    }
  }
  return { value: new Acl(users, anonymous, patterns), mistakes, warnings };
}

/** `[access] filter`: one word alone is the filter, whatever it says. */
function readRule(
  line: number,
  kind: "topic" | "pattern",
  text: string,
  path: string,
): AclRule | Mistake {
  if (text === "") return { file: path, line, message: `Empty topic in acl_file "${path}".` };
  const [first, rest] = cutWord(text);
  const filter = rest === "" ? first : rest;
  const access = rest === "" ? "readwrite" : first;
  if (!isAccess(access)) {
    const message = `Invalid topic access type "${access}" in acl_file "${path}".`;
    return { file: path, line, message, hint: `one of ${ACCESSES.join(", ")}` };
  }
  if (!isFilter(filter)) {
    const hint = "+ and # fill a whole level, # is the last one; no control characters";
    return {
      file: path,
      line,
      message: `Invalid ACL topic "${filter}" in acl_file "${path}".`,
      hint,
    };
  }
  return new AclRule(line, kind, access, filter);
}

function patternWarnings({ line, filter }: AclRule, path: string): Mistake[] {
  const levels = filter.split("/");
  const partial = levels.filter((level) => level.length > 2 && /%[cu]/.test(level));
  if (partial.length > 0) {
    return partial.map((level) => ({
      file: path,
      line,
      message: `ACL pattern '${filter}': '${level}' is taken as it is.`,
      hint: "%c and %u are replaced where they are a whole level; Mosquitto 2.0 did so anywhere",
    }));
  }
  if (levels.includes("%c") || levels.includes("%u")) return [];
  const message = `ACL pattern '${filter}' does not contain '%c' or '%u'.`;
  return [{ file: path, line, message, hint: "it holds for all clients" }];
}

/** The first word and what follows it; words are separated by spaces alone. */
function cutWord(text: string): [word: string, rest: string] {
  const start = text.search(/[^ ]/);
  const end = text.indexOf(" ", start);
  return end === -1
    ? [text.slice(start), ""]
    : [text.slice(start, end), trimBlanks(text.slice(end))];
}

function hintFor(word: string): string {
  if (word.startsWith("#")) return "a comment begins in column one";
  if (/^(user|topic|pattern)\t/.test(word)) return "words are separated by spaces, not tabs";
  return "a line begins with user, topic or pattern";
}

function isAccess(word: string): word is AclAccess {
  return ACCESSES.includes(word);
}

function isFilter(text: string): boolean {
  const bytes = new TextEncoder().encode(text);
  return isTopicFilter(text) && isUtf8String(bytes, 0, bytes.length);
}
