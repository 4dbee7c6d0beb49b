import assert from "node:assert/strict";
import fc from "fast-check";
import { type Durability, type Encodable, Journal } from "../../src/store/journal.ts";
import { StoreError } from "../../src/store/store.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import { bytes, restored, text } from "./contract.ts";

/** A record whose state can change, and that counts how often it was written. */
class Note implements Encodable {
  encoded = 0;
  constructor(public value: string) {}
  encode(): Uint8Array {
    this.encoded++;
    return bytes(this.value);
  }
}

/** A journal on a faulty store, in a time of its own. */
function setUp(durability: Durability = "sync", autosave = { seconds: 0, onChanges: false }) {
  const store = new FaultyStore();
  const world = {
    store,
    nowMs: 0,
    committed: [] as number[],
    fatal: [] as Error[],
    lines: [] as string[],
    journal: null as unknown as Journal,
    /** The commit in flight succeeds, and the journal learns of it. */
    async settle() {
      assert.ok(store.settle(), "there is a commit in flight");
      await turn();
    },
    async reject(outcome: "written" | "lost", error?: Error) {
      assert.ok(store.reject(outcome, error), "there is a commit in flight");
      await turn();
    },
    pass(milliseconds: number, tickMs = 100) {
      for (let passed = 0; passed < milliseconds; passed += tickMs) {
        world.nowMs += tickMs;
        world.journal.tick();
      }
    },
  };
  world.journal = new Journal(store, {
    durability,
    autosaveIntervalSeconds: autosave.seconds,
    autosaveOnChanges: autosave.onChanges,
    clock: { monotonicMs: () => world.nowMs },
    onCommitted: (position) => world.committed.push(position),
    onFatal: (error) => world.fatal.push(error),
    log: (line) => world.lines.push(line),
  });
  return world;
}

const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

Deno.test("a change is committed after flush, and the position tells when", async () => {
  const { journal, store, committed, settle } = setUp();
  assert.ok(journal.position <= journal.committed);
  journal.create(1, 1, new Note("a"));
  const position = journal.position;
  assert.ok(position > journal.committed);
  assert.equal(store.inFlight, null);
  journal.flush();
  assert.ok(position > journal.committed);
  await settle();
  assert.equal(journal.committed, position);
  assert.deepEqual(committed, [position]);
  assert.ok(journal.position <= journal.committed);
  assert.deepEqual(restored(store), [[1, 1, "a"]]);
});

Deno.test("what comes while a commit is in flight is the next batch", async () => {
  const { journal, store, settle } = setUp();
  journal.create(1, 1, new Note("a"));
  const first = journal.position;
  journal.flush();
  journal.create(1, 2, new Note("b"));
  journal.flush();
  journal.create(1, 3, new Note("c"));
  const second = journal.position;
  journal.flush();
  assert.equal(second, first + 1);
  assert.equal(store.inFlight!.length, 1);
  await settle();
  assert.equal(journal.committed, first);
  assert.deepEqual(store.inFlight!.map(({ number }) => number), [2, 3]);
  await settle();
  assert.equal(journal.committed, second);
});

Deno.test("an open batch that nobody flushed does not start by itself", async () => {
  const { journal, store, settle } = setUp();
  journal.create(1, 1, new Note("a"));
  journal.flush();
  journal.create(1, 2, new Note("b"));
  await settle();
  assert.equal(store.inFlight, null);
  journal.flush();
  assert.equal(store.inFlight!.length, 1);
  await settle();
});

Deno.test("a record that is created and forgotten in a batch is never written", async () => {
  const { journal, store, settle } = setUp();
  const note = new Note("a");
  journal.create(1, 1, note);
  journal.create(1, 2, new Note("b"));
  journal.forget(1, 1);
  journal.flush();
  assert.deepEqual(store.inFlight!.map(({ number }) => number), [2]);
  assert.equal(note.encoded, 0);
  await settle();
});

Deno.test("a batch that cancels itself out counts as committed at once, without disk", () => {
  const { journal, store, committed } = setUp();
  journal.create(1, 1, new Note("a"));
  journal.forget(1, 1);
  const position = journal.position;
  assert.ok(position > journal.committed);
  assert.deepEqual(committed, [], "not before the turn ends");
  journal.flush();
  assert.equal(store.inFlight, null);
  assert.equal(store.commits, 0);
  assert.deepEqual(committed, [position]);
  assert.equal(journal.committed, position);
});

