import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { Place } from "../mistake.ts";
import type { Examined } from "./examination.ts";
import type { OptionRow } from "./option_row.ts";
import { findOption } from "./options.ts";

/** Options whose file is written: its directory must be there. */
const WRITTEN = ["pid_file"];
/** Options that name a directory. */
const DIRECTORIES = ["http_dir"];

/** What options name beside access files and certificates; also `${…}` that nothing fills in. */
export function examinePaths(examined: Examined): void {
  const { check } = examined;
  for (const section of [check.global, ...check.listeners, ...check.bridges]) {
    for (const [option, place] of section.places) {
      const value = section.values.get(option);
      const row = findOption(option);
      if (row === undefined) continue;
      for (const text of [value].flat()) {
        if (typeof text === "string") examineText(row, text, place, examined);
      }
    }
  }
}

function examineText(
  row: OptionRow,
  text: string,
  place: Place,
  { check, report }: Examined,
): void {
  const { name } = row;
  const isWritten = check.filledIn.written().has(`${place.file}:${place.line}`);
  if (!isWritten && /\$\{[^}]*\}/.test(text) && row.secret !== true) {
    report("notice", place, `What '${name}' has in '\${…}' is filled in with --expand-env only.`);
  }
  const written = WRITTEN.includes(name)
    ? text
    : row.kind === "words"
    ? /^file (.*)$/s.exec(text)?.[1]
    : undefined;
  if (written !== undefined && !isDirectory(dirname(written))) {
    report("mistake", place, `There is no directory for the file of '${name}': "${written}".`);
  }
  if (DIRECTORIES.includes(name) && !isDirectory(text)) {
    report("mistake", place, `Unable to open ${name} "${text}": it is no directory.`);
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
