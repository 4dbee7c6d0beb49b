import { randomBytes } from "node:crypto";
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  openSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";

const OWNER_ONLY = 0o600;

/**
 * Replaces a file as a whole: whoever reads it, or a crash, finds the old or the new one. Owner, group
 * and mode stay; a new file is its owner's alone. A symbolic link stays and what it points to is
 * replaced. When it throws, nothing has changed.
 */
export function replaceFile(path: string, bytes: Uint8Array): void {
  const target = exists(path) ? realpathSync(path) : path;
  const before = exists(target) ? statSync(target) : null;
  const temporary = `${target}.${randomBytes(6).toString("hex")}.tmp`;
  const descriptor = openSync(temporary, "wx", OWNER_ONLY);
  try {
    try {
      writeFileSync(descriptor, bytes);
      if (before !== null) {
        const { uid, gid } = statSync(temporary);
        if (uid !== before.uid || gid !== before.gid) {
          fchownSync(descriptor, before.uid, before.gid);
        }
        fchmodSync(descriptor, before.mode & 0o7777);
      }
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, target);
  } catch (error) {
    unlinkSync(temporary);
    throw error;
  }
  syncDirectory(dirname(target));
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** A rename outlives a crash only when the directory is written too. */
function syncDirectory(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
