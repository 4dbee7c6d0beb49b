import { assert } from "../assert.ts";
import { borrowBuffer, LARGEST_BUFFER, returnBuffer } from "./buffer_pool.ts";
import {
  copyBytes,
  EMPTY,
  variableByteIntegerLength,
  writeUint16,
  writeUint32,
  writeVariableByteInteger,
} from "./bytes.ts";
import { PacketType, type Version } from "./packet_type.ts";
import { Property } from "./properties.ts";
import type { Publish, Qos, TopicName } from "./publish.ts";

/** Payloads of this size in bytes of their own are sent by reference. */
const SHARED_PAYLOAD_BYTES = 65_536;

/** What an outbox tells of itself. */
export interface OutboxHost {
  /** Something was appended for the first time since the last flush. */
  touched(outbox: Outbox): void;
  /** A run of borrowed bytes was begun: {@linkcode Outbox.settle} before they are reused. */
  borrowed(outbox: Outbox): void;
  readonly sent: SentCounters;
}

export interface SentCounters {
  /** By packet type, but for PUBLISH. */
  readonly packets: Float64Array;
  /** A field of its own: it is counted for every receiver of every message. */
  publishes: number;
  /** Payloads. */
  publishBytes: number;
}

/** How one receiver gets a message. */
export interface Delivery {
  qos: Qos;
  retain: boolean;
  dup: boolean;
  /** 0 at QoS 0. */
  packetId: number;
  /** Subscription Identifiers, or null. */
  identifiers: readonly number[] | null;
  /** What is left of the Message Expiry Interval, −1 when there is none. */
  expirySeconds: number;
}

/** Topic Aliases used towards one client; the first topics get one, none is reassigned. */
export interface OutgoingAliases {
  /** The alias; 0 when there is none left. Sets `isNew`. An alias that is new must be sent. */
  aliasFor(topic: TopicName): number;
  /** Takes back the alias that was new, as the message is not sent after all. */
  forget(topic: TopicName): void;
  isNew: boolean;
}

/** The receiver knows topics by other names. */
export interface OutgoingNames {
  outgoing(topic: TopicName): TopicName;
}

/** Told of each packet as it is appended, for the log. */
export interface OutboxObserver {
  published(message: Publish, topic: TopicName, delivery: Delivery): void;
  acknowledged(type: number, packetId: number, reason: number): void;
  appended(packet: Uint8Array): void;
}

/** Bytes to be written, and the pooled buffer they stand in, if it is one. */
interface Part {
  readonly bytes: Uint8Array;
  readonly buffer: Uint8Array<ArrayBuffer> | null;
}

/**
 * The bytes that wait to be sent to one connection. Writers append; the transport takes what has
 * gathered, one write at a time. QoS 0 messages that stand one behind the other in the read buffer
 * are remembered as one run and copied once, when the run ends or the read buffer is given back.
 */
export class Outbox {
  version: Version = 4;
  /** The client's Maximum Packet Size; larger messages are not sent to it [MQTT-3.1.2-24]. */
  maximumPacketSize = 0xffff_ffff;
  aliases: OutgoingAliases | null = null;
  /** Whoever takes the bytes. */
  sink: { flush(): void } | null = null;
  /** In the host's list of outboxes to be flushed. */
  isTouched = false;

  readonly #host: OutboxHost;
  #names: OutgoingNames | null = null;
  #observer: OutboxObserver | null = null;
  /** There are names or an observer: one thing to ask for each message. */
  #isSpecial = false;
  #buffer: Uint8Array<ArrayBuffer> | null = null;
  #length = 0;
  /** Sealed parts, in order, before what is in `#buffer`; null: none. */
  #parts: Part[] | null = null;
  #partsBytes = 0;
  /** Packets appended since nothing waited. */
  #packets = 0;
  #inFlight = 0;
  #inFlightBuffer: Uint8Array<ArrayBuffer> | null = null;
  #run: Uint8Array = EMPTY;
  #runStart = 0;
  #runEnd = 0;

