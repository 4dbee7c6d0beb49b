import { open, type RootDatabase } from "lmdb";

/** The LMDB environment of a store: one unnamed database, keys and values as bytes. */
export type Environment = RootDatabase<Uint8Array, Uint8Array>;

/** Address space, not memory; and not a cap: LMDB grows past it by itself. */
const MAP_BYTES_DEFAULT = 64 * 1024 ** 3;

/**
 * Opens the environment in the only mode that a store may use:
 * - `overlappingSync: false`: a put's promise is the durable point, also after a snapshot was restored
 *   or a volume re-attached; never `noSync` (56 of 500 power cuts left a store that would not open), never
 *   `useWritemap` (SIGBUS on a full disk);
 * - a fixed map: with the growing default, old maps stay and count as memory;
 * - `noSubdir: false`: otherwise a directory with a dot in its name (`mosquitto.db`) is taken for a file;
 * - the data and lock files are the owner's alone.
 */
export function openEnvironment(
  directory: string,
  options: { mapBytes?: number; readOnly: boolean },
): Environment {
  const lmdbOptions = {
    path: directory,
    noSubdir: false,
    encoding: "binary" as const,
    keyEncoding: "binary" as const,
    overlappingSync: false,
    mapSize: options.mapBytes ?? MAP_BYTES_DEFAULT,
    maxReaders: 16,
    noMemInit: false,
    readOnly: options.readOnly,
    // Octal 0600; known to the native part, missing in its type declarations.
    permissionsMode: 0o600,
  };
  return open<Uint8Array, Uint8Array>(lmdbOptions);
}

/** Closes it, and lets lmdb's last timer pass: the one that ends a read transaction does nothing by then. */
export async function closeEnvironment(environment: Environment): Promise<void> {
  await environment.close();
  await new Promise((resolve) => setTimeout(resolve, 0));
}

/** How many entries LMDB believes to hold; a walk that finds another number has found damage. */
export function entryCount(environment: Environment): number {
  return (environment.getStats() as { entryCount: number }).entryCount;
}
