/** Where a setting stands. Lines and columns count from 1; line 0 stands for no line in particular. */
export interface Place {
  /** As it was named; empty for what stands in no file. */
  readonly file: string;
  /** From 1; 0 for no line in particular. */
  readonly line: number;
  /** From 1. */
  readonly column?: number;
  /** The `include_dir` line through which the file was read. */
  readonly includedFrom?: { readonly file: string; readonly line: number };
}

/** One mistake in a configuration. */
export interface Mistake extends Place {
  /** Mosquitto's words where it has some, without "Error: ". */
  readonly message: string;
  /** What to write instead. */
  readonly hint?: string;
}

/** `FILE:LINE`, as origins are given. */
export function placeText(place: Place): string {
  return place.line === 0 ? place.file : `${place.file}:${place.line}`;
}

/**
 * The lines for stderr: of each mistake what Mosquitto says, in its words, for tools that look for
 * them, then the column and the hint on a line of their own.
 */
export function formatMistakes(mistakes: readonly Mistake[]): string {
  return mistakes.flatMap(formatMistake).map((line) => `${line}\n`).join("");
}

/** The line for the log about what is odd, but used. */
export function warningText(warning: Mistake): string {
  const hint = warning.hint === undefined ? "" : `; ${warning.hint}`;
  return `Warning: ${warning.message} (${placeText(warning)}${hint})`;
}

function formatMistake(mistake: Mistake): string[] {
  const lines = [`Error: ${mistake.message}`];
  if (mistake.line > 0) {
    if (mistake.includedFrom === undefined) {
      lines.push(`Error found at ${placeText(mistake)}.`);
    } else {
      lines.push(
        `Error found at '${placeText(mistake)}'.`,
        `Error found at ${placeText(mistake.includedFrom)}.`,
      );
    }
  }
  const column = mistake.column === undefined ? "" : `:${mistake.column}`;
  if (mistake.hint !== undefined) {
    lines.push(`  ${placeText(mistake)}${column}: ${mistake.hint}`);
  } else if (column !== "") {
    lines.push(`  ${placeText(mistake)}${column}`);
  }
  return lines;
}

/** What is wrong with a configuration, or with the files that it names: the message lists every mistake. */
export class ConfigurationError extends Error {
  /** The class's name. */
  override readonly name: string = "ConfigurationError";

  /** Of all mistakes that were found. */
  constructor(readonly mistakes: readonly Mistake[]) {
    super(
      mistakes.map((mistake) => {
        const place = mistake.line === 0 ? "" : `${placeText(mistake)}: `;
        const { message, hint } = mistake;
        return place + (hint === undefined ? message : `${message} (${hint})`);
      }).join("\n"),
    );
  }
}
