/** A bridge in a world of its own: remote brokers that do what the test says. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import mqttPacket from "mqtt-packet";
import { Bridges } from "../../src/bridge/bridges.ts";
import type { Attempt } from "../../src/bridge/links.ts";
import { addressText, type BridgeSettings, type BridgeTopic } from "../../src/bridge/settings.ts";
import type { Link, Peer } from "../../src/session/ports.ts";
import type { Endpoint } from "../../src/transport/stream_link.ts";
import * as packets from "../support/packets.ts";
import { World, type WorldOptions } from "../support/world.ts";

export const defaultBridge: BridgeSettings = {
  name: "b",
  place: { file: "test.conf", line: 1 },
  addresses: [{ host: "remote", port: 1883 }],
  topics: [topic("#", "both", 2)],
  remoteClientId: "host.b",
  localClientId: "local.host.b",
  remoteUsername: "",
  remotePassword: "",
  localUsername: "",
  cleanSession: false,
  localCleanSession: false,
  keepaliveSeconds: 60,
  qos1Inflight: null,
  notifications: false,
  notificationsLocalOnly: false,
  notificationTopic: "$SYS/broker/connection/host.b/state",
  startType: "automatic",
  idleTimeoutSeconds: 60,
  threshold: 10,
  backoff: { baseSeconds: 5, capSeconds: 5, stableSeconds: 0 },
  roundRobin: false,
  tryPrivate: true,
  protocolVersion: 4,
  attemptUnsubscribe: true,
  outgoingRetain: true,
  maxPacketSize: 0,
  maxTopicAlias: 10,
  receiveMaximum: 0,
  sessionExpirySeconds: 0,
  bindAddress: "",
  tcpKeepalive: null,
  tcpUserTimeoutMs: -1,
  reloadType: "lazy",
  tls: null,
};

export function topic(
  pattern: string,
  direction: BridgeTopic["direction"] = "out",
  qos: BridgeTopic["qos"] = 0,
  localPrefix = "",
  remotePrefix = "",
): BridgeTopic {
  return { pattern, direction, qos, localPrefix, remotePrefix };
}

export interface BridgeWorldOptions extends WorldOptions {
  bridge?: Partial<BridgeSettings>;
  /** Drawn one after the other, then 0. */
  chances?: number[];
}

/** One broker with one bridge, and whatever it connects to. */
export class BridgeWorld extends World {
  readonly bridges: Bridges;
  settings: BridgeSettings;
  /** Attempts that wait for an answer, the oldest first. */
  readonly attempts: { address: string; attempt: Attempt }[] = [];
  readonly probes: { address: string; answer: (reachable: boolean) => void }[] = [];

  constructor(options: BridgeWorldOptions = {}) {
    super(options);
    this.settings = { ...defaultBridge, ...options.bridge };
    const chances = [...options.chances ?? []];
    this.bridges = new Bridges({
      broker: this.broker,
      links: {
        open: (address, _settings, attempt) =>
          this.#wait(this.attempts, { address: addressText(address), attempt }),
        probe: (address, _settings, answer) =>
          this.#wait(this.probes, { address: addressText(address), answer }),
      },
      chance: () => chances.shift() ?? 0,
    });
    this.bridges.apply([this.settings]);
    this.run();
  }

  get status() {
    return this.bridges.all[0].status();
  }

  /** Takes other settings, as a reload does. */
  reload(change: Partial<BridgeSettings>): void {
    this.settings = { ...this.settings, ...change };
    this.bridges.apply([this.settings]);
    this.run();
  }

  /** Accepts the attempt that waits; the CONNECT is in `remote.connect`. */
  accept(): FakeRemote {
    const waiting = this.attempts.shift();
    assert.ok(waiting, "the bridge should be connecting");
    const remote = new FakeRemote(this, waiting.address);
    remote.endpoint = waiting.attempt.opened(remote);
    this.run();
    const [connect, ...others] = remote.receive();
    assert.equal(connect?.cmd, "connect");
    assert.deepEqual(others, []);
    remote.connect = connect;
    return remote;
  }

