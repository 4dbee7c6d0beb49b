import { statSync } from "node:fs";

/** A backup that was found good when it was made: a directory with a `data.mdb`. */
export interface BackupFiles {
  readonly path: string;
  /** When it was made, Unix milliseconds. */
  readonly timeMs: number;
}

const NAME = /^(\d{4}-\d\d-\d\dT\d\d)(\d\d)(\d\d\.\d{3}Z)$/;
/** What is not a backup yet, or no longer, so that a crash leaves no half one under a good name. */
const UNFINISHED = "unfinished-";

/** Where the backups of the store in `directory` are; it may be a link to another disk. */
export function backupsDirectory(directory: string): string {
  return `${directory}/backup`;
}

/** The name of a backup: the time in ISO 8601, without the colons, which not all systems allow. */
export function backupName(timeMs: number): string {
  return new Date(timeMs).toISOString().replaceAll(":", "");
}

/** What a backup is called until it is known to be good. */
export function unfinishedName(name: string): string {
  return `${UNFINISHED}${name}`;
}

/** The finished backups of the store in `directory`, the newest first. What else is there is left out. */
export function backupsOf(directory: string): BackupFiles[] {
  const parent = backupsDirectory(directory);
  const found: BackupFiles[] = [];
  for (const name of namesIn(parent)) {
    const time = NAME.exec(name);
    if (time === null) continue;
    const timeMs = Date.parse(`${time[1]}:${time[2]}:${time[3]}`);
    if (!Number.isNaN(timeMs)) found.push({ path: `${parent}/${name}`, timeMs });
  }
  return found.sort((a, b) => b.timeMs - a.timeMs);
}

/** Removes what a crash or a stop has left of backups being made or removed. */
export async function removeUnfinished(directory: string): Promise<void> {
  const parent = backupsDirectory(directory);
  for (const name of namesIn(parent)) {
    if (name.startsWith(UNFINISHED)) await Deno.remove(`${parent}/${name}`, { recursive: true });
  }
}

/** Removes a finished backup. Dying on the way leaves what the next sweep removes. */
export async function removeBackup(directory: string, backup: BackupFiles): Promise<void> {
  const going = `${backupsDirectory(directory)}/${unfinishedName(backupName(backup.timeMs))}`;
  await Deno.rename(backup.path, going);
  await Deno.remove(going, { recursive: true });
}

/** How old something is, in words: "42 minutes". */
export function ageText(milliseconds: number): string {
  const units = [[86_400_000, "day"], [3_600_000, "hour"], [60_000, "minute"]] as const;
  for (const [unitMs, name] of units) {
    if (milliseconds >= 2 * unitMs) return `${Math.floor(milliseconds / unitMs)} ${name}s`;
  }
  return `${Math.max(0, Math.floor(milliseconds / 1000))} seconds`;
}

function namesIn(directory: string): string[] {
  if (statSync(directory, { throwIfNoEntry: false }) === undefined) return [];
  return [...Deno.readDirSync(directory)].map(({ name }) => name);
}
