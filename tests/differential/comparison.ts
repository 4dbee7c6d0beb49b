import { knownDifferences, type KnownRule, knownRules } from "./known_differences.ts";
import { differences, type Outcome } from "./transcript.ts";

/** Compares transcripts step by step and remembers which rules it needed. */
export class Comparison {
  readonly #rules: readonly KnownRule[];
  readonly #needed = new Set<KnownRule>();

  constructor(rules: readonly KnownRule[] = knownRules) {
    this.#rules = rules;
  }

  /** The steps with a difference that no rule explains, and the differences. */
  compare(theirs: readonly Outcome[], ours: readonly Outcome[]): string[] {
    return theirs.flatMap(({ step, heard }, index) => {
      const other = ours[index].heard;
      const clients = new Set([...Object.keys(heard), ...Object.keys(other)]);
      const found = [...clients].flatMap((client) =>
        this.#compareHeard(client, heard[client] ?? [], other[client] ?? [])
      );
      return found.length === 0 ? [] : [`${index + 1}. ${step}`, ...found];
    });
  }

  /** Rules that explained nothing: what they say is no longer so. */
  get unneeded(): KnownRule[] {
    return this.#rules.filter((rule) => !this.#needed.has(rule));
  }

  #compareHeard(client: string, theirs: readonly string[], ours: readonly string[]): string[] {
    let before = differences(client, theirs, ours);
    for (const rule of this.#rules) {
      if (before.length === 0) break;
      [theirs, ours] = [rule.theirs?.(theirs, ours) ?? theirs, rule.ours?.(ours, theirs) ?? ours];
      const after = differences(client, theirs, ours);
      if (after.length < before.length) this.#needed.add(rule);
      before = after;
    }
    return before;
  }
}

/** What is known to differ in a script, by its full title. */
export function knownLines(script: string): readonly string[] {
  return knownDifferences.find((known) => known.script === script)?.lines ?? [];
}
