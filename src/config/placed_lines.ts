import type { Place } from "../mistake.ts";
import type { Check } from "./check.ts";
import { type ConfigurationFiles, readLines } from "./files.ts";

/** A line of a file without its end, and where it stands. */
export interface PlacedLine {
  readonly text: string;
  readonly place: Place;
}

/** The lines of a file, which begins anew; those that are no text are mistakes, as is a missing file. */
export function* placedLines(
  path: string,
  files: ConfigurationFiles,
  check: Check,
  includedFrom: Place["includedFrom"],
): Generator<PlacedLine> {
  const bytes = files.read(path);
  if ("problem" in bytes) {
    return check.mistake({ file: path, line: 0, includedFrom }, bytes.problem);
  }
  check.startFile();
  for (const [index, text] of readLines(bytes).entries()) {
    const place = { file: path, line: index + 1, ...(includedFrom && { includedFrom }) };
    if (text === null) check.mistake(place, "Malformed UTF-8 in configuration.");
    else yield { text, place };
  }
}
