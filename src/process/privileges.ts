import { lchownSync } from "node:fs";
import type { Configuration } from "../config/configuration.ts";
import { errorText } from "../error_text.ts";
import { type Account, as, become, chooseAccount, handOver, nameOf } from "../system/account.ts";
import { type OpenFile, openToAppend } from "../system/log_file.ts";

/** Settings of plugins that are read when the account is taken, and some of them again at a reload. */
const PLUGIN_FILES = ["acl_file", "password_file", "config_file", "password_init_file"];

/** The account cannot be taken, or not with what the configuration asks for. */
export class PrivilegesError extends Error {
  override readonly name = "PrivilegesError";
  /** There is no such account: it was written wrong. */
  readonly isOfConfiguration: boolean;

  constructor(message: string, isOfConfiguration = false) {
    super(message);
    this.isOfConfiguration = isOfConfiguration;
  }
}

/**
 * Whom the broker becomes once ports and store are open. What it will need again must be open to that
 * account: the configuration at a reload, the log file when it is rotated, the store. If `user` is not
 * given and something is closed, the broker stays root and says why; an account that was asked for is
 * taken or the start fails.
 */
export class Privileges {
  #account: Account | null;
  readonly #isGiven: boolean;
  /** Directories that are to be the store's and were not there before. */
  readonly #missing: readonly string[];
  /** Unix domain sockets, whose group is to be able to connect. */
  readonly #sockets: readonly string[];
  /** For the log. */
  readonly warning: string | undefined;

  private constructor(
    configuration: Configuration,
    account: Account | null,
    isGiven: boolean,
    warning: string | undefined,
  ) {
    this.#account = account;
    this.#isGiven = isGiven;
    this.warning = warning;
    this.#missing = missingDirectories(configuration.global.persistenceLocation);
    this.#sockets = configuration.listeners.flatMap(({ unixPath }) => unixPath ?? []);
  }

  /** @throws {PrivilegesError} */
  static choose(configuration: Configuration, file: string | undefined): Privileges {
    const { global, origins } = configuration;
    const puid = Deno.env.get("PUID"), pgid = Deno.env.get("PGID");
    const choice = chooseAccount(global.user, { puid, pgid });
    if ("message" in choice) throw new PrivilegesError(choice.message, true);
    const { account, warning } = choice;
    if (account === null) return new Privileges(configuration, null, true, warning);
    const isGiven = origins.get("user") !== "default" || account.name === null;
    const closed = as(account, () => closedOf(configuration, file));
    if (closed === null) return new Privileges(configuration, account, isGiven, undefined);
    const text = `${closed} is closed to the account ${nameOf(account)}`;
    return isGiven
      ? new Privileges(configuration, account, true, `Warning: ${text}.`)
      : new Privileges(configuration, null, false, staysRoot(text));
  }

  /** Opens the log file as it will have to be opened again when it is rotated. */
  readonly openFile: OpenFile = (path) => {
    const account = this.#account;
    // After the drop nobody else can be become, nor need be.
    if (account === null || Deno.uid() !== 0) return openToAppend(path);
    return as(account, () => openToAppend(path));
  };

  /**
   * Gives the store's directory to the account. Returns a line for the log if the broker stays root
   * because the account could not reach it.
   *
   * @throws {PrivilegesError}
   */
  prepare(storeDirectory: string | null): string | null {
    const account = this.#account;
    if (account === null || storeDirectory === null) return null;
    for (const directory of this.#missing) Deno.chownSync(directory, account.uid, account.gid);
    handOver(storeDirectory, account);
    const closed = as(account, () => closedStore(storeDirectory));
    if (closed === null) return null;
    const text = `${closed} is closed to the account ${nameOf(account)}`;
    if (this.#isGiven) {
      throw new PrivilegesError(`Error: ${text}; give it to that account, or set 'user root'.`);
    }
    this.#account = null;
    return staysRoot(text);
  }

  /**
   * Gives what the opening of ports and store has made to the account and becomes it, for good.
   *
   * @throws {PrivilegesError}
   */
  drop(storeDirectory: string | null): void {
    const account = this.#account;
    if (account === null) return;
    if (storeDirectory !== null) handOver(storeDirectory, account);
    // Not what a link leads to, if somebody was quick enough to put one there.
    for (const path of this.#sockets) lchownSync(path, account.uid, account.gid);
    try {
      become(account);
    } catch (error) {
      throw new PrivilegesError(errorText(error));
    }
  }
}

function staysRoot(text: string): string {
  return `Warning: the broker runs as root, for ${text}; set 'user' to choose.`;
}

/** What this process cannot open of what a reload and a rotation open again. */
function closedOf(configuration: Configuration, file: string | undefined): string | null {
  const { global, listeners, plugins } = configuration;
  const readAgain = [
    file ?? "",
    ...[global, ...listeners].flatMap((one) => [
      one.passwordFile,
      one.aclFile,
      one.pskFile,
    ]),
    ...plugins.map(({ path }) => path),
    ...plugins.flatMap(({ options }) => options).filter(([key]) => PLUGIN_FILES.includes(key))
      .map(([, path]) => path),
  ];
  for (const path of readAgain) {
    if (path !== "" && exists(path) && !opens(() => Deno.openSync(path))) return path;
  }
  // A plugin's own file is replaced by a new one beside it.
  for (const [key, path] of plugins.flatMap(({ options }) => options)) {
    if (key === "config_file" && !canReplace(path)) return path;
  }
  for (const word of global.logDest) {
    if (!word.startsWith("file ")) continue;
    const path = word.slice("file ".length);
    if (!opens(() => Deno.openSync(path, { append: true, create: true, mode: 0o600 }))) return path;
  }
  return null;
}

/** What this process cannot write of a store: its lock is there before all else. */
function closedStore(directory: string): string | null {
  for (const name of ["broker.lock", "data.mdb", "state"]) {
    const path = `${directory}/${name}`;
    if (exists(path) && !opens(() => Deno.openSync(path, { read: true, write: true }))) return path;
  }
  return null;
}

function canReplace(path: string): boolean {
  const beside = `${path}.${Deno.pid}.try`;
  const made = opens(() => Deno.openSync(beside, { write: true, createNew: true }));
  if (made) Deno.removeSync(beside);
  return made;
}

function opens(open: () => { close(): void }): boolean {
  try {
    open().close();
    return true;
  } catch (error) {
    // Whatever the system's reason, it cannot be used.
    if (!(error instanceof Error)) throw error;
    return false;
  }
}

/** The directory and those above it that are not there. */
function missingDirectories(directory: string): string[] {
  const missing: string[] = [];
  let path = directory.replace(/\/+$/, "");
  while (path !== "" && path !== "." && !exists(path)) {
    missing.push(path);
    path = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
  }
  return missing;
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    return true; // whatever is there: the store's opening tells
  }
}
