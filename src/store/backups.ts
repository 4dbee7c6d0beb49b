import { statSync } from "node:fs";
import { errorText } from "../error_text.ts";
import {
  backupName,
  backupsDirectory,
  backupsOf,
  removeBackup,
  removeUnfinished,
  unfinishedName,
} from "./backup_files.ts";
import { checkInChild, type ChildFinding } from "./child_walk.ts";
import { roomProblem } from "./disk_space.ts";
import { headerProblem, stateMark } from "./header_check.ts";
import { syncPath } from "./store_state.ts";

/** What an operator may choose. */
export interface BackupOptions {
  /** From one backup to the next; at least 1. */
  intervalSeconds: number;
  /** So many good backups are kept; at least 1. */
  keep: number;
  /** Told what an operator should know; default nothing. */
  log?: (type: "error" | "warning" | "information", line: string) => void;
  /** Default: the system's. */
  clock?: BackupClock;
}

/** Time, for those who make backups: a test has its own. */
export interface BackupClock {
  wallMs(): number;
  /** Calls `run` once. What is returned revokes it. */
  wakeAfter(milliseconds: number, run: () => void): () => void;
}

/** What backups are made of, and with. */
export interface BackupSource {
  /** The store's directory; backups go to `backup` in it. */
  readonly directory: string;
  readonly minimumFreeBytes: number | undefined;
  /** Copies what is committed to `data.mdb` in an empty directory, without waiting for anything else. */
  copyTo(directory: string): Promise<void>;
  /** Default `checkInChild`. */
  check?(directory: string, signal: AbortSignal): Promise<ChildFinding>;
}

type Failure = "failed" | "no room" | "not checked";

/** Not at once: just after a start everybody is connecting again. */
const FIRST_AFTER_MS = 60_000;
/** setTimeout counts in 31 bits. */
const TIMER_MAXIMUM_MS = 1e9;

