import { entryCount, type Environment } from "./environment.ts";
import {
  chunkCount,
  copyPayload,
  entryProblem,
  HEAD_KEY_BYTES,
  isKey,
  keyChunkIndex,
  keyNumber,
  keyText,
  payload,
  valueLength,
} from "./record_codec.ts";

/** What a walk tells. `problem` may be called many times; a record it names was not visited. */
export interface WalkVisitor {
  record(kind: number, number: number, value: Uint8Array): void;
  problem(text: string): void;
}

/**
 * Reads every entry from key `start` on, in order, checks it, and puts chunked values together. Entries
 * of damaged values are dropped and told. Without `start` the number of entries is compared too.
 */
export function walkRecords(
  environment: Environment,
  visitor: WalkVisitor,
  start?: Uint8Array,
): void {
  const walk = new RecordWalk(visitor);
  let entries = 0;
  for (const { key, value } of environment.getRange(start === undefined ? {} : { start })) {
    entries++;
    if (!isKey(key)) visitor.problem(`${keyText(key)} is there`);
    else if (key.length === HEAD_KEY_BYTES) walk.head(key, value);
    else walk.chunk(key, value);
  }
  walk.end();

  if (start !== undefined) return;
  const expected = entryCount(environment);
  if (entries === expected) return;
  visitor.problem(`${entries} entries can be reached where ${expected} should be`);
}

/** A value whose chunks are still coming. */
interface Gathering {
  readonly kind: number;
  readonly number: number;
  readonly value: Uint8Array;
  readonly chunks: number;
  found: number;
}

class RecordWalk {
  readonly #visitor: WalkVisitor;
  #gathering: Gathering | null = null;

  constructor(visitor: WalkVisitor) {
    this.#visitor = visitor;
  }

  head(key: Uint8Array, entry: Uint8Array): void {
    this.end();
    const problem = entryProblem(entry, key, 0, -1);
    if (problem !== null) return this.#visitor.problem(`${keyText(key)} ${problem}`);
    const length = valueLength(entry);
    const chunks = chunkCount(length);
    const kind = key[0];
    const number = keyNumber(key);
    if (chunks === 0) return this.#visitor.record(kind, number, payload(entry));
    this.#gathering = { kind, number, value: new Uint8Array(length), chunks, found: 0 };
    copyPayload(entry, 0, this.#gathering.value);
  }

  chunk(key: Uint8Array, entry: Uint8Array): void {
    const gathering = this.#gathering;
    const index = keyChunkIndex(key);
    if (
      gathering === null || gathering.kind !== key[0] || gathering.number !== keyNumber(key) ||
      gathering.found + 1 !== index
    ) {
      return this.#visitor.problem(`${keyText(key)} has no record to belong to`);
    }
    const problem = entryProblem(entry, key, index, gathering.value.length);
    if (problem !== null) return this.#visitor.problem(`${keyText(key)} ${problem}`);
    copyPayload(entry, index, gathering.value);
    if (++gathering.found < gathering.chunks) return;
    this.#gathering = null;
    this.#visitor.record(gathering.kind, gathering.number, gathering.value);
  }

  /** Nothing more comes for the value that is being gathered. */
  end(): void {
    const gathering = this.#gathering;
    if (gathering === null) return;
    this.#gathering = null;
    this.#visitor.problem(
      `record ${gathering.kind}/${gathering.number} lacks ` +
        `${gathering.chunks - gathering.found} of ${gathering.chunks} chunks`,
    );
  }
}
