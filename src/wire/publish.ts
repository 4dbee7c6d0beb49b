import { copyBytes, EMPTY, readUint16 } from "./bytes.ts";
import type { Version } from "./packet_type.ts";
import { Place, type Properties } from "./properties.ts";
import { malformed, ProtocolError, protocolError } from "./protocol_error.ts";
import { Reason } from "./reason.ts";

/** At most once, at least once, exactly once. */
export type Qos = 0 | 1 | 2;

/** A valid Topic Name, as text and in UTF-8. */
export interface TopicName {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const MESSAGE_EXPIRY_BYTES = 5, TOPIC_ALIAS_BYTES = 3, WILL_DELAY_BYTES = 5;

/**
 * A PUBLISH as offsets into bytes: those of the read buffer while it is received, or its own after
 * {@linkcode copy}. Properties that are forwarded travel as bytes, in the sender's order
 * [MQTT-3.3.2-18]; Topic Alias, Message Expiry and Will Delay Interval have been taken out.
 */
export class Publish {
  bytes: Uint8Array = EMPTY;
  /** The frame, when the bytes hold one: fixed header to end. −1: they hold the parts only. */
  start = -1;
  end = 0;
  version: Version = 4;
  qos: Qos = 0;
  dup = false;
  retain = false;
  /** 0 at QoS 0. */
  packetId = 0;
  /** The Topic Name without its length. Empty with a Topic Alias that was set before. */
  topicStart = 0;
  topicEnd = 0;
  /** Where the bytes behind Packet Identifier start: properties in MQTT 5, else the payload. */
  propertiesAt = 0;
  /** The forwarded properties, in `propertyBytes`. */
  propertyBytes: Uint8Array = EMPTY;
  propertiesStart = 0;
  propertiesEnd = 0;
  payloadStart = 0;
  /** Seconds, −1 when absent. */
  messageExpirySeconds = -1;
  /** −1 when absent. */
  topicAlias = -1;
  /** The frame can be sent on as it is, first byte and Packet Identifier apart. */
  verbatim = false;
  /** The bytes belong to this object alone: they may be kept and shared. */
  owned = false;

  /**
   * Reads the packet at `[start, end)`, whose body starts at `bodyStart`.
   *
   * @throws {ProtocolError} when the form is wrong; the Topic Name's characters and the alias'
   * meaning are looked at by the caller
   */
  read(
    bytes: Uint8Array,
    start: number,
    bodyStart: number,
    end: number,
    version: Version,
    properties: Properties,
  ): void {
    const firstByte = bytes[start];
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.version = version;
    const qos = this.qos = (firstByte >> 1 & 3) as Qos;
    this.dup = (firstByte & 8) !== 0;
    this.retain = (firstByte & 1) !== 0;
    if (qos as number === 3) throw malformed("[MQTT-3.3.1-4] QoS 3");
    if (qos === 0 && this.dup) throw malformed("[MQTT-3.3.1-2] DUP with QoS 0");
    let at = bodyStart + 2;
    if (at > end) throw malformed("PUBLISH without a Topic Name");
    this.topicStart = at;
    at += readUint16(bytes, bodyStart);
    if (at > end) throw malformed("Topic Name passes the end of the packet");
    this.topicEnd = at;
    if (qos !== 0) {
      if (at + 2 > end) throw malformed("PUBLISH without a Packet Identifier");
      this.packetId = readUint16(bytes, at);
      if (this.packetId === 0) throw protocolError("[MQTT-2.2.1-3] Packet Identifier 0");
      at += 2;
    } else this.packetId = 0;
    this.propertiesAt = at;
    this.messageExpirySeconds = this.topicAlias = -1;
    // [MQTT-1.5.5-1]: a Remaining Length that ends in an idle byte is not passed on.
    this.verbatim = bodyStart - start === 2 || bytes[bodyStart - 1] !== 0;
    if (version === 5) this.#readProperties(at, properties);
    else {
      this.payloadStart = at;
      this.propertyBytes = EMPTY;
      this.propertiesStart = this.propertiesEnd = 0;
      if (this.topicStart === this.topicEnd) throw malformed("[MQTT-4.7.3-1] empty Topic Name");
    }
  }

