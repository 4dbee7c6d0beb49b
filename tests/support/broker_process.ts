/**
 * The broker as its users run it: a process of its own, on a directory and a port of its own.
 * @module
 */
import assert from "node:assert/strict";

const PROGRAM = new URL("../../mod.ts", import.meta.url).pathname;

/** How long anything may take on a machine that is busy with other things. */
export const PATIENCE_MS = 30_000;

/** What a broker is started with. */
export interface BrokerProcessOptions {
  /** Lines of the configuration behind the listener; `${directory}` is ours to be used in them. */
  readonly configuration?: readonly string[];
  /** Without one a free port is taken. */
  readonly port?: number;
  /** Command line behind `mod.ts`; without it `-c` and the configuration. */
  readonly args?: readonly string[];
  readonly cwd?: string;
  /** A program and its arguments that start the broker in its own place, such as `prlimit`. */
  readonly through?: readonly string[];
  /** What `deno run` allows; without it everything. */
  readonly permissions?: readonly string[];
  /** Set in its environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A broker as a child process. Disposing of it ends it, whatever it does. */
export class BrokerProcess implements AsyncDisposable {
  readonly port: number;
  readonly #child: Deno.ChildProcess;
  readonly #lines: string[] = [];
  readonly #reading: Promise<void>;
  /** Resolves when the process has ended and all it wrote is read. */
  readonly ended: Promise<Deno.CommandStatus>;
  stdout = "";
  #hasEnded = false;
  #onLine: () => void = () => {};

  private constructor(child: Deno.ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
    this.#reading = this.#read();
    this.ended = this.#end();
  }

  /** Starts a process and does not wait for anything. */
  static spawn(options: BrokerProcessOptions & { port: number; args: readonly string[] }) {
    const permissions = options.permissions ?? ["-A"];
    const command = ["run", ...permissions, "--cached-only", PROGRAM, ...options.args];
    const [program, ...before] = [...options.through ?? [], Deno.execPath()];
    const child = new Deno.Command(program, {
      args: [...before, ...command],
      cwd: options.cwd,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      // What the machine happens to have set must not change what is tested.
      env: { MOSQUITTO_PERSISTENCE_LOCATION: "", NO_COLOR: "1", ...options.env },
    }).spawn();
    return new BrokerProcess(child, options.port);
  }

