import { formatMistakes, type Mistake } from "../mistake.ts";
import { isTopicNameText } from "../wire/utf8.ts";
import { loadAccessFile } from "./access_file.ts";
import { type AclQuestion, explainAcl, formatExplanation } from "./acl_explanation.ts";
import { parseAclFile } from "./acl_file.ts";
import type { CommandIo } from "./command_io.ts";

/** An ACL file and for whom it holds. */
export interface AclFileInForce {
  /** As the user knows it, such as its port; undefined: for all of them. */
  readonly listener?: string;
  /** Undefined: no `acl_file` is set. */
  readonly path?: string;
}

/** The ACL files that a configuration names, or why it cannot be read. */
export type FindAclFiles = (configurationFile: string) =>
  | { readonly files: readonly AclFileInForce[] }
  | { readonly mistakes: readonly Mistake[] };

const EXPLAIN_USAGE =
  `Usage: sabethes acl explain -c FILE [--user NAME] --clientid ID --topic TOPIC --action read|write
`;

const EXIT_ANSWERED = 0;
/** Arguments, the configuration or an ACL file. */
const EXIT_MISTAKE = 3;

interface Asked {
  readonly configurationFile: string;
  readonly question: AclQuestion;
}

/**
 * `sabethes acl explain`: may the client read or write the topic, and which rule says so. One line for
 * each ACL file in force. 0: answered, whatever the answer; 3: arguments or files are wrong.
 *
 * @param words what follows `acl explain`
 */
export function explainCommand(
  words: readonly string[],
  io: CommandIo,
  findAclFiles: FindAclFiles,
): Promise<number> {
  if (words[0] === "-h" || words[0] === "--help") {
    io.out(EXPLAIN_USAGE);
    return Promise.resolve(EXIT_ANSWERED);
  }
  const asked = readArguments(words);
  if (typeof asked === "string") {
    io.err(`Error: ${asked}\n${EXPLAIN_USAGE}`);
    return Promise.resolve(EXIT_MISTAKE);
  }
  const found = findAclFiles(asked.configurationFile);
  const mistakes = "mistakes" in found ? [...found.mistakes] : [];
  const lines: string[] = [];
  for (const { listener, path } of "files" in found ? found.files : []) {
    const prefix = listener === undefined ? "" : `listener ${listener}: `;
    if (path === undefined) {
      lines.push(`${prefix}allowed: no acl_file is set`);
      continue;
    }
    const parsed = loadAccessFile("acl_file", path, parseAclFile);
    mistakes.push(...parsed.mistakes);
    lines.push(prefix + formatExplanation(explainAcl(parsed.value, path, asked.question)));
  }
  if (mistakes.length > 0) {
    io.err(formatMistakes(mistakes));
    return Promise.resolve(EXIT_MISTAKE);
  }
  for (const line of lines) io.out(`${line}\n`);
  return Promise.resolve(EXIT_ANSWERED);
}

const OPTIONS: ReadonlyMap<string, string> = new Map([
  ["-c", "-c"],
  ["--config-file", "-c"],
  ["--user", "--user"],
  ["--clientid", "--clientid"],
  ["--topic", "--topic"],
  ["--action", "--action"],
]);

/** What is asked, or what is wrong with the words. */
function readArguments(words: readonly string[]): Asked | string {
  const values = new Map<string, string>();
  for (let i = 0; i < words.length; i += 2) {
    const option = OPTIONS.get(words[i]);
    if (option === undefined) return `Unknown option '${words[i]}'.`;
    if (i + 1 === words.length) return `${words[i]} argument given but no value specified.`;
    if (values.has(option)) return `${words[i]} is given twice.`;
    values.set(option, words[i + 1]);
  }
  for (const option of ["-c", "--clientid", "--topic", "--action"]) {
    if (!values.has(option)) return `${option} is missing.`;
  }
  const action = values.get("--action")!, topic = values.get("--topic")!;
  if (action !== "read" && action !== "write") return "--action is read or write.";
  if (!isTopicNameText(topic)) return "--topic is a topic, without wildcards.";
  return {
    configurationFile: values.get("-c")!,
    question: {
      ...{ action, topic },
      clientId: values.get("--clientid")!,
      userName: values.get("--user"),
    },
  };
}
