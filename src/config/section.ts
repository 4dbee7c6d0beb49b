import { isGathered, type OptionRow, type OptionValue } from "./option_row.ts";
import type { Place } from "../mistake.ts";

/** The options that were set in one place: globally, for one listener, for one bridge. */
export class Section {
  readonly values = new Map<string, OptionValue>();
  readonly places = new Map<string, Place>();

  /** Takes a value; of a gathered option, one of its values. Says what is wrong or odd about it. */
  set(row: OptionRow, value: OptionValue, place: Place): "taken" | "duplicate" | "skipped" {
    const before = this.values.get(row.name);
    if (isGathered(row)) {
      const gathered = gather(row, before as readonly unknown[] ?? [], value as readonly unknown[]);
      if (typeof gathered === "string") return gathered;
      this.values.set(row.name, gathered as OptionValue);
    } else {
      if (isOnce(row) && before !== undefined) return "duplicate";
      this.values.set(row.name, value);
    }
    this.places.set(row.name, place);
    return "taken";
  }
}

/** A listener that is being declared. */
export class ListenerSection extends Section {
  /** Undefined until a `port` has been given. */
  port: number | undefined;
  address: string | null = null;
  unixPath: string | null = null;
  constructor(
    readonly kind: "listener line" | "default listener",
    readonly place: Place,
    readonly index: number,
  ) {
    super();
  }
}

/** A bridge that is being declared. */
export class BridgeSection extends Section {
  constructor(readonly name: string, readonly place: Place) {
    super();
  }
}

/** Whether a second value is a mistake rather than the one that counts. */
function isOnce(row: OptionRow): boolean {
  return (row.kind === "text" || row.kind === "path" || row.kind === "endpoint" ||
    row.kind === "addresses") && row.lastWins === undefined;
}

/** Adds to a list or set: of words, `none` empties it and `all` fills it. */
function gather(
  row: OptionRow,
  before: readonly unknown[],
  added: readonly unknown[],
): readonly unknown[] | "duplicate" | "skipped" {
  const [one] = added;
  if (row.kind === "words") {
    if (one === "none") return [];
    if (one === "all" && row.all) return row.words;
    const word = String(one).split(" ")[0];
    const isPath = row.pathWords?.includes(word) === true;
    if (isPath && before.some((earlier) => String(earlier).startsWith(`${word} `))) {
      return "duplicate";
    }
    return before.includes(one) ? before : [...before, one];
  }
  const text = JSON.stringify(one);
  return before.some((earlier) => JSON.stringify(earlier) === text)
    ? "skipped"
    : [...before, ...added];
}
