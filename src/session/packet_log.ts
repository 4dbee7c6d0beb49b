import { type LogType, printable } from "../log.ts";
import type { Delivery, OutboxObserver } from "../wire/outbox.ts";
import { PacketType } from "../wire/packet_type.ts";
import type { Publish, TopicName } from "../wire/publish.ts";

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(PacketType).map(([name, type]) => [type, name.toUpperCase()]),
);

/** Whoever the lines are about and written by. */
interface PacketLogHost {
  log(type: LogType, text: string): void;
}

/**
 * Writes a line for each packet of one connection, in Mosquitto's words: `log_type debug`. Payloads
 * are never shown, only how long they are.
 */
export class PacketLog implements OutboxObserver {
  readonly #host: PacketLogHost;
  readonly #connection: { readonly name: string };

  constructor(host: PacketLogHost, connection: { readonly name: string }) {
    this.#host = host;
    this.#connection = connection;
  }

  receivedPublish(publish: Publish, topic: TopicName): void {
    this.#line(`Received PUBLISH from ${this.#name} ${publishText(publish, publish, topic)}`);
  }

  deniedPublish(publish: Publish, topic: TopicName): void {
    this.#line(`Denied PUBLISH from ${this.#name} ${publishText(publish, publish, topic)}`);
  }

  /** PUBACK, PUBREC, PUBREL or PUBCOMP. */
  receivedAcknowledgement(type: number, packetId: number, reason: number): void {
    this.#line(`Received ${nameOf(type)} from ${this.#name} (Mid: ${packetId}, RC:${reason})`);
  }

  /** SUBSCRIBE or UNSUBSCRIBE, and what it is about. */
  receivedFilters(type: number, filters: readonly string[]): void {
    this.received(type);
    for (const filter of filters) this.#line(`\t${filter}`);
  }

  received(type: number): void {
    this.#line(`Received ${nameOf(type)} from ${this.#name}`);
  }

  published(message: Publish, topic: TopicName, delivery: Delivery): void {
    this.#line(`Sending PUBLISH to ${this.#name} ${publishText(message, delivery, topic)}`);
  }

  acknowledged(type: number, packetId: number, reason: number): void {
    this.#line(`Sending ${nameOf(type)} to ${this.#name} (m${packetId}, rc${reason})`);
  }

  appended(packet: Uint8Array): void {
    const type = packet[0] >> 4;
    const answer = type === PacketType.Connack ? ` (${packet[2]}, ${packet[3]})` : "";
    this.#line(`Sending ${nameOf(type)} to ${this.#name}${answer}`);
  }

  get #name(): string {
    return this.#connection.name;
  }

  #line(text: string) {
    this.#host.log("debug", text);
  }
}

function nameOf(type: number): string {
  return NAMES.get(type) ?? `packet type ${type}`;
}

function publishText(
  message: Publish,
  header: { dup: boolean; qos: number; retain: boolean; packetId: number },
  topic: TopicName,
): string {
  const { dup, qos, retain, packetId } = header;
  return `(d${dup ? 1 : 0}, q${qos}, r${retain ? 1 : 0}, m${qos === 0 ? 0 : packetId}, ` +
    `'${printable(topic.name)}', ... (${message.payloadLength} bytes))`;
}