  constructor(host: OutboxHost) {
    this.#host = host;
  }

  /** Bytes appended and not yet written, those in flight included. */
  get waiting(): number {
    return this.#inFlight + this.#partsBytes + this.#length + this.#runEnd - this.#runStart;
  }

  /** Packets appended since the last time that nothing waited. */
  get waitingPackets(): number {
    return this.isEmpty ? 0 : this.#packets;
  }

  get isEmpty(): boolean {
    return this.waiting === 0;
  }

  /** Null: topics go out under the names they have. */
  get names(): OutgoingNames | null {
    return this.#names;
  }

  set names(names: OutgoingNames | null) {
    this.#names = names;
    this.#isSpecial = names !== null || this.#observer !== null;
  }

  /** Null: nobody wants to know. */
  get observer(): OutboxObserver | null {
    return this.#observer;
  }

  set observer(observer: OutboxObserver | null) {
    this.#observer = observer;
    this.#isSpecial = observer !== null || this.#names !== null;
  }

  /** Appends a PUBLISH. False: it exceeds the client's Maximum Packet Size and is not sent. */
  publish(message: Publish, topic: TopicName, delivery: Delivery): boolean {
    const mqtt5 = this.version === 5;
    const { qos, packetId } = delivery;
    if (this.#isSpecial) {
      if (this.#observer !== null) return this.#observed(message, topic, delivery);
      return this.#compose(message, this.#names!.outgoing(topic), delivery, mqtt5);
    }
    const isVerbatim = message.verbatim && (message.version === 5) === mqtt5 &&
      (message.qos === 0) === (qos === 0) &&
      (!mqtt5 ||
        delivery.identifiers === null && delivery.expirySeconds < 0 && this.aliases === null);
    if (!isVerbatim) return this.#compose(message, topic, delivery, mqtt5);
    const header = 0x30 | (delivery.dup ? 8 : 0) | qos << 1 | (delivery.retain ? 1 : 0);
    const { bytes, start, end } = message;
    const length = end - start;
    if (length > this.maximumPacketSize) return false;
    const sent = this.#host.sent;
    sent.publishes++;
    this.#packets++;
    sent.publishBytes += message.end - message.payloadStart;
    if (qos === 0 && bytes[start] === header) {
      if (this.#run === bytes && this.#runEnd === start) {
        this.#runEnd = end;
        return true;
      }
      this.settle();
      if (message.owned && length >= SHARED_PAYLOAD_BYTES) this.#share(bytes.subarray(start, end));
      else this.#beginRun(bytes, start, end);
      return true;
    }
    this.settle();
    const payload = message.end - message.payloadStart;
    if (message.owned && payload >= SHARED_PAYLOAD_BYTES) {
      const at = this.#append(bytes, start, end - payload);
      this.#patch(at, header, packetId, end - payload - start, message, mqtt5, payload);
      this.#share(message.payload());
    } else {
      const at = this.#append(bytes, start, end);
      this.#patch(at, header, packetId, length, message, mqtt5, payload);
    }
    return true;
  }

  /** Tells the observer of what is really sent. */
  #observed(message: Publish, topic: TopicName, delivery: Delivery): boolean {
    const observer = this.#observer!;
    this.observer = null;
    const isSent = this.publish(message, topic, delivery);
    this.observer = observer;
    if (isSent) observer.published(message, topic, delivery);
    return isSent;
  }

