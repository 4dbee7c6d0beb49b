import assert from "node:assert/strict";
import type { ListenerSettings, Settings } from "../../src/session/ports.ts";
import type { Durability } from "../../src/store/journal.ts";
import type { RecordChange, Store } from "../../src/store/store.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import { defaultListener, defaultSettings, World } from "../support/world.ts";
import { BrokerWatch } from "./broker_watch.ts";
import { Chance } from "./chance.ts";
import { ChangingRights } from "./changing_rights.ts";
import { Choices, MOUNT_POINT } from "./choices.ts";
import { chooseDimensions, type Dimensions, PLAIN } from "./dimensions.ts";
import { HonestClient } from "./honest_client.ts";
import { Ledger } from "./ledger.ts";
import { idIn, type Message } from "./message.ts";
import { assertNothingHeld } from "./quiet_check.ts";
import { assertSame, readStore } from "./store_check.ts";
import { WireNames } from "./wire_names.ts";

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
  /** Of the broker; everybody else believes in that of the dimensions. */
  readonly durability?: Durability;
  /** In place of those by chance, upon a plain world. */
  readonly dimensions?: Partial<Dimensions>;
  /** Breaks a broker that has just started. */
  readonly defect?: (world: World) => void;
}

/** A commit is rejected twice at most in a row: the third time the broker ends itself, as it should. */
const REJECTIONS_MAXIMUM = 2;
const AUTOSAVE_SECONDS = 5;
/** A tick, and as long as time passes here without a commit coming to its end. */
const COMMIT_MS = 1200;

/**
 * Honest clients, a broker, a store with faults, and crashes, all by chance of one seed. Every broken
 * promise is an assertion that fails.
 */
export class Simulation {
  readonly ledger: Ledger;
  readonly dimensions: Dimensions;
  crashes = 0;
  world: World;
  store: SimulatedStore;
  readonly #chance: Chance;
  readonly #options: SimulationOptions;
  readonly #choices: Choices;
  readonly #rights: ChangingRights | null;
  readonly #clients: HonestClient[] = [];
  readonly #mounted: ListenerSettings = { ...defaultListener, number: 1, mountPoint: MOUNT_POINT };
  #settings: Settings;
  #watch!: BrokerWatch;
  #rejections = 0;
  /** What was when: at that time on the wall clock nothing later than that moment was promised. */
  #history: [wallMs: number, moment: number][] = [];

  constructor(seed: number, options: SimulationOptions = {}) {
    const chance = this.#chance = new Chance(seed);
    this.#options = options;
    const chosen = chooseDimensions(new Chance(seed * 7 + 1));
    const dimensions = this.dimensions = options.dimensions === undefined
      ? chosen
      : { ...PLAIN, ...options.dimensions };
    this.#rights = dimensions.rights
      ? new ChangingRights(chance.pick(["remembered", "each time", "later"]))
      : null;
    this.ledger = new Ledger({
      rights: this.#rights,
      copies: dimensions.reconfigures ? "either" : dimensions.duplicates ? "each" : "one",
      mayBeTooLarge: (client, message) => this.#mayBeTooLarge(client, message),
    });
    this.#choices = new Choices(chance, dimensions, this.ledger);
    this.#settings = settingsOf(dimensions);
    this.store = options.store ?? new FaultyStore();
    this.world = this.#start(1_000_000, Date.UTC(2026, 0, 1));
    const versions = dimensions.aliases || dimensions.expiry || dimensions.identifiers
      ? [4, 5, 5, 5] as const
      : [3, 4, 5, 5] as const;
    for (let index = 0; index < 6; index++) {
      this.#clients.push(this.#newClient(`c${index}`, chance.pick(versions)));
    }
  }

