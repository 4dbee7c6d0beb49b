import { errorText } from "../error_text.ts";
import type { LogDestination, LogType } from "../log.ts";

const encoder = new TextEncoder();
const LINE_END = new Uint8Array([0x0a]);

/** The parts of a file that the log uses. */
export interface WritableFile {
  writeSync(bytes: Uint8Array): number;
  close(): void;
}

/** How {@linkcode LogFile} opens. */
export type OpenFile = (path: string) => WritableFile;

/**
 * A log in a file, opened to append, its owner's alone. A line that cannot be written, as on a full disk,
 * is lost, and counted: the first that can says how many.
 */
export class LogFile implements LogDestination {
  readonly #path: string;
  readonly #tell: (text: string) => void;
  readonly #open: OpenFile;
  #file: WritableFile | null;
  #lost = 0;
  /** The last line was cut off by the end of the room. */
  #isCut = false;

  /** @param tell takes what the operator has to know of the log itself */
  constructor(path: string, tell: (text: string) => void, open: OpenFile = openToAppend) {
    this.#path = path;
    this.#tell = tell;
    this.#open = open;
    this.#file = this.#tryOpen();
  }

  write(_type: LogType, line: string): void {
    if (this.#file === null) return;
    if (this.#lost > 0) {
      const note = `${this.#isCut ? "\n" : ""}${this.#lost} lines were lost here.\n`;
      if (!this.#append(encoder.encode(note))) return void this.#lost++;
      this.#lost = 0;
      this.#isCut = false;
    }
    if (!this.#append(encoder.encode(`${line}\n`))) this.#lost++;
  }

  /** Opens the path again. If that fails the file that is open is written on. */
  reopen(): void {
    const opened = this.#tryOpen();
    if (opened === null) return;
    this.#file?.close();
    this.#file = opened;
    this.#isCut = false;
  }

  close(): void {
    this.#file?.close();
    this.#file = null;
  }

  #tryOpen(): WritableFile | null {
    try {
      return this.#open(this.#path);
    } catch (error) {
      this.#tell(`Error: Unable to open log file ${this.#path} for writing: ${errorText(error)}`);
      return null;
    }
  }

  /** False: not all of it is there. */
  #append(bytes: Uint8Array): boolean {
    let at = 0;
    try {
      while (at < bytes.length) {
        const written = this.#file!.writeSync(bytes.subarray(at));
        if (written === 0) break;
        at += written;
      }
    } catch {
      // Whatever the disk says, the broker goes on; the log tells of it when it can.
    }
    if (at === bytes.length) return true;
    if (at > 0 && bytes[at - 1] !== LINE_END[0]) this.#isCut = true;
    return false;
  }
}

/** Opens as the log is opened: its owner's alone. */
export function openToAppend(path: string): WritableFile {
  return Deno.openSync(path, { append: true, create: true, mode: 0o600 });
}
