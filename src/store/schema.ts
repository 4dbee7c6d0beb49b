import { entryCount, type Environment } from "./environment.ts";
import {
  entryBytes,
  entryProblem,
  HEAD_KEY_BYTES,
  payload,
  writeEntry,
  writeHeadKey,
} from "./record_codec.ts";
import { StoreError } from "./store.ts";

/** The kind that is the store's own; its record 0 comes first and says in which form the rest is. */
export const SCHEMA_KIND = 0;

const SCHEMA_VERSION = 1;
const SCHEMA_WORD = "sabethes store";

/**
 * Reads the schema record, or writes it to a store that has nothing yet (`mayBeNew`). Throws `StoreError`
 * when it is missing, damaged or newer than this program; an older one would be migrated here.
 */
export function openSchema(environment: Environment, mayBeNew: boolean, path: string): void {
  const key = new Uint8Array(HEAD_KEY_BYTES);
  writeHeadKey(key, SCHEMA_KIND, 0);
  const entry = environment.getBinary(key);
  if (entry === undefined) {
    if (mayBeNew && entryCount(environment) === 0) return writeSchema(environment, key);
    if (mayBeNew) throw new StoreError(`${path} was written by another program`, "foreign");
    throw new StoreError(`${path} has lost its first record`, "damaged");
  }
  const problem = entryProblem(entry, key, 0, -1);
  if (problem !== null) throw new StoreError(`${path}: its first record ${problem}`, "damaged");
  const [word, version] = new TextDecoder().decode(payload(entry)).split("/");
  if (word !== SCHEMA_WORD) {
    throw new StoreError(`${path} was written by another program`, "foreign");
  }
  if (Number(version) !== SCHEMA_VERSION) {
    throw new StoreError(
      `${path} has schema ${version}, this program knows ${SCHEMA_VERSION}: it was written by a ` +
        "newer version; start that one, or choose another persistence_location",
      "newer",
    );
  }
}

/** On disk when it returns. */
function writeSchema(environment: Environment, key: Uint8Array): void {
  const value = new TextEncoder().encode(`${SCHEMA_WORD}/${SCHEMA_VERSION}`);
  const entry = new Uint8Array(entryBytes(value.length, 0));
  writeEntry(entry, key, value, 0);
  environment.putSync(key, entry);
}
