import { closeSync, constants, openSync, writeSync } from "node:fs";
import { errorText } from "../error_text.ts";

/** The file that says which process the broker is: the number, nothing else. */
export class PidFile {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * Writes the file, before privileges are dropped: /run is root's. A symbolic link is not followed, for
   * the directory may belong to somebody else, and the broker is still root.
   *
   * @throws {Error} when it cannot be written
   */
  static write(path: string): PidFile {
    const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
    const file = openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o644);
    try {
      writeSync(file, String(Deno.pid));
    } finally {
      closeSync(file);
    }
    return new PidFile(path);
  }

  /** Removes it. Returns why that is impossible, as in root's directory without root's rights. */
  remove(): string | null {
    try {
      Deno.removeSync(this.path);
      return null;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      return errorText(error);
    }
  }
}