  #newClient(name: string, version: 3 | 4 | 5): HonestClient {
    const chance = this.#chance, { dimensions } = this;
    const mountPoint = dimensions.mountPoint && chance.percent(40) ? MOUNT_POINT : "";
    const isSmall = dimensions.packetSizes && version === 5 && chance.percent(50);
    const aliases = version === 5 && dimensions.aliases ? 4 : 0;
    return new HonestClient({
      ledger: this.ledger,
      name,
      version,
      rights: this.#rights,
      settings: () => this.#settings,
      mountPoint,
      maximumPacketSize: isSmall ? 60 + chance.below(60) : Infinity,
      names: (heard) => new WireNames(mountPoint, chance, aliases, heard),
      mayBeThrownOut: dimensions.memoryLimit > 0,
    });
  }

  /** Fixed header, topic and identifier, and whatever properties there may be. */
  #mayBeTooLarge(client: string, { topic, id, padding }: Message): boolean {
    const { maximumPacketSize } = this.#client(client).parts;
    return 40 + topic.length + id.length + padding > maximumPacketSize;
  }

  #client(name: string): HonestClient {
    return this.#clients.find((client) => client.name === name)!;
  }

  #start(startMs: number, wallMs: number): World {
    const { rights, reconfigures } = this.dimensions;
    this.#watch = new BrokerWatch(
      this.ledger,
      this.#rights,
      () => this.#settings,
      !reconfigures,
    );
    const world = new World({
      store: this.store,
      durability: this.#options.durability ?? this.dimensions.durability,
      autosaveSeconds: AUTOSAVE_SECONDS,
      startMs,
      wallMs,
      settings: this.#settings,
      observer: this.#watch.observer,
      access: rights ? this.#rights!.access() : undefined,
    });
    this.#watch.attach(world.broker);
    this.#options.defect?.(world);
    // In some worlds a later turn is long in coming, so that much happens to a batch that waits for it.
    world.holdsNextTurns = this.#chance.percent(50);
    return world;
  }

  /** What was promised in the last moments before a crash may be lost. */
  get #isLossy(): boolean {
    return this.dimensions.durability !== "sync";
  }

  get #lossMs(): number {
    const { durability } = this.dimensions;
    if (durability === "sync") return 0;
    return COMMIT_MS + (durability === "autosave" ? AUTOSAVE_SECONDS * 1000 : 0);
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
    await this.#assertQuiet();
    await this.#crash();
    assertSame(this.world.broker, this.store);
  }

  /** What can be seen after each step. */
  #look() {
    const defect = this.world.log.find((line) => line.includes("a defect"));
    assert.equal(this.world.broker.counters.faults, 0, defect ?? "a defect");
    this.#watch.look();
    for (const client of this.#clients) {
      client.drain();
      client.look(this.world.wallMs);
    }
    if (this.#isLossy) this.#history.push([this.world.wallMs, this.ledger.moment()]);
  }

  async #step() {
    const chance = this.#chance, { dimensions } = this;
    const client = chance.pick(this.#clients);
    const act = chance.weighted<() => void | Promise<void>>([
      [25, () => this.#connect(client)],
      [
        2,
        () =>
          void (client.state === "connected" && client.disconnect(this.world, chance.percent(10))),
      ],
      [
        dimensions.wills ? 8 : 3,
        () => void (client.state === "connected" && client.vanish(this.world)),
      ],
      [12, () => this.#subscribe(client)],
      [dimensions.groups ? 8 : 3, () => this.#unsubscribe(client)],
      [30, () => this.#publish(client)],
      [30, () => client.handle(1 + chance.below(8))],
      [20, () => void (client.fake !== null && client.acknowledge(1 + chance.below(8)))],
      [3, () => void (client.fake !== null && (client.fake.isStuck = true))],
      [4, () => client.unstick()],
      [25, () => this.world.runNextTurns()],
      [40, () => this.#settleStore()],
      [this.#isLossy ? 0 : 2, () => this.#rejectCommit()],
      [8, () => this.#timePasses()],
      [1, () => this.#crash()],
      [dimensions.rights ? 6 : 0, () => this.#changeRights(client)],
      [dimensions.reconfigures ? 3 : 0, () => this.#reconfigure()],
    ]);
    await act();
    if (this.#isLossy) await this.#settleAll();
  }

  #connect(client: HonestClient) {
    const chance = this.#chance;
    if (client.state !== "away" && !chance.percent(this.dimensions.wills ? 30 : 10)) return;
    client.connect(this.world, this.#listenerOf(client), this.#choices.connect(client));
  }

  #listenerOf({ parts }: HonestClient): ListenerSettings {
    return parts.mountPoint === "" ? defaultListener : this.#mounted;
  }

  #subscribe(client: HonestClient) {
    if (client.state === "connected") client.subscribe(...this.#choices.subscription(client));
  }

  #unsubscribe(client: HonestClient) {
    if (client.state === "connected") client.unsubscribe(this.#choices.unsubscription(client));
  }

  #publish(client: HonestClient) {
    if (client.state !== "connected") return;
    for (let count = 1 + this.#chance.below(4); count > 0 && client.hasRoom; count--) {
      if (client.fake!.isClosed) return;
      client.publish(this.#choices.message(client));
    }
  }

  async #settleStore() {
    if (this.store.settle()) {
      this.#rejections = 0;
      this.ledger.note("a commit succeeds");
    }
    await this.world.settle();
  }

  /** The store keeps up. */
  async #settleAll() {
    do await this.world.settle(); while (this.store.settle());
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
    let leftMs = chance.weighted([[8, chance.below(500)], [4, 1500], [1, 30_000]]);
    const sliceMs = this.#isLossy ? 1000 : leftMs;
    while (leftMs > 0) {
      this.world.advanceMs(Math.min(sliceMs, leftMs));
      leftMs -= sliceMs;
      if (this.#isLossy) await this.#settleAll();
    }
    await this.world.settle();
  }

  async #changeRights(client: HonestClient) {
    const { right, topic, allowed } = this.#choices.right(client);
    const { name } = client;
    // What was asked before is answered before.
    await this.world.settle();
    this.ledger.note(`${name} ${allowed ? "may" : "may not"} ${right} ${topic}`);
    this.#rights!.set(right, name, topic, allowed, this.ledger.moment());
    if (right === "write") client.sent.rightsChanged(client.fake?.isBehind ?? false);
    else if (!allowed) this.ledger.denied(name, topic);
  }

  #reconfigure() {
    const chance = this.#chance;
    const some = (...values: number[]) => chance.percent(50) ? 0 : chance.pick(values);
    this.#settings = {
      ...this.#settings,
      maxQueuedMessages: some(3, 10),
      maxQueuedBytes: some(100, 500),
      longQueue: { messages: chance.percent(50) ? chance.below(6) : Infinity, bytes: Infinity },
      maxInflightBytes: some(60, 200),
      maxInflightMessages: this.dimensions.memoryLimit > 0 ? 3 : chance.pick([3, 20]),
      allowDuplicateMessages: chance.percent(50),
      queueQos0Messages: chance.percent(50),
      clientRate: { messages: some(5, 20), bytes: 0 },
    };
    this.world.broker.configure(this.#settings);
    this.world.run();
    this.#watch.settingsChanged();
    for (const client of this.#clients) client.settingsChanged();
  }

  /** The process dies and is started again, after some time. */
  async #crash() {
    const chance = this.#chance;
    this.crashes++;
    this.ledger.note("the process dies");
    this.#rejections = 0;
    const lossMs = this.#lossMs, safeMs = this.world.wallMs - lossMs;
    for (const client of this.#clients) client.crashed(lossMs);
    if (this.#isLossy) {
      this.ledger.crashed(this.#history.findLast(([wallMs]) => wallMs <= safeMs)?.[1] ?? 0);
      this.#history = [];
    } else this.ledger.crashed();
    this.store = this.store.crash(chance.pick(["written", "lost"]));
    readStore(this.store);
    const downMs = chance.pick([0, 1000, 100_000]);
    this.world = this.#start(chance.below(1_000_000), this.world.wallMs + downMs);
    await this.world.settle();
    this.#assertRetained();
  }

  #assertRetained() {
    for (const topic of this.#choices.retainedTopics) {
      const message = this.world.broker.retained.get(topic);
      const id = message === null ? undefined : idIn(message.publish.payload());
      this.ledger.assertRetained(topic, id);
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
        if (round % 40 === 39 && client.hasUnfinished && client.fake) client.vanish(this.world);
        // Who was thrown out takes his time, so that not all come at once again.
        const isPatient = client.thrownOut > 0 && !this.#chance.percent(20);
        if (client.state === "away" && !isPatient) {
          client.connect(this.world, this.#listenerOf(client), this.#choices.quiet(client));
        }
        client.unstick();
        client.handle(1000);
        client.acknowledge(1000);
      }
      const settled = this.store.settle();
      await this.world.settle();
      this.world.advanceMs(200);
      await this.world.settle();
      this.#look();
      const busy = settled || this.world.broker.journal.isWriting ||
        this.#clients.some((client) => !client.isIdle || client.state !== "connected");
      if (!busy) return;
    }
    assert.fail("the world does not become quiet");
  }

  /** Everything is read, acknowledged and settled: nothing may be left over. */
  async #assertQuiet() {
    const { broker } = this.world;
    this.ledger.settled();
    this.ledger.assertPaid();
    this.#assertRetained();
    assertNothingHeld(broker, this.ledger);
    if (this.#isLossy) {
      broker.journal.save();
      await this.#settleAll();
    }
    assert.ok(broker.journal.committed >= broker.journal.position, "changes are not written");
    assertSame(broker, this.store);
    assert.equal(broker.connections.size, this.#clients.length, "connections are left over");
  }
}

function inflightMaximum({ memoryLimit, longQueue }: Dimensions): number {
  // So little that what all send again finds room.
  if (memoryLimit > 0) return 3;
  // So little that there are queues.
  return longQueue === Infinity ? 20 : 4;
}

function settingsOf(dimensions: Dimensions): Settings {
  return {
    ...defaultSettings,
    maxQueuedMessages: dimensions.maxQueuedMessages,
    maxQueuedBytes: dimensions.maxQueuedBytes,
    longQueue: { messages: dimensions.longQueue, bytes: Infinity },
    queueQos0Messages: dimensions.queueQos0Messages,
    maxInflightBytes: dimensions.maxInflightBytes,
    allowDuplicateMessages: dimensions.duplicates,
    memoryLimit: dimensions.memoryLimit,
    maxInflightMessages: inflightMaximum(dimensions),
    clientRate: { messages: dimensions.rate, bytes: 0 },
    // Small enough that stuck clients are noticed.
    maxUnsentBytes: 3000,
  };
}
