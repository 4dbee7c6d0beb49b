import assert from "node:assert/strict";
import { Listener, type ListenerOptions } from "../../src/transport/listener.ts";
import { within } from "../support/broker_process.ts";
import { listenerOptions } from "./listener_options.ts";
import { StandInBroker } from "./stand_in_broker.ts";

/** An open listener with its broker, and clients that connect to it. */
export class Scene implements AsyncDisposable {
  readonly broker: StandInBroker;
  readonly listener: Listener;
  readonly #clients: Deno.Conn[] = [];

  private constructor(listener: Listener, broker: StandInBroker) {
    this.listener = listener;
    this.broker = broker;
  }

  static async open(
    options: Partial<ListenerOptions> = {},
    broker = new StandInBroker(),
  ): Promise<Scene> {
    const log = (type: string, text: string) => void broker.lines.push(`${type}: ${text}`);
    return new Scene(await Listener.open({ ...listenerOptions(), ...options }, log), broker);
  }

  /** One that has started. */
  static async start(...args: Parameters<typeof Scene.open>): Promise<Scene> {
    const scene = await Scene.open(...args);
    scene.broker.lines.length = 0;
    return scene.start();
  }

  get port(): number {
    return this.listener.port;
  }

  start(): this {
    this.listener.start(this.broker.broker);
    return this;
  }

  async dial(hostname = "127.0.0.1"): Promise<Deno.TcpConn> {
    const client = await Deno.connect({ hostname, port: this.port });
    this.#clients.push(client);
    return client;
  }

  async dialUnix(path: string): Promise<Deno.UnixConn> {
    const client = await Deno.connect({ transport: "unix", path });
    this.#clients.push(client);
    return client;
  }

  /** Sends bytes, or text, on a new connection. */
  async send(bytes: Uint8Array | string): Promise<Deno.TcpConn> {
    const client = await this.dial();
    await sendAll(client, bytes);
    return client;
  }

  /** Gives the listener other options than those of its start. */
  configure(options: Partial<ListenerOptions>): void {
    this.listener.configure({ ...listenerOptions(), ...options });
  }

  /** Lines of the log that begin with `notice`, the first words of each connection left out. */
  get notices(): string[] {
    return this.broker.lines.filter((line) => line.startsWith("notice: "))
      .filter((line) => !line.startsWith("notice: New connection from"));
  }

  /** A client that was let in. */
  async enter(): Promise<Deno.TcpConn> {
    const before = this.broker.accepted.length;
    const client = await this.dial();
    await this.broker.connection(before);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.listener.close();
    await this.listener.drain(0);
    assert.deepEqual(this.broker.faults, []);
  }
}

/** Waits until the broker has closed the connection. */
export async function assertTurnedAway(client: Deno.Conn) {
  const length = await within(client.read(new Uint8Array(1)), () => "it was let in")
    .catch((error) => {
      // Closed before its handshake was seen to the end.
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
      return null;
    });
  assert.equal(length, null);
}

/** Text goes as Latin-1. */
export async function sendAll(client: Deno.Conn, bytes: Uint8Array | string): Promise<void> {
  const all = typeof bytes === "string" ? latin1(bytes) : bytes;
  for (let at = 0; at < all.length;) at += await client.write(all.subarray(at));
}

/** What comes until the end, as Latin-1. A reset is an end. */
export async function readAll(client: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(65_536);
  let text = "";
  for (;;) {
    const length = await within(client.read(buffer), () => "no end comes").catch((error) => {
      if (error instanceof Deno.errors.ConnectionReset) return null;
      throw error;
    });
    if (length === null) return text;
    text += new TextDecoder("latin1").decode(buffer.subarray(0, length));
  }
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
