import {
  type PasswordMaking,
  PBKDF2_ITERATIONS,
  PBKDF2_ITERATIONS_2_0,
} from "./password_making.ts";

/** What `sabethes passwd` is asked to do. */
export type PasswdTask =
  | {
    readonly name: "set";
    /** `-`: stdout. */
    readonly file: string;
    readonly userName: string;
    /** Undefined: it is asked for. */
    readonly password: string | undefined;
    readonly create: boolean;
    readonly making: PasswordMaking;
  }
  | { readonly name: "delete"; readonly file: string; readonly userName: string }
  | { readonly name: "hash"; readonly file: string; readonly making: PasswordMaking };

const FLAGS: readonly string[] = ["-b", "-c", "-D", "-U", "--mosquitto-2.0"];
const SCHEMES: readonly string[] = ["sha512-pbkdf2", "argon2id", "sha512"];
const ITERATIONS_MAXIMUM = 2_147_483_647;

export function isPasswdTask(read: PasswdTask | string): read is PasswdTask {
  return typeof read !== "string";
}

/** The task, or what is wrong with the words. */
export function readPasswdArguments(words: readonly string[]): PasswdTask | string {
  const flags = new Set<string>();
  const values = new Map<string, string>();
  let at = 0;
  for (; at < words.length && words[at].startsWith("-") && words[at] !== "-"; at++) {
    const word = words[at];
    if (FLAGS.includes(word)) flags.add(word);
    else if (word === "-H" || word === "-I") {
      if (at + 1 === words.length) return `${word} argument given but no value specified.`;
      values.set(word, words[++at]);
    } else return `Unknown option '${word}'.`;
  }
  const making = readMaking(values, flags.has("--mosquitto-2.0"));
  if (typeof making === "string") return making;
  return readTask(flags, making, words.slice(at));
}

function readTask(
  flags: ReadonlySet<string>,
  making: PasswordMaking,
  names: readonly string[],
): PasswdTask | string {
  const [file, userName, password] = names;
  const batch = flags.has("-b"), create = flags.has("-c");
  if (flags.has("-D") && (batch || create || flags.has("-U"))) {
    return "-D goes with none of -b, -c and -U.";
  }
  if (flags.has("-U") && (batch || create)) return "-U goes with neither -b nor -c.";
  const wanted = flags.has("-U") ? 1 : batch ? 3 : 2;
  if (names.length !== wanted) {
    return `${
      wanted === 1 ? "FILE" : wanted === 2 ? "FILE and USER" : "FILE, USER and PASSWORD"
    } ` +
      `are to be given, not ${names.length} of them.`;
  }
  if (file === "-" && !create) return "- for the file goes with -c alone.";
  if (flags.has("-U")) return { name: "hash", file, making };
  if (flags.has("-D")) return { name: "delete", file, userName };
  return { name: "set", file, userName, password, create, making };
}

function readMaking(
  values: ReadonlyMap<string, string>,
  for20: boolean,
): PasswordMaking | string {
  const scheme = values.get("-H") ?? "sha512-pbkdf2";
  if (!isScheme(scheme)) return `Unknown hash type '${scheme}': ${SCHEMES.join(", ")} are known.`;
  if (for20 && scheme === "argon2id") return "Mosquitto 2.0 does not read argon2id.";
  const text = values.get("-I");
  if (text !== undefined && scheme !== "sha512-pbkdf2") return `-I does not go with ${scheme}.`;
  const iterations = text === undefined
    ? for20 ? PBKDF2_ITERATIONS_2_0 : PBKDF2_ITERATIONS
    : /^[0-9]{1,10}$/.test(text)
    ? Number(text)
    : 0;
  if (iterations < 1 || iterations > ITERATIONS_MAXIMUM) {
    return `-I is a number of iterations, 1 to ${ITERATIONS_MAXIMUM}.`;
  }
  return { scheme, iterations, saltBytes: for20 ? 12 : 64 };
}

function isScheme(word: string): word is PasswordMaking["scheme"] {
  return SCHEMES.includes(word);
}
