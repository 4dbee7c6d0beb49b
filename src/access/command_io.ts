import { assert } from "../assert.ts";

/** What a command of the command line needs of the world. */
export interface CommandIo {
  out(text: string): void;
  err(text: string): void;
  /** A line that is typed and not shown; null: given up, or the input has ended. */
  readHidden(prompt: string): Uint8Array | null;
}

const LF = 0x0a, CR = 0x0d, END_OF_TEXT = 0x03, END_OF_TRANSMISSION = 0x04;
const BACKSPACE = 0x08, KILL_LINE = 0x15, DELETE = 0x7f;
/** As much as a CONNECT can carry. */
const LINE_BYTES_MAXIMUM = 65_535;

/** The standard streams of the process. */
export class ProcessIo implements CommandIo {
  out(text: string): void {
    writeAll(Deno.stdout, text);
  }

  err(text: string): void {
    writeAll(Deno.stderr, text);
  }

  /** Prompts only a terminal. What a pipe holds is read line by line. */
  readHidden(prompt: string): Uint8Array | null {
    if (!Deno.stdin.isTerminal()) return readLine(Deno.stdin);
    Deno.stdin.setRaw(true); // before the prompt: whoever types at once is not to be shown either
    try {
      this.err(prompt);
      return readTyped(Deno.stdin);
    } finally {
      Deno.stdin.setRaw(false);
      this.err("\n");
    }
  }
}

function writeAll(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
}

interface Input {
  /** Waits for bytes; null at the end. */
  readSync(bytes: Uint8Array): number | null;
}

/** A line without its end; null at the end of input. Byte by byte: the next line is the next call's. */
export function readLine(from: Input): Uint8Array | null {
  const line: number[] = [];
  for (let byte = readByte(from); byte !== LF; byte = readByte(from)) {
    if (byte === null) {
      if (line.length === 0) return null;
      break;
    }
    if (line.length < LINE_BYTES_MAXIMUM) line.push(byte);
  }
  if (line.at(-1) === CR) line.pop();
  return Uint8Array.from(line);
}

/** A line as keys in raw mode make it; null at Ctrl-C, Ctrl-D and the end. */
export function readTyped(from: Input): Uint8Array | null {
  const line: number[] = [];
  for (;;) {
    const byte = readByte(from);
    switch (byte) {
      case LF:
      case CR:
        return Uint8Array.from(line);
      case null:
      case END_OF_TEXT:
      case END_OF_TRANSMISSION:
        return null;
      case KILL_LINE:
        line.length = 0;
        break;
      case BACKSPACE:
      case DELETE: // a whole character of UTF-8
        while (line.length > 0 && (line.pop()! & 0xc0) === 0x80);
        break;
      default:
        if (line.length < LINE_BYTES_MAXIMUM) line.push(byte);
    }
  }
}

function readByte(from: Input): number | null {
  const byte = new Uint8Array(1);
  const count = from.readSync(byte);
  assert(count !== 0, "a blocking read returns something or ends");
  return count === null ? null : byte[0];
}
