/**
 * A broker in a world of its own, for tests: a clock that stands still until it is told to go on,
 * sockets that are arrays, chance that repeats itself, a store that may fail.
 * @module
 */
import assert from "node:assert/strict";
import { hookAccess } from "./access.ts";
import { Broker } from "../../src/broker/broker.ts";
import type { Observer, Ports } from "../../src/broker/ports.ts";
import type { LogType } from "../../src/log.ts";
import type { Connection } from "../../src/session/connection.ts";
import type { Access, Link, ListenerSettings, Peer, Settings } from "../../src/session/ports.ts";
import type { Durability } from "../../src/store/journal.ts";
import { MemoryStore } from "../../src/store/memory_store.ts";
import type { Store } from "../../src/store/store.ts";
import { decodePackets, type ServerPacket } from "./packet_decoder.ts";
import * as packets from "./packets.ts";

export const defaultSettings: Settings = {
  maxInflightMessages: 20,
  maxInflightBytes: 0,
  maxQueuedMessages: 1000,
  maxQueuedBytes: 0,
  longQueue: { messages: 250, bytes: Infinity },
  queueQos0Messages: false,
  upgradeOutgoingQos: false,
  allowDuplicateMessages: false,
  maxPacketSize: 2_000_000,
  maxKeepalive: 0,
  messageSizeLimit: 0,
  retainAvailable: true,
  maxUnsentBytes: 4_194_304,
  maxUnreleasedBytes: 16_777_216,
  strictReceiveMaximum: false,
  maxSubscriptionsPerClient: 100_000,
  maxRetainedMessages: 0,
  persistentClientExpiration: 0,
  connectTimeoutSeconds: 30,
  globalMaxClients: 0,
  memoryLimit: 0,
  clientidPrefix: "",
  clientRate: { messages: 0, bytes: 0 },
  userRate: { messages: 0, bytes: 0 },
  loginFailuresPerMinute: 0,
  checkRetainSource: false,
  connectionMessages: true,
  sysInterval: 0,
  retainExpiryInterval: 0,
};

export const defaultListener: ListenerSettings = {
  number: 0,
  port: 1883,
  maxQos: 2,
  maxTopicAlias: 10,
  maxTopicAliasBroker: 10,
  acceptProtocolVersions: [3, 4, 5],
  allowZeroLengthClientid: true,
  autoIdPrefix: "auto-",
  userNameFrom: "connect",
  useUsernameAsClientid: false,
  mountPoint: "",
  rate: { messages: 0, bytes: 0 },
};

export interface WorldOptions {
  settings?: Partial<Settings>;
  listener?: Partial<ListenerSettings>;
  /** With a durability other than none, `settle` of the store decides when acknowledgements go. */
  store?: Store;
  durability?: Durability;
  /** Of the durability `autosave`. Default 1800. */
  autosaveSeconds?: number;
  access?: Access;
  observer?: Observer;
  /** Lines of the type debug are logged as well. */
  debug?: boolean;
  /** Monotonic and wall clock at the start, in milliseconds. */
  startMs?: number;
  wallMs?: number;
}

/** One broker, its clock and its clients. */
export class World {
  readonly broker: Broker;
  readonly log: string[] = [];
  readonly fatal: Error[] = [];
  readonly listener: ListenerSettings;
  /** What is left to a later turn waits for {@linkcode runNextTurns}: much may happen before it. */
  holdsNextTurns = false;
  nowMs: number;
  wallMs: number;
  #wakeAtMs = Infinity;
  #turnEnds: (() => void)[] = [];
  #nextTurns: (() => void)[] = [];
  #random = 1;
  #uuids = 0;

