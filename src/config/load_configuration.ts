import { Check } from "./check.ts";
import { conclude, type Configuration, type Overrides } from "./configuration.ts";
import type { ExpansionSources } from "./expansion.ts";
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
  /** The environment's variables, if `${NAME}` and `${file:PATH}` in values are to be filled in. */
  readonly variable?: (name: string) => string | undefined;
}

/**
 * Reads a configuration and the files it includes, synchronously, and touches nothing else: neither the
 * store nor what the options name.
 */
export function loadConfiguration(
  asked: LoadArguments,
  files: ConfigurationFiles = diskFiles,
): Loaded {
  const { check, configuration } = readConfiguration(asked, files);
  return check.mistakes.length > 0 ? { mistakes: check.mistakes } : { configuration };
}

/** As `loadConfiguration`, with all that was noticed, and a configuration in spite of mistakes. */
export function readConfiguration(
  { file, variable, ...overrides }: LoadArguments,
  files: ConfigurationFiles = diskFiles,
): { readonly check: Check; readonly configuration: Configuration } {
  const read = new Set<string>();
  const recorded = recording(files, read);
  const check = new Check(variable === undefined ? undefined : sourcesOf(variable, recorded));
  if (file !== undefined) {
    if (file.toLowerCase().endsWith(".ini")) readIni(file, recorded, check);
    else readMosquittoConf(file, recorded, check);
  }
  return { check, configuration: { ...conclude(check, overrides), filesRead: [...read] } };
}

/** The same files; what is asked of them is noted in `read`. */
function recording(files: ConfigurationFiles, read: Set<string>): ConfigurationFiles {
  return {
    read(path) {
      read.add(path);
      return files.read(path);
    },
    list(directory) {
      read.add(directory);
      return files.list(directory);
    },
  };
}

function sourcesOf(
  variable: ExpansionSources["variable"],
  files: ConfigurationFiles,
): ExpansionSources {
  return {
    variable,
    file(path) {
      const bytes = files.read(path);
      return "problem" in bytes ? undefined : bytes;
    },
  };
}
