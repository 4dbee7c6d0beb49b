import { concat, publish, type Version } from "../support/packets.ts";
import { type LoadAddress, type LoadStream, openLoadStream } from "./load_stream.ts";

/** Publishes are appended up to this many bytes before they are written. */
const batchBytes = 65_536;

/** What all clients of a run count together, so that its end can be seen in one place. */
export class Tally {
  sent = 0;
  acknowledged = 0;
  received = 0;
  ready = 0;
  closed = 0;
  /** When the last message or acknowledgement came, in ms of `performance.now()`. */
  lastArrivalMs = 0;
  latencyCount = 0;
  readonly #latenciesMs = new Float64Array(2_000_000);

  /** Remembers the latency of a message; beyond two million they are only counted. */
  addLatency(latencyMs: number): void {
    if (this.latencyCount < this.#latenciesMs.length) {
      this.#latenciesMs[this.latencyCount] = latencyMs;
    }
    this.latencyCount++;
  }

  /** Those that were remembered, in rising order. */
  sortedLatenciesMs(): Float64Array {
    return this.#latenciesMs.slice(0, Math.min(this.latencyCount, this.#latenciesMs.length)).sort();
  }
}

/** What a publishing client sends. */
export interface Publishing {
  readonly topic: string;
  readonly messages: number;
  readonly payloadBytes: number;
  readonly qos: number;
  /** Unacknowledged messages at most, above QoS 0. */
  readonly window: number;
  /** 0: always the same topic; else it gets a last level that goes round so many numbers. */
  readonly topics: number;
}

/**
 * One raw connection. Packets are written into a batch, one write is in flight at a time; what comes
 * is counted where it lies in the read buffer and acknowledged as its QoS asks.
 */
export class LoadClient {
  readonly #connection: LoadStream;
  readonly #version: Version;
  readonly #tally: Tally;
  readonly #subscribe: Uint8Array | undefined;
  #batch = new Uint8Array(1024);
  #batchLength = 0;
  #spare = new Uint8Array(1024);
  #writing: Promise<void> | undefined;
  #ended = false;
  #whenReady!: () => void;
  #wake: (() => void) | undefined;
  #publishing: Publishing | undefined;
  #template: Uint8Array = new Uint8Array();
  #payloadOffset = 0;
  #sent = 0;
  #inFlight = 0;
  #packetId = 0;

  /** Settles when CONNACK, and SUBACK if it subscribes, have come, or the connection has ended. */
  readonly ready: Promise<void>;
  /** Settles when the connection has ended. */
  readonly done: Promise<void>;

