import type { RecordChange, RecordVisitor, StoreHealth } from "../../src/store/store.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import type { SimulatedStore } from "./simulation.ts";

/** A store that breaks its word; each kind says how. */
abstract class BrokenStore implements SimulatedStore {
  protected readonly inner: FaultyStore;

  constructor(inner: FaultyStore = new FaultyStore()) {
    this.inner = inner;
  }

  get inFlight(): readonly RecordChange[] | null {
    return this.inner.inFlight;
  }

  restore(visit: RecordVisitor): void {
    this.inner.restore(visit);
  }

  commit(changes: readonly RecordChange[]): Promise<void> {
    return this.inner.commit(changes);
  }

  read(kind: number, number: number): Uint8Array | undefined {
    return this.inner.read(kind, number);
  }

  health(): StoreHealth {
    return this.inner.health();
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  settle(): boolean {
    return this.inner.settle();
  }

  reject(outcome: "written" | "lost"): boolean {
    return this.inner.reject(outcome);
  }

  abstract crash(outcome: "written" | "lost"): SimulatedStore;
}

/** Says "written" at once and writes later, or, after a crash, never. */
export class HastyStore extends BrokenStore {
  readonly #batches: RecordChange[][] = [];

  override commit(changes: readonly RecordChange[]): Promise<void> {
    this.#batches.push(
      changes.map((change) => ({ ...change, value: change.value && change.value.slice() })),
    );
    return Promise.resolve();
  }

  override settle(): boolean {
    const changes = this.#batches.shift();
    if (changes === undefined) return false;
    void this.inner.commit(changes);
    return this.inner.settle();
  }

  override crash(): HastyStore {
    return new HastyStore(this.inner.crash("lost"));
  }
}

/** Leaves out some of the changes of each batch. */
export class ForgetfulStore extends BrokenStore {
  readonly #keeps: (change: RecordChange) => boolean;

  constructor(keeps: (change: RecordChange) => boolean, inner?: FaultyStore) {
    super(inner);
    this.#keeps = keeps;
  }

  override commit(changes: readonly RecordChange[]): Promise<void> {
    return this.inner.commit(changes.filter(this.#keeps));
  }

  override crash(outcome: "written" | "lost"): ForgetfulStore {
    return new ForgetfulStore(this.#keeps, this.inner.crash(outcome));
  }
}
