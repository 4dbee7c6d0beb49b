import { assert } from "../assert.ts";
import { errorText } from "../error_text.ts";
import { ChunkCounts } from "./chunk_counts.ts";
import {
  rejectionCause,
  releaseRejectionHandler,
  retainRejectionHandler,
} from "./commit_rejections.ts";
import { type BackupOptions, Backups } from "./backups.ts";
import { type DamagePolicy, openByPolicy } from "./damage_policy.ts";
import { damageAdvice } from "./damaged_store.ts";
import { DiskSpace } from "./disk_space.ts";
import type { Environment } from "./environment.ts";
import { assertChanges } from "./record_changes.ts";
import {
  CHUNK_KEY_BYTES,
  chunkCount,
  copyPayload,
  entryBytes,
  entryProblem,
  HEAD_KEY_BYTES,
  keyText,
  payload,
  valueLength,
  writeChunkKey,
  writeEntry,
  writeHeadKey,
} from "./record_codec.ts";
import { walkRecords } from "./record_walk.ts";
import { SCHEMA_KIND } from "./schema.ts";
import { Staging } from "./staging.ts";
import {
  type RecordChange,
  type RecordVisitor,
  type Store,
  StoreError,
  type StoreHealth,
} from "./store.ts";
import { StoreLock } from "./store_lock.ts";
import type { OpenedStore } from "./store_opening.ts";
import { writeState } from "./store_state.ts";
import { withinMs } from "./within_ms.ts";

export interface LmdbStoreOptions {
  /** LMDB's own directory: `data.mdb`, `lock.mdb`, and our `broker.lock` and `state`. */
  directory: string;
  /** The lock on the directory, if it was taken before. The store owns it once `open` has resolved. */
  lock?: StoreLock;
  /** Default `stop`. With the others, all records are walked at each start before the store is used. */
  onDamage?: DamagePolicy;
  /** Address space for the map, in bytes; default 64 GiB. Not a limit of the store's size. */
  mapBytes?: number;
  /**
   * Below this much free space the store is not writable; default 256 MiB, or 5 % if that is less.
   * With 0 a full disk cannot be told from a failing one, and ends the broker.
   */
  minimumFreeBytes?: number;
  /** Backups made while the store is in use; default none. */
  backups?: BackupOptions;
  /** Told what an operator should know; default nothing. */
  log?: (line: string) => void;
}

const CLOSE_WAITS_MS = 10_000;

/**
 * The store on disk. A commit's promise resolves when LMDB has synced it (`overlappingSync: false`:
 * pages, fdatasync, then the meta page through an O_DSYNC descriptor, then the promise).
 */
export class LmdbStore implements Store {
  readonly #directory: string;
  readonly #environment: Environment;
  readonly #lock: StoreLock;
  readonly #undoState: () => void;
  readonly #space: DiskSpace;
  readonly #backups: Backups | null;
  readonly #staging = new Staging();
  readonly #chunks = new ChunkCounts();
  readonly #headKey = new Uint8Array(HEAD_KEY_BYTES);
  readonly #chunkKey = new Uint8Array(CHUNK_KEY_BYTES);
  #restored = false;
  #closed = false;
  #inFlight: Promise<void> | null = null;
  /** Why nothing more can be written, if so. */
  #failure: StoreError | null = null;
  #badTransactions = 0;

  private constructor(options: LmdbStoreOptions, lock: StoreLock, opened: OpenedStore) {
    this.#directory = options.directory;
    this.#lock = lock;
    this.#environment = opened.environment;
    this.#undoState = opened.undoState;
    this.#space = new DiskSpace(options.directory, options.minimumFreeBytes);
    const { directory, minimumFreeBytes, backups } = options;
    const copyTo = (target: string) => this.#copyTo(target);
    this.#backups = backups === undefined
      ? null
      : new Backups({ directory, minimumFreeBytes, copyTo }, backups);
    retainRejectionHandler();
  }

  /**
   * Opens the store, or makes a new one. Throws `StoreError`; then an existing store is as it was, a
   * lock that was given is still the caller's, and what opening made by itself is gone.
   */
  static async open(options: LmdbStoreOptions): Promise<LmdbStore> {
    const lock = options.lock ?? StoreLock.acquire(options.directory);
    try {
      return new LmdbStore(options, lock, await openByOptions(options));
    } catch (error) {
      if (options.lock === undefined) lock.abandon();
      throw error;
    }
  }