  private constructor(
    connection: LoadStream,
    version: Version,
    tally: Tally,
    packets: { connect: Uint8Array; subscribe?: Uint8Array },
  ) {
    this.#connection = connection;
    this.#version = version;
    this.#tally = tally;
    this.#subscribe = packets.subscribe;
    this.ready = new Promise((resolve) => this.#whenReady = resolve);
    this.done = this.#receive();
    this.#append(packets.connect);
    this.flush();
  }

  /** Connects; SUBSCRIBE is sent once CONNACK has come. */
  static async open(
    address: LoadAddress,
    version: Version,
    tally: Tally,
    packets: { connect: Uint8Array; subscribe?: Uint8Array },
  ): Promise<LoadClient> {
    return new LoadClient(await openLoadStream(address), version, tally, packets);
  }

  /** Sets what is published: by `publishAll`, or one by one. */
  prepare(publishing: Publishing): void {
    this.#publishing = publishing;
    const topic = publishing.topic + (publishing.topics > 0 ? "/00000000" : "");
    const payload = new Uint8Array(publishing.payloadBytes).fill(0x78);
    this.#template = publish(this.#version, { topic, qos: publishing.qos, payload });
    this.#payloadOffset = this.#template.length - publishing.payloadBytes;
  }

  /** Publishes all messages as fast as the connection and the window let it. */
  async publishAll(): Promise<void> {
    while (!this.#ended && this.#sent < this.#publishing!.messages) {
      while (this.#batchLength < batchBytes && this.publishOne());
      if (this.#batchLength > 0) await this.flush();
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  /** Appends one message, unless the window is full, all are sent, or the connection has ended. */
  publishOne(): boolean {
    const { messages, qos, window, topics, payloadBytes } = this.#publishing!;
    if (this.#ended || this.#sent >= messages || (qos > 0 && this.#inFlight >= window)) {
      return false;
    }
    const start = this.#append(this.#template);
    const payload = start + this.#payloadOffset;
    const idEnd = payload - (this.#version === 5 ? 1 : 0);
    if (topics > 0) {
      const digits = String(this.#sent % topics).padStart(8, "0");
      const topicEnd = idEnd - (qos > 0 ? 2 : 0);
      for (let index = 0; index < 8; index++) {
        this.#batch[topicEnd - 8 + index] = digits.charCodeAt(index);
      }
    }
    if (qos > 0) {
      this.#packetId = this.#packetId % 65_535 + 1;
      this.#batch[idEnd - 2] = this.#packetId >> 8;
      this.#batch[idEnd - 1] = this.#packetId & 0xff;
      this.#inFlight++;
    }
    if (payloadBytes >= 8) {
      new DataView(this.#batch.buffer).setFloat64(payload, performance.now());
    }
    this.#sent++;
    this.#tally.sent++;
    return true;
  }

  /** Writes what was appended; settles when it has been handed to the system. */
  async flush(): Promise<void> {
    if (this.#batchLength > 0 && !this.#ended) this.#writing ??= this.#write();
    await this.#writing;
  }

  /** Ends the connection without DISCONNECT. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#connection.close();
    this.#whenReady();
    this.#wake?.();
  }

  #append(bytes: Uint8Array): number {
    const start = this.#batchLength;
    if (start + bytes.length > this.#batch.length) {
      const larger = new Uint8Array((start + bytes.length) * 2);
      larger.set(this.#batch.subarray(0, start));
      this.#batch = larger;
    }
    this.#batch.set(bytes, start);
    this.#batchLength += bytes.length;
    return start;
  }

  async #write(): Promise<void> {
    while (this.#batchLength > 0 && !this.#ended) {
      const bytes = this.#batch.subarray(0, this.#batchLength);
      [this.#batch, this.#spare] = [this.#spare, this.#batch];
      this.#batchLength = 0;
      try {
        for (let sent = 0; sent < bytes.length;) {
          sent += await this.#connection.write(bytes.subarray(sent));
        }
      } catch {
        this.#lose();
      }
    }
    // Here, not when the promise settles: what is appended in between would wait for ever.
    this.#writing = undefined;
  }

  async #receive(): Promise<void> {
    let buffer = new Uint8Array(512);
    let length = 0;
    while (!this.#ended) {
      let count: number | null;
      try {
        count = await this.#connection.read(buffer.subarray(length));
      } catch {
        count = null;
      }
      if (count === null) return this.#lose();
      length += count;
      const used = this.#takePackets(buffer, length);
      if (this.#batchLength > 0) this.flush();
      if (length === buffer.length && (used === 0 || buffer.length < 262_144)) {
        const larger = new Uint8Array(buffer.length * 2);
        larger.set(buffer.subarray(used, length));
        buffer = larger;
      } else {
        buffer.copyWithin(0, used, length);
      }
      length -= used;
    }
  }

  /** The broker, not the run, has ended the connection. */
  #lose(): void {
    if (this.#ended) return;
    this.#tally.closed++;
    this.close();
  }

  /** Handles the complete packets in the first `end` bytes and returns how many bytes they took. */
  #takePackets(buffer: Uint8Array, end: number): number {
    const now = performance.now();
    const view = new DataView(buffer.buffer);
    let start = 0;
    while (end - start >= 2) {
      let position = start + 1;
      let remaining = 0;
      for (let shift = 0;; shift += 7) {
        if (position >= end) return start;
        const byte = buffer[position++];
        remaining |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
      if (position + remaining > end) break;
      this.#handle(buffer, view, start, position, position + remaining, now);
      start = position + remaining;
    }
    return start;
  }

  #handle(
    buffer: Uint8Array,
    view: DataView,
    start: number,
    body: number,
    end: number,
    now: number,
  ): void {
    switch (buffer[start] >> 4) {
      case 2:
        if (buffer[body + 1] !== 0) return this.#lose();
        if (this.#subscribe === undefined) this.#becomeReady();
        else this.#append(this.#subscribe);
        return;
      case 9:
        return this.#becomeReady();
      case 3:
        return this.#take(buffer, view, start, body, end, now);
      case 4:
      case 7:
        this.#inFlight--;
        this.#tally.acknowledged++;
        this.#tally.lastArrivalMs = now;
        this.#wake?.();
        this.#wake = undefined;
        return;
      case 5:
        this.#acknowledge(0x62, buffer[body], buffer[body + 1]);
        return;
      case 6:
        this.#acknowledge(0x70, buffer[body], buffer[body + 1]);
        return;
    }
  }

  /** Counts a PUBLISH and answers it. */
  #take(
    buffer: Uint8Array,
    view: DataView,
    start: number,
    body: number,
    end: number,
    now: number,
  ): void {
    const qos = buffer[start] >> 1 & 3;
    const id = body + 2 + view.getUint16(body);
    let payload = qos > 0 ? id + 2 : id;
    if (this.#version === 5) {
      let properties = 0;
      for (let shift = 0;; shift += 7) {
        const byte = buffer[payload++];
        properties |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
      payload += properties;
    }
    this.#tally.received++;
    this.#tally.lastArrivalMs = now;
    if (end - payload >= 8) this.#tally.addLatency(now - view.getFloat64(payload));
    if (qos > 0) this.#acknowledge(qos === 1 ? 0x40 : 0x50, buffer[id], buffer[id + 1]);
  }

  #acknowledge(header: number, idHigh: number, idLow: number): void {
    this.#append(ackBytes(header, idHigh, idLow));
  }

  #becomeReady(): void {
    this.#tally.ready++;
    this.#whenReady();
  }
}

const acknowledgement = concat(0x40, 2, 0, 0);

/** The same four bytes each time: they are copied at once. */
function ackBytes(header: number, idHigh: number, idLow: number): Uint8Array {
  acknowledgement[0] = header;
  acknowledgement[2] = idHigh;
  acknowledgement[3] = idLow;
  return acknowledgement;
}
