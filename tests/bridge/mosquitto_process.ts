import { freePort, PATIENCE_MS, pause, within } from "../support/broker_process.ts";

const PROGRAM = "/usr/sbin/mosquitto";

/** Whether there is one to test with. */
export function hasMosquitto(): boolean {
  try {
    return Deno.statSync(PROGRAM).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Eclipse Mosquitto as a child process, on a directory of its own. */
export class MosquittoProcess implements AsyncDisposable {
  readonly port: number;
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  #hasEnded = false;
  /** What it wrote. */
  log = "";

  private constructor(child: Deno.ChildProcess, port: number) {
    this.port = port;
    this.#child = child;
    this.#reading = this.#read();
  }

  /** Starts one and waits until it takes connections. */
  static async start(
    directory: string,
    options: { port?: number; configuration?: readonly string[]; listener?: readonly string[] } =
      {},
  ): Promise<MosquittoProcess> {
    const port = options.port ?? freePort();
    const file = `${directory}/mosquitto.conf`;
    Deno.writeTextFileSync(
      file,
      [
        "per_listener_settings true",
        `listener ${port} 127.0.0.1`,
        ...options.listener ?? [],
        "allow_anonymous true",
        "persistence true",
        `persistence_location ${directory}/`,
        "max_queued_messages 0",
        "user root",
        ...options.configuration ?? [],
        "",
      ].join("\n"),
    );
    const child = new Deno.Command(PROGRAM, {
      args: ["-v", "-c", file],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const mosquitto = new MosquittoProcess(child, port);
    try {
      await mosquitto.#answers();
    } catch (error) {
      await mosquitto[Symbol.asyncDispose]();
      throw error;
    }
    return mosquitto;
  }

  /** Ends it; it saves before, if the signal lets it. */
  async end(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    if (this.#hasEnded) return;
    this.#child.kill(signal);
    await within(this.#reading, () => "mosquitto does not end");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
  }

  async #answers(): Promise<void> {
    for (const until = performance.now() + PATIENCE_MS;;) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port: this.port })).close();
        return;
      } catch (error) {
        if (this.#hasEnded || performance.now() > until) {
          throw new Error(`mosquitto does not start:\n${this.log}`, { cause: error });
        }
      }
      await pause(20);
    }
  }

  async #read(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.log += text;
    }
    await this.#child.status;
    this.#hasEnded = true;
  }
}
