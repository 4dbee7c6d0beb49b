import { assert } from "../assert.ts";
import { errorText } from "../error_text.ts";
import { type RecordChange, type Store, StoreError } from "./store.ts";

/**
 * Something that can be kept. `encode` is called when the batch is really written, so the newest state
 * of the object is what reaches the disk, and what is forgotten before is never encoded. The bytes must
 * not be changed until the commit has ended.
 */
export interface Encodable {
  encode(): Uint8Array;
}

/** What an acknowledgement waits for; see the guide on durability. `none` keeps nothing at all. */
export type Durability = "sync" | "async" | "autosave" | "none";

export interface JournalOptions {
  durability: Durability;
  /** Of `autosave`: seconds between saves, or changes if `autosaveOnChanges`; 0 for neither. */
  autosaveIntervalSeconds: number;
  autosaveOnChanges: boolean;
  clock: { monotonicMs(): number };
  /**
   * All batches up to `position` are as safe as the store makes them: release what waited for them.
   * Called when a commit has ended; or, for a batch that cancelled itself out, as the last thing that
   * `flush`, `save` or `tick` does. Never from `create`, `replace` or `forget`.
   */
  onCommitted(position: number): void;
  /** Nothing more can be kept: the process is to end. Called once. */
  onFatal(error: Error): void;
  log(line: string): void;
}

const TRIES_MAXIMUM = 3;
const TRIES_END_AFTER_MS = 10_000;
const RETRY_AFTER_MS = 1000;
const COMMIT_AGE_MAXIMUM_MS = 10_000;
/** A tick counts as this much at most: a process that was stopped has not waited for its disk. */
const TICK_COUNTS_MS_MAXIMUM = 1000;

/** A batch's changes of one kind. A number is in one of the two at most. */
interface KindChanges {
  readonly kind: number;
  /** Not in the store, nor in the commit in flight: forgetting one leaves no trace. */
  readonly created: Map<number, Encodable>;
  /** May be in the store: the new record, or null to remove it. */
  readonly replaced: Map<number, Encodable | null>;
}

/** Changes that will be written together. */
interface Batch {
  readonly position: number;
  /** By kind, with holes. */
  readonly kinds: (KindChanges | undefined)[];
}

/** The batch that is being written. */
interface Flight {
  readonly position: number;
  readonly changes: readonly RecordChange[];
  /** Rejections so far. */
  failures: number;
  firstFailureMs: number;
  /** Null while the store has it. */
  retryAtMs: number | null;
  /** How long the store has it, by our ticks. */
  ageMs: number;
}

/**
 * Gathers what is to be kept and writes it in batches, one at a time: what comes while a commit is in
 * flight is the next batch. A record that is created and forgotten within a batch costs no disk.
 *
 *     create, replace, forget  ──▶  open batch  ──flush──▶  in flight  ──▶  committed
 *                                   position p              p − 1           … p − 2
 *
 * Between the two a batch may be sealed: it takes no further change and waits a moment for what it
 * has to be cancelled.
 *
 * All methods are synchronous but `close`; the promises of the store stay in here. The owner calls
 * `flush` at the end of each turn and `tick` every 100 ms until `close` has ended.
 */
export class Journal {
  readonly #store: Store;
  readonly #options: JournalOptions;
  readonly #keeps: boolean;
  #open: Batch = { position: 1, kinds: [] };
  /** Takes no further change, but may still be cancelled, until it is written. */
  #sealed: Batch | null = null;
  #changes = 0;
  #changesAtOpen = 0;
  #committed = 0;
  #flight: Flight | null = null;
  /** The open batch is to be written as soon as the one in flight has ended. */
  #flushWanted = false;
  /** An acknowledgement waits for the open batch. */
  #isAwaited = false;
  #fatal = false;
  #closing = false;
  #writable: boolean;
  #tickedAtMs: number;
  #savedAtMs: number;
  /** Wakes `close`. */
  #onLanded: (() => void) | null = null;

  constructor(store: Store, options: JournalOptions) {
    this.#store = store;
    this.#options = options;
    this.#keeps = options.durability !== "none";
    this.#writable = store.health().writable;
    this.#tickedAtMs = this.#savedAtMs = options.clock.monotonicMs();
  }

