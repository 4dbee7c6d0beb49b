import assert from "node:assert/strict";
import { CommitPolicy } from "../../src/broker/commit_policy.ts";
import type { Entry } from "../../src/session/entry.ts";
import { type Durability, Journal } from "../../src/store/journal.ts";
import { connectLasting, heard } from "../support/exchange.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import { ack, publish, subscribe } from "../support/packets.ts";
import { World } from "../support/world.ts";

const KIND = 1;
const record = { encode: () => Uint8Array.of(1) };

/** A message that was kept and sent at once, as far as the policy looks at it. */
interface Sent {
  readonly number: number;
  readonly entry: Entry;
}

/** A policy with its journal and store; turns end when the test says so. */
class Scene {
  readonly store = new FaultyStore();
  readonly committed: number[] = [];
  readonly journal: Journal;
  readonly policy: CommitPolicy;
  /** Turns that were asked for and have not ended. */
  turns = 0;
  #nextTurns: (() => void)[] = [];
  #number = 0;

  constructor(durability: Durability = "sync") {
    this.journal = new Journal(this.store, {
      durability,
      autosaveIntervalSeconds: 1800,
      autosaveOnChanges: false,
      clock: { monotonicMs: () => 0 },
      onCommitted: (position) => void this.committed.push(position),
      onFatal: (error) => {
        throw error;
      },
      log: (line) => assert.fail(line),
    });
    this.policy = new CommitPolicy(this.journal, durability === "sync", {
      nextTurn: (run) => void this.#nextTurns.push(run),
      beginTurn: () => this.turns++,
    });
  }

  /** Numbers of the records that are written in the commit in flight. */
  get inFlight(): number[] {
    return (this.store.inFlight ?? []).map(({ number }) => number);
  }

