/**
 * How many chunks follow each record that has any, so that replacing or removing one cleans up after it.
 * Most records have none and cost nothing here. While the outcome of a commit is open, the larger number
 * counts: removing a chunk that is not there is no error, leaving one is.
 */
export class ChunkCounts {
  readonly #counts = new Map<number, Map<number, number>>();
  /** What holds once the commit in flight has succeeded. */
  #pending: { kind: number; number: number; count: number }[] = [];

  get(kind: number, number: number): number {
    return this.#counts.get(kind)?.get(number) ?? 0;
  }

  set(kind: number, number: number, count: number): void {
    let counts = this.#counts.get(kind);
    if (counts === undefined) this.#counts.set(kind, counts = new Map());
    if (count === 0) counts.delete(number);
    else counts.set(number, count);
  }

  /** The commit being made changes the number from `before` to `after`. */
  change(kind: number, number: number, before: number, after: number): void {
    if (before === after) return;
    this.#pending.push({ kind, number, count: after });
    if (after > before) this.set(kind, number, after);
  }

  committed(): void {
    for (const { kind, number, count } of this.#pending) this.set(kind, number, count);
    this.#pending = [];
  }

  failed(): void {
    this.#pending = [];
  }
}
