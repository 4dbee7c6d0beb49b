import { assert } from "../assert.ts";
import type { RecordChange } from "./store.ts";

/**
 * Asserts what the interface asks of a commit's changes, before any of them is made: kinds and numbers
 * in their bounds, and no key twice, since which of two changes wins would be left to the store. Changes
 * in ascending order, as the journal mostly makes them, are told to be distinct without a table.
 */
export function assertChanges(changes: readonly RecordChange[]): void {
  let ascending = true;
  let kindBefore = 0;
  let numberBefore = 0;
  for (let i = 0; i < changes.length; i++) {
    const { kind, number } = changes[i];
    assert(Number.isInteger(kind) && kind >= 1 && kind <= 200, "a kind is 1 to 200");
    assert(Number.isSafeInteger(number) && number >= 0, "a number is a safe integer ≥ 0");
    if (kind < kindBefore || kind === kindBefore && number <= numberBefore) ascending = false;
    kindBefore = kind;
    numberBefore = number;
  }
  if (!ascending) assertDistinct(changes);
}

function assertDistinct(changes: readonly RecordChange[]): void {
  const seen = new Map<number, Set<number>>();
  for (const { kind, number } of changes) {
    let numbers = seen.get(kind);
    if (numbers === undefined) seen.set(kind, numbers = new Set());
    assert(!numbers.has(number), "a record is changed once in a commit");
    numbers.add(number);
  }
}
