import assert from "node:assert/strict";
import type { Durability } from "../../src/store/journal.ts";
import type { RecordChange, Store } from "../../src/store/store.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import { World } from "../support/world.ts";
import { Chance } from "./chance.ts";
import { type ConnectOptions, HonestClient } from "./honest_client.ts";
import { Ledger } from "./ledger.ts";
import { assertSame, readStore } from "./store_check.ts";

/** The store the simulated process works on, with the controls of a `FaultyStore`. */
export interface SimulatedStore extends Store {
  readonly inFlight: readonly RecordChange[] | null;
  settle(): boolean;
  reject(outcome: "written" | "lost"): boolean;
  /** The process dies; returns what the next one finds. */
  crash(outcome: "written" | "lost"): SimulatedStore;
}

/** What may be otherwise than it should, to see that it is noticed. */
export interface SimulationOptions {
  readonly store?: SimulatedStore;
  readonly durability?: Durability;
}

const NEVER = 0xffff_ffff;
const PLAIN_TOPICS = ["a", "a/b", "a/b/c", "b", "b/a", "$a/b"];
const RETAINED_TOPICS = ["r/1", "r/2", "r/1/2"];
const FILTERS = [
  "a",
  "a/b",
  "a/#",
  "a/+",
  "+",
  "+/b",
  "#",
  "b/#",
  "r/#",
  "r/+",
  "r/1",
  "w/+",
  "$a/#",
];
const SHARED_FILTER = "$share/g/s/#";
/** A commit is rejected twice at most in a row: the third time the broker ends itself, as it should. */
const REJECTIONS_MAXIMUM = 2;

/**
 * Honest clients, a broker, a store with faults, and crashes, all by chance of one seed. Every broken
 * promise is an assertion that fails.
 */
export class Simulation {
  readonly ledger = new Ledger();
  crashes = 0;
  world: World;
  store: SimulatedStore;
  readonly #chance: Chance;
  readonly #durability: Durability;
  readonly #clients: HonestClient[] = [];
  #rejections = 0;

  constructor(seed: number, options: SimulationOptions = {}) {
    this.#chance = new Chance(seed);
    this.#durability = options.durability ?? "sync";
    this.store = options.store ?? new FaultyStore();
    this.world = this.#start(1_000_000, Date.UTC(2026, 0, 1));
    const versions = [3, 4, 5, 5] as const;
    for (let index = 0; index < 6; index++) {
      const version = this.#chance.pick(versions);
      this.#clients.push(new HonestClient(this.ledger, `c${index}`, version));
    }
  }

