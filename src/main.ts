import { loadConfiguration } from "./config/load_configuration.ts";
import {
  type Arguments,
  CONFIGURATION_OK,
  EXIT_CONFIGURATION,
  parseArguments,
  USAGE,
} from "./config/arguments.ts";
import type { Configuration } from "./config/configuration.ts";
import { formatMistakes } from "./mistake.ts";
import { VERSION } from "./version.ts";

/** A listener or the store could not be opened. */
const EXIT_START = 1;
/** Nothing more can be kept: the supervisor is to start the broker again. */
const EXIT_FATAL = 70;

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
  }
}

function load(asked: Extract<Arguments, { action: "run" | "check" }>): Configuration | null {
  const loaded = loadConfiguration({
    ...asked,
    persistenceLocation: Deno.env.get("MOSQUITTO_PERSISTENCE_LOCATION"),
  });
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
  // A wrong configuration is told before the rest of the program is even read.
  const [{ Log }, { Server }, { ListenError }, { StoreError }, { installSignals }] = await Promise
    .all([
      import("./log.ts"),
      import("./server.ts"),
      import("./opening.ts"),
      import("./store/store.ts"),
      import("./system/signals.ts"),
    ]);
  const { global } = configuration;
  const log = new Log({
    destinations: global.logDest,
    types: global.logType,
    timestamp: global.logTimestamp,
  });
  let end: (status: number) => void;
  const ended = new Promise<number>((resolve) => end = resolve);
  let server: Awaited<ReturnType<typeof Server.start>> | null = null;
  const removeSignals = installSignals({
    stop: () => end(0),
    save: () => server?.save(),
    printTree: () => log.log("warning", "Printing the subscription tree is not supported yet."),
    reload: () => log.log("warning", "Reloading is not supported yet: nothing is changed."),
  });
  try {
    server = await Server.start({
      configuration,
      hooks: {},
      log,
      observer: null,
      onFatal: (error) => {
        log.log("error", `Error: ${error.message}`);
        Deno.exit(EXIT_FATAL);
      },
    });
    if (asked.file !== undefined) log.log("information", `Config loaded from ${asked.file}.`);
    log.log("information", `sabethes version ${VERSION} running`);
    const status = await ended;
    await server.stop();
    return status;
  } catch (error) {
    if (!(error instanceof StoreError || error instanceof ListenError)) throw error;
    printError(`Error: ${error.message}\n`);
    return error instanceof StoreError ? EXIT_CONFIGURATION : EXIT_START;
  } finally {
    removeSignals();
  }
}

function printOut(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

function printError(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}
