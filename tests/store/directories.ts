import { LmdbStore, type LmdbStoreOptions } from "../../src/store/lmdb_store.ts";
import type { RecordChange } from "../../src/store/store.ts";
import { restored } from "./contract.ts";

/** Gives `run` an empty directory, and removes it. */
export async function withDirectory(run: (directory: string) => void | Promise<void>) {
  const directory = Deno.makeTempDirSync({ prefix: "sabethes-store-" });
  try {
    await run(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** Makes a store in `directory`, or opens the one there, and commits to it. */
export async function storeWith(directory: string, changes: RecordChange[]): Promise<void> {
  const store = await LmdbStore.open({ directory });
  store.restore(() => {});
  await store.commit(changes);
  await store.close();
}

/** Opens the store in `directory`, reads it whole and closes it: what a start does. */
export async function recordsIn(
  directory: string,
  options: Partial<LmdbStoreOptions> = {},
): Promise<[number, number, string][]> {
  const store = await LmdbStore.open({ directory, ...options });
  try {
    return restored(store);
  } finally {
    await store.close();
  }
}
