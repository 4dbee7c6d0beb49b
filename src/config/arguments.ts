import type { Overrides } from "./configuration.ts";

/** What the command line asks for. */
export type Arguments =
  | ({
    readonly action: "run";
    readonly daemon?: true;
    /** The file that takes the secrets of TLS connections. */
    readonly tlsKeylog?: string;
  } & FileArguments)
  /** Say whether the configuration is right by itself, and do nothing else. */
  | ({ readonly action: "check"; readonly file: string } & FileArguments)
  /** As check, but look at what the configuration names, too. */
  | {
    readonly action: "examine";
    readonly file: string;
    readonly expandEnv: boolean;
    readonly json: boolean;
  }
  /** Say what is in force. */
  | ({ readonly action: "show"; readonly json: boolean } & FileArguments)
  /** Edit a password file: `words` are for that command to read. */
  | { readonly action: "passwd"; readonly words: readonly string[] }
  /** Say what an ACL file says about a client. */
  | {
    readonly action: "explain";
    readonly words: readonly string[];
    readonly expandEnv: boolean;
  }
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
  /** Whether `${NAME}` and `${file:PATH}` in values are filled in. */
  readonly expandEnv: boolean;
}

/** Exit status for wrong arguments and wrong configurations, as Mosquitto's. */
export const EXIT_CONFIGURATION = 3;

/** What a good check says, on stderr as all texts but the usage. */
export const CONFIGURATION_OK = "Configuration file is OK.";

/** The usage, for stdout. */
export const USAGE = `Usage: sabethes [-c config_file] [-d] [-h] [-p port] [-q] [-v]
       sabethes check-config [--json] config_file
       sabethes config show [--json] [-c config_file] [-p port] [-q] [-v]
       sabethes passwd [options] password_file user
       sabethes acl explain -c config_file --clientid id --topic topic --action read|write

 -c, --config-file : read this configuration file (INI if it ends in .ini).
 -d, --daemon : run in the background.
 -h, --help : show this help.
 -p, --port : listen on this port of the loopback addresses, up to 10 times;
      ignored if the configuration file declares a listener.
 -q, --quiet : log nothing. This wins over the configuration file and -v.
 -v, --verbose : log everything. This wins over the configuration file.
 --expand-env : fill in \${NAME} from the environment and \${file:PATH} from a
      file in the values of the configuration, for check-config and config too.
 --test-config : check the configuration file by itself and exit.
 --tls-keylog : append the secrets of TLS connections to this file.
 --version : show the version.

 check-config : report every mistake of a configuration file and of the files
      that it names, and what may surprise, and exit; with --json for programs.
 config show : show what is in force, where each value comes from, and the
      permissions that the broker needs.
 passwd : make and edit password files; -h tells how.
 acl explain : tell whether a client may read or write a topic, and why.
`;

/** As many `-p` as Mosquitto takes. */
const PORTS_MAXIMUM = 10;

/** Reads the command line from left to right; the first thing that cannot be gone on from decides. */
export function parseArguments(words: readonly string[]): Arguments {
  const [first, second] = words;
  if (first === "check-config") return parseCheckConfig(words.slice(1));
  if (first === "config" && second === "show") return parseShow(words.slice(2));
  if (first === "passwd") return { action: "passwd", words: words.slice(1) };
  if (first === "acl" && second === "explain") return parseExplain(words.slice(2));
  const flags = readFlags(words, RUN_FLAGS);
  if ("action" in flags) return flags;
  const { isTest, isDaemon, tlsKeylog, json: _, ...rest } = flags;
  if (isTest) {
    if (rest.file === undefined) return refuse("Please provide a configuration file to test.");
    return { action: "check", ...rest, file: rest.file };
  }
  const daemon = isDaemon ? { daemon: true } as const : {};
  return { action: "run", ...rest, ...daemon, ...(tlsKeylog === undefined ? {} : { tlsKeylog }) };
}

function parseShow(words: readonly string[]): Arguments {
  const flags = readFlags(words, SHOW_FLAGS);
  if ("action" in flags) return flags;
  const { isTest: _, isDaemon: __, tlsKeylog: ___, ...rest } = flags;
  return { action: "show", ...rest };
}

