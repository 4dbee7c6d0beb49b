import assert from "node:assert/strict";
import type { ServerPacket } from "./packet_decoder.ts";
import {
  ack,
  concat,
  connect,
  Property,
  property,
  publish,
  type PublishFields,
  subscribe,
  type Version,
} from "./packets.ts";
import { TcpClient } from "./tcp_client.ts";

/** A message that its receiver has taken. */
export interface Taken {
  readonly topic: string;
  readonly text: string;
  readonly qos: number;
  readonly retain: boolean;
}

/** A PUBLISH that is not finished, and what to call when it is. */
interface Unfinished {
  readonly fields: PublishFields;
  /** PUBREC has come: only PUBREL is sent again. */
  isReleased: boolean;
  readonly acknowledged: () => void;
}

/**
 * A client on a real socket that keeps its half of a lasting session over any number of connections
 * and brokers: it sends again what was not acknowledged, and takes each QoS 2 message once.
 */
export class LastingClient implements AsyncDisposable {
  readonly version: Version;
  readonly clientId: string;
  /** Everything taken, in order. */
  readonly taken: Taken[] = [];
  onTaken: (message: Taken) => void = () => {};
  /** What was not kept of the protocol by the broker. */
  readonly complaints: string[] = [];
  readonly #unfinished = new Map<number, Unfinished>();
  readonly #subscribing = new Map<number, () => void>();
  /** Packet Identifiers of QoS 2 messages that are taken and not released. */
  readonly #unreleased = new Set<number>();
  #packetId = 0;
  #client: TcpClient | null = null;

  constructor(version: Version, clientId: string) {
    this.version = version;
    this.clientId = clientId;
  }

  /** Messages published and not acknowledged. */
  get unfinished(): number {
    return this.#unfinished.size;
  }

  /** Connects and sends again what is unfinished. Returns Session Present, which MQTT 3.1 lacks. */
  async connect(port: number): Promise<boolean | undefined> {
    await this.disconnect();
    const client = await TcpClient.open(port, this.version);
    this.#client = client;
    void client.send(connect(this.version, {
      clientId: this.clientId,
      clean: false,
      keepAliveSeconds: 0,
      properties: property(Property.sessionExpiryInterval, 3600),
    }));
    const accepted = new Promise<ServerPacket>((resolve, reject) => {
      client.handler = (packet) => {
        if (packet.type !== "connack" || packet.reason !== 0) {
          return reject(new Error(`${packet.type} ${packet.reason} instead of CONNACK`));
        }
        // What follows in the same bytes is handled at once.
        client.handler = (packet) => this.#handle(packet);
        resolve(packet);
      };
      // One that lasts longer than anybody would wait for its end is no failure.
      void client.ended().then(
        () => reject(new Error("the connection ended before CONNACK")),
        () => {},
      );
    });
    const { sessionPresent } = await accepted;
    const isPresent = this.version === 3 ? undefined : sessionPresent;
    if (isPresent === false) this.#unreleased.clear();
    this.#subscribing.clear();
    for (const [packetId, { fields, isReleased }] of this.#unfinished) {
      if (isReleased) void client.send(ack("pubrel", packetId));
      else void client.send(publish(this.version, { ...fields, packetId, dup: true }));
    }
    return isPresent;
  }

  /** Resolves when the connection has ended. */
  async ended(): Promise<void> {
    await this.#client?.ended();
  }

  /** Closes the socket; the session lives on. */
  async disconnect(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    await client?.[Symbol.asyncDispose]();
  }

  /** Publishes at QoS 1 or 2 and calls back when the broker has promised to keep it. */
  publish(fields: PublishFields & { qos: 1 | 2 }, acknowledged: () => void): void {
    const packetId = this.#nextPacketId();
    this.#unfinished.set(packetId, { fields, isReleased: false, acknowledged });
    void this.#client?.send(publish(this.version, { ...fields, packetId }));
  }

  subscribe(filter: string, qos: number, acknowledged: () => void = () => {}): void {
    const packetId = this.#nextPacketId();
    this.#subscribing.set(packetId, acknowledged);
    void this.#client?.send(subscribe(this.version, { packetId, filters: [[filter, qos]] }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect();
  }

  #nextPacketId(): number {
    do this.#packetId = this.#packetId % 0xffff + 1; while (
      this.#unfinished.has(this.#packetId) || this.#subscribing.has(this.#packetId)
    );
    return this.#packetId;
  }

  #handle(packet: ServerPacket): void {
    const packetId = packet.packetId ?? 0;
    switch (packet.type) {
      case "publish":
        return this.#take(packet);
      case "puback":
        return this.#finish(packet);
      case "pubrec": {
        const unfinished = this.#unfinished.get(packetId);
        if (packet.reason! >= 0x80) return this.#finish(packet);
        if (unfinished !== undefined) unfinished.isReleased = true;
        return this.#send(ack("pubrel", packetId));
      }
      case "pubcomp":
        return this.#finish(packet);
      case "pubrel":
        this.#unreleased.delete(packetId);
        return this.#send(ack("pubcomp", packetId));
      case "suback": {
        const acknowledged = this.#subscribing.get(packetId);
        this.#subscribing.delete(packetId);
        assert.ok(packet.reasons!.every((reason) => reason < 0x80));
        return acknowledged?.();
      }
      case "disconnect":
        return;
      default:
        this.complaints.push(`${packet.type} came`);
    }
  }

  #take(packet: ServerPacket): void {
    const { qos, packetId } = packet;
    const isNew = qos !== 2 || !this.#unreleased.has(packetId!);
    if (qos === 2) {
      this.#unreleased.add(packetId!);
      this.#send(ack("pubrec", packetId!));
    } else if (qos === 1) this.#send(ack("puback", packetId!));
    if (!isNew) return;
    const message = {
      topic: packet.topic!,
      text: new TextDecoder().decode(packet.payload),
      qos: qos!,
      retain: packet.retain!,
    };
    this.taken.push(message);
    this.onTaken(message);
  }

  #finish(packet: ServerPacket): void {
    const unfinished = this.#unfinished.get(packet.packetId!);
    if (unfinished === undefined) {
      return void this.complaints.push(`${packet.type} ${packet.packetId} for nothing`);
    }
    this.#unfinished.delete(packet.packetId!);
    if (packet.reason! >= 0x80) this.complaints.push(`${packet.type} with ${packet.reason}`);
    else unfinished.acknowledged();
  }

  #send(bytes: Uint8Array): void {
    void this.#client?.send(concat(bytes));
  }
}