  restore(visit: RecordVisitor): void {
    assert(!this.#restored, "a store is restored once");
    const path = `${this.#directory}/data.mdb`;
    const refuse = (text: string, cause?: unknown): never => {
      const message = `${path}: ${text}. ${damageAdvice(this.#directory)}`;
      throw new StoreError(message, "damaged", { cause });
    };
    const record: RecordVisitor = (kind, number, value) => {
      if (kind === SCHEMA_KIND) return;
      const chunks = chunkCount(value.length);
      if (chunks > 0) this.#chunks.set(kind, number, chunks);
      visit(kind, number, value);
    };
    try {
      walkRecords(this.#environment, { record, problem: refuse });
    } catch (error) {
      if (isLmdbError(error)) refuse(error.message, error);
      throw error;
    }
    this.#environment.resetReadTxn();
    writeState(this.#directory, "running");
    this.#restored = true;
    this.#backups?.start();
  }

  /** The values may be changed again when this returns: they have been copied. */
  commit(changes: readonly RecordChange[]): Promise<void> {
    assert(this.#restored && !this.#closed, "commits come after restoring and before closing");
    assert(this.#inFlight === null, "one commit is in flight at most");
    assertChanges(changes);
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (changes.length === 0) return Promise.resolve();

    // All in one synchronous block: lmdb makes one transaction of what is put in one turn, and all
    // its puts share one promise.
    let written: Promise<boolean> | null = null;
    for (let i = 0; i < changes.length; i++) {
      const { kind, number, value } = changes[i];
      written = value === null ? this.#remove(kind, number) : this.#put(kind, number, value);
    }
    const commit = this.#conclude(written!);
    this.#inFlight = commit;
    return commit;
  }

  read(kind: number, number: number): Uint8Array | undefined {
    const key = this.#headKey;
    writeHeadKey(key, kind, number);
    const entry = this.#get(key);
    if (entry === undefined) return undefined;
    this.#check(entryProblem(entry, key, 0, -1), key);
    const length = valueLength(entry);
    const chunks = chunkCount(length);
    if (chunks === 0) return payload(entry);

    const value = new Uint8Array(length);
    copyPayload(entry, 0, value);
    for (let index = 1; index <= chunks; index++) {
      const chunkKey = this.#chunkKey;
      writeChunkKey(chunkKey, kind, number, index);
      const chunk = this.#get(chunkKey);
      this.#check(chunk ? entryProblem(chunk, chunkKey, index, length) : "is missing", chunkKey);
      copyPayload(chunk!, index, value);
    }
    return value;
  }

  health(): StoreHealth {
    const health = this.#space.health();
    if (this.#failure === null) return health;
    return { writable: false, reason: this.#failure.message, bytes: health.bytes };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const settled = await this.#settled();
    const copied = await this.#backupsStopped();
    if (this.#failure === null && settled && copied) {
      await this.#environment.close();
      if (this.#restored) writeState(this.#directory, "clean");
      else this.#undoState();
    } // Otherwise it is left to the process's end: after a failure LMDB's own close hangs.
    // Two things are still to come in this turn: lmdb's timer that ends a read transaction (it does
    // nothing any more), and, after a failed commit, the rejection that our handler must see.
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (this.#restored) this.#lock.release();
    else this.#lock.abandon();
    releaseRejectionHandler();
  }

  #put(kind: number, number: number, value: Uint8Array): Promise<boolean> {
    const before = this.#chunks.get(kind, number);
    const after = chunkCount(value.length);
    if (before > 0 || after > 0) this.#putChunks(kind, number, value, before, after);
    writeHeadKey(this.#headKey, kind, number);
    return this.#putEntry(this.#headKey, value, 0);
  }

  #putChunks(kind: number, number: number, value: Uint8Array, before: number, after: number) {
    for (let index = 1; index <= after; index++) {
      writeChunkKey(this.#chunkKey, kind, number, index);
      this.#putEntry(this.#chunkKey, value, index);
    }
    this.#removeChunks(kind, number, after + 1, before);
    this.#chunks.change(kind, number, before, after);
  }

  #putEntry(key: Uint8Array, value: Uint8Array, index: number): Promise<boolean> {
    const entry = this.#staging.take(entryBytes(value.length, index));
    writeEntry(entry, key, value, index);
    return this.#environment.put(key, entry);
  }

  #remove(kind: number, number: number): Promise<boolean> {
    const chunks = this.#chunks.get(kind, number);
    if (chunks > 0) {
      this.#removeChunks(kind, number, 1, chunks);
      this.#chunks.change(kind, number, chunks, 0);
    }
    writeHeadKey(this.#headKey, kind, number);
    return this.#environment.remove(this.#headKey);
  }

  #removeChunks(kind: number, number: number, first: number, last: number): void {
    for (let index = first; index <= last; index++) {
      writeChunkKey(this.#chunkKey, kind, number, index);
      this.#environment.remove(this.#chunkKey);
    }
  }

  async #conclude(written: Promise<boolean>): Promise<void> {
    try {
      await written;
    } catch (error) {
      const explained = await this.#explain(error);
      if (explained.reason === "fatal") this.#failure = explained;
      this.#chunks.failed();
      this.#staging.discard();
      this.#inFlight = null;
      throw explained;
    }
    this.#badTransactions = 0;
    this.#chunks.committed();
    this.#staging.reset();
    this.#inFlight = null;
  }

  /** What a rejected commit means: to be tried again, now or when there is room, or the end. */
  async #explain(error: unknown): Promise<StoreError> {
    const cause = await rejectionCause(error);
    const text = errorText(cause);
    const failure = (reason: "failed" | "no room" | "fatal", what: string) =>
      new StoreError(`${this.#directory}/data.mdb: ${what}: ${text}`, reason, { cause });
    if (/MDB_(PANIC|CORRUPTED|PAGE_NOTFOUND|INVALID|VERSION_MISMATCH)/.test(text)) {
      return failure("fatal", "LMDB can not go on");
    }
    if (text.includes("MDB_BAD_TXN")) {
      // Its check of the list of free pages failed; a second time it is not chance.
      const again = ++this.#badTransactions > 1;
      return failure(again ? "fatal" : "failed", "the commit failed");
    }
    // A full disk shows as EIO, as does a failed sync; the free space tells them apart. After a failed
    // sync the kernel has dropped the pages, so a second sync that succeeds would prove nothing.
    if (!this.#space.look().writable) return failure("no room", "the disk is full");
    if (/Input\/output error/i.test(text)) return failure("fatal", "writing or syncing failed");
    return failure("failed", "the commit failed");
  }

  #get(key: Uint8Array): Uint8Array | undefined {
    try {
      return this.#environment.getBinary(key);
    } catch (error) {
      if (!isLmdbError(error)) throw error;
      const message = `${this.#directory}/data.mdb: ${keyText(key)}: ${error.message}`;
      throw this.#failure = new StoreError(message, "fatal", { cause: error });
    }
  }

  #check(problem: string | null, key: Uint8Array): void {
    if (problem === null) return;
    const message = `${this.#directory}/data.mdb: ${keyText(key)} ${problem}`;
    throw new StoreError(message, "damaged");
  }

  /** On a thread of LMDB's, with what is committed now; writers wait while it copies two pages. */
  async #copyTo(directory: string): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    // Not compacted: that has made damaged copies.
    await this.#environment.backup(directory, false);
  }

  /** Waits for a backup that is being copied; false if that does not end. */
  async #backupsStopped(): Promise<boolean> {
    if (this.#backups === null) return true;
    return await withinMs(this.#backups.stop().then(() => true), CLOSE_WAITS_MS, false);
  }

  /** Waits for the commit in flight; false if it does not end. */
  async #settled(): Promise<boolean> {
    if (this.#inFlight === null) return true;
    const ended = this.#inFlight.then(() => true, () => true);
    return await withinMs(ended, CLOSE_WAITS_MS, false);
  }
}

function openByOptions(options: LmdbStoreOptions): Promise<OpenedStore> {
  const { directory, mapBytes, log = () => {}, onDamage = "stop" } = options;
  const openNew = (path: string) => LmdbStore.open({ directory: path, mapBytes });
  return openByPolicy({ directory, mapBytes, log }, onDamage, openNew);
}

function isLmdbError(error: unknown): error is Error {
  return error instanceof Error && !(error instanceof StoreError) && error.message.includes("MDB_");
}