  /** Keeps a record. `awaited`: somebody waits for its commit. */
  keep(awaited = true): number {
    this.journal.create(KIND, ++this.#number, record);
    if (awaited) void this.journal.position;
    return this.#number;
  }

  /** Keeps a message that is sent at once. */
  send(): Sent {
    const entry = { expectedIn: 0 } as Entry;
    const number = this.keep();
    this.policy.expect(entry);
    return { number, entry };
  }

  /** Its receiver has acknowledged it. */
  acknowledge({ number, entry }: Sent): void {
    if (entry.expectedIn !== 0) this.policy.came(entry);
    this.journal.cancel(KIND, number);
  }

  endTurn(): void {
    this.turns = 0;
    this.policy.flush();
  }

  /** The moment that a sealed batch waits is over, and so is the turn that this begins. */
  passMoment(): void {
    for (const run of this.#nextTurns.splice(0)) run();
    if (this.turns > 0) this.endTurn();
  }

  /** The commit in flight succeeds, which begins a turn. */
  async settle(): Promise<void> {
    assert.ok(this.store.settle(), "a commit is in flight");
    for (let round = 0; round < 5; round++) await Promise.resolve();
    this.endTurn();
  }
}

Deno.test("what somebody waits for is written at the end of the turn", () => {
  const scene = new Scene();
  scene.keep();
  scene.keep();
  assert.deepEqual(scene.inFlight, [], "not in the middle of it");
  scene.endTurn();
  assert.deepEqual(scene.inFlight, [1, 2]);
});

Deno.test("a turn that kept nothing writes nothing", () => {
  const scene = new Scene();
  scene.endTurn();
  scene.passMoment();
  assert.deepEqual([scene.inFlight, scene.committed], [[], []]);
});

Deno.test("what nobody waits for goes with the next batch, or when there is much of it", () => {
  const scene = new Scene();
  scene.keep(false);
  scene.endTurn();
  assert.deepEqual(scene.inFlight, []);
  scene.keep();
  scene.endTurn();
  assert.deepEqual(scene.inFlight, [1, 2]);

  const full = new Scene();
  for (let count = 1; count < 20_000; count++) full.keep(false);
  full.endTurn();
  assert.deepEqual(full.inFlight, []);
  full.keep(false);
  full.endTurn();
  assert.equal(full.inFlight.length, 20_000);
});

Deno.test("what comes while a commit is in flight is written when that has ended", async () => {
  const scene = new Scene();
  scene.keep();
  scene.endTurn();
  scene.keep();
  scene.endTurn();
  scene.keep();
  scene.endTurn();
  assert.deepEqual(scene.inFlight, [1]);
  await scene.settle();
  assert.deepEqual([scene.inFlight, scene.committed], [[2, 3], [1]]);
  await scene.settle();
  assert.deepEqual(scene.committed, [1, 2]);
});

Deno.test("a message on its way to its receiver waits a moment, then is written", () => {
  const scene = new Scene();
  scene.send();
  scene.endTurn();
  scene.endTurn();
  assert.deepEqual([scene.inFlight, scene.committed], [[], []]);
  scene.passMoment();
  assert.deepEqual(scene.inFlight, [1]);
});

Deno.test("acknowledged within the moment, it counts as committed without touching the disk", () => {
  const scene = new Scene();
  const messages = [scene.send(), scene.send()];
  scene.endTurn();
  scene.acknowledge(messages[0]);
  scene.endTurn();
  assert.deepEqual(scene.committed, [], "one is still on its way");
  scene.acknowledge(messages[1]);
  scene.endTurn();
  assert.deepEqual([scene.inFlight, scene.committed], [[], [1]]);
  scene.passMoment();
  assert.deepEqual([scene.store.commits, scene.committed], [0, [1]]);
});

Deno.test("acknowledged within the turn, it is neither written nor waited for", () => {
  const scene = new Scene();
  scene.acknowledge(scene.send());
  scene.endTurn();
  assert.deepEqual([scene.inFlight, scene.committed], [[], [1]]);
});

Deno.test("of several what was acknowledged in the moment is left out", () => {
  const scene = new Scene();
  const messages = [scene.send(), scene.send(), scene.send()];
  scene.endTurn();
  scene.acknowledge(messages[1]);
  scene.endTurn();
  scene.passMoment();
  assert.deepEqual(scene.inFlight, [1, 3]);
});

Deno.test("what else is in the batch is written as soon as nothing is awaited", () => {
  const scene = new Scene();
  const message = scene.send();
  const other = scene.keep();
  scene.endTurn();
  scene.acknowledge(message);
  scene.endTurn();
  assert.deepEqual(scene.inFlight, [other]);
});

Deno.test("an acknowledgement that comes too late removes the record again", async () => {
  const scene = new Scene();
  const message = scene.send();
  scene.endTurn();
  scene.passMoment();
  scene.acknowledge(message);
  scene.endTurn();
  await scene.settle();
  assert.notEqual(scene.store.read(KIND, message.number), undefined);
  scene.keep();
  scene.endTurn();
  await scene.settle();
  assert.equal(scene.store.read(KIND, message.number), undefined);
  assert.deepEqual(scene.committed, [1, 2]);
});

Deno.test("each batch has a moment of its own", async () => {
  const scene = new Scene();
  const first = scene.send();
  scene.endTurn();
  scene.acknowledge(first);
  scene.endTurn();
  scene.send();
  scene.endTurn();
  scene.send();
  scene.endTurn();
  assert.deepEqual([scene.inFlight, scene.committed], [[], [1]]);
  scene.passMoment();
  assert.deepEqual(scene.inFlight, [2], "what came after the seal is not in it");
  await scene.settle();
  assert.deepEqual(scene.inFlight, []);
  scene.passMoment();
  assert.deepEqual(scene.inFlight, [3]);
  await scene.settle();
  assert.deepEqual(scene.committed, [1, 2, 3]);
});

Deno.test("what was kept behind a batch that cancelled itself out is written in the same turn", () => {
  const scene = new Scene();
  const message = scene.send();
  scene.endTurn();
  scene.acknowledge(message);
  const awaited = scene.keep();
  scene.endTurn();
  assert.deepEqual([scene.inFlight, scene.committed], [[awaited], [1]]);
});

Deno.test("a publisher behind such a batch does not wait for the next tick", async () => {
  const store = new FaultyStore();
  const world = new World({ store, durability: "sync" });
  const settleAll = async () => {
    while (store.settle()) await world.settle();
  };
  connectLasting(world, 5, "away").send(subscribe(5, { filters: [["away", 1]] }));
  const reader = connectLasting(world, 5, "reader");
  reader.send(subscribe(5, { filters: [["a", 1]] }));
  const [first, second] = ["first", "second"].map((clientId) => world.connect(5, { clientId }));
  await settleAll();
  // Both come in the turn after the first message was sealed, and so within its moment.
  world.later(() => {
    const acknowledgement = ack("puback", 1);
    reader.connection.receive(acknowledgement, acknowledgement.length);
    const message = publish(5, { topic: "away", payload: "x", qos: 1, packetId: 2 });
    second.connection.receive(message, message.length);
  });
  first.publish({ topic: "a", payload: "x", qos: 1, packetId: 1 });
  assert.deepEqual([heard(first), heard(second)], [["PUBACK #1"], []]);
  assert.ok(store.inFlight, "the second is on its way to the disk");
  await settleAll();
  assert.deepEqual(heard(second), ["PUBACK #2"]);
});

Deno.test("without sync the journal decides, and no message waits", () => {
  for (const durability of ["async", "autosave", "none"] as const) {
    const scene = new Scene(durability);
    scene.send();
    scene.endTurn();
    scene.passMoment();
    assert.equal(scene.journal.sealedPosition, 0);
    assert.deepEqual(scene.inFlight, [], "left to the tick");
  }
});
