import { randomBytes } from "node:crypto";
import { type FileHandle, lstat, open, realpath, rename, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";

const OWNER_ONLY = 0o600;

/**
 * Replaces a file as a whole: whoever reads it, or a crash, finds the old or the new one, and the new
 * one is on disk when this resolves. The mode stays; a new file is its owner's alone. A symbolic link
 * stays and what it points to is replaced.
 *
 * @param owner whether the file keeps owner and group, or only where the system permits it: whoever
 *   reads the file itself needs no more
 * @throws {Error} of the file system; then nothing has changed
 */
export async function replaceFile(
  path: string,
  content: string | Uint8Array,
  owner: "stays" | "may change",
): Promise<void> {
  const target = await orMissing(lstat(path)) === undefined ? path : await realpath(path);
  const before = await orMissing(stat(target));
  const temporary = `${target}.${randomBytes(6).toString("hex")}.tmp`;
  const file = await open(temporary, "wx", OWNER_ONLY);
  try {
    try {
      await file.writeFile(content);
      if (before !== undefined) {
        await giveTo(file, before, owner);
        await file.chmod(before.mode & 0o7777);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await unlink(temporary);
    throw error;
  }
  await syncDirectory(dirname(target));
}

async function giveTo(
  file: FileHandle,
  { uid, gid }: { readonly uid: number; readonly gid: number },
  owner: "stays" | "may change",
): Promise<void> {
  const now = await file.stat();
  if (now.uid === uid && now.gid === gid) return;
  try {
    await file.chown(uid, gid);
  } catch (error) {
    if (owner === "stays" || (error as NodeJS.ErrnoException).code !== "EPERM") throw error;
  }
}

/** Undefined: there is no such file. */
async function orMissing<T>(asking: Promise<T>): Promise<T | undefined> {
  try {
    return await asking;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** A rename outlives a crash only when the directory is written too. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
