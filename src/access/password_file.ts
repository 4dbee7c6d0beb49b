import type { Mistake } from "../mistake.ts";
import { isUtf8String } from "../wire/utf8.ts";
import { fileLines, type Parsed, trimBlanks } from "./access_file.ts";
import { parsePasswordHash, type PasswordHash } from "./password_hash.ts";

export interface PasswordEntry {
  readonly userName: string;
  readonly hash: PasswordHash;
  /** As it stands in the file: two entries are the same when this is. */
  readonly encoded: string;
}

/** By user name. */
export type PasswordEntries = ReadonlyMap<string, PasswordEntry>;

const USER_NAME_BYTES_MAXIMUM = 65_535;

/**
 * Reads a `password_file`: a line `user:hash` for each user. Blanks around both do not count, nor does
 * what follows a second colon. A line without a colon is nobody's, as in Mosquitto, but is warned of;
 * anything else that is no user is a mistake, lest half a file be taken for a whole one.
 */
export function parsePasswordFile(bytes: Uint8Array, path: string): Parsed<PasswordEntries> {
  const entries = new Map<string, PasswordEntry>();
  const firstLines = new Map<string, number>();
  const mistakes: Mistake[] = [], warnings: Mistake[] = [];
  for (const { number: line, text } of fileLines(bytes, path, mistakes)) {
    const mistake = (message: string, hint?: string) =>
      mistakes.push({ file: path, line, message, hint });
    const [userText, hashText] = text.split(":", 2);
    if (hashText === undefined) {
      warnings.push({ file: path, line, message: "A line without ':' is no user: ignored." });
      continue;
    }
    const userName = trimBlanks(userText), encoded = trimBlanks(hashText);
    if (!isUserName(userName)) {
      mistake("Invalid user name.", "1 to 65535 bytes, no control characters");
      continue;
    }
    const firstLine = firstLines.get(userName);
    if (firstLine !== undefined) {
      mistake(
        `Duplicate user '${userName}' in password file '${path}'.`,
        `the first one is on line ${firstLine}`,
      );
      continue;
    }
    firstLines.set(userName, line);
    if (encoded === "") {
      mistake(`Empty password hash for user ${userName}.`, "make it with sabethes passwd");
      continue;
    }
    const hash = parsePasswordHash(encoded);
    if (typeof hash !== "string") entries.set(userName, { userName, hash, encoded });
    else if (encoded.startsWith("$")) {
      mistake(`Invalid password hash for user ${userName}.`, hash);
    } else {
      mistake(
        `Invalid password hash type for user ${userName}.`,
        "a plain password? sabethes passwd -U FILE hashes those of a whole file",
      );
    }
  }
  return { value: entries, mistakes, warnings };
}

/** What a CONNECT can carry. */
export function isUserName(text: string): boolean {
  const bytes = new TextEncoder().encode(text);
  return bytes.length > 0 && bytes.length <= USER_NAME_BYTES_MAXIMUM &&
    isUtf8String(bytes, 0, bytes.length);
}
