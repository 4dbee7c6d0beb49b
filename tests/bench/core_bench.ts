/**
 * What a message costs in the core, without sockets and disk: nanoseconds for each PUBLISH that comes in,
 * deliveries and acknowledgements included. And how long a full store takes to be read.
 * @module
 */
import { Broker } from "../../src/broker/broker.ts";
import type { Connection } from "../../src/session/connection.ts";
import type { Link } from "../../src/session/ports.ts";
import { LmdbStore } from "../../src/store/lmdb_store.ts";
import type { Durability } from "../../src/store/journal.ts";
import { MemoryStore } from "../../src/store/memory_store.ts";
import type { Store } from "../../src/store/store.ts";
import { hookAccess } from "../support/access.ts";
import { connect, publish, subscribe, type Version } from "../support/packets.ts";
import { defaultListener, defaultSettings } from "../support/world.ts";

const CHUNK_BYTES = 65_536;
const ROUNDS = 7;

/** A broker whose turns end when they are told to. */
class Bench {
  readonly broker: Broker;
  #ends: (() => void)[] = [];

  constructor(store: Store, durability: Durability) {
    this.broker = new Broker(
      { ...defaultSettings, maxInflightMessages: 0, maxQueuedMessages: 0, maxUnsentBytes: 1 << 30 },
      {
        clock: { monotonicMs: () => Math.floor(performance.now()), wallMs: () => Date.now() },
        store,
        journal: {
          durability,
          autosaveIntervalSeconds: 0,
          autosaveOnChanges: false,
          onFatal: (error) => {
            throw error;
          },
          log: (line) => console.error(line),
        },
        access: hookAccess({}, true, (error) => {
          throw error;
        }),
        endOfTurn: (run) => void this.#ends.push(run),
        nextTurn: (run) => void this.#ends.push(run),
        wakeAt: () => {},
        random: () => 1,
        randomUuid: () => crypto.randomUUID(),
        heapBytes: () => 0,
        log: () => {},
        logs: () => false,
        observer: null,
        version: "bench",
      },
    );
  }

  run(): void {
    for (let ends = this.#ends; ends.length > 0; ends = this.#ends) {
      this.#ends = [];
      for (const end of ends) end();
    }
  }

  client(version: Version, clientId: string, clean = true): BenchClient {
    const client = new BenchClient(this);
    client.send(connect(version, { clientId, clean }));
    client.taken = [];
    return client;
  }
}

/** Takes what is written, or throws it away. */
class BenchClient implements Link {
  readonly remoteAddress = "bench";
  readonly peer = null;
  readonly connection: Connection;
  readonly #bench: Bench;
  taken: Uint8Array[] = [];
  keeps = false;

  constructor(bench: Bench) {
    this.#bench = bench;
    this.connection = bench.broker.accept(this, defaultListener);
  }

  send(bytes: Uint8Array): void {
    this.connection.receive(bytes, bytes.length);
    this.#bench.run();
  }

  flush(): void {
    const { outbox } = this.connection;
    for (let part = outbox.take(); part !== null; part = outbox.take()) {
      if (this.keeps) this.taken.push(part.slice());
      outbox.written();
    }
  }

  end(): void {}
  destroy(): void {}
  pause(): void {}
  resume(): void {}
}

/** As many copies of a packet as fit into a chunk, with ascending identifiers where it has one. */
function chunkOf(packet: Uint8Array, idAt: number): { chunk: Uint8Array; count: number } {
  const count = Math.floor(CHUNK_BYTES / packet.length);
  const chunk = new Uint8Array(count * packet.length);
  for (let index = 0; index < count; index++) {
    chunk.set(packet, index * packet.length);
    if (idAt === 0) continue;
    chunk[index * packet.length + idAt] = index + 1 >> 8;
    chunk[index * packet.length + idAt + 1] = index + 1;
  }
  return { chunk, count };
}

/** The acknowledgements of a type for identifiers `first` … `first + count - 1`. */
function acks(firstByte: number, first: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count * 4);
  for (let index = 0; index < count; index++) {
    const id = (first + index - 1) % 0xffff + 1;
    bytes.set([firstByte, 2, id >> 8, id & 0xff], index * 4);
  }
  return bytes;
}

interface Case {
  name: string;
  version?: Version;
  qos: number;
  receivers: number;
  /** Receivers' sessions are lasting, so that the journal keeps the messages. */
  lasting?: boolean;
}

