import { existsSync } from "node:fs";
import { backupsDirectory } from "./backup_files.ts";
import { readInChildren } from "./child_walk.ts";
import { headerProblem } from "./header_check.ts";
import { SCHEMA_KIND } from "./schema.ts";
import { type RecordChange, type Store, StoreError } from "./store.ts";
import { syncDirectory } from "./store_state.ts";

/** The advice that ends each refusal. */
export function damageAdvice(directory: string): string {
  const backups = backupsDirectory(directory);
  const restore = existsSync(backups)
    ? `To go back to the newest backup in ${backups}, start with \`persistence_on_damage restore\`. `
    : "";
  return "Nothing was changed. " + restore +
    "To keep what can be read, start with `persistence_on_damage salvage`; " +
    "to start empty, with `persistence_on_damage fresh`: each sets the damaged file aside as " +
    `${directory}/quarantine-TIME, nothing is deleted. To look at it first: ` +
    `\`cp -a ${directory} ${directory}.copy\``;
}

/**
 * Moves the damaged data to `quarantine-TIME` in the store's directory (beside the data, so that it is
 * on the same file system and writable, and the lock stays where it is). `replacement`, which is on disk,
 * is moved into its place. Returns the path.
 *
 * Dying at any step leaves under the first name either the damaged data, which the next start finds and
 * sets aside again, or the replacement, which needs neither `lock.mdb` nor `state`.
 */
export function setAside(directory: string, replacement: string | null): string {
  const path = `${directory}/data.mdb`;
  const quarantine = `${directory}/quarantine-${new Date().toISOString().replaceAll(":", "")}`;
  Deno.mkdirSync(quarantine, { mode: 0o700 });
  if (replacement === null) {
    move(path, `${quarantine}/data.mdb`);
  } else {
    // By a second name, so that at no moment there is no data under the first; and that name is on disk
    // before the first is given to something else.
    unlessMissing(() => Deno.linkSync(path, `${quarantine}/data.mdb`));
    syncDirectory(quarantine);
    syncDirectory(directory);
    Deno.renameSync(replacement, path);
  }
  move(`${directory}/lock.mdb`, `${quarantine}/lock.mdb`);
  move(`${directory}/state`, `${quarantine}/state`);
  syncDirectory(directory);
  return quarantine;
}

const COMMIT_RECORDS = 1000;

/**
 * Copies what is readable in `directory` to a new store in `directory/salvage`, opened by `openNew`, then
 * puts that in the place of the damaged one. Dying on the way leaves the damaged one where it is.
 */
export async function salvage(
  directory: string,
  openNew: (directory: string) => Promise<Store>,
  log: (line: string) => void,
): Promise<void> {
  const work = `${directory}/salvage`;
  remove(work);
  const source = readableSource(directory, `${work}/source`);
  const store = await openNew(`${work}/store`);
  let batch: RecordChange[] = [];
  let records = 0;
  let report;
  try {
    store.restore(() => {});
    report = await readInChildren(source, async (kind, number, value) => {
      if (kind === SCHEMA_KIND) return;
      records++;
      batch.push({ kind, number, value });
      if (batch.length < COMMIT_RECORDS) return;
      await store.commit(batch);
      batch = [];
    });
    if (batch.length > 0) await store.commit(batch);
  } finally {
    await store.close();
  }
  const quarantine = setAside(directory, `${work}/store/data.mdb`);
  Deno.renameSync(`${work}/store/state`, `${directory}/state`);
  syncDirectory(directory);
  remove(work);
  log(
    `${directory} was damaged: ${records} records were kept, ${report.problems} entries were ` +
      `wrong, reading failed at ${report.deaths} places` +
      (report.complete ? "" : ", and was given up") + `; the damaged file is in ${quarantine}`,
  );
}

/** The directory to read from: a file that was cut short is read from a copy of the right length. */
function readableSource(directory: string, copyDirectory: string): string {
  const problem = headerProblem(`${directory}/data.mdb`);
  if (problem === null) return directory;
  if (problem.wholeBytes === null) {
    throw new StoreError(
      `${directory}/data.mdb ${problem.text}: nothing can be read from it; to start empty, start with ` +
        "`persistence_on_damage fresh`",
      "damaged",
    );
  }
  Deno.mkdirSync(copyDirectory, { recursive: true, mode: 0o700 });
  Deno.copyFileSync(`${directory}/data.mdb`, `${copyDirectory}/data.mdb`);
  Deno.truncateSync(`${copyDirectory}/data.mdb`, problem.wholeBytes);
  return copyDirectory;
}

function move(from: string, to: string): void {
  unlessMissing(() => Deno.renameSync(from, to));
}

function remove(path: string): void {
  unlessMissing(() => Deno.removeSync(path, { recursive: true }));
}

function unlessMissing(run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
