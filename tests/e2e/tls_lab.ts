import assert from "node:assert/strict";
import { BrokerProcess, freePort } from "../support/broker_process.ts";
import { Authority } from "../support/certificates.ts";
import { sClient } from "../support/s_client.ts";

/** One client, and what comes of it. */
export interface Row {
  /** Name of a listener. */
  readonly at: string;
  readonly args: readonly string[];
  /** What was agreed on; left out: not looked at. */
  readonly agreed?: string;
  /** CONNACK's code; left out: it does not come to that. */
  readonly connack?: number;
  /** What the client is told when it is refused. */
  readonly alert?: RegExp;
  /** What stands in the log: behind `failed: ` if it is refused, else behind `as ID`. */
  readonly log?: RegExp;
}

/** A broker with an authority and a listener for each set of options, each of them with TLS. */
export class Lab implements AsyncDisposable {
  readonly directory = Deno.makeTempDirSync({ prefix: "e2e-" });
  readonly authority = new Authority("/O=Lab/CN=Lab Root", this.directory);
  readonly server = this.authority.issueServer("server", { key: "rsa" });
  readonly #ports = new Map<string, number>();
  #broker: BrokerProcess | null = null;
  #clients = 0;

  /** A listener that shows its certificate. */
  get secure(): string[] {
    return [`certfile ${this.server.certfile}`, `keyfile ${this.server.keyfile}`];
  }

  /** One that demands its clients' certificates. */
  get demanding(): string[] {
    return [...this.secure, `cafile ${this.authority.cafile}`, "require_certificate true"];
  }

  async start(
    listeners: Readonly<Record<string, readonly string[]>>,
    global: readonly string[] = [],
  ): Promise<void> {
    const lines = [...global];
    for (const [name, options] of Object.entries(listeners)) {
      this.#ports.set(name, freePort());
      lines.push(`listener ${this.#ports.get(name)} 127.0.0.1`, ...options);
    }
    this.#broker = await BrokerProcess.start(this.directory, { configuration: lines });
  }

  async expect(rows: readonly Row[]): Promise<void> {
    for (const row of rows) await this.#expect(row);
    this.#broker!.assertNoDefect();
  }

  get lines(): readonly string[] {
    return this.#broker!.lines;
  }

  async line(pattern: RegExp, from?: number): Promise<void> {
    await this.#broker!.line(pattern, from);
  }

  /** What a Mosquitto client says to a listener; null: it ended with an error. */
  async mosquitto(
    program: "mosquitto_pub" | "mosquitto_sub",
    at: string,
    args: readonly string[],
  ): Promise<string | null> {
    const { success, stdout } = await new Deno.Command(program, {
      args: ["-h", "localhost", "-p", String(this.#ports.get(at)), "-q", "1", ...args],
      stdin: "null",
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout) : null;
  }

  async #expect({ at, args, agreed, connack, alert, log }: Row) {
    const broker = this.#broker!;
    const title = `${at} ${args.join(" ")}`;
    const clientId = `client-${++this.#clients}`;
    const from = broker.lines.length;
    const seen = await sClient(this.#ports.get(at)!, clientId, args);
    assert.equal(seen.connack, connack, `${title}:\n${seen.output}`);
    if (agreed !== undefined) assert.equal(seen.agreed, agreed, title);
    if (alert === undefined) assert.equal(seen.alert, undefined, title);
    else assert.match(seen.alert ?? "no alert", alert, title);
    if (log === undefined) return;
    const start = connack === undefined
      ? String.raw`: Client connection from 127\.0\.0\.1 failed: `
      : String.raw`New client connected from 127\.0\.0\.1:\d+ as `;
    const who = connack === undefined ? "" : `${clientId} `;
    await broker.line(new RegExp(start + who + log.source), from);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#broker?.[Symbol.asyncDispose]();
    this.authority[Symbol.dispose]();
    Deno.removeSync(this.directory, { recursive: true });
  }
}