function measure({ name, version = 4, qos, receivers, lasting = false }: Case): void {
  const bench = new Bench(new MemoryStore(), lasting ? "async" : "none");
  const subscribers = Array.from({ length: receivers }, (_, index) => {
    const client = bench.client(version, `s${index}`, !lasting);
    client.send(subscribe(version, { filters: [["bench/topic", qos]] }));
    return client;
  });
  const publisher = bench.client(version, "p");
  const packet = publish(version, { topic: "bench/topic", payload: "x".repeat(64), qos });
  // Topic length, topic, identifier behind a fixed header of two bytes.
  const { chunk, count } = chunkOf(packet, qos === 0 ? 0 : 4 + "bench/topic".length);
  const releases = acks(0x62, 1, count);
  let outgoingId = 1;
  const once = () => {
    publisher.send(chunk);
    if (qos === 2) publisher.send(releases);
    if (qos === 0) return;
    for (const subscriber of subscribers) {
      if (qos === 1) subscriber.send(acks(0x40, outgoingId, count));
      else {
        subscriber.send(acks(0x50, outgoingId, count));
        subscriber.send(acks(0x70, outgoingId, count));
      }
    }
    outgoingId = (outgoingId + count - 1) % 0xffff + 1;
  };
  const repeats = Math.max(10, Math.round(200 / receivers));
  for (let index = 0; index < repeats; index++) once();
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const startedAtMs = performance.now();
    for (let index = 0; index < repeats; index++) once();
    best = Math.min(best, (performance.now() - startedAtMs) * 1e6 / (repeats * count));
  }
  const perDelivery = receivers > 1 ? `${(best / receivers).toFixed(0)}` : "";
  console.log(`| ${name} | ${best.toFixed(0)} | ${perDelivery} |`);
}

/** Fills a store with 100,000 retained messages and 1,000 sessions of 100 queued ones; reads it back. */
async function measureRestore(): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const open = () => LmdbStore.open({ directory: `${directory}/store`, minimumFreeBytes: 0 });
    const bench = new Bench(await open(), "sync");
    bench.broker.restore();
    const publisher = bench.client(4, "publisher");
    for (let index = 0; index < 100_000; index++) {
      bench.broker.publishMessage({
        topic: `retained/${index % 100}/${index}`,
        payload: new Uint8Array(64),
        retain: true,
      });
      if (index % 5000 === 0) bench.run();
    }
    for (let index = 0; index < 1000; index++) {
      const client = bench.client(4, `client ${index}`, false);
      client.send(subscribe(4, { filters: [[`queue/${index}`, 1]] }));
      client.connection.peerEnded();
      const packet = publish(4, { topic: `queue/${index}`, payload: "x".repeat(64), qos: 1 });
      publisher.send(chunkOf(packet, 0).chunk.subarray(0, packet.length * 100));
    }
    bench.run();
    await bench.broker.journal.close();

    const startedAtMs = performance.now();
    const again = new Bench(await open(), "sync");
    const found = again.broker.restore();
    const tookMs = performance.now() - startedAtMs;
    console.log(
      `\nRestoring ${found.retained.toLocaleString("en")} retained messages and ` +
        `${found.sessions.toLocaleString("en")} sessions with ${
          found.entries.toLocaleString("en")
        } ` +
        `queued messages, opening included: ${tookMs.toFixed(0)} ms`,
    );
    await again.broker.journal.close();
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Prints the table of costs, and the time a restore takes. */
export async function measureCore(): Promise<void> {
  console.log("| in the core, 64-byte payloads | ns per PUBLISH in | ns per delivery |");
  console.log("| --- | --: | --: |");
  measure({ name: "QoS 0, 1 → 1", qos: 0, receivers: 1 });
  measure({ name: "QoS 0, 1 → 50", qos: 0, receivers: 50 });
  measure({ name: "QoS 0, 1 → 1, MQTT 5", version: 5, qos: 0, receivers: 1 });
  measure({ name: "QoS 1, 1 → 1", qos: 1, receivers: 1 });
  measure({ name: "QoS 1, 1 → 50", qos: 1, receivers: 50 });
  measure({ name: "QoS 2, 1 → 1", qos: 2, receivers: 1 });
  measure({ name: "QoS 1, 1 → 1, lasting session", qos: 1, receivers: 1, lasting: true });
  await measureRestore();
}

if (import.meta.main) await measureCore();