  constructor(options: WorldOptions = {}) {
    this.nowMs = options.startMs ?? 1_000_000;
    this.wallMs = options.wallMs ?? Date.UTC(2026, 0, 1);
    this.listener = { ...defaultListener, ...options.listener };
    const ports: Ports = {
      clock: { monotonicMs: () => this.nowMs, wallMs: () => this.wallMs },
      store: options.store ?? new MemoryStore(),
      journal: {
        durability: options.durability ?? "none",
        autosaveIntervalSeconds: options.autosaveSeconds ?? 1800,
        autosaveOnChanges: false,
        onFatal: (error) => void this.fatal.push(error),
        log: (line) => void this.log.push(line),
      },
      access: options.access ??
        hookAccess({}, true, (error) => {
          throw error;
        }),
      endOfTurn: (run) => void this.#turnEnds.push(run),
      nextTurn: (run) => void this.#nextTurns.push(run),
      wakeAt: (atMs) => void (this.#wakeAtMs = atMs),
      random: () => this.#random = Math.imul(this.#random, 1_103_515_245) + 12_345 | 0,
      randomUuid: () => `00000000-0000-4000-8000-${String(++this.#uuids).padStart(12, "0")}`,
      heapBytes: () => 1_000_000,
      log: (_type: LogType, text) => void this.log.push(text),
      logs: (type) => type !== "debug" || options.debug === true,
      observer: options.observer ?? null,
      version: "sabethes version test",
    };
    this.broker = new Broker({ ...defaultSettings, ...options.settings }, ports);
    this.broker.restore();
    this.broker.start();
    this.run();
  }

  /** Ends turns until nothing is left to do at this time, or, while they are held, in this turn. */
  run(): void {
    for (;;) {
      const ends = this.#turnEnds.splice(0);
      const next = ends.length > 0 || this.holdsNextTurns ? ends : this.#nextTurns.splice(0);
      if (next.length === 0) return;
      for (const act of next) act();
    }
  }

  /** What was left to a later turn is done, although they are held. */
  runNextTurns(): void {
    for (const act of this.#nextTurns.splice(0)) act();
    this.run();
  }

  /** Does something in a later turn. */
  later(act: () => void): void {
    this.#nextTurns.push(act);
  }

  /** Lets promises of the store and of hooks come to an end, then ends the turns they began. */
  async settle(): Promise<void> {
    for (let round = 0; round < 20; round++) {
      await Promise.resolve();
      this.run();
    }
  }

  /** Time passes; what is due on the way happens when it is due. */
  advanceSeconds(seconds: number): void {
    this.advanceMs(seconds * 1000);
  }

  advanceMs(ms: number): void {
    const endMs = this.nowMs + ms;
    while (this.#wakeAtMs <= endMs) {
      const passedMs = Math.max(0, this.#wakeAtMs - this.nowMs);
      this.nowMs += passedMs;
      this.wallMs += passedMs;
      this.#wakeAtMs = Infinity;
      this.broker.wake();
      this.run();
    }
    this.wallMs += endMs - this.nowMs;
    this.nowMs = endMs;
  }

  /** A socket, before CONNECT. */
  open(version: packets.Version = 5, listener: ListenerSettings = this.listener): FakeClient {
    const client = new FakeClient(this, version, listener);
    this.run();
    return client;
  }

  /** A client whose CONNECT was accepted; its CONNACK is in `connack`. */
  connect(
    version: packets.Version,
    fields: packets.ConnectFields = {},
    listener: ListenerSettings = this.listener,
  ): FakeClient {
    const client = this.open(version, listener);
    client.send(packets.connect(version, fields));
    const [connack] = client.receive();
    assert.equal(connack?.type, "connack", "a CONNACK was expected");
    assert.equal(connack.reason, 0, "the CONNECT was refused");
    client.connack = connack;
    return client;
  }
}

/** A client and its socket: what it sends is handled at once, what the broker writes is kept. */
export class FakeClient implements Link {
  readonly world: World;
  readonly version: packets.Version;
  readonly connection: Connection;
  readonly remoteAddress = "127.0.0.1:50000";
  /** What a handshake would have learnt. */
  peer: Peer | null = null;
  connack: ServerPacket | null = null;
  /** The client takes nothing: the broker's writes do not end. */
  isStuck = false;
  /** The broker has closed its side. */
  isClosed = false;
  #isPaused = false;
  #received: number[] = [];
  #waiting: Uint8Array[] = [];

  constructor(world: World, version: packets.Version, listener: ListenerSettings) {
    this.world = world;
    this.version = version;
    this.connection = world.broker.accept(this, listener);
  }

  /** The broker does not read at the moment. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** What is sent now is read later: the broker does not read, or has not yet read what came before. */
  get isBehind(): boolean {
    return this.#isPaused || this.#waiting.length > 0;
  }

  /** Sends bytes in one chunk and ends the turn. */
  send(...parts: Uint8Array[]): this {
    const chunk = packets.concat(...parts);
    if (this.#isPaused || this.#waiting.length > 0) this.#waiting.push(chunk);
    else this.connection.receive(chunk, chunk.length);
    this.world.run();
    return this;
  }

  /** Sends each byte in a chunk of its own. */
  sendByteByByte(bytes: Uint8Array): this {
    for (const byte of bytes) this.send(Uint8Array.of(byte));
    return this;
  }

  /** All whole packets that came since the last call. */
  receive(): ServerPacket[] {
    const { packets: found, rest } = decodePackets(
      Uint8Array.from(this.#received),
      this.version,
    );
    this.#received = [...rest];
    return found;
  }

  /** The bytes that came since the last call. */
  receiveBytes(): Uint8Array {
    return Uint8Array.from(this.#received.splice(0));
  }

  /** The packets of one type that came since the last call of any receiving method. */
  receiveOf(type: ServerPacket["type"]): ServerPacket[] {
    return this.receive().filter((packet) => packet.type === type);
  }

  /** The only packet that came, which is of this type. */
  expect(type: ServerPacket["type"]): ServerPacket {
    const found = this.receive();
    assert.deepEqual(found.map((packet) => packet.type), [type]);
    return found[0];
  }

  expectNothing(): void {
    assert.deepEqual(this.receive().map((packet) => packet.type), []);
  }

  expectClosed(): void {
    assert.ok(this.isClosed, "the connection should be closed");
  }

  expectOpen(): void {
    assert.ok(!this.isClosed, "the connection should be open");
  }

  /** The socket is gone without a DISCONNECT. */
  vanish(): void {
    this.connection.peerEnded();
    this.isClosed = true;
    this.world.run();
  }

  subscribe(
    filter: string,
    options: number = 0,
    fields: Partial<packets.SubscribeFields> = {},
  ): ServerPacket {
    this.send(
      packets.subscribe(this.version, { packetId: 1, filters: [[filter, options]], ...fields }),
    );
    const [suback] = this.receive();
    assert.equal(suback?.type, "suback");
    return suback;
  }

  publish(fields: packets.PublishFields): this {
    return this.send(packets.publish(this.version, fields));
  }

  // Link

  flush(): void {
    if (this.isStuck) return;
    const { outbox } = this.connection;
    for (let part = outbox.take(); part !== null; part = outbox.take()) {
      for (const byte of part) this.#received.push(byte);
      outbox.written();
      this.connection.drained();
    }
  }

  end(): void {
    this.flush();
    this.isClosed = true;
  }

  destroy(): void {
    this.isClosed = true;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    // As with a socket: what waited is read in a turn of its own.
    this.world.later(() => {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const chunk of waiting) {
        if (this.#isPaused) this.#waiting.push(chunk);
        else this.connection.receive(chunk, chunk.length);
      }
    });
  }

  /** A slow client takes what one write brings, and no more. False: nothing waits. */
  takeOneWrite(): boolean {
    const { outbox } = this.connection;
    const part = outbox.take();
    if (part === null) return false;
    for (const byte of part) this.#received.push(byte);
    outbox.written();
    this.connection.drained();
    this.world.run();
    return true;
  }

  /** The client reads again. */
  unstick(): void {
    this.isStuck = false;
    this.flush();
    this.world.run();
  }
}
