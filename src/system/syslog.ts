import type { LogDestination, LogType } from "../log.ts";
import { localTimeFormatter } from "./local_time.ts";
import { UnixDatagram } from "./unix_datagram.ts";

/** Facility `daemon`, and the first of `local0` to `local7`. */
const DAEMON = 3, LOCAL0 = 16;

/** Mosquitto's severities. */
const SEVERITIES: Record<LogType, number> = {
  error: 3,
  warning: 4,
  notice: 5,
  information: 6,
  debug: 7,
  subscribe: 5,
  unsubscribe: 5,
  internal: 7,
  websockets: 7,
};

/**
 * The system's log. What libc's syslog(3) writes is written here directly: that function waits while the
 * log daemon does not read, which would stop every client, and takes its text for a format.
 */
export class Syslog implements LogDestination {
  readonly #facility: number;
  readonly #socket: UnixDatagram;
  readonly #time = localTimeFormatter("%b %e %H:%M:%S");
  /** Lines that the daemon did not take. */
  #lost = 0;

  /**
   * @param facility 0 to 7 for `local0` to `local7`; null is `daemon`
   * @throws {Error} when no socket can be made
   */
  constructor(facility: number | null, path = "/dev/log") {
    this.#facility = facility === null ? DAEMON : LOCAL0 + facility;
    this.#socket = new UnixDatagram(path);
  }

  write(type: LogType, line: string): void {
    if (this.#lost > 0) {
      if (!this.#send("warning", `${this.#lost} lines were lost here.`)) return void this.#lost++;
      this.#lost = 0;
    }
    if (!this.#send(type, line)) this.#lost++;
  }

  close(): void {
    this.#socket.close();
  }

  #send(type: LogType, line: string): boolean {
    const priority = this.#facility << 3 | SEVERITIES[type];
    const time = this.#time(Math.floor(Date.now() / 1000));
    return this.#socket.send(`<${priority}>${time} sabethes[${Deno.pid}]: ${line}`);
  }
}
