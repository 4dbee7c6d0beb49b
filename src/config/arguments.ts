import type { Overrides } from "./configuration.ts";

/** What the command line asks for. */
export type Arguments =
  | ({ readonly action: "run"; readonly daemon?: true } & FileArguments)
  /** Say whether the configuration is right, and do nothing else. */
  | ({ readonly action: "check"; readonly file: string } & FileArguments)
  /** `USAGE` on stdout, exit 0. */
  | { readonly action: "help" }
  | { readonly action: "version" }
  /** The message on stderr, then `USAGE` on stdout if asked for, exit 3. */
  | { readonly action: "refuse"; readonly message: string; readonly showUsage: boolean };

/** What `loadConfiguration` takes from the command line. */
export interface FileArguments extends Omit<Overrides, "persistenceLocation"> {
  readonly file?: string;
  readonly ports: readonly number[];
  readonly verbose: boolean;
  readonly quiet: boolean;
}

/** Exit status for wrong arguments and wrong configurations, as Mosquitto's. */
export const EXIT_CONFIGURATION = 3;

/** What a good check says, on stderr as all texts but the usage. */
export const CONFIGURATION_OK = "Configuration file is OK.";

/** The usage, for stdout. */
export const USAGE = `Usage: sabethes [-c config_file] [-d] [-h] [-p port] [-q] [-v]
       sabethes check-config config_file

 -c, --config-file : read this configuration file (INI if it ends in .ini).
 -d, --daemon : run in the background.
 -h, --help : show this help.
 -p, --port : listen on this port of the loopback addresses, up to 10 times;
      ignored if the configuration file declares a listener.
 -q, --quiet : log nothing. This wins over the configuration file and -v.
 -v, --verbose : log everything. This wins over the configuration file.
 --test-config : check the configuration file and exit.
 --version : show the version.

 check-config : report every mistake of a configuration file and exit.
`;

/** As many `-p` as Mosquitto takes. */
const PORTS_MAXIMUM = 10;

/** Reads the command line from left to right; the first thing that cannot be gone on from decides. */
export function parseArguments(words: readonly string[]): Arguments {
  if (words[0] === "check-config") return parseCheckConfig(words.slice(1));
  const ports: number[] = [];
  let file: string | undefined;
  let verbose = false, quiet = false, isTest = false, isDaemon = false;
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    switch (word) {
      case "-c":
      case "--config-file":
        if (file !== undefined) return refuse("Error: -c can be given once only.");
        file = words[++i];
        if (file === undefined) {
          return refuse("Error: -c argument given, but no config file specified.");
        }
        break;
      case "-p":
      case "--port": {
        const text = words[++i];
        if (text === undefined) return refuse("Error: -p argument given, but no port specified.");
        const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
        if (port < 1 || port > 65_535) return refuse(`Error: Invalid port specified (${text}).`);
        if (ports.length === PORTS_MAXIMUM) {
          return refuse(
            `Error: Only ${PORTS_MAXIMUM} ports can be specified on the command line.`,
          );
        }
        ports.push(port);
        break;
      }
      case "-v":
      case "--verbose":
        verbose = true;
        break;
      case "-q":
      case "--quiet":
        quiet = true;
        break;
      case "--test-config":
        isTest = true;
        break;
      case "-h":
      case "--help":
        return { action: "help" };
      case "--version":
        return { action: "version" };
      case "--tls-keylog":
        if (words[i + 1] === undefined) {
          return refuse("Error: --tls-keylog argument given, but no file specified.");
        }
        return refuse("Error: --tls-keylog is not supported yet.");
      case "-d":
      case "--daemon":
        isDaemon = true;
        break;
      default:
        return { ...refuse(`Error: Unknown option '${word}'.`), showUsage: true };
    }
  }
  if (!isTest) {
    const daemon = isDaemon ? { daemon: true } as const : {};
    return { action: "run", ...withFile(file), ports, verbose, quiet, ...daemon };
  }
  if (file === undefined) return refuse("Please provide a configuration file to test.");
  return { action: "check", file, ports, verbose, quiet };
}

/** `check-config FILE` and `check-config -c FILE`. */
function parseCheckConfig(words: readonly string[]): Arguments {
  const rest = words[0] === "-c" || words[0] === "--config-file" ? words.slice(1) : words;
  const [file, further] = rest;
  if (file === "-h" || file === "--help") return { action: "help" };
  if (file === undefined) {
    return refuse(
      words.length > 0
        ? "Error: -c argument given, but no config file specified."
        : "Please provide a configuration file to test.",
    );
  }
  const unknown = rest === words && file.startsWith("-") ? file : further;
  if (unknown !== undefined) {
    return { ...refuse(`Error: Unknown option '${unknown}'.`), showUsage: true };
  }
  return { action: "check", file, ports: [], verbose: false, quiet: false };
}

function withFile(file: string | undefined): { file?: string } {
  return file === undefined ? {} : { file };
}

function refuse(message: string): Extract<Arguments, { action: "refuse" }> {
  return { action: "refuse", message, showUsage: false };
}
