import { closeSync, fsyncSync, openSync } from "node:fs";

/**
 * How the store was left. `creating`: its first start has not finished, so there is nothing to lose.
 * `loading`: it was being opened and read. `running`: it was in use. `clean`: it was closed in order.
 * `unknown`: the file says something else.
 */
export type StoreState = "creating" | "loading" | "running" | "clean" | "unknown";

/** One word, padded to a fixed width, so that it is overwritten in place by one small write. */
const WIDTH = 9;
const STATES: readonly string[] = ["creating", "loading", "running", "clean"];

/** Null if there is no such file. */
export function readState(directory: string): StoreState | null {
  try {
    const word = Deno.readTextFileSync(statePath(directory)).trim();
    return STATES.includes(word) ? word as StoreState : "unknown";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Resolved to disk when it returns. */
export function writeState(directory: string, state: Exclude<StoreState, "unknown">): void {
  using file = Deno.openSync(statePath(directory), { write: true, create: true, mode: 0o600 });
  file.writeSync(new TextEncoder().encode(`${state.padEnd(WIDTH)}\n`));
  file.truncateSync(WIDTH + 1);
  file.syncDataSync();
}

/** The state file's bytes, so that a failed start can put them back; null if there is none. */
export function readStateBytes(directory: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Deno.readFileSync(statePath(directory));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Undoes what {@linkcode writeState} did since {@linkcode readStateBytes}. */
export function restoreStateBytes(directory: string, bytes: Uint8Array<ArrayBuffer> | null): void {
  if (bytes === null) {
    Deno.removeSync(statePath(directory));
    return;
  }
  using file = Deno.openSync(statePath(directory), { write: true, create: true, mode: 0o600 });
  file.writeSync(bytes);
  file.truncateSync(bytes.length);
  file.syncDataSync();
}

/** As {@linkcode syncDirectory}, without holding up the event loop. */
export async function syncPath(path: string): Promise<void> {
  const isDirectory = (await Deno.stat(path)).isDirectory;
  if (isDirectory && Deno.build.os === "windows") return;
  using file = await Deno.open(path, { read: true, write: !isDirectory });
  await file.sync();
}

/** Makes names made in the directory survive a power failure; LMDB syncs its file alone. */
export function syncDirectory(directory: string): void {
  if (Deno.build.os === "windows") return; // A directory cannot be opened there.
  const descriptor = openSync(directory, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function statePath(directory: string): string {
  return `${directory}/state`;
}