  #readProperties(at: number, properties: Properties) {
    const bytes = this.bytes;
    if (at < this.end && bytes[at] === 0) {
      this.propertyBytes = EMPTY;
      this.propertiesStart = this.propertiesEnd = 0;
      this.payloadStart = at + 1;
    } else {
      properties.read(bytes, at, this.end, Place.Publish);
      this.payloadStart = properties.end;
      this.messageExpirySeconds = properties.messageExpirySeconds;
      this.topicAlias = properties.topicAlias;
      this.propertyBytes = bytes;
      this.propertiesStart = properties.start;
      this.propertiesEnd = properties.end;
      if (properties.aliasAt >= 0 || properties.expiryAt >= 0) this.#takeOut(properties);
    }
    if (this.topicStart === this.topicEnd && this.topicAlias < 0) {
      throw malformed("empty Topic Name without a Topic Alias");
    }
    if (this.topicAlias === 0) {
      throw new ProtocolError(Reason.TopicAliasInvalid, "[MQTT-3.3.2-8] Topic Alias 0");
    }
  }

  /** Copies the properties without those that are not forwarded as they came. */
  #takeOut(properties: Properties) {
    this.verbatim = false;
    this.propertyBytes = forwardedProperties(this.bytes, properties);
    this.propertiesStart = 0;
    this.propertiesEnd = this.propertyBytes.length;
  }

  get payloadLength(): number {
    return this.end - this.payloadStart;
  }

  /** What a copy of the message weighs: properties and payload. Topic Names are interned. */
  get size(): number {
    return this.propertiesEnd - this.propertiesStart + this.payloadLength;
  }

  payload(): Uint8Array {
    return this.bytes.subarray(this.payloadStart, this.end);
  }

  forwarded(): Uint8Array {
    return this.propertyBytes.subarray(this.propertiesStart, this.propertiesEnd);
  }

  /** A message of the given parts, in bytes of its own. Its topic goes with it, not in it. */
  static of(parts: {
    payload: Uint8Array;
    properties?: Uint8Array;
    qos?: Qos;
    retain?: boolean;
    messageExpirySeconds?: number;
  }): Publish {
    const { payload, properties = EMPTY } = parts;
    const publish = new Publish();
    const bytes = new Uint8Array(properties.length + payload.length);
    bytes.set(properties);
    bytes.set(payload, properties.length);
    publish.#own(bytes, 0, properties.length, bytes.length);
    publish.qos = parts.qos ?? 0;
    publish.retain = parts.retain ?? false;
    publish.messageExpirySeconds = parts.messageExpirySeconds ?? -1;
    return publish;
  }

  /** A message whose properties and payload stand in bytes that are this message's to keep. */
  static over(bytes: Uint8Array, propertiesStart: number, payloadStart: number): Publish {
    const publish = new Publish();
    publish.#own(bytes, propertiesStart, payloadStart, bytes.length);
    return publish;
  }

  /**
   * This message in bytes that stay. A small one shares a block with others, which is cheap for a
   * message that is soon gone; one that is to stay for long is {@linkcode detach}ed.
   */
  copy(): Publish {
    const copy = new Publish();
    copy.qos = this.qos;
    copy.retain = this.retain;
    copy.messageExpirySeconds = this.messageExpirySeconds;
    copy.packetId = this.packetId;
    const { size } = this;
    if (size >= LARGE_BYTES && this.#standsAlone) {
      copy.#own(
        this.bytes,
        this.payloadStart - (size - this.payloadLength),
        this.payloadStart,
        this.end,
      );
      return copy;
    }
    const isSmall = size <= SHARED_SIZE_MAXIMUM;
    if (isSmall && blockAt + size > BLOCK_BYTES) {
      block = new Uint8Array(BLOCK_BYTES);
      blockAt = 0;
    }
    const bytes = isSmall ? block : new Uint8Array(size);
    const start = isSmall ? blockAt : 0;
    const middle = copyBytes(
      bytes,
      start,
      this.propertyBytes,
      this.propertiesStart,
      this.propertiesEnd,
    );
    const end = copyBytes(bytes, middle, this.bytes, this.payloadStart, this.end);
    if (isSmall) blockAt = end;
    copy.#own(bytes, start, middle, end);
    return copy;
  }

  /** It is nearly all of bytes that nobody else changes, its properties right before its payload. */
  get #standsAlone(): boolean {
    const isWhole = this.propertiesStart === this.propertiesEnd ||
      this.propertyBytes === this.bytes && this.propertiesEnd === this.payloadStart;
    return this.owned && isWhole && this.bytes.length - this.size < this.size / 8;
  }

  /** Moves a copy that shares a block into bytes of its own, so that it does not hold the block. */
  detach(): void {
    const { propertiesStart: start, propertiesEnd: middle, end } = this;
    const sharesAny = this.#shares(BLOCK_BYTES, SHARED_SIZE_MAXIMUM) ||
      this.#shares(WAITING_BLOCK_BYTES, WAITING_SIZE_MAXIMUM);
    if (sharesAny) this.#own(this.bytes.slice(start, end), 0, middle - start, end - start);
  }

  /**
   * The same for one that waits in a queue, often with many others: small ones move to a small block,
   * since a buffer of their own would weigh more than they do, and cost more than all else about them.
   */
  detachToWait(): void {
    const { propertiesStart: start, propertiesEnd: middle, end } = this;
    const size = end - start;
    if (!this.#shares(BLOCK_BYTES, SHARED_SIZE_MAXIMUM)) return;
    if (size > WAITING_SIZE_MAXIMUM) return this.detach();
    if (waitingAt + size > WAITING_BLOCK_BYTES) {
      waitingBlock = new Uint8Array(WAITING_BLOCK_BYTES);
      waitingAt = 0;
    }
    const to = waitingAt;
    waitingAt = copyBytes(waitingBlock, to, this.bytes, start, end);
    this.#own(waitingBlock, to, to + middle - start, waitingAt);
  }

  /** No buffer of a message's own is that much larger than the message. */
  #shares(blockBytes: number, sizeMaximum: number): boolean {
    return this.bytes.length === blockBytes && this.end - this.propertiesStart <= sizeMaximum;
  }

  /** Properties and payload stand behind one another in bytes that stay. */
  #own(bytes: Uint8Array, start: number, middle: number, end: number) {
    this.bytes = this.propertyBytes = bytes;
    this.propertiesStart = start;
    this.propertiesEnd = this.payloadStart = middle;
    this.end = end;
    this.version = 5;
    this.owned = true;
  }
}

