import type { Check } from "./check.ts";
import { type ConfigurationFiles, includedFiles } from "./files.ts";
import type { Place } from "../mistake.ts";

/** The files that an `include_dir` at `place` names; none, and a mistake, where it is wrong. */
export function pathsToInclude(
  directory: string,
  place: Place,
  ending: ".conf" | ".ini",
  files: ConfigurationFiles,
  check: Check,
): string[] {
  if (place.includedFrom !== undefined) {
    check.mistake(place, "The include_dir option is only valid in the main configuration file.");
  } else if (directory === "") check.mistake(place, "Empty 'include_dir' value in configuration.");
  else {
    const paths = includedFiles(files, directory, ending);
    if (paths !== undefined) return paths;
    check.mistake(place, `Unable to open include_dir '${directory}'.`);
  }
  return [];
}