  /** Appends PUBACK, PUBREC, PUBREL or PUBCOMP. Reason 0 is left out, and so is any in MQTT 3. */
  acknowledge(type: number, packetId: number, reason: number): void {
    this.settle();
    if (this.#observer !== null) this.#observer.acknowledged(type, packetId, reason);
    const withReason = reason !== 0 && this.version === 5;
    let at = this.#reserve(5);
    const buffer = this.#buffer!;
    buffer[at++] = type << 4 | (type === PacketType.Pubrel ? 2 : 0);
    buffer[at++] = withReason ? 3 : 2;
    at = writeUint16(buffer, at, packetId);
    if (withReason) buffer[at++] = reason;
    this.#length = at;
    this.#host.sent.packets[type]++;
    this.#packets++;
  }

  /** Appends a whole packet. */
  packet(bytes: Uint8Array): void {
    this.settle();
    if (this.#observer !== null) this.#observer.appended(bytes);
    this.#append(bytes, 0, bytes.length);
    this.#host.sent.packets[bytes[0] >> 4]++;
    this.#packets++;
  }

  /** Copies the run of borrowed bytes, if there is one. */
  settle(): void {
    const start = this.#runStart, end = this.#runEnd;
    if (start === end) return;
    const run = this.#run;
    this.#run = EMPTY;
    this.#runStart = this.#runEnd = 0;
    this.#append(run, start, end);
  }

  /** The next bytes to write, or null. They stay untouched until {@linkcode written}. */
  take(): Uint8Array | null {
    assert(this.#inFlight === 0, "one write at a time");
    this.settle();
    if (this.#parts === null) {
      if (this.#length === 0) return null;
      this.#seal();
    }
    const { bytes, buffer } = this.#parts!.shift()!;
    if (this.#parts!.length === 0) this.#parts = null;
    this.#partsBytes -= bytes.length;
    this.#inFlight = bytes.length;
    this.#inFlightBuffer = buffer;
    return bytes;
  }

  /** The bytes last taken are written. */
  written(): void {
    this.#inFlight = 0;
    if (this.#inFlightBuffer !== null) returnBuffer(this.#inFlightBuffer);
    this.#inFlightBuffer = null;
    if (this.isEmpty) this.#packets = 0;
  }

  /** The connection is gone: lets go of everything that waits. */
  discard(): void {
    this.#run = EMPTY;
    this.#runStart =
      this.#runEnd =
      this.#partsBytes =
      this.#length =
        0;
    this.#parts = null;
    if (this.#buffer !== null) returnBuffer(this.#buffer);
    this.#buffer = null;
  }

  /** Appends a PUBLISH that differs from the one received by more than its first byte. */
  #compose(message: Publish, topic: TopicName, delivery: Delivery, mqtt5: boolean): boolean {
    const { expirySeconds, qos } = delivery;
    const identifiers = mqtt5 ? delivery.identifiers : null;
    const alias = this.aliases?.aliasFor(topic) ?? 0;
    const topicBytes = alias !== 0 && !this.aliases!.isNew ? EMPTY : topic.bytes;
    let properties = 0;
    if (mqtt5) {
      properties = message.propertiesEnd - message.propertiesStart + (expirySeconds >= 0 ? 5 : 0) +
        (alias !== 0 ? 3 : 0);
      if (identifiers !== null) {
        for (let i = 0; i < identifiers.length; i++) {
          properties += 1 + variableByteIntegerLength(identifiers[i]);
        }
      }
    }
    const payload = message.end - message.payloadStart;
    const remaining = 2 + topicBytes.length + (qos === 0 ? 0 : 2) +
      (mqtt5 ? variableByteIntegerLength(properties) + properties : 0) + payload;
    const length = 1 + variableByteIntegerLength(remaining) + remaining;
    if (length > this.maximumPacketSize) {
      if (alias !== 0 && this.aliases!.isNew) this.aliases!.forget(topic);
      return false;
    }
    this.settle();
    const shared = message.owned && payload >= SHARED_PAYLOAD_BYTES;
    let at = this.#reserve(shared ? length - payload : length);
    const buffer = this.#buffer!;
    buffer[at++] = 0x30 | (delivery.dup ? 8 : 0) | qos << 1 | (delivery.retain ? 1 : 0);
    at = writeVariableByteInteger(buffer, at, remaining);
    at = writeUint16(buffer, at, topicBytes.length);
    at = copyBytes(buffer, at, topicBytes, 0, topicBytes.length);
    if (qos !== 0) at = writeUint16(buffer, at, delivery.packetId);
    if (mqtt5) {
      at = writeVariableByteInteger(buffer, at, properties);
      at = copyBytes(
        buffer,
        at,
        message.propertyBytes,
        message.propertiesStart,
        message.propertiesEnd,
      );
      if (expirySeconds >= 0) {
        buffer[at++] = Property.MessageExpiryInterval;
        at = writeUint32(buffer, at, expirySeconds);
      }
      if (identifiers !== null) {
        for (let i = 0; i < identifiers.length; i++) {
          buffer[at++] = Property.SubscriptionIdentifier;
          at = writeVariableByteInteger(buffer, at, identifiers[i]);
        }
      }
      if (alias !== 0) {
        buffer[at++] = Property.TopicAlias;
        at = writeUint16(buffer, at, alias);
      }
    }
    if (shared) {
      this.#length = at;
      this.#share(message.payload());
    } else {
      this.#length = copyBytes(buffer, at, message.bytes, message.payloadStart, message.end);
    }
    const sent = this.#host.sent;
    sent.publishes++;
    this.#packets++;
    sent.publishBytes += payload;
    return true;
  }

  /** Sets the first byte and the Packet Identifier of a frame appended at `at`. */
  #patch(
    at: number,
    header: number,
    packetId: number,
    length: number,
    message: Publish,
    mqtt5: boolean,
    payload: number,
  ) {
    const buffer = this.#buffer!;
    buffer[at] = header;
    if (packetId === 0) return;
    // The identifier stands right before the properties: found from the end of what was appended,
    // which is the payload's end, or its start when the payload is shared.
    const properties = message.propertiesEnd - message.propertiesStart;
    const shared = message.owned && payload >= SHARED_PAYLOAD_BYTES;
    const behind = (shared ? 0 : payload) +
      (mqtt5 ? variableByteIntegerLength(properties) + properties : 0);
    writeUint16(buffer, at + length - behind - 2, packetId);
  }

  #beginRun(bytes: Uint8Array, start: number, end: number) {
    this.#run = bytes;
    this.#runStart = start;
    this.#runEnd = end;
    this.#host.borrowed(this);
    this.#touch();
  }

  #append(bytes: Uint8Array, start: number, end: number): number {
    const at = this.#reserve(end - start);
    this.#length = copyBytes(this.#buffer!, at, bytes, start, end);
    return at;
  }

  #share(bytes: Uint8Array) {
    this.#seal();
    (this.#parts ??= []).push({ bytes, buffer: null });
    this.#partsBytes += bytes.length;
    this.#touch();
  }

  #touch() {
    if (this.isTouched) return;
    this.isTouched = true;
    this.#host.touched(this);
  }

  #seal() {
    if (this.#length === 0) return;
    const bytes = this.#buffer!.subarray(0, this.#length);
    (this.#parts ??= []).push({ bytes, buffer: this.#buffer });
    this.#partsBytes += this.#length;
    this.#buffer = null;
    this.#length = 0;
  }

  /** Makes room for `length` bytes in one piece; returns where they go. */
  #reserve(length: number): number {
    this.#touch();
    const buffer = this.#buffer;
    if (buffer === null) {
      this.#buffer = borrowBuffer(length);
      return this.#length = 0;
    }
    const needed = this.#length + length;
    if (needed <= buffer.length) return this.#length;
    if (needed <= LARGEST_BUFFER) {
      // A small buffer grows; a full one is sealed instead, so that nothing large is copied again.
      const grown = borrowBuffer(Math.min(needed * 4, LARGEST_BUFFER));
      copyBytes(grown, 0, buffer, 0, this.#length);
      returnBuffer(buffer);
      this.#buffer = grown;
      return this.#length;
    }
    this.#seal();
    this.#buffer = borrowBuffer(Math.max(length, LARGEST_BUFFER));
    return this.#length = 0;
  }
}