const SYSTEM_CLOCK: BackupClock = {
  wallMs: () => Date.now(),
  wakeAfter(milliseconds, run) {
    const timer = setTimeout(run, milliseconds);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/**
 * Makes a backup of the running store every so often, if anything was changed since the last one:
 *
 *     copy to backup/unfinished-TIME ─▶ fsync ─▶ walk in a child ─▶ rename to backup/TIME ─▶ remove the oldest
 *
 * One that has the right name was found good. The event loop is held up by none of it: LMDB copies on a
 * thread, the child has a process of its own. The first backup is due an interval after the newest one
 * that is there, or after the store was made; but a minute after the start at the soonest.
 */
export class Backups {
  readonly #source: BackupSource;
  readonly #options: BackupOptions;
  readonly #clock: BackupClock;
  readonly #stopping = new AbortController();
  #revoke = () => {};
  /** What is being done; resolved when nothing is. */
  #task: Promise<void> = Promise.resolve();
  /** Why there was no backup the last time; the same is not told again and again. */
  #told: Failure | null = null;

  constructor(source: BackupSource, options: BackupOptions) {
    this.#source = source;
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
  }

  /** Removes what a crash has left, and waits for the first backup's time. */
  start(): void {
    const intervalMs = this.#options.intervalSeconds * 1000;
    let dueMs = intervalMs;
    try {
      dueMs = Math.min(this.#firstDueMs(), intervalMs);
    } catch (error) {
      this.#tellFailed(error);
    }
    this.#task = this.#guarded(() => removeUnfinished(this.#source.directory));
    this.#wakeAfter(dueMs);
  }

  /** Ends in order: what is not finished is removed. Resolves when the store may be closed. */
  async stop(): Promise<void> {
    this.#revoke();
    this.#stopping.abort();
    await this.#task;
  }

  #firstDueMs(): number {
    const intervalMs = this.#options.intervalSeconds * 1000;
    const { directory } = this.#source;
    const sinceMs = backupsOf(directory)[0]?.timeMs ??
      Deno.statSync(`${directory}/data.mdb`).birthtime?.getTime() ?? 0;
    const ageMs = this.#clock.wallMs() - sinceMs;
    // A clock that was set back, or no time of birth: nothing is known of the age.
    const isKnown = ageMs >= 0 && sinceMs > 0;
    return isKnown ? Math.max(intervalMs - ageMs, FIRST_AFTER_MS) : intervalMs;
  }

  #wakeAfter(milliseconds: number): void {
    const stepMs = Math.min(milliseconds, TIMER_MAXIMUM_MS);
    this.#revoke = this.#clock.wakeAfter(stepMs, () => {
      if (milliseconds > stepMs) return this.#wakeAfter(milliseconds - stepMs);
      this.#task = this.#task.then(() => this.#guarded(() => this.#backUp())).then(() => {
        if (!this.#isStopping) this.#wakeAfter(this.#options.intervalSeconds * 1000);
      });
    });
  }

  async #guarded(run: () => Promise<void>): Promise<void> {
    if (this.#isStopping) return;
    try {
      await run();
    } catch (error) {
      if (!this.#isStopping) this.#tellFailed(error);
    }
  }

  async #backUp(): Promise<void> {
    const { directory, minimumFreeBytes } = this.#source;
    const data = `${directory}/data.mdb`;
    const parent = backupsDirectory(directory);
    const newest = backupsOf(directory)[0];
    if (newest !== undefined && isSameState(`${newest.path}/data.mdb`, data)) return;

    await Deno.mkdir(parent, { recursive: true, mode: 0o700 });
    const noRoom = roomProblem(parent, statSync(data).size, minimumFreeBytes);
    if (noRoom !== null) return this.#tell("no room", "warning", noRoom);

    // The names keep their order also when the clock is set back.
    const timeMs = Math.max(this.#clock.wallMs(), (newest?.timeMs ?? 0) + 1);
    const name = backupName(timeMs);
    const unfinished = `${parent}/${unfinishedName(name)}`;
    try {
      await Deno.mkdir(unfinished, { mode: 0o700 });
      const finding = await this.#copy(unfinished);
      if (finding === null) return;
      await Deno.rename(unfinished, `${parent}/${name}`);
      await syncPath(parent);
      await syncPath(directory);
      this.#told = null;
      this.#log("information", `Backup ${parent}/${name}: ${finding}`);
    } finally {
      await removeUnfinished(directory);
    }
    for (const old of backupsOf(directory).slice(this.#options.keep)) {
      await removeBackup(directory, old);
    }
  }

  /** Fills `unfinished`. Returns what was found when it was checked, or null if it is not good. */
  async #copy(unfinished: string): Promise<string | null> {
    const { signal } = this.#stopping;
    const copy = `${unfinished}/data.mdb`;
    await this.#source.copyTo(unfinished);
    signal.throwIfAborted();
    if (Deno.build.os !== "windows") await Deno.chmod(copy, 0o600);
    await syncPath(copy);
    signal.throwIfAborted();
    const header = headerProblem(copy);
    const finding: ChildFinding = header !== null
      ? { name: "damaged", problem: header.text }
      : await (this.#source.check ?? checkInChild)(unfinished, signal);
    if (finding.name === "sound") {
      // LMDB has made it for the child, and will make it again.
      await Deno.remove(`${unfinished}/lock.mdb`).catch(ignoreMissing);
      await syncPath(unfinished);
      return `${finding.records} records, ${Deno.statSync(copy).size} bytes, checked.`;
    }
    if (finding.name === "damaged") {
      this.#log(
        "error",
        `The backup was removed, it is damaged: ${finding.problem}. If that comes again, the store ` +
          "itself is damaged: see what its next start says. Older backups were kept",
      );
    } else {
      this.#tell("not checked", "error", `it cannot be checked: ${finding.why}`);
    }
    return null;
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  #tellFailed(error: unknown): void {
    this.#tell("failed", "error", errorText(error));
  }

  #tell(failure: Failure, type: "error" | "warning", why: string): void {
    if (failure === this.#told) return;
    this.#told = failure;
    this.#log(type, `No backup in ${backupsDirectory(this.#source.directory)}: ${why}`);
  }

  #log(type: "error" | "warning" | "information", line: string): void {
    this.#options.log?.(type, line);
  }
}

/** Whether nothing was committed to `data` since `copy` was made of it. */
function isSameState(copy: string, data: string): boolean {
  if (statSync(copy, { throwIfNoEntry: false }) === undefined) return false;
  const mark = stateMark(copy);
  return mark !== null && mark === stateMark(data);
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
