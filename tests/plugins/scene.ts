import { BrokerProcess, configurationText, freePort } from "../support/broker_process.ts";
import { connect, publish, subscribe } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";

/** The real program with plugins, and the files that they are. All is gone after the test. */
export class Scene implements AsyncDisposable {
  readonly directory = Deno.makeTempDirSync({ prefix: "plugins-" });
  readonly #brokers: BrokerProcess[] = [];

  path(name: string): string {
    return `${this.directory}/${name}`;
  }

  /** Returns the path. */
  write(name: string, text: string): string {
    Deno.writeTextFileSync(this.path(name), text, { mode: 0o600 });
    return this.path(name);
  }

  /** Starts the broker with these lines behind those of a listener for clients without names. */
  async start(
    configuration: readonly string[],
    env: Record<string, string> = {},
  ): Promise<BrokerProcess> {
    const broker = await BrokerProcess.start(this.directory, { configuration, env });
    this.#brokers.push(broker);
    return broker;
  }

  /** The same with a configuration whose lines are all the test's own. */
  async startWith(lines: (port: number) => readonly string[]): Promise<BrokerProcess> {
    const port = freePort();
    const args = ["-c", this.write("own.conf", `${lines(port).join("\n")}\n`)];
    const broker = BrokerProcess.spawn({ port, args, cwd: this.directory });
    this.#brokers.push(broker);
    await broker.line(/ running$/);
    return broker;
  }

  /** A start that fails: its exit status and what it said. */
  async refused(configuration: readonly string[]): Promise<{ status: number; text: string }> {
    const port = freePort();
    const args = ["-c", this.write("broker.conf", configurationText(port, configuration))];
    const broker = BrokerProcess.spawn({ port, args, cwd: this.directory });
    this.#brokers.push(broker);
    const status = await broker.exitStatus();
    return { status, text: broker.lines.map((line) => line.replace(/^\d+: /, "")).join("\n") };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const broker of this.#brokers) await broker[Symbol.asyncDispose]();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

/** A client of MQTT 5 that does one thing after the other. */
export async function client(
  port: number,
  clientId: string,
  userName?: string,
  password?: string,
): Promise<Client> {
  const tcp = await TcpClient.connect(port, 5, { clientId, userName, password });
  return new Client(tcp);
}

/** The reason that a CONNECT is answered with. */
export async function answerTo(port: number, userName: string, password: string): Promise<number> {
  await using tcp = await TcpClient.open(port, 5);
  void tcp.send(connect(5, { clientId: crypto.randomUUID(), userName, password }));
  return (await tcp.next("connack")).reason!;
}

/** See {@linkcode client}. */
export class Client implements AsyncDisposable {
  constructor(readonly tcp: TcpClient) {}

  /** The Reason Code of the SUBACK. */
  async subscribe(filter: string, qos = 0): Promise<number> {
    void this.tcp.send(subscribe(5, { filters: [[filter, qos]] }));
    return (await this.tcp.next("suback")).reasons![0];
  }

  /** At QoS 1; the Reason Code of the PUBACK. */
  async publish(topic: string, payload = "", retain = false): Promise<number> {
    void this.tcp.send(publish(5, { topic, payload, retain, qos: 1 }));
    return (await this.tcp.next("puback")).reason!;
  }

  /** The next message: `TOPIC PAYLOAD`, with ` retained` behind it where that flag is set. */
  async message(): Promise<string> {
    const { topic, payload, retain } = await this.tcp.next("publish");
    return `${topic} ${new TextDecoder().decode(payload)}${retain ? " retained" : ""}`;
  }

  /** What a topic below `$CONTROL/` answers. */
  async control(topic: string, request: object): Promise<unknown> {
    void this.tcp.send(publish(5, { topic, payload: JSON.stringify(request) }));
    const { payload } = await this.tcp.next("publish");
    return JSON.parse(new TextDecoder().decode(payload));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tcp[Symbol.asyncDispose]();
  }
}
