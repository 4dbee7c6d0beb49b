import {
  type Arguments,
  CONFIGURATION_OK,
  EXIT_CONFIGURATION,
  parseArguments,
  USAGE,
} from "./config/arguments.ts";
import type { Configuration } from "./config/configuration.ts";
import { loadArguments } from "./config/load_arguments.ts";
import { loadConfiguration, type Loaded } from "./config/load_configuration.ts";
import { formatMistakes } from "./mistake.ts";
import { VERSION } from "./version.ts";

/** The command line: reads it, and checks, says or runs what it asks for. Returns the exit status. */
export async function main(words: readonly string[]): Promise<number> {
  const asked = parseArguments(words);
  switch (asked.action) {
    case "help":
      printOut(USAGE);
      return 0;
    case "version":
      printOut(`sabethes version ${VERSION}\n`);
      return 0;
    case "refuse":
      printError(`${asked.message}\n`);
      if (asked.showUsage) printOut(USAGE);
      return EXIT_CONFIGURATION;
    case "check":
      return check(asked);
    case "run":
      return await run(asked);
    default: {
      // Read only when it is wanted: the broker starts faster without it.
      const { runCommand } = await import("./process/commands.ts");
      return await runCommand(asked);
    }
  }
}

function read(asked: Extract<Arguments, { action: "run" | "check" }>): Loaded {
  return loadConfiguration(loadArguments(asked, (name) => Deno.env.get(name)));
}

function load(asked: Extract<Arguments, { action: "run" | "check" }>): Configuration | null {
  const loaded = read(asked);
  if ("configuration" in loaded) return loaded.configuration;
  printError(formatMistakes(loaded.mistakes));
  return null;
}

function check(asked: Extract<Arguments, { action: "check" }>): number {
  const configuration = load(asked);
  if (configuration === null) return EXIT_CONFIGURATION;
  for (const notice of configuration.notices) printError(`${notice}\n`);
  printError(`${CONFIGURATION_OK}\n`);
  return 0;
}

async function run(asked: Extract<Arguments, { action: "run" }>): Promise<number> {
  const configuration = load(asked);
  if (configuration === null) return EXIT_CONFIGURATION;
  if (asked.daemon) {
    const { isDaemon, startDaemon } = await import("./system/daemon.ts");
    if (!isDaemon()) return await startDaemon();
  }
  // A wrong configuration is told before the rest of the program is even read.
  const { run } = await import("./process/run.ts");
  return await run(asked, configuration, () => read(asked));
}

function printOut(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

function printError(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}
