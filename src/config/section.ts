import type { OptionRow, OptionValue } from "./option_row.ts";
import type { Place } from "../mistake.ts";

/** The options that were set in one place: globally, for one listener, for one bridge. */
export class Section {
  readonly values = new Map<string, OptionValue>();
  readonly places = new Map<string, Place>();

  /** Takes a value. False: the option was given before and may be given once only. */
  set(row: OptionRow, value: OptionValue, place: Place): boolean {
    const before = this.values.get(row.name);
    const once = (row.kind === "text" || row.kind === "path" || row.kind === "endpoint") &&
      row.lastWins === undefined;
    if (once && before !== undefined) return false;
    this.values.set(row.name, row.kind === "words" ? gather(row, before, value as string) : value);
    this.places.set(row.name, place);
    return true;
  }
}

/** A listener that is being declared. */
export class ListenerSection extends Section {
  /** Undefined until a `port` has been given. */
  port: number | undefined;
  address: string | null = null;
  constructor(readonly kind: "listener line" | "default listener", readonly place: Place) {
    super();
  }
}

/** Adds a word to a set of words: `none` empties it, `all` fills it. */
function gather(
  row: Extract<OptionRow, { kind: "words" }>,
  before: OptionValue | undefined,
  word: string,
): readonly string[] {
  if (word === "none") return [];
  if (word === "all" && row.all) return row.words;
  const words = before === undefined ? [] : before as readonly string[];
  return words.includes(word) ? words : [...words, word];
}