  /** Accepts the attempt that waits, and answers it; what came after the CONNACK is there to receive. */
  connected(connack: ConnackFields = {}): FakeRemote {
    const remote = this.accept();
    remote.accept(connack);
    return remote;
  }

  refuse(text = "Connection refused"): void {
    const waiting = this.attempts.shift();
    assert.ok(waiting, "the bridge should be connecting");
    waiting.attempt.failed(text);
    this.run();
  }

  get lastLine(): string {
    return this.log.at(-1) ?? "";
  }

  /** Something waits for an answer until it is given up. */
  #wait<T>(list: T[], waiting: T): () => void {
    list.push(waiting);
    return () => {
      const index = list.indexOf(waiting);
      if (index >= 0) list.splice(index, 1);
    };
  }
}

export interface ConnackFields {
  reason?: number;
  sessionPresent?: boolean;
  properties?: packets.Part;
  /** Answers in this version whatever was asked. */
  version?: 4 | 5;
}

// deno-lint-ignore no-explicit-any
type Packet = any;

/** A remote broker's end of a connection: it answers only what it is told to. */
export class FakeRemote implements Link {
  readonly peer: Peer | null = null;
  readonly remoteAddress: string;
  readonly world: World;
  connect: Packet = null;
  isClosed = false;
  isPaused = false;
  endpoint!: Endpoint;
  version: 3 | 4 | 5 = 4;
  readonly #parser = mqttPacket.parser();
  #received: Packet[] = [];

  constructor(world: World, address: string) {
    this.world = world;
    this.remoteAddress = address;
    this.#parser.on("packet", (packet: Packet) => {
      if (packet.cmd === "connect") this.version = packet.protocolVersion;
      this.#received.push(packet);
    });
    this.#parser.on("error", (error: Error) => {
      throw error;
    });
  }

  accept(fields: ConnackFields = {}): this {
    const { reason = 0, sessionPresent = false, properties = [] } = fields;
    const version = fields.version ?? this.version;
    const list = packets.concat(properties);
    const tail = version === 5 ? [packets.varint(list.length), list] : [];
    return this.send(packets.packet(0x20, [sessionPresent ? 1 : 0, reason, ...tail]));
  }

  send(...parts: Uint8Array[]): this {
    const chunk = packets.concat(...parts);
    this.endpoint.receive(chunk, chunk.length);
    this.world.run();
    return this;
  }

  publish(fields: packets.PublishFields): this {
    return this.send(packets.publish(this.version, fields));
  }

  ack(type: "puback" | "pubrec" | "pubrel" | "pubcomp", packetId: number, reason?: number): this {
    return this.send(packets.ack(type, packetId, reason === undefined ? {} : { reason }));
  }

  suback(packetId: number, reason: number): this {
    const body = [packets.u16(packetId), this.version === 5 ? 0 : [], reason];
    return this.send(packets.packet(0x90, body));
  }

  /** All packets since the last call. */
  receive(): Packet[] {
    return this.#received.splice(0);
  }

  /** The packets of one type since the last call of any receiving method. */
  receiveOf(cmd: string): Packet[] {
    return this.receive().filter((packet: Packet) => packet.cmd === cmd);
  }

  /** Topic and payload of each PUBLISH since the last call of any receiving method. */
  messages(): string[] {
    return this.receiveOf("publish").map(({ topic, payload }) => `${topic} ${payload}`);
  }

  /** The connection breaks. */
  vanish(text?: string): void {
    this.endpoint.peerEnded(text);
    this.isClosed = true;
    this.world.run();
  }

  // Link

  flush(): void {
    const { outbox } = this.endpoint;
    for (let part = outbox.take(); part !== null; part = outbox.take()) {
      this.#parser.parse(Buffer.from(part));
      outbox.written();
      this.endpoint.drained();
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
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }
}
