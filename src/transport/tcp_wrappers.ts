/** What `/etc/hosts.allow` and `/etc/hosts.deny` say, by libwrap. */
import { cString } from "../system/libc.ts";

const LIBRARY = "libwrap.so.0";
/** The names by which those files may speak of this broker; both must let a client in. */
const DAEMONS = ["mosquitto", "sabethes"];
/** libwrap's word for a name that is not looked up. */
const UNKNOWN = "unknown";
/** libwrap reads its files each time. */
const ANSWER_MS = 1000;
/** Answers kept at most; more addresses than that in a second are asked for anew. */
const ANSWERS_MAXIMUM = 10_000;

const SYMBOLS = {
  hosts_ctl: { parameters: ["buffer", "buffer", "buffer", "buffer"], result: "i32" },
} as const;

/** Asks libwrap who may connect. */
export class TcpWrappers {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  #answers = new Map<string, boolean>();
  #answersUntilMs = 0;

  private constructor(library: Deno.DynamicLibrary<typeof SYMBOLS>) {
    this.#library = library;
  }

  /** @throws {Error} without the library */
  static load(): TcpWrappers {
    try {
      return new TcpWrappers(Deno.dlopen(LIBRARY, SYMBOLS));
    } catch (error) {
      throw new Error(
        `the 'tcp_wrappers' option needs ${LIBRARY}, which cannot be loaded (Debian: libwrap0)`,
        { cause: error },
      );
    }
  }

  /** Whether a client of this IP address may connect. The answer holds for a second. */
  allows(address: string, nowMs: number = performance.now()): boolean {
    if (nowMs >= this.#answersUntilMs || this.#answers.size >= ANSWERS_MAXIMUM) {
      this.#answers = new Map();
      this.#answersUntilMs = nowMs + ANSWER_MS;
    }
    let allowed = this.#answers.get(address);
    if (allowed === undefined) {
      allowed = DAEMONS.every((daemon) => this.#ask(daemon, address));
      this.#answers.set(address, allowed);
    }
    return allowed;
  }

  close(): void {
    this.#library.close();
  }

  #ask(daemon: string, address: string): boolean {
    const { hosts_ctl } = this.#library.symbols;
    const unknown = cString(UNKNOWN);
    return hosts_ctl(cString(daemon), unknown, cString(address), unknown) !== 0;
  }
}
