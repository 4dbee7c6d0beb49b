import { hrtime } from "node:process";
import { UnixDatagram } from "./unix_datagram.ts";

/** What systemd puts into the environment of a service. */
export interface ServiceEnvironment {
  readonly NOTIFY_SOCKET?: string;
  /** Microseconds within which a sign of life is expected. */
  readonly WATCHDOG_USEC?: string;
  /** Whose sign that is to be. */
  readonly WATCHDOG_PID?: string;
}

/** Tells systemd how the service is; without systemd nobody. */
export class ServiceManager {
  readonly #socket: UnixDatagram | null;
  readonly #watchdogMs: number;
  #watchdog: ReturnType<typeof setInterval> | undefined;

  constructor(environment: ServiceEnvironment) {
    const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = environment;
    this.#socket = NOTIFY_SOCKET && Deno.build.os === "linux"
      ? new UnixDatagram(NOTIFY_SOCKET)
      : null;
    const isOurs = !WATCHDOG_PID || Number(WATCHDOG_PID) === Deno.pid;
    const milliseconds = isOurs ? Number(WATCHDOG_USEC) / 1000 : 0;
    this.#watchdogMs = milliseconds > 0 ? milliseconds : 0;
  }

  /**
   * The listeners are open. From now on a sign of life goes out every half interval: from the event loop
   * itself, so that a loop that hangs is noticed.
   */
  ready(): void {
    this.#send("READY=1");
    if (this.#socket === null || this.#watchdogMs === 0 || this.#watchdog !== undefined) return;
    this.#send("WATCHDOG=1");
    this.#watchdog = setInterval(() => this.#send("WATCHDOG=1"), this.#watchdogMs / 2);
  }

  /** Runs a reload between the two messages that systemd wants around it. */
  async reloading(reload: () => Promise<void>): Promise<void> {
    // CLOCK_MONOTONIC of this very moment, in microseconds, is what Type=notify-reload asks for.
    this.#send(`RELOADING=1\nMONOTONIC_USEC=${hrtime.bigint() / 1000n}`);
    try {
      await reload();
    } finally {
      this.#send("READY=1");
    }
  }

  stopping(): void {
    this.#send("STOPPING=1");
  }

  close(): void {
    clearInterval(this.#watchdog);
    this.#socket?.close();
  }

  #send(text: string) {
    this.#socket?.send(text);
  }
}
