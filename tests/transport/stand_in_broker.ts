import assert from "node:assert/strict";
import type { Broker } from "../../src/broker/broker.ts";
import { newCounters, newSentCounters } from "../../src/broker/counters.ts";
import type { Link, ListenerSettings } from "../../src/session/ports.ts";
import type { Endpoint } from "../../src/transport/stream_link.ts";
import { Outbox } from "../../src/wire/outbox.ts";
import { within } from "../support/broker_process.ts";
import { concat } from "../support/packets.ts";
import { defaultSettings } from "../support/world.ts";

/** What a transport needs of a broker; its connections keep whatever comes. */
export class StandInBroker {
  settings = defaultSettings;
  readonly counters = newCounters();
  readonly connections = new Set<StandInConnection>();
  /** Every connection that came, in order. */
  readonly accepted: StandInConnection[] = [];
  readonly listeners: ListenerSettings[] = [];
  /** What of their time for CONNECT they had spent on handshakes. */
  readonly elapsedMs: number[] = [];
  readonly lines: string[] = [];
  readonly faults: string[] = [];
  #onAccept: () => void = () => {};

  /** This, as a transport takes it. */
  get broker(): Broker {
    return this as unknown as Broker;
  }

  accept(link: Link, listener: ListenerSettings, elapsedMs: number): StandInConnection {
    const connection = new StandInConnection(link, () => this.connections.delete(connection));
    this.connections.add(connection);
    this.accepted.push(connection);
    this.listeners.push(listener);
    this.elapsedMs.push(elapsedMs);
    this.#onAccept();
    return connection;
  }

  /** The connection of that number, once it has come. */
  async connection(index: number): Promise<StandInConnection> {
    while (this.accepted.length <= index) {
      const came = new Promise<void>((resolve) => this.#onAccept = resolve);
      await within(came, () => `connection ${index} did not come`);
    }
    return this.accepted[index];
  }

  log(type: string, text: string): void {
    this.lines.push(`${type}: ${text}`);
  }

  logs(): boolean {
    return true;
  }

  fault(error: unknown, doing: string): void {
    this.faults.push(`${doing}: ${error}`);
  }
}

/** The core's end of a connection. */
export class StandInConnection implements Endpoint {
  readonly link: Link;
  readonly outbox: Outbox;
  /** What each end of the peer was called; there is to be one. */
  readonly endings: (string | undefined)[] = [];
  drains = 0;
  /** Whether a CONNECT was accepted, and whether all is over: as the test says. */
  isConnected = false;
  isClosed = false;
  /** Handles a chunk in place of keeping it. */
  onReceive: ((chunk: Uint8Array) => void) | null = null;
  /** Bytes that came. */
  length = 0;
  readonly #chunks: Uint8Array[] = [];
  readonly #ended: () => void;
  #onChange: () => void = () => {};

  constructor(link: Link, ended: () => void = () => {}) {
    this.link = link;
    this.#ended = ended;
    this.outbox = new Outbox({
      touched: (outbox) =>
        queueMicrotask(() => {
          outbox.isTouched = false;
          link.flush();
        }),
      borrowed: () => {},
      sent: newSentCounters(),
    });
  }

  get received(): Uint8Array {
    return concat(...this.#chunks);
  }

  /** Lengths of what came, chunk by chunk. */
  get chunkLengths(): number[] {
    return this.#chunks.map(({ length }) => length);
  }

  receive(chunk: Uint8Array, length: number): void {
    assert.deepEqual(this.endings, [], "nothing comes after the end");
    // The buffer is the link's to use again.
    const bytes = chunk.slice(0, length);
    this.#chunks.push(bytes);
    this.length += length;
    this.onReceive?.(bytes);
    this.#onChange();
  }

  /** As the core does: when the peer is gone, so is the connection. */
  peerEnded(text?: string): void {
    this.endings.push(text);
    this.end();
    this.#onChange();
  }

  drained(): void {
    this.drains++;
    this.#onChange();
  }

  /** Sends at the end of the turn. */
  send(...packets: Uint8Array[]): void {
    for (const packet of packets) this.outbox.packet(packet);
  }

  /** The core is done with it. */
  end(): void {
    this.isClosed = true;
    this.#ended();
    this.link.end();
  }

  /** Waits until something holds that this connection is told of. */
  async until(holds: () => boolean, what: string): Promise<void> {
    while (!holds()) {
      const changed = new Promise<void>((resolve) => this.#onChange = resolve);
      await within(changed, () => `not seen: ${what}`);
    }
  }

  async untilReceived(length: number): Promise<void> {
    await this.until(() => this.length >= length, `${length} bytes`);
  }
}