Deno.test("a batch that cancels itself out does not overtake the one in flight", async () => {
  const { journal, store, committed, settle } = setUp();
  journal.create(1, 1, new Note("a"));
  journal.flush();
  journal.create(1, 2, new Note("b"));
  journal.forget(1, 2);
  const position = journal.position;
  journal.flush();
  assert.deepEqual(committed, []);
  await settle();
  assert.deepEqual(committed, [position - 1, position]);
  assert.equal(store.commits, 1);
});

Deno.test("forgetting a record whose creation is in flight removes it in the next batch", async () => {
  const { journal, store, settle } = setUp();
  journal.create(1, 1, new Note("a"));
  journal.flush();
  journal.forget(1, 1);
  journal.flush();
  await settle();
  assert.deepEqual(store.inFlight, [{ kind: 1, number: 1, value: null }]);
  await settle();
  assert.deepEqual(restored(store), []);
});

Deno.test("an untouched journal waits for the commit in flight, a quiet one for nothing", async () => {
  const { journal, settle } = setUp();
  journal.create(1, 1, new Note("a"));
  journal.flush();
  assert.ok(journal.position > journal.committed);
  await settle();
  assert.ok(journal.position <= journal.committed);
  journal.flush();
  assert.ok(journal.position <= journal.committed);
});

Deno.test("replacing and forgetting what is in the store removes it", async () => {
  const { journal, store, settle } = setUp();
  journal.create(1, 1, new Note("a"));
  journal.flush();
  await settle();
  journal.replace(1, 1, new Note("b"));
  journal.forget(1, 1);
  journal.flush();
  assert.deepEqual(store.inFlight, [{ kind: 1, number: 1, value: null }]);
  await settle();
});

Deno.test("the state at the flush is what is written", async () => {
  const { journal, store, settle } = setUp();
  const note = new Note("early");
  journal.replace(1, 1, note);
  note.value = "late";
  journal.flush();
  await settle();
  assert.equal(text(store.read(1, 1)), "late");
  assert.equal(note.encoded, 1);
});

Deno.test("changes counts each change, also where nothing is kept", () => {
  for (const durability of ["sync", "async", "autosave", "none"] as const) {
    const { journal } = setUp(durability);
    journal.create(1, 1, new Note("a"));
    journal.replace(1, 1, new Note("b"));
    journal.forget(1, 1);
    assert.equal(journal.changes, 3);
  }
});

Deno.test("creating a number that is known to be written is a programmer's error", () => {
  const { journal } = setUp();
  journal.forget(1, 1);
  assert.throws(() => journal.create(1, 1, new Note("a")), /never written/);
});

Deno.test("onCommitted may change and flush again", async () => {
  const store = new FaultyStore();
  const committed: number[] = [];
  const journal: Journal = new Journal(store, {
    durability: "sync",
    autosaveIntervalSeconds: 0,
    autosaveOnChanges: false,
    clock: { monotonicMs: () => 0 },
    onCommitted(position) {
      committed.push(position);
      if (position === 3) return;
      journal.create(1, position, new Note("a"));
      if (position === 1) journal.forget(1, position);
      journal.flush();
    },
    onFatal: assert.fail,
    log: () => {},
  });
  journal.create(2, 1, new Note("a"));
  journal.forget(2, 1);
  journal.flush();
  assert.deepEqual(committed, [1, 2]);
  store.settle();
  await turn();
  assert.deepEqual(committed, [1, 2, 3]);
});

Deno.test("async: nothing waits, and the next tick commits", async () => {
  const { journal, store, pass, settle } = setUp("async");
  journal.create(1, 1, new Note("a"));
  journal.flush();
  assert.ok(journal.position <= journal.committed);
  assert.equal(store.inFlight, null);
  pass(100);
  assert.equal(store.inFlight!.length, 1);
  await settle();
  assert.equal(text(store.read(1, 1)), "a");
});

Deno.test("autosave: saves when the interval is over, and only if something changed", async () => {
  const { journal, store, pass, settle } = setUp("autosave", { seconds: 30, onChanges: false });
  journal.create(1, 1, new Note("a"));
  assert.ok(journal.position <= journal.committed);
  pass(29_900);
  journal.flush();
  assert.equal(store.inFlight, null);
  pass(100);
  await settle();
  pass(31_000);
  assert.equal(store.inFlight, null);
  journal.create(1, 2, new Note("b"));
  pass(28_000);
  assert.equal(store.inFlight, null, "the interval ran on while nothing changed");
  pass(1000);
  await settle();
  assert.equal(store.commits, 2);
});

