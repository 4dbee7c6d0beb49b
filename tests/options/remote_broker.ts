/**
 * What bridges meet: a broker that takes whoever comes, and remembers what they say.
 * @module
 */
import { Buffer } from "node:buffer";
import {
  generate,
  type IConnectPacket,
  type IPublishPacket,
  type Packet,
  parser,
} from "mqtt-packet";
import { eventually } from "../support/broker_process.ts";

/** A connection, and what was said on it. */
export interface Visit {
  readonly connect: IConnectPacket;
  /** From where it came. */
  readonly address: string;
  readonly port: number;
  readonly packets: Packet[];
  /** Sends a message with QoS 0. */
  publish(topic: string, payload: string): void;
  /** Breaks the connection. */
  drop(): void;
}

export class RemoteBroker implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #connections: Deno.Conn[] = [];
  readonly #reading: Promise<void>[] = [];
  readonly #visits = new Map<string, Visit[]>();
  readonly #accepting: Promise<void>;

  private constructor(port: number) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port });
    this.#accepting = this.#accept();
  }

  /** Without a port the system chooses one. */
  static listen(port = 0): RemoteBroker {
    return new RemoteBroker(port);
  }

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  /** Client Identifiers of all who have come. */
  get clientIds(): string[] {
    return [...this.#visits.keys()];
  }

  /** The connections of one client, the last one at the end. */
  visits(clientId: string): readonly Visit[] {
    return this.#visits.get(clientId) ?? [];
  }

  /** Waits until a client has come at least so many times. Returns the last visit. */
  async visit(clientId: string, times = 1): Promise<Visit> {
    const visits = () => this.visits(clientId);
    await eventually(
      () => visits().length >= times,
      () => `${clientId} came ${visits().length} times, others: ${this.clientIds}`,
    );
    return visits().at(-1)!;
  }

  /** `topic payload` of what a client has published, without the state of the bridge. */
  published(clientId: string): string[] {
    return this.visits(clientId).flatMap(({ packets }) => packets)
      .filter((packet): packet is IPublishPacket => packet.cmd === "publish")
      .filter(({ topic }) => !topic.startsWith("$SYS/"))
      .map(({ topic, payload }) => `${topic} ${payload}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) close(connection);
    await this.#accepting;
    await Promise.all(this.#reading);
  }

  async #accept() {
    for await (const connection of this.#listener) {
      this.#connections.push(connection);
      this.#reading.push(this.#serve(connection));
    }
  }

  async #serve(connection: Deno.TcpConn) {
    const reader = parser();
    let visit: Visit | undefined;
    const send = (packet: Packet) =>
      void connection.write(generate(packet, visit?.connect)).catch(() => {});
    reader.on("packet", (packet: Packet) => {
      if (packet.cmd === "connect") {
        const { hostname: address, port } = connection.remoteAddr;
        visit = {
          connect: packet,
          address,
          port,
          packets: [],
          publish: (topic, payload) =>
            send({ cmd: "publish", topic, payload, qos: 0, dup: false, retain: false }),
          drop: () => close(connection),
        };
        this.#visits.set(packet.clientId, [...this.visits(packet.clientId), visit]);
        return send({ cmd: "connack", sessionPresent: false, returnCode: 0, reasonCode: 0 });
      }
      visit?.packets.push(packet);
      const { messageId } = packet;
      if (packet.cmd === "subscribe") {
        send({ cmd: "suback", messageId, granted: packet.subscriptions.map(({ qos }) => qos) });
      } else if (packet.cmd === "unsubscribe") {
        send({ cmd: "unsuback", messageId, granted: packet.unsubscriptions.map(() => 0) });
      } else if (packet.cmd === "publish" && packet.qos === 1) send({ cmd: "puback", messageId });
    });
    const buffer = new Uint8Array(16_384);
    try {
      for (let length; (length = await connection.read(buffer)) !== null;) {
        reader.parse(Buffer.from(buffer.subarray(0, length)));
      }
    } catch {
      // Closed by either side.
    }
  }
}

function close(connection: Deno.Conn) {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
