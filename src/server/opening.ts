import type { AdminServer } from "../admin/server.ts";
import type { AdminSource } from "../admin/source.ts";
import type { Configuration } from "../config/configuration.ts";
import { errorText } from "../error_text.ts";
import type { Log } from "../log.ts";
import { type Store, StoreError } from "../store/store.ts";
import { StoreLock } from "../store/store_lock.ts";
import { ListenError } from "./listen_error.ts";

/** What a server opens when it starts: the store, its lock, the ports. */

/** Takes the right to use the store's directory. @throws {StoreError} */
export function lockStore(configuration: Configuration, log: Log): StoreLock {
  const { persistenceLocation, persistenceFile } = configuration.global;
  const location = persistenceLocation.replace(/\/+$/, "");
  const directory = location === "" && !persistenceLocation.startsWith("/")
    ? persistenceFile
    : `${location}/${persistenceFile}`;
  try {
    return StoreLock.acquire(directory);
  } catch (error) {
    if (!(error instanceof StoreError) || error.reason !== "foreign") throw error;
    // A drop-in finds Mosquitto's own database here. It stays as it is, ours goes beside it.
    const beside = `${directory}.lmdb`;
    log.log("warning", `Warning: ${error.message}`);
    log.log("warning", `Warning: the store is kept in ${beside}; nothing is imported.`);
    return StoreLock.acquire(beside);
  }
}

/** @throws {StoreError} */
export async function openStore(
  configuration: Configuration,
  lock: StoreLock,
  log: Log,
): Promise<Store> {
  const { global } = configuration;
  // A native library: read only where something is kept.
  const { LmdbStore } = await import("../store/lmdb_store.ts");
  return await LmdbStore.open({
    directory: lock.directory,
    lock,
    onDamage: global.persistenceOnDamage,
    minimumFreeBytes: global.persistenceMinFree,
    backups: global.backupInterval === 0 ? undefined : {
      intervalSeconds: global.backupInterval,
      keep: global.backupKeep,
      log: (type, line) => log.log(type, line),
    },
    log: (line) => log.log("warning", line),
  });
}

/** The HTTP interface, if the configuration asks for one. @throws {ListenError} */
export async function openAdmin(
  configuration: Configuration,
  source: AdminSource,
  log: Log,
): Promise<AdminServer | null> {
  const endpoint = configuration.global.adminListener;
  if (endpoint === null) return null;
  // Read only where it is wanted: without it the broker is there sooner.
  const { AdminServer } = await import("../admin/server.ts");
  try {
    const admin = AdminServer.open(source, endpoint);
    const { hostname, port } = admin.address;
    log.log("information", `Opening HTTP listen socket on port ${port} (${hostname}).`);
    return admin;
  } catch (error) {
    const text = errorText(error);
    throw new ListenError(`cannot listen on ${endpoint.address}:${endpoint.port}: ${text}`, {
      cause: error,
    });
  }
}
