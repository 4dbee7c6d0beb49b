import { assert } from "../assert.ts";
import { assertChanges } from "./record_changes.ts";
import type { RecordChange, RecordVisitor, Store, StoreHealth } from "./store.ts";

/**
 * A store that forgets all when the process ends: `persistence false`, and tests. A commit is visible
 * at once and resolves in a microtask.
 */
export class MemoryStore implements Store {
  readonly #kinds = new Map<number, Map<number, Uint8Array>>();
  #committing = false;

  restore(visit: RecordVisitor): void {
    const kinds = [...this.#kinds.keys()].sort((a, b) => a - b);
    for (const kind of kinds) {
      const records = this.#kinds.get(kind)!;
      const numbers = [...records.keys()].sort((a, b) => a - b);
      for (const number of numbers) visit(kind, number, records.get(number)!.slice());
    }
  }

  commit(changes: readonly RecordChange[]): Promise<void> {
    assert(!this.#committing, "one commit is in flight at most");
    assertChanges(changes);
    this.#committing = true;
    for (const { kind, number, value } of changes) {
      if (value === null) this.#kinds.get(kind)?.delete(number);
      else this.#records(kind).set(number, value.slice());
    }
    return Promise.resolve().then(() => {
      this.#committing = false;
    });
  }

  read(kind: number, number: number): Uint8Array | undefined {
    return this.#kinds.get(kind)?.get(number)?.slice();
  }

  health(): StoreHealth {
    return { writable: true, reason: "", bytes: 0 };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #records(kind: number): Map<number, Uint8Array> {
    let records = this.#kinds.get(kind);
    if (records === undefined) this.#kinds.set(kind, records = new Map());
    return records;
  }
}
