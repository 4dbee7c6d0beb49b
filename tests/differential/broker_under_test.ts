import { BrokerProcess, freePort, PATIENCE_MS, pause, within } from "../support/broker_process.ts";

/** Debian puts it there. */
export const MOSQUITTO = "/usr/sbin/mosquitto";

/** What both brokers are configured with. */
export interface Setting {
  /**
   * Lines of the configuration. `{port}`, `{port2}` and `{directory}` are filled in, in files as
   * well.
   */
  readonly configuration: readonly string[];
  /** Files in the directory by their names. */
  readonly files?: Readonly<Record<string, string>>;
  /** Lines that only ours understands. */
  readonly ours?: readonly string[];
  /** The user who may clear away what a script leaves behind. */
  readonly sweeper?: string;
}

/** Either broker, as a process on a directory of its own. */
export interface BrokerUnderTest extends AsyncDisposable {
  readonly name: string;
  readonly ports: readonly number[];
  start(): Promise<void>;
  /** Ends it with SIGTERM, and returns its exit status. */
  end(): Promise<number>;
  /** Rewrites files and resolves when a SIGHUP has been followed. */
  reload(files: Readonly<Record<string, string>>): Promise<void>;
}

/** What both are told: no $SYS that comes by the clock, and what only Mosquitto 2.1 has as default. */
const COMMON = [
  "user root",
  "sys_interval 0",
  "max_packet_size 2000000",
  "allow_duplicate_messages true",
  // Otherwise each answer of Mosquitto waits for the last to be acknowledged by TCP.
  "set_tcp_nodelay true",
];

/** The version that the known differences are those of. */
const VERSION = "2.0.11";

/** Why there is nothing to compare with; null if there is. */
export function whyNoMosquitto(): string | null {
  try {
    const { stdout } = new Deno.Command(MOSQUITTO, { args: ["-h"] }).outputSync();
    const [, version] = /^mosquitto version (\S+)/.exec(new TextDecoder().decode(stdout)) ?? [];
    return version === VERSION ? null : `Mosquitto is ${version}, not ${VERSION}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return `there is no ${MOSQUITTO}`;
    throw error;
  }
}

/** A directory with the files of a setting, and the ports that they name. */
class Place {
  readonly directory = Deno.makeTempDirSync({ prefix: "differential-" });
  readonly ports: readonly number[] = [freePort(), freePort()];

  write(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      const filled = text
        .replaceAll("{directory}", this.directory)
        .replaceAll("{port}", String(this.ports[0]))
        .replaceAll("{port2}", String(this.ports[1]));
      Deno.writeTextFileSync(`${this.directory}/${name}`, filled, { mode: 0o600 });
    }
  }

  get conf(): string {
    return `${this.directory}/conf`;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

/** The configuration as text. */
export function configurationFile(lines: readonly string[]): string {
  return [...COMMON, ...lines, ""].join("\n");
}

/** Ours. */
export class Sabethes implements BrokerUnderTest {
  readonly name = "Sabethes";
  readonly #place = new Place();
  #process: BrokerProcess | null = null;

  constructor(setting: Setting) {
    const lines = [...setting.configuration, ...setting.ours ?? []];
    this.#place.write({ conf: configurationFile(lines), ...setting.files });
  }

  get ports(): readonly number[] {
    return this.#place.ports;
  }

  async start(): Promise<void> {
    this.#process = BrokerProcess.spawn({ port: this.ports[0], args: ["-c", this.#place.conf] });
    await this.#process.line(/ running$/);
  }

  async end(): Promise<number> {
    const status = await this.#process!.end();
    this.#process!.assertNoDefect();
    this.#process = null;
    return status;
  }

  async reload(files: Readonly<Record<string, string>>): Promise<void> {
    this.#place.write(files);
    const from = this.#process!.lines.length;
    this.#process!.signal("SIGHUP");
    await this.#process!.line(/: (No option has changed|Changed |Error: Nothing is)/, from);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
    this.#place[Symbol.dispose]();
  }
}

/** Debian's. */
export class Mosquitto implements BrokerUnderTest {
  readonly name = "Mosquitto";
  readonly #place = new Place();
  #child: Deno.ChildProcess | null = null;
  #reading: Promise<void> = Promise.resolve();
  #log = "";
  #hasEnded = false;

  constructor(setting: Setting) {
    this.#place.write({ conf: configurationFile(setting.configuration), ...setting.files });
  }

  get ports(): readonly number[] {
    return this.#place.ports;
  }

  async start(): Promise<void> {
    this.#log = "";
    this.#hasEnded = false;
    const args = ["-c", this.#place.conf];
    this.#child = new Deno.Command(MOSQUITTO, {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#reading = this.#read(this.#child);
    await this.#line(" running");
  }

  async end(): Promise<number> {
    this.#child!.kill("SIGTERM");
    const { code } = await within(this.#child!.status, () => "Mosquitto does not end");
    await this.#reading;
    this.#child = null;
    return code;
  }

  async reload(files: Readonly<Record<string, string>>): Promise<void> {
    this.#place.write(files);
    this.#log = "";
    this.#child!.kill("SIGHUP");
    // Whoever is served next is served after it.
    await this.#line("Reloading config.");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child !== null && !this.#hasEnded) this.#child.kill("SIGKILL");
    await this.#child?.status;
    await this.#reading;
    this.#place[Symbol.dispose]();
  }

  async #line(text: string): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    while (!this.#log.includes(text)) {
      if (this.#hasEnded || performance.now() > end) throw new Error(`no '${text}':\n${this.#log}`);
      await pause(5);
    }
  }

  async #read(child: Deno.ChildProcess): Promise<void> {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) this.#log += text;
    await child.status;
    this.#hasEnded = true;
  }
}
