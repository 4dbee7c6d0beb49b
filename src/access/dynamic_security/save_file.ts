import { chmod, open, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";

const OWNER_ONLY = 0o600;

/**
 * Replaces a file as a whole: after a crash or a failure there is either the old text or the new one,
 * and the new one is on disk when this resolves. A link stays a link; the mode stays what it was. While
 * the disk is waited for, the broker serves its clients: that is why this is not `replaceFile`.
 *
 * @throws {Error} of the file system; then the file is what it was
 */
export async function saveFile(path: string, text: string): Promise<void> {
  const target = await realPathOf(path);
  const temporary = `${target}.new`;
  await rm(temporary, { force: true });
  try {
    const file = await open(temporary, "wx", OWNER_ONLY);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    const mode = await modeOf(target);
    if (mode !== undefined) await chmod(temporary, mode);
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(target));
}

async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return path;
    throw error;
  }
}

async function modeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mode & 0o777;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The new name is on disk, too. */
async function syncDirectory(path: string) {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