/** From here on a message that came in bytes of its own stays in them. */
const LARGE_BYTES = 16_384;
/** Copies up to this size share blocks. */
const SHARED_SIZE_MAXIMUM = 1024;
const BLOCK_BYTES = 16_384;
let block = new Uint8Array(BLOCK_BYTES);
let blockAt = 0;
/** What waits for long may hold a block whose other messages are long gone: it is small for that. */
const WAITING_SIZE_MAXIMUM = 256;
const WAITING_BLOCK_BYTES = 2048;
let waitingBlock = new Uint8Array(WAITING_BLOCK_BYTES);
let waitingAt = 0;

/** The list without Topic Alias, Message Expiry and Will Delay Interval, order kept. */
export function forwardedProperties(bytes: Uint8Array, properties: Properties): Uint8Array {
  const cuts = [
    [properties.expiryAt, MESSAGE_EXPIRY_BYTES],
    [properties.aliasAt, TOPIC_ALIAS_BYTES],
    [properties.willDelayAt, WILL_DELAY_BYTES],
  ].filter(([at]) => at >= 0).sort((a, b) => a[0] - b[0]);
  const kept = new Uint8Array(
    properties.end - properties.start - cuts.reduce((sum, [, length]) => sum + length, 0),
  );
  let from = properties.start, at = 0;
  for (const [cutAt, length] of cuts) {
    at = copyBytes(kept, at, bytes, from, cutAt);
    from = cutAt + length;
  }
  copyBytes(kept, at, bytes, from, properties.end);
  return kept;
}
