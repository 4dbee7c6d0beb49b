import { Check } from "./check.ts";
import { conclude, type Configuration, type Overrides } from "./configuration.ts";
import { type ConfigurationFiles, diskFiles } from "./files.ts";
import { readIni } from "./ini.ts";
import type { Mistake } from "../mistake.ts";
import { readMosquittoConf } from "./mosquitto_conf.ts";

/** The configuration, or every mistake that was found in it. */
export type Loaded =
  | { readonly configuration: Configuration }
  | { readonly mistakes: readonly Mistake[] };

/** What to load. */
export interface LoadArguments extends Overrides {
  /** `-c`: read as INI if it ends in `.ini`, else as mosquitto.conf. Without it there are the defaults. */
  readonly file?: string;
}

/**
 * Reads a configuration and the files it includes, synchronously, and touches nothing else: neither the
 * store nor what the options name.
 */
export function loadConfiguration(
  { file, ...overrides }: LoadArguments,
  files: ConfigurationFiles = diskFiles,
): Loaded {
  const check = new Check();
  if (file !== undefined) {
    if (file.toLowerCase().endsWith(".ini")) readIni(file, files, check);
    else readMosquittoConf(file, files, check);
  }
  const configuration = conclude(check, overrides);
  return check.mistakes.length > 0 ? { mistakes: check.mistakes } : { configuration };
}
