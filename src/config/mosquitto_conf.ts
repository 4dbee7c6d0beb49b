import type { Place } from "../mistake.ts";
import type { Check } from "./check.ts";
import type { ConfigurationFiles } from "./files.ts";
import { pathsToInclude } from "./include_dir.ts";
import { findOption } from "./options.ts";
import { placedLines } from "./placed_lines.ts";

/**
 * Reads a file in Mosquitto's language: one setting per line, the name, then blanks, then the value;
 * `#` in the first column begins a comment. What Mosquitto would trip over (tabs, blanks before `#`,
 * a byte order mark) is taken as it was meant, with a notice.
 */
export function readMosquittoConf(path: string, files: ConfigurationFiles, check: Check): void {
  readFile(path, files, check, undefined);
}

function readFile(
  path: string,
  files: ConfigurationFiles,
  check: Check,
  includedFrom: Place["includedFrom"],
): void {
  for (const { text, place } of placedLines(path, files, check, includedFrom)) {
    readSetting(text, place, files, check);
  }
}

function readSetting(line: string, place: Place, files: ConfigurationFiles, check: Check): void {
  const match = /^([ \t]*)([^ \t]+)([ \t]*)(.*)$/s.exec(line.trimEnd());
  if (match === null || line.startsWith("#")) return;
  const [, before, name, between, text] = match;
  if (name.startsWith("#")) {
    return check.notice(place, "Mosquitto takes no comment that begins after blanks.");
  }
  const setting = check.expand({
    name,
    text,
    place: { ...place, column: before.length + 1 },
    valueColumn: before.length + name.length + between.length + 1,
    firstWordOnly: true,
  });
  if (setting === undefined) return;
  const kind = findOption(name)?.kind;
  const isText = kind === "text" || kind === "path" || kind === "versions";
  if (before.includes("\t") || between.includes("\t") || (!isText && text.includes("\t"))) {
    check.notice(place, `Mosquitto takes no tab beside '${name}', only blanks.`);
  }
  if (name === "include_dir") include(setting.text, setting.place, files, check);
  else check.set(setting);
}

function include(
  directory: string,
  place: Place,
  files: ConfigurationFiles,
  check: Check,
): void {
  const paths = pathsToInclude(directory, place, ".conf", files, check);
  const { file, line } = place;
  // The sections of the including file go on after the included ones, as in Mosquitto.
  check.aside(() => {
    for (const path of paths) readFile(path, files, check, { file, line });
  });
}