  /**
   * What an acknowledgement made now waits for: the open batch if it was touched, else the one before,
   * which may be in flight. At most `committed` when nothing need be waited for.
   */
  get position(): number {
    if (this.#options.durability !== "sync") return 0;
    if (!this.#touched) return this.#open.position - 1;
    this.#isAwaited = true;
    return this.#open.position;
  }

  /** Changes in the open batch, those that cancelled each other out included. */
  get openChanges(): number {
    return this.#changes - this.#changesAtOpen;
  }

  /** Somebody has asked for the open batch's position, and so waits for it. */
  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  /** A commit is in flight. */
  get isWriting(): boolean {
    return this.#flight !== null;
  }

  /** The open batch, which the next change will belong to. */
  get openPosition(): number {
    return this.#open.position;
  }

  get committed(): number {
    return this.#committed;
  }

  /** Counts every change, so that a caller can tell whether handling a packet kept anything. */
  get changes(): number {
    return this.#changes;
  }

  /** False while what would have to be kept is to be refused: no room, or a commit that failed. */
  get accepting(): boolean {
    return this.#writable && !this.#fatal && (this.#flight === null || this.#flight.failures === 0);
  }

  /** Keeps a record whose number was never used before. */
  create(kind: number, number: number, record: Encodable): void {
    this.#changes++;
    if (!this.#keeps) return;
    const changes = this.#open.kinds[kind] ?? this.#openKind(kind);
    assert(
      changes.replaced.size === 0 || !changes.replaced.has(number),
      "a record that is created was never written",
    );
    changes.created.set(number, record);
  }

  /**
   * Keeps a record that may have been written before, with its new state. True: it was created in this
   * batch, and is never written as it was.
   */
  replace(kind: number, number: number, record: Encodable): boolean {
    this.#changes++;
    if (!this.#keeps) return true;
    const { created, replaced } = this.#open.kinds[kind] ?? this.#openKind(kind);
    const isNew = created.size > 0 && created.has(number);
    (isNew ? created : replaced).set(number, record);
    return isNew;
  }

  /** Removes a record. True: it was created in this batch, and is never written. */
  forget(kind: number, number: number): boolean {
    this.#changes++;
    if (!this.#keeps) return true;
    const { created, replaced } = this.#open.kinds[kind] ?? this.#openKind(kind);
    if (created.size > 0 && created.delete(number)) return true;
    replaced.set(number, null);
    return false;
  }

  /**
   * Removes a record whose end depends on nothing else that is kept: unlike with `forget`, one that
   * was created in the sealed batch is cancelled, too.
   */
  cancel(kind: number, number: number): void {
    const sealed = this.#sealed?.kinds[kind];
    if (sealed === undefined || !sealed.created.delete(number)) this.forget(kind, number);
    else this.#open.kinds[kind]?.replaced.delete(number);
  }

  /**
   * Closes the open batch to further changes without writing it yet; `flush` writes it. Only one can
   * be sealed at a time.
   */
  seal(): void {
    assert(this.#sealed === null, "one batch is sealed at most");
    this.#sealed = this.#takeOpen();
  }

  /** Position of the sealed batch, 0 when there is none. */
  get sealedPosition(): number {
    return this.#sealed === null ? 0 : this.#sealed.position;
  }

  /** The turn ends: at `sync` its changes are written now, or as soon as the commit in flight ends. */
  flush(): void {
    if (this.#options.durability === "sync") this.save();
    else if (this.#isAutosaveOnChangesDue()) this.save();
  }

  /** Another autosave interval is in force. */
  configure(autosave: Pick<JournalOptions, "autosaveIntervalSeconds" | "autosaveOnChanges">): void {
    Object.assign(this.#options, autosave);
  }

  /** Writes what is open, whatever the durability: SIGUSR1. */
  save(): void {
    if (this.#fatal || this.#sealed === null && !this.#touched) return;
    if (this.#flight !== null) this.#flushWanted = true;
    else this.#start();
  }

  /** Lets time pass. */
  tick(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const passedMs = Math.min(nowMs - this.#tickedAtMs, TICK_COUNTS_MS_MAXIMUM);
    this.#tickedAtMs = nowMs;
    if (this.#fatal) return;
    this.#writable = this.#store.health().writable;
    if (this.#flight !== null) this.#watch(this.#flight, nowMs, passedMs);
    const { durability } = this.#options;
    if (durability === "async" || durability === "sync") this.save();
    else if (this.#isAutosaveDue(nowMs)) {
      this.#savedAtMs = nowMs; // Also when there is nothing to save: an interval runs on.
      this.save();
    }
  }

  /** Writes all that is open, then closes the store. After a failure it only lets go of the store. */
  async close(): Promise<void> {
    this.#closing = true;
    if (this.#flight?.retryAtMs != null) this.#try(this.#flight);
    while (!this.#fatal && (this.#flight !== null || this.#sealed !== null || this.#touched)) {
      if (this.#flight === null) this.#start();
      if (this.#flight === null) continue;
      await new Promise<void>((resolve) => this.#onLanded = resolve);
    }
    await this.#store.close();
  }

  /** Whether the open batch has seen changes; they may have cancelled each other out. */
  get #touched(): boolean {
    return this.#keeps && this.#changes !== this.#changesAtOpen;
  }

  #openKind(kind: number): KindChanges {
    assert(Number.isInteger(kind) && kind >= 1 && kind <= 200, "a kind is 1 to 200");
    return this.#open.kinds[kind] = { kind, created: new Map(), replaced: new Map() };
  }

  /** Takes the open batch away; the next change begins a new one. */
  #takeOpen(): Batch {
    const batch = this.#open;
    this.#open = { position: batch.position + 1, kinds: [] };
    this.#changesAtOpen = this.#changes;
    this.#isAwaited = false;
    return batch;
  }

  #start(): void {
    const { position, kinds } = this.#sealed ?? this.#takeOpen();
    this.#sealed = null;
    this.#savedAtMs = this.#options.clock.monotonicMs();
    this.#flushWanted = false;
    const changes = changesOf(kinds);
    if (changes.length === 0) return this.#advance(position);
    this.#flight = {
      position,
      changes,
      failures: 0,
      firstFailureMs: 0,
      retryAtMs: null,
      ageMs: 0,
    };
    this.#try(this.#flight);
  }

  #try(flight: Flight): void {
    flight.retryAtMs = null;
    flight.ageMs = 0;
    this.#store.commit(flight.changes).then(
      () => this.#land(flight),
      (error) => this.#rejected(flight, error),
    );
  }

  #land(flight: Flight): void {
    if (this.#fatal) return; // Too late: the process is ending, and nothing is acknowledged any more.
    this.#flight = null;
    if (flight.failures > 0) this.#options.log("the store can be written again");
    this.#advance(flight.position);
    if (this.#flushWanted && this.#flight === null) this.#start();
    this.#onLanded?.();
  }

  #advance(position: number): void {
    assert(position === this.#committed + 1, "batches are committed in their order");
    this.#committed = position;
    this.#options.onCommitted(position);
  }

  /** The outcome is unknown, so the same changes are written again: they are the same either way. */
  #rejected(flight: Flight, error: unknown): void {
    if (this.#fatal) return;
    const nowMs = this.#options.clock.monotonicMs();
    const reason = error instanceof StoreError ? error.reason : "failed";
    const message = errorText(error);
    if (flight.failures++ === 0) flight.firstFailureMs = nowMs;
    if (reason === "no room" && !this.#closing) {
      // Waiting for room has no end: nothing more is accepted meanwhile, and nothing acknowledged.
      if (flight.failures === 1) this.#options.log(`waiting for room: ${message}`);
      flight.failures = 1;
      flight.firstFailureMs = nowMs;
    } else if (
      reason === "fatal" || flight.failures >= TRIES_MAXIMUM ||
      nowMs - flight.firstFailureMs >= TRIES_END_AFTER_MS
    ) {
      const text = `nothing can be kept any more: ${message}`;
      return this.#fail(new StoreError(text, "fatal", { cause: error }));
    } else {
      this.#options.log(`a commit failed and is tried again: ${message}`);
    }
    if (this.#closing) this.#try(flight);
    else flight.retryAtMs = nowMs + RETRY_AFTER_MS;
  }

  #watch(flight: Flight, nowMs: number, passedMs: number): void {
    if (flight.retryAtMs !== null) {
      if (nowMs >= flight.retryAtMs) this.#try(flight);
      return;
    }
    flight.ageMs += passedMs;
    if (flight.ageMs <= COMMIT_AGE_MAXIMUM_MS) return;
    const seconds = Math.round(flight.ageMs / 1000);
    this.#fail(new StoreError(`a commit has not ended for ${seconds} seconds`, "fatal"));
  }

  #fail(error: StoreError): void {
    this.#fatal = true;
    this.#options.onFatal(error);
    this.#onLanded?.();
  }

  #isAutosaveOnChangesDue(): boolean {
    const { durability, autosaveOnChanges, autosaveIntervalSeconds } = this.#options;
    return durability === "autosave" && autosaveOnChanges && autosaveIntervalSeconds > 0 &&
      this.#changes - this.#changesAtOpen >= autosaveIntervalSeconds;
  }

  #isAutosaveDue(nowMs: number): boolean {
    const { durability, autosaveOnChanges, autosaveIntervalSeconds } = this.#options;
    return durability === "autosave" && !autosaveOnChanges && autosaveIntervalSeconds > 0 &&
      nowMs - this.#savedAtMs >= autosaveIntervalSeconds * 1000;
  }
}

/** By kind, and mostly by number, which is the order the store likes. */
function changesOf(kinds: readonly (KindChanges | undefined)[]): RecordChange[] {
  const changes: RecordChange[] = [];
  for (const changed of kinds) {
    if (changed === undefined) continue;
    const { kind, created, replaced } = changed;
    for (const [number, record] of replaced) {
      changes.push({ kind, number, value: record === null ? null : record.encode() });
    }
    for (const [number, record] of created) {
      changes.push({ kind, number, value: record.encode() });
    }
  }
  return changes;
}
