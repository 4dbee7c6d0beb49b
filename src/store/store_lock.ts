import { statSync } from "node:fs";
import { errorText } from "../error_text.ts";
import { StoreError } from "./store.ts";

const LOCK_FILE = "broker.lock";
/** How often, and after which pause, a lock is tried that nobody alive seems to hold. */
const LINGER_TRIES = 100, LINGER_MS = 20;

/** The lock files that stores of this process hold, as device and inode. */
const heldHere = new Set<string>();

/**
 * The right to use a store's directory, held through exclusive locks on the directory itself, which
 * nobody can remove with the store in it, and on `broker.lock` in it, which says who holds it and works
 * where a directory cannot be locked. It is taken before anything else is touched, and the kernel takes
 * it back when the process dies. Starting goes: lock, open the listeners, open LMDB; so a start that
 * fails on a port has changed nothing.
 */
export class StoreLock {
  readonly directory: string;
  readonly #file: Deno.FsFile;
  /** The directory's own lock; null where the system has none. */
  readonly #own: Deno.FsFile | null;
  /** The topmost directory that was made for this lock; null if all were there. */
  readonly #created: string | null;
  /** What the lock file said before; null if it was not there. */
  readonly #before: Uint8Array | null;

  private constructor(
    directory: string,
    file: Deno.FsFile,
    own: Deno.FsFile | null,
    created: string | null,
    before: Uint8Array | null,
  ) {
    this.directory = directory;
    this.#file = file;
    this.#own = own;
    this.#created = created;
    this.#before = before;
    heldHere.add(inodeOf(file));
  }

  /**
   * Makes the directory (0700) if it is not there. Throws `StoreError` if it is held or not ours. A
   * holder that is dead or has let go may still seem to hold it: a child process that it was just
   * starting has its files until it has begun, which is waited for.
   */
  static acquire(directory: string): StoreLock {
    for (let triesLeft = LINGER_TRIES;; triesLeft--) {
      try {
        return StoreLock.#acquire(directory);
      } catch (error) {
        const isLocked = error instanceof StoreError && error.reason === "locked";
        if (!isLocked || triesLeft === 0 || isHeld(directory)) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LINGER_MS);
      }
    }
  }

  static #acquire(directory: string): StoreLock {
    const created = makeDirectory(directory);
    const path = `${directory}/${LOCK_FILE}`;
    let file: Deno.FsFile | null = null;
    let own: Deno.FsFile | null = null;
    try {
      own = openDirectory(directory);
      if (own?.tryLockSync(true) === false) throw heldByAnother(directory);
      const fileIsNew = !exists(path);
      // Not truncated: until the lock is ours, the bytes are another broker's.
      file = Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
      if (!file.tryLockSync(true)) throw heldByAnother(directory);
      if (!isFileAt(file, path)) {
        // Its holder removed it between our opening and locking it: a failed first start.
        throw new StoreError(`another broker is just leaving ${directory}; try again`, "locked");
      }
      const before = fileIsNew ? null : Deno.readFileSync(path);
      rewrite(file, new TextEncoder().encode(`${Deno.pid}\n${new Date().toISOString()}\n`));
      return new StoreLock(directory, file, own, created, before);
    } catch (error) {
      file?.close();
      own?.close();
      if (created !== null) Deno.removeSync(created, { recursive: true });
      if (error instanceof StoreError) throw error;
      throw new StoreError(`cannot lock ${path}: ${errorText(error)}`, "failed", { cause: error });
    }
  }

  /** Lets go. The file stays: removing it could leave two brokers each with a lock of their own. */
  release(): void {
    heldHere.delete(inodeOf(this.#file));
    this.#file.close();
    this.#own?.close();
  }

  /** Lets go after a failed start: what acquiring the lock made is removed, all else is as it was. */
  abandon(): void {
    if (this.#created !== null) Deno.removeSync(this.#created, { recursive: true });
    else if (this.#before === null) Deno.removeSync(`${this.directory}/${LOCK_FILE}`);
    else rewrite(this.#file, this.#before);
    this.release();
  }
}

/** Returns the topmost directory that had to be made, or null. */
function makeDirectory(directory: string): string | null {
  const missing = missingDirectories(directory);
  if (missing.length === 0) return null;
  try {
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new StoreError(`cannot make ${directory}: ${errorText(error)}`, "failed", {
      cause: error,
    });
  }
  return missing[missing.length - 1];
}

/** The directory and those above it that are not there, innermost first. */
function missingDirectories(directory: string): string[] {
  const missing: string[] = [];
  for (let path = directory; path !== "" && path !== "."; path = parent(path)) {
    try {
      if (Deno.statSync(path).isDirectory) break;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) {
        missing.push(path);
        continue;
      }
      if (!(error instanceof Deno.errors.NotADirectory)) {
        throw new StoreError(`cannot look at ${path}: ${errorText(error)}`, "failed", {
          cause: error,
        });
      }
      continue; // A file further up: named when the loop comes to it.
    }
    throw new StoreError(
      `${path} is ${describeFile(path)}, not a directory; it is left as it is. Move it away, or ` +
        "choose another persistence_location or persistence_file",
      "foreign",
    );
  }
  return missing;
}

function describeFile(path: string): string {
  const magic = "\u0000\u00b5\u0000mosquitto db";
  const head = new Uint8Array(magic.length);
  using file = Deno.openSync(path);
  file.readSync(head);
  const isMosquitto = head.every((byte, at) => byte === magic.charCodeAt(at));
  return isMosquitto ? "a database of Mosquitto's" : "a file";
}

function parent(path: string): string {
  const end = path.replace(/\/+$/, "").lastIndexOf("/");
  return end === 0 && path.length > 1 ? "/" : path.slice(0, Math.max(end, 0));
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function isFileAt(file: Deno.FsFile, path: string): boolean {
  const there = statSync(path, { throwIfNoEntry: false });
  return there !== undefined && there.ino === file.statSync().ino;
}

function rewrite(file: Deno.FsFile, bytes: Uint8Array): void {
  file.truncateSync(0);
  file.seekSync(0, Deno.SeekMode.Start);
  file.writeSync(bytes);
}

/** Null on Windows, where a directory cannot be opened. */
function openDirectory(directory: string): Deno.FsFile | null {
  return Deno.build.os === "windows" ? null : Deno.openSync(directory, { read: true });
}

function heldByAnother(directory: string): StoreError {
  return new StoreError(
    `another broker (pid ${
      readPid(`${directory}/${LOCK_FILE}`)
    }) holds ${directory}; stop it, or ` +
      "choose another persistence_location",
    "locked",
  );
}

/** Whether whoever the lock file names is alive and has not let go. */
function isHeld(directory: string): boolean {
  const path = `${directory}/${LOCK_FILE}`;
  const pid = Number(readPid(path));
  if (pid === Deno.pid) {
    const there = statSync(path, { throwIfNoEntry: false });
    return there !== undefined && heldHere.has(`${there.dev}:${there.ino}`);
  }
  // Elsewhere nothing tells of other processes without a further permission: it is taken at its word.
  if (Deno.build.os !== "linux") return true;
  try {
    return exists(`/proc/${pid}`);
  } catch (error) {
    if (error instanceof Error) return true; // Not to be seen.
    throw error;
  }
}

function inodeOf(file: Deno.FsFile): string {
  const { dev, ino } = file.statSync();
  return `${dev}:${ino}`;
}

function readPid(path: string): string {
  return exists(path) && Deno.readTextFileSync(path).split("\n")[0] || "unknown";
}