function parseExplain(words: readonly string[]): Arguments {
  return {
    action: "explain",
    words: words.filter((word) => word !== "--expand-env"),
    expandEnv: words.includes("--expand-env"),
  };
}

/** `check-config [--json] [--expand-env] [-c] FILE` */
function parseCheckConfig(words: readonly string[]): Arguments {
  let file: string | undefined;
  let json = false, expandEnv = false;
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (word === "-h" || word === "--help") return { action: "help" };
    if (word === "--json") json = true;
    else if (word === "--expand-env") expandEnv = true;
    else {
      const isNamed = word === "-c" || word === "--config-file";
      const name = isNamed ? words[++i] : word;
      if (name === undefined) return refuse(NO_FILE);
      if (file !== undefined || (!isNamed && word.startsWith("-"))) return unknown(name);
      file = name;
    }
  }
  if (file === undefined) return refuse("Please provide a configuration file to test.");
  return { action: "examine", file, expandEnv, json };
}

const NO_FILE = "Error: -c argument given, but no config file specified.";
const COMMON_FLAGS: ReadonlyMap<string, string> = new Map([
  ["-c", "file"],
  ["--config-file", "file"],
  ["-p", "port"],
  ["--port", "port"],
  ["-v", "verbose"],
  ["--verbose", "verbose"],
  ["-q", "quiet"],
  ["--quiet", "quiet"],
  ["--expand-env", "expandEnv"],
  ["-h", "help"],
  ["--help", "help"],
]);
const RUN_FLAGS = new Map([
  ...COMMON_FLAGS,
  ["--test-config", "test"],
  ["--tls-keylog", "tlsKeylog"],
  ["--version", "version"],
  ["-d", "daemon"],
  ["--daemon", "daemon"],
]);
const SHOW_FLAGS = new Map([...COMMON_FLAGS, ["--json", "json"]]);

interface Flags extends FileArguments {
  isTest: boolean;
  isDaemon: boolean;
  json: boolean;
  tlsKeylog?: string;
}

/** Reads flags as long as nothing decides before their end. */
function readFlags(
  words: readonly string[],
  known: ReadonlyMap<string, string>,
): Flags | Exclude<Arguments, { action: "run" | "check" | "show" }> {
  const ports: number[] = [];
  let file: string | undefined, tlsKeylog: string | undefined;
  const seen = new Set<string>();
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    const flag = known.get(word);
    switch (flag) {
      case "file":
        if (file !== undefined) return refuse("Error: -c can be given once only.");
        file = words[++i];
        if (file === undefined) return refuse(NO_FILE);
        break;
      case "port": {
        const port = readPort(words[++i], ports.length);
        if (typeof port === "string") return refuse(port);
        ports.push(port);
        break;
      }
      case "tlsKeylog":
        tlsKeylog = words[++i];
        if (tlsKeylog === undefined) {
          return refuse("Error: --tls-keylog argument given, but no file specified.");
        }
        break;
      case "help":
      case "version":
        return { action: flag };
      case undefined:
        return unknown(word);
      default:
        seen.add(flag);
    }
  }
  return {
    ports,
    ...(file === undefined ? {} : { file }),
    ...(tlsKeylog === undefined ? {} : { tlsKeylog }),
    verbose: seen.has("verbose"),
    quiet: seen.has("quiet"),
    expandEnv: seen.has("expandEnv"),
    isTest: seen.has("test"),
    isDaemon: seen.has("daemon"),
    json: seen.has("json"),
  };
}

/** A port, or what is wrong with it. */
function readPort(text: string | undefined, portsBefore: number): number | string {
  if (text === undefined) return "Error: -p argument given, but no port specified.";
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) return `Error: Invalid port specified (${text}).`;
  if (portsBefore === PORTS_MAXIMUM) {
    return `Error: Only ${PORTS_MAXIMUM} ports can be specified on the command line.`;
  }
  return port;
}

function unknown(word: string): Extract<Arguments, { action: "refuse" }> {
  return { ...refuse(`Error: Unknown option '${word}'.`), showUsage: true };
}

function refuse(message: string): Extract<Arguments, { action: "refuse" }> {
  return { action: "refuse", message, showUsage: false };
}
