import type { Check } from "./check.ts";
import { type ConfigurationFiles, readLines } from "./files.ts";
import { pathsToInclude } from "./include_dir.ts";
import type { Place } from "../mistake.ts";
import { findOption } from "./options.ts";

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
  const bytes = files.read(path);
  if ("problem" in bytes) {
    return check.mistake({ file: path, line: 0, includedFrom }, bytes.problem);
  }
  check.startFile();
  for (const [index, text] of readLines(bytes).entries()) {
    const place = { file: path, line: index + 1, ...(includedFrom && { includedFrom }) };
    if (text === null) check.mistake(place, "Malformed UTF-8 in configuration.");
    else readSetting(text, place, files, check);
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
