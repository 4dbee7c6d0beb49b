/** Mosquitto's types of log lines. */
export type LogType =
  | "error"
  | "warning"
  | "notice"
  | "information"
  | "debug"
  | "subscribe"
  | "unsubscribe"
  | "internal"
  | "websockets";

/** Where lines go and which. */
export interface LogOptions {
  readonly destinations: readonly ("stdout" | "stderr")[];
  readonly types: readonly LogType[];
  /** Unix seconds before each line. */
  readonly timestamp: boolean;
}

/** The log: one line a call, written at once, so that nothing is lost at an exit. */
export class Log {
  readonly #types: ReadonlySet<LogType>;
  readonly #write: (line: string) => void;
  readonly #timestamp: boolean;

  /** @param write takes whole lines; without it they go to the destinations */
  constructor(options: LogOptions, write?: (line: string) => void) {
    // Without a destination no line is worth building.
    const isHeard = write !== undefined || options.destinations.length > 0;
    this.#types = new Set(isHeard ? options.types : []);
    this.#timestamp = options.timestamp;
    this.#write = write ?? ((line) => {
      for (const destination of options.destinations) writeAll(Deno[destination], line);
    });
  }

  logs(type: LogType): boolean {
    return this.#types.has(type);
  }

  log(type: LogType, text: string): void {
    if (!this.#types.has(type)) return;
    const stamp = this.#timestamp ? `${Math.floor(Date.now() / 1000)}: ` : "";
    this.#write(text.split("\n").map((line) => `${stamp}${line}\n`).join(""));
  }
}

const encoder = new TextEncoder();

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = encoder.encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
  } catch (error) {
    // The reader of the log is gone; the broker is not to go with it.
    if (!(error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.WouldBlock)) {
      throw error;
    }
  }
}

/** Text from outside for one line of the log. */
export function printable(text: string): string {
  const cut = text.length > 256 ? text.slice(0, 256) + "…" : text;
  // deno-lint-ignore no-control-regex
  return cut.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "?");
}
