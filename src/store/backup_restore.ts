import { errorText } from "../error_text.ts";
import { ageText, type BackupFiles, backupsDirectory, backupsOf } from "./backup_files.ts";
import { setAside } from "./damaged_store.ts";
import { closeEnvironment } from "./environment.ts";
import { StoreError } from "./store.ts";
import { type OpeningOptions, openStore } from "./store_opening.ts";
import { syncPath, writeState } from "./store_state.ts";

/**
 * Puts the newest backup that is still good into the place of the damaged store, which is set aside. The
 * backup stays where it is: a copy of it is made in `restore` in the store's directory, and that copy is
 * checked, and moved.
 *
 * Throws `StoreError` if there is none; then the store is as it was. Dying on the way leaves the damaged
 * store, for the next start to find, or the restored one.
 */
export async function restoreBackup(options: Omit<OpeningOptions, "checkFirst">): Promise<void> {
  const { directory, log } = options;
  const work = workDirectory(directory);
  const backups = backupsOf(directory);
  try {
    for (const backup of backups) {
      const age = ageText(Date.now() - backup.timeMs);
      const problem = await takeCopy(backup, work, options);
      if (problem !== null) {
        log(`The backup ${backup.path}, ${age} old, can not be used: ${problem}`);
        continue;
      }
      const quarantine = setAside(directory, `${work}/data.mdb`);
      log(
        `${directory} was damaged and is restored from the backup ${backup.path}, which is ${age} ` +
          `old: what was changed since then is missing; the damaged file is in ${quarantine}`,
      );
      return;
    }
  } finally {
    await removeAll(work);
  }
  const where = backupsDirectory(directory);
  const what = backups.length === 0
    ? `there is no backup in ${where}`
    : `none of the ${backups.length} backups in ${where} can be used, see the log`;
  throw new StoreError(
    `${directory}/data.mdb is damaged, and ${what}. Nothing was changed. To keep what can be read, ` +
      "start with `persistence_on_damage salvage`; to start empty, with `persistence_on_damage fresh`",
    "damaged",
  );
}

/** Removes what a start that died while it was restoring has left. */
export async function removeHalfRestored(directory: string): Promise<void> {
  await removeAll(workDirectory(directory));
}

/** Fills `work` with a copy that is on disk and good. Returns what is wrong with it, or null. */
async function takeCopy(
  backup: BackupFiles,
  work: string,
  options: Omit<OpeningOptions, "checkFirst">,
): Promise<string | null> {
  try {
    await removeAll(work);
    await Deno.mkdir(work, { mode: 0o700 });
    await Deno.copyFile(`${backup.path}/data.mdb`, `${work}/data.mdb`);
    await syncPath(`${work}/data.mdb`);
    // Whoever has a state is no new store, which could be empty.
    writeState(work, "clean");
    // All that will be asked of it once it is in its place.
    const opened = await openStore({ ...options, directory: work, checkFirst: true });
    await closeEnvironment(opened.environment);
    return null;
  } catch (error) {
    return errorText(error);
  }
}

/** On the store's file system, so that what is in it can be moved; `backup` may be on another. */
function workDirectory(directory: string): string {
  return `${directory}/restore`;
}

async function removeAll(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
