import { errorText } from "../error_text.ts";
import { removeHalfRestored, restoreBackup } from "./backup_restore.ts";
import { damageAdvice, salvage, setAside } from "./damaged_store.ts";
import { type Store, StoreError } from "./store.ts";
import { type OpenedStore, type OpeningOptions, openStore } from "./store_opening.ts";

/**
 * What to do about a damaged store: refuse to start, go back to the newest good backup, keep what can be
 * read, or start empty.
 */
export type DamagePolicy = "stop" | "restore" | "salvage" | "fresh";

/**
 * Opens the store, and does what `policy` says if it is damaged. With another policy than `stop` all
 * records are walked first. `openNew` opens the store that salvage writes.
 *
 * Throws `StoreError`; then the store is as it was.
 */
export async function openByPolicy(
  options: Omit<OpeningOptions, "checkFirst">,
  policy: DamagePolicy,
  openNew: (directory: string) => Promise<Store>,
): Promise<OpenedStore> {
  const { directory, log } = options;
  if (policy === "restore") await removeHalfRestored(directory);
  try {
    return await openStore({ ...options, checkFirst: policy !== "stop" });
  } catch (error) {
    if (!(error instanceof StoreError) || error.reason !== "damaged") throw error;
    if (policy === "stop") {
      const message = `${error.message}. ${damageAdvice(directory)}`;
      throw new StoreError(message, "damaged", { cause: error });
    }
    log(`${error.message}; persistence_on_damage is ${policy}`);
  }
  try {
    switch (policy) {
      case "restore":
        await restoreBackup(options);
        break;
      case "salvage":
        await salvage(directory, openNew, log);
        break;
      case "fresh":
        log(`${directory} starts empty; what was damaged is in ${setAside(directory, null)}`);
    }
  } catch (error) {
    if (error instanceof StoreError) throw error;
    const why = errorText(error);
    const message = `${directory} is damaged, and persistence_on_damage ${policy} failed: ${why}`;
    throw new StoreError(message, "damaged", { cause: error });
  }
  return await openStore({ ...options, checkFirst: false });
}