  #start(startMs: number, wallMs: number): World {
    const world = new World({
      store: this.store,
      durability: this.#durability,
      startMs,
      wallMs,
      // Small enough that stuck clients are noticed; queues without limits, so that nothing may be lost.
      settings: { maxQueuedMessages: 0, maxUnsentBytes: 3000 },
    });
    // In some worlds a later turn is long in coming, so that much happens to a batch that waits for it.
    world.holdsNextTurns = this.#chance.percent(50);
    return world;
  }

  /** Some steps by chance, then quiet, then a restart; all promises are looked at. */
  async run(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      await this.#step();
      this.#look();
      if (this.world.fatal.length > 0) await this.#crash();
    }
    this.world.holdsNextTurns = false;
    await this.#becomeQuiet();
    this.#assertQuiet();
    await this.#crash();
    assertSame(this.world.broker, this.store);
  }

  /** What can be seen after each step. */
  #look() {
    const defect = this.world.log.find((line) => line.includes("a defect"));
    assert.equal(this.world.broker.counters.faults, 0, defect ?? "a defect");
    for (const client of this.#clients) client.drain();
  }

  async #step() {
    const chance = this.#chance;
    const client = chance.pick(this.#clients);
    const act = chance.weighted<() => void | Promise<void>>([
      [25, () => this.#connect(client)],
      [
        2,
        () =>
          void (client.state === "connected" && client.disconnect(this.world, chance.percent(10))),
      ],
      [3, () => void (client.state === "connected" && client.vanish(this.world))],
      [12, () => this.#subscribe(client)],
      [3, () => this.#unsubscribe(client)],
      [30, () => this.#publish(client)],
      [30, () => client.handle(1 + chance.below(8))],
      [20, () => void (client.fake !== null && client.acknowledge(1 + chance.below(8)))],
      [3, () => void (client.fake !== null && (client.fake.isStuck = true))],
      [4, () => client.fake?.unstick()],
      [25, () => this.world.runNextTurns()],
      [40, () => this.#settleStore()],
      [2, () => this.#rejectCommit()],
      [8, () => this.#timePasses()],
      [1, () => this.#crash()],
    ]);
    await act();
  }

  #connect(client: HonestClient) {
    const chance = this.#chance;
    if (client.state !== "away" && !chance.percent(10)) return;
    client.connect(this.world, this.#connectOptions(client));
  }

  #connectOptions(client: HonestClient): ConnectOptions {
    const chance = this.#chance;
    const clean = chance.percent(12);
    const mqtt5 = client.version === 5;
    const expirySeconds = mqtt5
      ? chance.weighted([[70, NEVER], [15, 3600], [10, 20], [5, 0]])
      : clean
      ? 0
      : NEVER;
    const hasWill = chance.percent(30);
    return {
      clean,
      expirySeconds,
      receiveMaximum: mqtt5 ? chance.weighted([[2, 1], [3, 4], [3, 0xffff]]) : 0xffff,
      will: hasWill
        ? this.ledger.newMessage(`will of ${client.name}`, `w/${client.name}`, {
          qos: chance.below(3),
        })
        : null,
      willDelaySeconds: mqtt5 && chance.percent(40) ? 5 : 0,
    };
  }

  #subscribe(client: HonestClient) {
    if (client.state !== "connected") return;
    const chance = this.#chance;
    const filters = new Map<string, number>();
    for (let count = 1 + chance.below(3); count > 0; count--) {
      // Only sessions that last are in the group: what is given to another is gone with it.
      const share = client.expirySeconds > 0 && chance.percent(10);
      filters.set(share ? SHARED_FILTER : chance.pick(FILTERS), chance.pick([0, 1, 1, 2, 2, 2]));
    }
    client.subscribe([...filters]);
  }

  #unsubscribe(client: HonestClient) {
    if (client.state !== "connected") return;
    const chance = this.#chance;
    const known = [...client.session!.asked.map(({ filter }) => filter), ...FILTERS];
    client.unsubscribe(chance.pick(known));
  }

  #publish(client: HonestClient) {
    if (client.state !== "connected") return;
    const chance = this.#chance;
    for (let count = 1 + chance.below(4); count > 0 && client.hasRoom; count--) {
      const [topic, retain] = chance.weighted([
        [14, [chance.pick(PLAIN_TOPICS), false] as const],
        [4, [chance.pick(RETAINED_TOPICS), true] as const],
        [2, ["s/1", false] as const],
      ]);
      client.publish(this.ledger.newMessage(client.name, topic, {
        qos: chance.pick([0, 1, 1, 2, 2]),
        retain,
        empty: retain && chance.percent(25),
        expires: !retain && client.version === 5 && chance.percent(5),
      }));
    }
  }

  async #settleStore() {
    if (this.store.settle()) {
      this.#rejections = 0;
      this.ledger.note("a commit succeeds");
    }
    await this.world.settle();
  }

  async #rejectCommit() {
    if (this.store.inFlight === null || this.#rejections >= REJECTIONS_MAXIMUM) return;
    if (this.store.reject(this.#chance.pick(["written", "lost"]))) this.#rejections++;
    this.ledger.note("a commit fails");
    await this.world.settle();
  }

  async #timePasses() {
    const chance = this.#chance;
    this.world.runNextTurns();
    this.world.advanceMs(chance.weighted([[8, chance.below(500)], [4, 1500], [1, 30_000]]));
    await this.world.settle();
  }

  /** The process dies and is started again, after some time. */
  async #crash() {
    const chance = this.#chance;
    this.crashes++;
    this.ledger.note("the process dies");
    this.#rejections = 0;
    for (const client of this.#clients) client.crashed();
    this.ledger.crashed();
    this.store = this.store.crash(chance.pick(["written", "lost"]));
    readStore(this.store);
    const downMs = chance.pick([0, 1000, 100_000]);
    this.world = this.#start(chance.below(1_000_000), this.world.wallMs + downMs);
    await this.world.settle();
    this.#assertRetained();
  }

  #assertRetained() {
    for (const topic of RETAINED_TOPICS) {
      const message = this.world.broker.retained.get(topic);
      const payload = message === null
        ? undefined
        : new TextDecoder().decode(message.publish.payload());
      this.ledger.assertRetained(topic, payload);
    }
  }

  /** All connect, read and acknowledge everything, and the store keeps up, until nothing moves. */
  async #becomeQuiet() {
    for (const client of this.#clients) {
      const isTemporary = client.version === 5 && client.expirySeconds === 0;
      if (isTemporary && client.state !== "away") client.vanish(this.world);
    }
    for (let round = 0; round < 3000; round++) {
      if (this.world.fatal.length > 0) await this.#crash();
      for (const client of this.#clients) {
        // What MQTT 3 was refused without a word is sent again on a new connection.
        if (round % 40 === 39 && client.hasUnfinished) client.vanish(this.world);
        if (client.state === "away") {
          client.connect(this.world, { ...this.#quietOptions(client) });
        }
        client.fake!.unstick();
        client.handle(1000);
        client.acknowledge(1000);
      }
      const settled = this.store.settle();
      await this.world.settle();
      this.world.advanceMs(200);
      await this.world.settle();
      this.#look();
      const busy = settled || this.store.inFlight !== null ||
        this.#clients.some((client) => !client.isIdle || client.state !== "connected");
      if (!busy) return;
    }
    assert.fail("the world does not become quiet");
  }

  #quietOptions(client: HonestClient): ConnectOptions {
    return {
      clean: false,
      expirySeconds: client.version === 5 ? 3600 : NEVER,
      receiveMaximum: 10,
      will: null,
      willDelaySeconds: 0,
    };
  }

  /** Everything is read, acknowledged and settled: nothing may be left over. */
  #assertQuiet() {
    const { broker } = this.world;
    this.ledger.settled();
    this.ledger.assertPaid();
    this.#assertRetained();
    for (const session of broker.sessions) {
      const { outbound, clientId } = session;
      assert.equal(outbound.inFlight, 0, `${clientId} has messages in flight`);
      assert.equal(outbound.queued, 0, `${clientId} is ready and has messages queued`);
      assert.equal(outbound.queuedBytes, 0, `${clientId} has bytes queued`);
      const unreleased = session.inbound?.count ?? 0;
      // Who has thrown away his state and found an old session again does not release them.
      const { isExact, hasRefused } = this.ledger.sessions.get(clientId)!;
      const mayBeLeft = !isExact || hasRefused;
      assert.ok(mayBeLeft || unreleased === 0, `${clientId} has QoS 2 messages unreleased`);
      assert.ok(session.connection!.releaseHeld(-1), `${clientId} has acknowledgements held`);
      assert.ok(session.connection!.outbox.isEmpty, `${clientId} has bytes unsent`);
      assert.equal(session.retainedDeliveries, null, `${clientId} has retained messages to come`);
    }
    assert.ok(broker.journal.committed >= broker.journal.position, "changes are not written");
    assertSame(broker, this.store);
    assert.equal(broker.connections.size, this.#clients.length, "connections are left over");
  }
}
