/**
 * The journal's disk. A store holds *records*: a value under a key of two numbers, the kind and the
 * number. It knows nothing of MQTT; what the kinds mean is said in `records.ts`.
 */

/** One change of one record. `value` null removes it; removing what is not there is no error. */
export interface RecordChange {
  /** 1 to 200. */
  readonly kind: number;
  /** A safe integer ≥ 0. */
  readonly number: number;
  readonly value: Uint8Array | null;
}

/** Called once per record at start, by kind, then by number, both ascending. `value` is the caller's to keep. */
export type RecordVisitor = (kind: number, number: number, value: Uint8Array) => void;

/** Whether the store can take more, and why not. */
export interface StoreHealth {
  readonly writable: boolean;
  /** Empty while writable. */
  readonly reason: string;
  /** Bytes the store occupies on disk; 0 in memory. */
  readonly bytes: number;
}

export interface Store {
  /** Reads everything, once, before the first commit. Throws `StoreError` on damage. */
  restore(visit: RecordVisitor): void;

  /**
   * Writes all the changes or none. Resolves when they are as safe as this store can make them
   * (LMDB: fsynced). A rejection leaves the outcome unknown: the same changes may be written again.
   * At most one commit is in flight, and no key occurs twice in `changes`; both are asserted.
   */
  commit(changes: readonly RecordChange[]): Promise<void>;

  /** The committed value, or undefined. Synchronous: a look-up in the memory map. */
  read(kind: number, number: number): Uint8Array | undefined;

  health(): StoreHealth;

  /** Waits for the commit in flight, marks the store clean and lets go of it. */
  close(): Promise<void>;
}

/**
 * What a caller may want to tell apart. `damaged`, `locked`, `foreign` (something of someone else's is
 * at this path) and `newer` (written by a newer version) come from starting; `no room` is a commit that
 * may be tried again when there is space; after `fatal` nothing more can be kept and the process ends.
 */
export type StoreErrorReason =
  | "failed"
  | "damaged"
  | "locked"
  | "foreign"
  | "newer"
  | "no room"
  | "fatal";

/** What is wrong with a store: says which file, what was found, and what the operator can do. */
export class StoreError extends Error {
  /** The class's name. */
  override readonly name = "StoreError";
  /** What can be done about it. */
  readonly reason: StoreErrorReason;

  /** With a message that says which file, what was found, and what to do. */
  constructor(message: string, reason: StoreErrorReason = "failed", options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