Deno.test("autosave on changes: saves after so many, whatever the time", async () => {
  const { journal, store, pass, settle } = setUp("autosave", { seconds: 3, onChanges: true });
  journal.create(1, 1, new Note("a"));
  journal.create(1, 2, new Note("b"));
  journal.flush();
  pass(60_000);
  assert.equal(store.inFlight, null);
  journal.forget(1, 2);
  journal.flush();
  assert.deepEqual(store.inFlight!.map(({ number }) => number), [1]);
  await settle();
});

Deno.test("autosave 0 saves on request and at the end alone", async () => {
  const { journal, store, pass, settle } = setUp("autosave");
  journal.create(1, 1, new Note("a"));
  pass(3_600_000, 1000);
  journal.flush();
  assert.equal(store.inFlight, null);
  journal.save();
  await settle();
  journal.create(1, 2, new Note("b"));
  const closed = journal.close();
  await settle();
  await closed;
  assert.deepEqual(restored(store), [[1, 1, "a"], [1, 2, "b"]]);
});

Deno.test("none writes nothing, ever", async () => {
  const { journal, store, pass } = setUp("none");
  journal.create(1, 1, new Note("a"));
  journal.flush();
  journal.save();
  pass(100_000, 1000);
  assert.ok(journal.position <= journal.committed);
  await journal.close();
  assert.equal(store.commits, 0);
  assert.ok(store.closed);
});

for (const outcome of ["written", "lost"] as const) {
  Deno.test(`a rejected commit that was ${outcome} is written again and not acknowledged`, async () => {
    const { journal, store, committed, lines, pass, reject, settle } = setUp();
    journal.create(1, 1, new Note("a"));
    journal.forget(1, 9);
    journal.flush();
    const changes = store.inFlight;
    assert.ok(journal.accepting);
    await reject(outcome);
    assert.equal(journal.accepting, false);
    journal.create(1, 2, new Note("b"));
    journal.flush();
    assert.equal(store.inFlight, null);
    pass(1100);
    assert.deepEqual(store.inFlight, changes);
    assert.equal(journal.accepting, false);
    assert.deepEqual(committed, []);
    await settle();
    assert.ok(journal.accepting);
    await settle();
    assert.deepEqual(committed, [1, 2]);
    assert.equal(lines.length, 2);
    assert.deepEqual(restored(store), [[1, 1, "a"], [1, 2, "b"]]);
  });
}

Deno.test("three rejections are the end, and nothing is acknowledged after it", async () => {
  const { journal, store, committed, fatal, pass, reject } = setUp();
  journal.create(1, 1, new Note("a"));
  journal.flush();
  await reject("lost");
  pass(1100);
  await reject("lost");
  pass(1100);
  assert.equal(fatal.length, 0);
  await reject("lost");
  assert.equal(fatal.length, 1);
  assert.equal(journal.accepting, false);
  journal.create(1, 2, new Note("b"));
  journal.flush();
  pass(20_000);
  assert.equal(store.inFlight, null);
  assert.deepEqual(committed, []);
  assert.equal(fatal.length, 1);
  await journal.close();
  assert.ok(store.closed);
});

Deno.test("a fatal rejection is the end at once", async () => {
  const { journal, fatal, reject } = setUp();
  journal.create(1, 1, new Note("a"));
  journal.flush();
  await reject("lost", new StoreError("MDB_PANIC", "fatal"));
  assert.equal(fatal.length, 1);
  assert.match(fatal[0].message, /MDB_PANIC/);
});

Deno.test("no room is waited for without end, and then all goes on", async () => {
  const { journal, store, committed, fatal, lines, pass, reject, settle } = setUp();
  journal.create(1, 1, new Note("a"));
  journal.flush();
  for (let minute = 0; minute < 60; minute++) {
    await reject("lost", new StoreError("the disk is full", "no room"));
    pass(1100);
    assert.equal(journal.accepting, false);
  }
  assert.deepEqual([fatal, committed], [[], []]);
  await settle();
  assert.deepEqual(committed, [1]);
  assert.equal(lines.length, 2, "said once at its beginning and once at its end");
  assert.equal(text(store.read(1, 1)), "a");
});

Deno.test("a commit that does not end is the end", () => {
  const { journal, fatal, pass } = setUp();
  journal.create(1, 1, new Note("a"));
  journal.flush();
  pass(10_000);
  assert.equal(fatal.length, 0);
  pass(200);
  assert.match(fatal[0].message, /has not ended/);
});

