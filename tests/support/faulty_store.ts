import { assert } from "../../src/assert.ts";
import { assertChanges } from "../../src/store/record_changes.ts";
import type {
  RecordChange,
  RecordVisitor,
  Store,
  StoreError,
  StoreHealth,
} from "../../src/store/store.ts";

/** Committed records by kind, then number. */
type Records = Map<number, Map<number, Uint8Array>>;

interface Commit {
  changes: readonly RecordChange[];
  resolve(): void;
  reject(error: Error): void;
}

/**
 * A store for tests and the simulation in which nothing happens by itself: a commit ends when the test
 * says so, well or badly, and a crash hands over what a disk would hold. No clock, no chance.
 *
 *     const store = new FaultyStore();
 *     journal.flush();
 *     store.settle();                       // the commit in flight succeeds
 *     store.reject("written");              // it fails, and yet all of it is there
 *     const after = store.crash("lost");    // the machine dies; `after` is what the next start finds
 */
export class FaultyStore implements Store {
  /** What `health` says; to be set by the test. */
  healthNow: StoreHealth = { writable: true, reason: "", bytes: 0 };
  /** Commits settle by themselves, in a microtask. */
  automatic: boolean;
  /** Successful commits so far. */
  commits = 0;
  closed = false;

  readonly #records: Records;
  #inFlight: Commit | null = null;
  /** Its process is gone: nothing ends any more. */
  #crashed = false;

  constructor(options: { automatic?: boolean } = {}, records: Records = new Map()) {
    this.automatic = options.automatic ?? false;
    this.#records = records;
  }

  /** The changes of the commit in flight. */
  get inFlight(): readonly RecordChange[] | null {
    return this.#inFlight?.changes ?? null;
  }

  restore(visit: RecordVisitor): void {
    for (const [kind, records] of sorted(this.#records)) {
      for (const [number, value] of sorted(records)) visit(kind, number, value.slice());
    }
  }

  commit(changes: readonly RecordChange[]): Promise<void> {
    assert(this.#inFlight === null, "one commit is in flight at most");
    assert(!this.closed, "commits come before closing");
    assertChanges(changes);
    const promise = new Promise<void>((resolve, reject) => {
      const copies = changes.map(({ kind, number, value }) => ({
        kind,
        number,
        value: value === null ? null : value.slice(),
      }));
      this.#inFlight = { changes: copies, resolve, reject };
    });
    if (this.automatic) queueMicrotask(() => this.settle());
    return promise;
  }

  read(kind: number, number: number): Uint8Array | undefined {
    return this.#records.get(kind)?.get(number)?.slice();
  }

  health(): StoreHealth {
    return this.healthNow;
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  /** The commit in flight succeeds. Returns false if there is none. */
  settle(): boolean {
    const commit = this.#take();
    if (commit === null) return false;
    apply(this.#records, commit.changes);
    this.commits++;
    commit.resolve();
    return true;
  }

  /** The commit in flight is rejected; its changes are there all the same, or not. */
  reject(outcome: "written" | "lost", error: Error | StoreError = new Error("faulty")): boolean {
    const commit = this.#take();
    if (commit === null) return false;
    if (outcome === "written") apply(this.#records, commit.changes);
    commit.reject(error);
    return true;
  }

  /**
   * The process dies: this store never answers again. Returns the store the next process opens; the
   * commit in flight made it to the disk, or not.
   */
  crash(outcome: "written" | "lost" = "lost"): FaultyStore {
    const commit = this.#take();
    const records: Records = new Map();
    for (const [kind, byNumber] of this.#records) records.set(kind, new Map(byNumber));
    if (commit !== null && outcome === "written") apply(records, commit.changes);
    this.#crashed = true;
    return new FaultyStore({ automatic: this.automatic }, records);
  }

  #take(): Commit | null {
    const commit = this.#inFlight;
    if (commit === null || this.#crashed) return null;
    this.#inFlight = null;
    return commit;
  }
}

function apply(records: Records, changes: readonly RecordChange[]): void {
  for (const { kind, number, value } of changes) {
    let byNumber = records.get(kind);
    if (byNumber === undefined) records.set(kind, byNumber = new Map());
    if (value === null) byNumber.delete(number);
    else byNumber.set(number, value);
  }
}

function sorted<V>(map: ReadonlyMap<number, V>): [number, V][] {
  return [...map].sort(([a], [b]) => a - b);
}