  /**
   * Starts a broker and waits until it is there. With a directory its configuration stands in
   * `broker.conf` in it.
   */
  static async start(
    directory: string,
    options: BrokerProcessOptions = {},
  ): Promise<BrokerProcess> {
    for (let tries = 1;; tries++) {
      const port = options.port ?? freePort();
      const file = `${directory}/broker.conf`;
      Deno.writeTextFileSync(file, configurationText(port, options.configuration ?? []));
      const broker = BrokerProcess.spawn({ ...options, port, args: options.args ?? ["-c", file] });
      try {
        await broker.line(/ running(?:"\})?$/);
        return broker;
      } catch (error) {
        await broker[Symbol.asyncDispose]();
        // Another test was faster with this port.
        const isTaken = broker.lines.some((line) => /in use/.test(line));
        if (!isTaken || options.port !== undefined || tries === 5) throw error;
      }
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** What it wrote to stderr, line by line. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Waits for a line; counts from the line with the index `from`. Returns the line. */
  async line(pattern: RegExp, from = 0): Promise<string> {
    let found: string | undefined;
    await this.until(() => {
      found = this.#lines.slice(from).find((line) => pattern.test(line));
      if (found === undefined && this.#hasEnded) {
        throw new Error(`ended without ${pattern}:\n${this.#lines.join("\n")}`);
      }
      return found !== undefined;
    }, `a line ${pattern}`);
    return found!;
  }

  /** Waits until something holds that lines of this process tell of. */
  async until(holds: () => boolean, what: string): Promise<void> {
    const late = AbortSignal.timeout(PATIENCE_MS);
    while (!holds()) {
      await new Promise<void>((resolve, reject) => {
        this.#onLine = resolve;
        late.onabort = () => reject(new Error(`no ${what} in:\n${this.#lines.join("\n")}`));
      });
    }
    late.onabort = null;
  }

  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Ends it with a signal and waits for the end. Returns its exit status, or the signal's number. */
  async end(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    this.signal(signal);
    return (await this.#endedInTime()).code;
  }

  /** Waits for an end that comes by itself. */
  async exitStatus(): Promise<number> {
    return (await this.#endedInTime()).code;
  }

  /** Fails if the broker met something that is a mistake in itself. */
  assertNoDefect(): void {
    const defects = this.#lines.filter((line) => /defect|Uncaught|panicked|at file:/.test(line));
    assert.deepEqual(defects, []);
  }

  /** Open file descriptors. Linux. */
  fileDescriptors(): number {
    return [...Deno.readDirSync(`/proc/${this.pid}/fd`)].length;
  }

  /** Memory of its own in bytes: RssAnon. Linux. */
  anonymousBytes(): number {
    const status = Deno.readTextFileSync(`/proc/${this.pid}/status`);
    return Number(/RssAnon:\s+(\d+) kB/.exec(status)![1]) * 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) {
      try {
        this.#child.kill("SIGKILL");
      } catch (error) {
        // It has ended, and the promise that says so is on its way.
        if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    await this.ended;
  }

  async #endedInTime(): Promise<Deno.CommandStatus> {
    return await within(this.ended, () => `no end:\n${this.#lines.join("\n")}`);
  }

  async #end(): Promise<Deno.CommandStatus> {
    const [status] = await Promise.all([this.#child.status, this.#reading]);
    this.#hasEnded = true;
    this.#onLine();
    return status;
  }

  async #read(): Promise<void> {
    const stdout = async () => {
      for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
        this.stdout += text;
      }
    };
    const stderr = async () => {
      let rest = "";
      for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + text).split("\n");
        rest = lines.pop()!;
        this.#lines.push(...lines);
        this.#onLine();
      }
      if (rest !== "") this.#lines.push(rest);
    };
    await Promise.all([stdout(), stderr()]);
  }
}

/** A listener on loopback for clients without names, and further lines. */
export function configurationText(port: number, further: readonly string[]): string {
  return [`listener ${port} 127.0.0.1`, "allow_anonymous true", ...further, ""].join("\n");
}

/** Lines that keep the state in `DIRECTORY/store`. */
export function persistent(directory: string): string[] {
  return [
    "persistence true",
    `persistence_location ${directory}`,
    "persistence_file store",
    // Otherwise a machine with little room would test something else.
    "persistence_min_free 1048576",
  ];
}

/** Below what the system gives to outgoing connections, which could take a port that was free. */
const FIRST_PORT = 12_000, PORTS = 20_000;

/** A port of loopback and of all addresses that is free now. */
export function freePort(): number {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    try {
      Deno.listen({ port, hostname: "0.0.0.0" }).close();
      Deno.listen({ port, hostname: "127.0.0.1" }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** Fails with `otherwise` when the promise takes longer than anybody's patience. */
export async function within<T>(promise: Promise<T>, otherwise: () => string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(otherwise())), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Looks again and again until something holds that nothing tells of. */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  what: () => string,
): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!await holds()) {
    if (performance.now() > end) throw new Error(what());
    await pause(20);
  }
}

/** Real time, where a test cannot do without. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** A directory that is gone after the test. */
export async function withDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = Deno.makeTempDirSync({ prefix: "e2e-" });
  try {
    await run(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** What a directory holds: path → kind, mode and content, for all files but LMDB's lock table. */
export async function fingerprint(directory: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const walk = async (path: string) => {
    for (const entry of Deno.readDirSync(`${directory}${path}`)) {
      const inner = `${path}/${entry.name}`;
      const { mode } = Deno.lstatSync(`${directory}${inner}`);
      const modeText = (mode! & 0o777).toString(8);
      if (entry.isDirectory) {
        found[inner] = `directory ${modeText}`;
        await walk(inner);
      } else if (entry.name !== "lock.mdb") {
        const digest = await crypto.subtle.digest(
          "SHA-256",
          Deno.readFileSync(`${directory}${inner}`),
        );
        found[inner] = `${modeText} ${new Uint8Array(digest).toHex()}`;
      }
    }
  };
  await walk("");
  return found;
}
