import { lchownSync, lstatSync } from "node:fs";
import { cString, libc } from "./libc.ts";

/** Whom the process runs as after its start as root. */
export interface Account {
  /** Its name; null where the environment gave numbers. */
  readonly name: string | null;
  readonly uid: number;
  readonly gid: number;
}

/** What stays root, and why; or whom to become; or what is wrong. */
export type AccountChoice =
  | { readonly account: Account | null; readonly warning?: string }
  | { readonly message: string };

/** The account that is tried where "mosquitto" does not exist. */
const FALLBACK = "nobody";

/**
 * Chooses as Mosquitto does: PUID and PGID of the environment, else the option `user`, of which
 * "mosquitto" may be missing. Only root has the choice.
 */
export function chooseAccount(
  user: string,
  ids: { readonly puid?: string; readonly pgid?: string },
): AccountChoice {
  if (!isRoot()) return { account: null };
  const uid = idOf(ids.puid), gid = idOf(ids.pgid);
  if (uid === undefined) return { message: `Error: Invalid PUID (${ids.puid}).` };
  if (gid === undefined) return { message: `Error: Invalid PGID (${ids.pgid}).` };
  if (uid !== 0 || gid !== 0) return { account: { name: null, uid, gid } };
  if (user === "root") {
    return { account: null, warning: "Warning: Sabethes should not be run as root." };
  }
  const account = findAccount(user) ?? (user === "mosquitto" ? findAccount(FALLBACK) : null);
  return account === null ? { message: `Error: Invalid user '${user}'.` } : { account };
}

/** Whether this process may become anybody. */
function isRoot(): boolean {
  return Deno.build.os === "linux" && Deno.uid() === 0;
}

/** An account by its name, or null. */
function findAccount(name: string): Account | null {
  const found = libc().getpwnam(cString(name));
  if (found === null) return null;
  // struct passwd: two pointers, uid_t, gid_t, …
  const passwd = new Deno.UnsafePointerView(found);
  return { name, uid: passwd.getUint32(16), gid: passwd.getUint32(20) };
}

/**
 * Becomes the account for good, in all threads, with its groups.
 * @throws {Error} when the system refuses; then nothing may go on
 */
export function become(account: Account): void {
  const { initgroups, setgroups, setgid, setuid } = libc();
  const { name, uid, gid } = account;
  const failed = name === null
    ? gid !== 0 && setgroups(0n, new Uint8Array(4)) !== 0
    : initgroups(cString(name), gid) !== 0;
  if (failed) throw new Error("Error setting groups whilst dropping privileges.");
  if (gid !== 0 && setgid(gid) !== 0) {
    throw new Error("Error setting gid whilst dropping privileges.");
  }
  if (uid !== 0 && setuid(uid) !== 0) {
    throw new Error("Error setting uid whilst dropping privileges.");
  }
}

/** Does something with the rights that the account alone will have, and is root again. */
export function as<T>(account: Account, act: () => T): T {
  const { setegid, seteuid } = libc();
  if (setegid(account.gid) !== 0 || seteuid(account.uid) !== 0) {
    throw new Error(`cannot act as ${nameOf(account)}`);
  }
  try {
    return act();
  } finally {
    seteuid(0);
    setegid(0);
  }
}

/**
 * Gives a directory with what is in it to the account, as far as it is root's: what a first start or a
 * run as root has made. A link, and a file with a second name, are left alone: they could be traps.
 */
export function handOver(directory: string, account: Account): void {
  const give = (path: string, uid: number) => {
    if (uid === 0) lchownSync(path, account.uid, account.gid);
  };
  give(directory, lstatSync(directory).uid);
  for (const { name } of Deno.readDirSync(directory)) {
    const path = `${directory}/${name}`;
    const info = lstatSync(path);
    if (info.isDirectory()) handOver(path, account);
    else if (info.isFile() && info.nlink === 1) give(path, info.uid);
  }
}

/** How messages call it. */
export function nameOf({ name, uid }: Account): string {
  return name === null ? `uid ${uid}` : `'${name}'`;
}

/** 0 is "leave it"; undefined: no number. */
function idOf(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return 0;
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
