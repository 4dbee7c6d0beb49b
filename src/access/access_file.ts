import { readFileSync, statSync } from "node:fs";
import { errorText } from "../error_text.ts";
import type { Mistake } from "../mistake.ts";
import { utf8Text } from "../wire/utf8.ts";

/** What a file says, and everything that is wrong with it. `value` is of use only without mistakes. */
export interface Parsed<T> {
  readonly value: T;
  readonly mistakes: readonly Mistake[];
  /** What does not keep the file from being used. */
  readonly warnings: readonly Mistake[];
}

/** A line that says something. */
export interface FileLine {
  /** Counted from 1. */
  readonly number: number;
  /** Without its line end and the blanks before it. */
  readonly text: string;
}

const LF = 0x0a, HASH = 0x23;
const OTHERS_MAY_READ = 0o004;
const BLANKS = " \t\v\f\r";

/**
 * Reads a file that an option names and hands it to its parser; at once, so that a reload is in force
 * before the next connection is served. Symbolic links are followed: secrets are mounted as links.
 */
export function loadAccessFile<T>(
  option: "password_file" | "acl_file" | "psk_file",
  path: string,
  parse: (bytes: Uint8Array, path: string) => Parsed<T>,
): Parsed<T> {
  let bytes: Uint8Array, mode: number;
  try {
    bytes = readFileSync(path);
    mode = statSync(path).mode;
  } catch (error) {
    const hint = errorText(error);
    const mistake = { file: path, line: 0, message: `Unable to open ${option} "${path}".`, hint };
    return { ...parse(new Uint8Array(0), path), mistakes: [mistake] };
  }
  const parsed = parse(bytes, path);
  return (mode & OTHERS_MAY_READ) === 0
    ? parsed
    : { ...parsed, warnings: [worldReadable(path), ...parsed.warnings] };
}

function worldReadable(path: string): Mistake {
  return {
    file: path,
    line: 0,
    message: `File ${path} has world readable permissions.`,
    hint: "take them away: chmod o-rwx",
  };
}

/**
 * The lines of a password, ACL or PSK file but for comments, which begin in column one, and blank
 * lines. A byte order mark is skipped. A line that is no text is reported and left out: replaced
 * characters could match what was not meant.
 */
export function* fileLines(
  bytes: Uint8Array,
  path: string,
  mistakes: Mistake[],
): Generator<FileLine> {
  let start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  for (let number = 1; start < bytes.length; number++) {
    const lineFeed = bytes.indexOf(LF, start);
    const end = lineFeed === -1 ? bytes.length : lineFeed;
    if (bytes[start] !== HASH) {
      const line = utf8Text(bytes.subarray(start, end));
      const text = line === null ? null : trimEnd(line);
      if (text === null) {
        mistakes.push({ file: path, line: number, message: "The line is not valid UTF-8." });
      } else if (text.includes("\0")) {
        mistakes.push({ file: path, line: number, message: "The line holds a NUL character." });
      } else if (text !== "") yield { number, text };
    }
    start = end + 1;
  }
}

/**
 * Without the blanks around it. Only ASCII's: others, such as U+00A0, may belong to a name. No regular
 * expression, which would take quadratic time for a long run of blanks inside.
 */
export function trimBlanks(text: string): string {
  let start = 0;
  while (start < text.length && BLANKS.includes(text[start])) start++;
  return trimEnd(text.slice(start));
}

function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && BLANKS.includes(text[end - 1])) end--;
  return text.slice(0, end);
}
