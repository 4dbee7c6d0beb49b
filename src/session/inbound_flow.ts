import type { StoredMessage } from "../routing/stored_message.ts";
import type { Topic } from "../routing/topic.ts";
import { encodeReceived, Kind } from "../store/records.ts";
import { ProtocolError, protocolError } from "../wire/protocol_error.ts";
import type { Publish } from "../wire/publish.ts";
import { Reason } from "../wire/reason.ts";
import type { Host } from "./ports.ts";
import type { Session } from "./session.ts";

/** A QoS 2 message that its publisher has not released yet. */
export class Received {
  readonly session: Session;
  readonly packetId: number;
  readonly message: StoredMessage;
  /** How often it came again on this connection. */
  repeats = 0;
  /** Number of its record; 0: it has none. */
  number = 0;
  /** Number of the message's record, which may be kept anew under another before this is written. */
  messageNumber = 0;

  constructor(session: Session, packetId: number, message: StoredMessage) {
    this.session = session;
    this.packetId = packetId;
    this.message = message;
  }

  encode(): Uint8Array {
    return encodeReceived({
      session: this.session.number,
      message: this.messageNumber,
      packetId: this.packetId,
    });
  }
}

/**
 * The QoS 2 messages of one publisher between PUBLISH and PUBREL. A message is routed when it is
 * released, so that one which is sent again is the same message [MQTT-4.3.3-10], also after a crash.
 */
export class InboundFlow {
  readonly #host: Host;
  readonly #session: Session;
  readonly #received = new Map<number, Received>();
  #bytes = 0;

  constructor(host: Host, session: Session) {
    this.#host = host;
    this.#session = session;
  }

  /** Of the messages that wait to be released. */
  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#received.size;
  }

  /** Those of the messages that are not released, in the order in which they came. */
  get packetIds(): readonly number[] {
    return [...this.#received.keys()];
  }

  /**
   * Takes a QoS 2 PUBLISH. What stands under the same identifier with the same content is the same
   * message; with another content it is replaced.
   *
   * @throws {ProtocolError} 0x82 when it comes for the third time, 0x93 when more is kept than the limits allow
   */
  receive(publish: Publish, topic: Topic): void {
    const { packetId } = publish;
    const before = this.#received.get(packetId);
    if (before !== undefined) {
      if (isSame(before.message, publish, topic.name)) {
        // Nothing is lost on a connection that lives: who repeats himself twice is out of step.
        if (++before.repeats > 1) throw protocolError(`PUBLISH ${packetId} for the third time`);
        return;
      }
      this.#remove(before);
    }
    const { maxUnreleasedBytes, strictReceiveMaximum, maxInflightMessages } = this.#host.settings;
    const { size } = publish;
    if (
      strictReceiveMaximum && maxInflightMessages > 0 &&
        this.#received.size >= maxInflightMessages ||
      maxUnreleasedBytes > 0 && this.#received.size > 0 &&
        this.#bytes + size > maxUnreleasedBytes
    ) {
      throw new ProtocolError(
        Reason.ReceiveMaximumExceeded,
        `[MQTT-3.3.4-9] ${this.#received.size} QoS 2 messages are not released`,
      );
    }
    const message = this.#host.store(publish, topic, this.#session);
    this.add(new Received(this.#session, packetId, message), true);
  }

  /** A new connection: the client may send again what it sent on the last one. */
  resume(): void {
    for (const received of this.#received.values()) received.repeats = -1;
  }

  /** Adds a message, from the wire or from the store. */
  add(received: Received, isNew: boolean): void {
    this.#received.set(received.packetId, received);
    this.#bytes += received.message.publish.size;
    if (!isNew || !this.#session.isLasting) return;
    this.#host.keep(received.message);
    received.messageNumber = received.message.number;
    received.number = this.#host.nextNumber();
    this.#host.journal.create(Kind.Received, received.number, received);
  }

  /** PUBREL: hands over the message to be routed; undefined when the identifier is not known. */
  release(packetId: number): StoredMessage | undefined {
    const received = this.#received.get(packetId);
    if (received === undefined) return undefined;
    this.#remove(received);
    return received.message;
  }

  /** A QoS 1 PUBLISH came under this identifier: whatever QoS 2 message had it is given up. */
  forget(packetId: number): void {
    const received = this.#received.get(packetId);
    if (received !== undefined) this.#remove(received);
  }

  clear(): void {
    for (const received of this.#received.values()) this.#remove(received);
  }

  #remove(received: Received) {
    this.#received.delete(received.packetId);
    this.#bytes -= received.message.publish.size;
    if (received.number === 0) return;
    const isNew = this.#host.journal.forget(Kind.Received, received.number);
    this.#host.release(received.message, !isNew);
    received.number = 0;
  }
}

function isSame(message: StoredMessage, publish: Publish, topicName: string): boolean {
  if (message.topic.name !== topicName) return false;
  const before = message.publish.payload(), now = publish.payload();
  if (before.length !== now.length) return false;
  for (let index = 0; index < now.length; index++) if (before[index] !== now[index]) return false;
  return true;
}
