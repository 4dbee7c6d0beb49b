import type { FileArguments } from "./arguments.ts";
import type { LoadArguments } from "./load_configuration.ts";

/** What a configuration is loaded with: the command line and the environment. */
export function loadArguments(
  { file, ports, verbose, quiet, expandEnv }: FileArguments,
  variable: (name: string) => string | undefined,
): LoadArguments {
  const persistenceLocation = variable("MOSQUITTO_PERSISTENCE_LOCATION");
  return {
    ...(file === undefined ? {} : { file }),
    ...{ ports, verbose, quiet },
    ...(persistenceLocation === undefined ? {} : { persistenceLocation }),
    ...(expandEnv ? { variable } : {}),
  };
}
