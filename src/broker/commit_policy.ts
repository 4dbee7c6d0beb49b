import type { Entry } from "../session/entry.ts";
import type { Journal } from "../store/journal.ts";

/** A batch of more is written even if nobody waits for it, so that a commit stays short. */
const OPEN_CHANGES_MAXIMUM = 20_000;

/** What the policy needs of the turn. */
export interface CommitTurns {
  nextTurn(run: () => void): void;
  /** A turn is to be open, and so to end. */
  beginTurn(): void;
}

/**
 * When the journal writes at `durability sync`: what somebody waits for is written at the end of the
 * turn; what nobody waits for, such as what was forgotten, is left to the next such batch or to the
 * tick. A batch with messages that are on their way to clients is sealed and waits a moment: what they
 * acknowledge meanwhile need not be written at all, and if that is everything, the batch counts as
 * committed without touching the disk.
 */
export class CommitPolicy {
  readonly #journal: Journal;
  readonly #isSync: boolean;
  readonly #turns: CommitTurns;
  /** Messages of the open batch `#expectedIn` whose acknowledgement would cancel them. */
  #expected = 0;
  #expectedIn = 0;
  /** The same of the sealed batch, and the position of one that has waited long enough. */
  #sealedExpected = 0;
  #patienceOverAt = 0;

  constructor(journal: Journal, isSync: boolean, turns: CommitTurns) {
    this.#journal = journal;
    this.#isSync = isSync;
    this.#turns = turns;
  }

  /** The turn ends. */
  flush(): void {
    const journal = this.#journal;
    if (!this.#isSync) return journal.flush();
    for (;;) {
      const { committed } = journal;
      this.#flushBatch();
      // One that cancelled itself out is committed already, and the one behind it may be awaited.
      if (journal.committed === committed || !journal.isAwaited) return;
    }
  }

  /** A kept message was sent at once: if its acknowledgement comes soon, it need not be written. */
  expect(entry: Entry): void {
    const open = this.#journal.openPosition;
    if (this.#expectedIn !== open) {
      this.#expectedIn = open;
      this.#expected = 0;
    }
    entry.expectedIn = open;
    this.#expected++;
  }

  /** It came, or is no longer awaited. */
  came(entry: Entry): void {
    if (entry.expectedIn === this.#journal.openPosition) this.#expected--;
    else if (entry.expectedIn === this.#journal.sealedPosition) this.#sealedExpected--;
    entry.expectedIn = 0;
  }

  #flushBatch() {
    const journal = this.#journal;
    if (journal.isWriting) return;
    if (journal.sealedPosition === 0) {
      if (!journal.isAwaited && journal.openChanges < OPEN_CHANGES_MAXIMUM) return;
      const isExpecting = this.#expectedIn === journal.openPosition && this.#expected > 0;
      if (!isExpecting) return journal.flush();
      journal.seal();
      this.#sealedExpected = this.#expected;
      this.#expected = 0;
      this.#beginPatience(journal.sealedPosition);
    }
    if (this.#sealedExpected === 0 || this.#patienceOverAt === journal.sealedPosition) {
      this.#sealedExpected = 0;
      journal.flush();
    }
  }

  #beginPatience(position: number) {
    this.#turns.nextTurn(() => {
      if (this.#journal.sealedPosition !== position) return;
      this.#patienceOverAt = position;
      this.#turns.beginTurn();
    });
  }
}
