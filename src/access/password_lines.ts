import { Buffer } from "node:buffer";
import type { Mistake } from "../mistake.ts";
import { trimBlanks } from "./access_file.ts";
import { parsePasswordHash } from "./password_hash.ts";

interface Line {
  /** As bytes, one character each: what is not touched is written back as it was. */
  text: string;
  /** The same way; undefined: a comment, or nobody's line. */
  readonly userName: string | undefined;
}

/** The lines of a password file that is edited; comments, order and line ends are kept. */
export class PasswordLines {
  #lines: Line[];

  constructor(bytes: Uint8Array) {
    const texts = Buffer.from(bytes).toString("latin1").split("\n");
    if (texts.at(-1) === "") texts.pop();
    this.#lines = texts.map((text) => {
      const isEntry = !text.startsWith("#") && text.includes(":");
      return { text, userName: isEntry ? trimBlanks(text.split(":", 1)[0]) : undefined };
    });
  }

  has(userName: string): boolean {
    const wanted = asBytes(userName);
    return this.#lines.some((line) => line.userName === wanted);
  }

  /** Replaces the user's line, and further ones of the same user, or adds one. */
  set(userName: string, encoded: string): void {
    const wanted = asBytes(userName);
    const line = { text: `${wanted}:${encoded}`, userName: wanted };
    const at = this.#lines.findIndex((line) => line.userName === wanted);
    if (at === -1) {
      this.#lines.push(line);
      return;
    }
    this.#lines = this.#lines.filter((line, index) => index === at || line.userName !== wanted);
    this.#lines[at] = line;
  }

  remove(userName: string): void {
    const wanted = asBytes(userName);
    this.#lines = this.#lines.filter((line) => line.userName !== wanted);
  }

  /**
   * Puts a hash in the place of each plain password; lines that hold a hash already stay. With a
   * mistake the lines are of no use.
   *
   * @param path for the mistakes
   */
  async hashPlain(
    path: string,
    hash: (password: Uint8Array) => Promise<string>,
  ): Promise<{ readonly hashed: number; readonly mistakes: readonly Mistake[] }> {
    const mistakes: Mistake[] = [];
    let hashed = 0;
    for (const [index, line] of this.#lines.entries()) {
      if (line.userName === undefined) continue;
      const password = trimBlanks(line.text.slice(line.text.indexOf(":") + 1));
      if (typeof parsePasswordHash(password) !== "string") continue;
      const wrong = mistakeInPlain(password);
      if (wrong !== undefined) mistakes.push({ file: path, line: index + 1, ...wrong });
      else {
        line.text = `${line.userName}:${await hash(Buffer.from(password, "latin1"))}`;
        hashed++;
      }
    }
    return { hashed, mistakes };
  }

  toBytes(): Uint8Array {
    return Buffer.from(this.#lines.map(({ text }) => `${text}\n`).join(""), "latin1");
  }
}

function mistakeInPlain(password: string): Pick<Mistake, "message" | "hint"> | undefined {
  if (password === "") return { message: "Empty password." };
  if (password.includes(":")) {
    return {
      message: "A plain password with ':' in it.",
      hint: "what follows the colon never counted; set the password with sabethes passwd",
    };
  }
  if (/^\$(6|7|argon2id)\$/.test(password)) {
    return { message: "A damaged hash.", hint: "hashing it would lock the user out" };
  }
}

function asBytes(text: string): string {
  return Buffer.from(text).toString("latin1");
}