Deno.test("a process that was stopped for an hour has not waited for its disk", async () => {
  const world = setUp();
  world.journal.create(1, 1, new Note("a"));
  world.journal.flush();
  world.nowMs += 3_600_000;
  world.journal.tick();
  assert.equal(world.fatal.length, 0);
  await world.settle();
  assert.deepEqual(world.committed, [1]);
});

Deno.test("a store that is not writable is told at the next tick", () => {
  const { journal, store, pass } = setUp();
  assert.ok(journal.accepting);
  store.healthNow = { writable: false, reason: "no room", bytes: 0 };
  pass(100);
  assert.equal(journal.accepting, false);
  store.healthNow = { writable: true, reason: "", bytes: 0 };
  pass(100);
  assert.ok(journal.accepting);
});

Deno.test("closing waits for the commit in flight and for the batch behind it", async () => {
  const { journal, store, settle } = setUp();
  journal.create(1, 1, new Note("a"));
  journal.flush();
  journal.create(1, 2, new Note("b"));
  const closed = journal.close();
  await settle();
  assert.equal(store.closed, false);
  await settle();
  await closed;
  assert.ok(store.closed);
  assert.deepEqual(restored(store), [[1, 1, "a"], [1, 2, "b"]]);
});

Deno.test("closing tries a failed commit again without waiting, and ends when it cannot", async () => {
  const { journal, store, fatal, reject } = setUp();
  journal.create(1, 1, new Note("a"));
  journal.flush();
  await reject("lost");
  const closed = journal.close();
  await reject("lost", new StoreError("full", "no room"));
  await reject("lost", new StoreError("full", "no room"));
  await closed;
  assert.equal(fatal.length, 1);
  assert.ok(store.closed);
});

/** What can happen to a journal, with the kind and number it happens to; few, so that they meet. */
const ACTIONS = "keep keep keep keep forget forget forget flush flush flush settle settle settle " +
  "reject tick tick crash";
const step = fc.record({
  action: fc.constantFrom(...ACTIONS.split(" ")),
  kind: fc.integer({ min: 1, max: 2 }),
  number: fc.integer({ min: 0, max: 1 }),
  written: fc.boolean(),
});

Deno.test("the journal in any order equals a plain map, and a crash loses nothing acknowledged", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80, size: "max" }), async (steps) => {
      const { journal, store, committed, fatal, pass } = setUp();
      const model = new Map<string, string>();
      /** The model as it was when each position was open last. */
      const snapshots = new Map([[0, new Map(model)]]);
      const written = new Set<string>();
      let serial = 0;
      for (const { action, kind, number, written: made } of steps) {
        const key = `${kind}/${number}`;
        if (action === "keep") {
          const value = `${serial++}`;
          if (written.has(key)) journal.replace(kind, number, new Note(value));
          else journal.create(kind, number, new Note(value));
          written.add(key);
          model.set(key, value);
        } else if (action === "forget") {
          journal.forget(kind, number);
          written.add(key);
          model.delete(key);
        } else if (action === "flush") journal.flush();
        else if (action === "settle") store.settle();
        else if (action === "reject") store.reject(made ? "written" : "lost");
        else if (action === "tick") pass(1100, 550);
        else if (action === "crash") {
          await turn();
          if (fatal.length > 0) break;
          const found = contents(store.crash(made ? "written" : "lost"));
          const exact = [...snapshots].filter(([position]) => position >= journal.committed);
          assert.ok(
            exact.some(([, snapshot]) => same(found, snapshot)),
            "a crash leaves the state of one position, and not one before what was committed",
          );
          return;
        }
        if (action === "keep" || action === "forget") {
          snapshots.set(journal.position, new Map(model));
        }
        await Promise.resolve();
      }
      await turn();
      if (fatal.length > 0) return;
      const closed = journal.close();
      for (let ends = 0; ends < 3; ends++) {
        store.settle();
        await turn();
      }
      await closed;
      assert.ok(same(contents(store), model));
      assert.deepEqual(committed, committed.toSorted((a, b) => a - b));
    }),
    { numRuns: 150 },
  );
});

function contents(store: FaultyStore): Map<string, string> {
  return new Map(restored(store).map(([kind, number, value]) => [`${kind}/${number}`, value]));
}

function same(a: Map<string, string>, b: Map<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}
