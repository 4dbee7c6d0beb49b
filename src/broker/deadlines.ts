import { assert } from "../assert.ts";
import type { Deadline } from "../session/ports.ts";

/** Looked at when its time has come; says when to look again, Infinity: never. */
export interface Due {
  due(nowMs: number): number;
}

class Item implements Deadline {
  atMs: number;
  /** Null: cancelled, so that nothing is held by a deadline that is not awaited any more. */
  target: Due | null;

  constructor(atMs: number, target: Due) {
    this.atMs = atMs;
    this.target = target;
  }
}

/**
 * What is due when: a binary heap. A deadline is not moved by each packet; it is looked at when it
 * is due, and then says when to look again. Cost: O(log n) to set, O(1) to cancel.
 */
export class Deadlines {
  #heap: Item[] = [];
  #cancelled = 0;

  /** When the next one is due; Infinity: none. */
  get nextAtMs(): number {
    return this.#heap.length === 0 ? Infinity : this.#heap[0].atMs;
  }

  get size(): number {
    return this.#heap.length - this.#cancelled;
  }

  set(atMs: number, target: Due): Deadline {
    const item = new Item(atMs, target);
    if (atMs !== Infinity) this.#insert(item);
    return item;
  }

  cancel(deadline: Deadline | null): void {
    if (deadline === null) return;
    assert(deadline instanceof Item, "a deadline that was set here");
    if (deadline.target === null) return;
    deadline.target = null;
    if (deadline.atMs === Infinity) return;
    if (++this.#cancelled > 1000 && this.#cancelled * 2 > this.#heap.length) this.#sweep();
  }

  /** Looks at all that is due. */
  run(nowMs: number): void {
    while (this.#heap.length > 0 && this.#heap[0].atMs <= nowMs) {
      const item = this.#pop();
      const { target } = item;
      if (target === null) {
        this.#cancelled--;
        continue;
      }
      item.atMs = Infinity;
      const againAtMs = target.due(nowMs);
      if (item.target === null || againAtMs === Infinity) continue;
      // Never in the same run, or a deadline that says "now" would hold the loop.
      item.atMs = Math.max(againAtMs, nowMs + 1);
      this.#insert(item);
    }
  }

  #sweep() {
    const alive = this.#heap.filter((item) => item.target !== null);
    this.#heap = [];
    this.#cancelled = 0;
    for (const item of alive) this.#insert(item);
  }

  #insert(item: Item) {
    const heap = this.#heap;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const parent = at - 1 >> 1;
      if (heap[parent].atMs <= item.atMs) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = item;
  }

  #pop(): Item {
    const heap = this.#heap;
    const first = heap[0];
    const item = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1].atMs < heap[child].atMs) child++;
      if (heap[child].atMs >= item.atMs) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = item;
    return first;
  }
}
