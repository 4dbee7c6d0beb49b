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

/** What a line tells of, for logs that programs read. Absent where the line tells of no client. */
export interface LogDetails {
  readonly kind: "connected" | "disconnected" | "refused" | "subscribed" | "unsubscribed";
  readonly clientId?: string;
  readonly userName?: string;
  /** `address:port` of the peer. */
  readonly address?: string;
}

/**
 * Where lines go. Whatever befalls it is its own affair: it never throws, and never waits for whoever
 * reads the log.
 */
export interface LogDestination {
  /** Takes one line, without its line end. */
  write(type: LogType, line: string): void;
  /** The file may have been moved away: open it again. */
  reopen?(): void;
  close?(): void;
}

/** Where lines go, which, and what stands before them. */
export interface LogOptions {
  readonly destinations: readonly LogDestination[];
  readonly types: readonly LogType[];
  /** The time before each line. */
  readonly timestamp: boolean;
  /** The time's text for a second since 1970; without it that number itself. */
  readonly timeText?: (unixSeconds: number) => string;
  /** `json`: one object a line. */
  readonly format?: "text" | "json";
}

/** The log: a line is handed on in the call that says it, so that nothing is lost at an exit or a crash. */
export class Log {
  #types: ReadonlySet<LogType>;
  #options: LogOptions;
  #second = -1;
  #secondText = "";

  constructor(options: LogOptions) {
    // Without a destination no line is worth building.
    this.#types = new Set(options.destinations.length > 0 ? options.types : []);
    this.#options = options;
  }

  logs(type: LogType): boolean {
    return this.#types.has(type);
  }

  log(type: LogType, text: string, details?: LogDetails): void {
    if (!this.#types.has(type)) return;
    if (this.#options.format === "json") {
      return this.#write(type, this.#object(type, text, details));
    }
    const stamp = this.#options.timestamp ? `${this.#time()}: ` : "";
    if (!text.includes("\n")) return this.#write(type, stamp + text);
    for (const line of text.split("\n")) this.#write(type, stamp + line);
  }

  /** Opens files again: they may have been moved away. */
  reopen(): void {
    for (const destination of this.#options.destinations) destination.reopen?.();
  }

  close(): void {
    for (const destination of this.#options.destinations) destination.close?.();
  }

  /** Writes as another log does, in its place; what this one wrote to is closed. */
  become(other: Log): void {
    this.close();
    this.#types = other.#types;
    this.#options = other.#options;
    this.#second = -1;
  }

  #write(type: LogType, line: string) {
    for (const destination of this.#options.destinations) destination.write(type, line);
  }

  #object(type: LogType, text: string, details: LogDetails | undefined): string {
    const { timestamp, timeText } = this.#options;
    const time = timestamp
      ? { time: timeText === undefined ? new Date().toISOString() : this.#time() }
      : {};
    const cut = (value: string | undefined) => value?.slice(0, OUTSIDE_MAXIMUM);
    const known = details === undefined ? {} : {
      ...details,
      clientId: cut(details.clientId),
      userName: cut(details.userName),
    };
    const line = JSON.stringify({ ...time, level: type, message: text, ...known });
    // What JSON leaves as it is would still steer a terminal or end a line.
    return line.replace(
      CONTROLS,
      (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  }

  /** The same text serves all lines of a second. */
  #time(): string {
    const second = Math.floor(Date.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText = this.#options.timeText?.(second) ?? String(second);
    }
    return this.#secondText;
  }
}

/** UTF-16 units of a name from outside that a line takes. */
const OUTSIDE_MAXIMUM = 256;
// deno-lint-ignore no-control-regex
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;
/**
 * Whoever bans addresses looks for `[ADDRESS:PORT] disconnected: not authorised.` at the end of a line;
 * names must not say so of an address that is not theirs, not even in parts.
 */
const IMITATION = /disconnected:/g;

/** Text from outside for one line of the log. */
export function printable(text: string): string {
  const cut = text.length > OUTSIDE_MAXIMUM ? text.slice(0, OUTSIDE_MAXIMUM) + "…" : text;
  return cut.replace(CONTROLS, "?").replace(IMITATION, "disconnected?");
}
