import { dirname } from "node:path";
import type { FileArguments } from "../config/arguments.ts";
import type { Configuration } from "../config/configuration.ts";
import { isLoopback } from "../config/loopback.ts";
import { camelCase } from "../config/option_row.ts";
import { isHonoured, OPTIONS } from "../config/options.ts";
import { pluginKind } from "../config/plugin_kind.ts";

/** Looked at whatever is configured. */
const VARIABLES = [
  "MOSQUITTO_PERSISTENCE_LOCATION",
  "NOTIFY_SOCKET",
  "PGID",
  "PUID",
  "SABETHES_DAEMON",
  "UMASK_SET",
  "WATCHDOG_PID",
  "WATCHDOG_USEC",
];
/** What lmdb and the packages that it is made of look at when they are loaded. */
const STORE_VARIABLES = [
  "ARM_VERSION",
  "ELECTRON_RUN_AS_NODE",
  "LIBC",
  "LMDB_RESTORE",
  "MSGPACKR_NATIVE_ACCELERATION_DISABLED",
  "PREBUILDS_ONLY",
  "npm_config_arch",
  "npm_config_platform",
];
/** Asked by those packages, and `statfs` for the room on the disk. */
const STORE_SYSTEM = ["cpus", "hostname", "networkInterfaces", "statfs"];
/** Options of paths that are written; the others are read. */
const WRITTEN = ["pid_file", "persistence_location", "persistence_file"];

/**
 * The narrowest permissions of `deno run` with which a broker of this configuration runs in the
 * foreground: `--allow-…`, one a kind. FFI is allowed or not: what calls the system's library can do
 * whatever the account can do, so that the rest guards against mistakes more than against malice.
 */
export function permissionFlags(configuration: Configuration, asked: FileArguments): string[] {
  const { global } = configuration;
  const variables = [...VARIABLES, ...(global.persistence ? STORE_VARIABLES : [])];
  if (configuration.plugins.some(({ path }) => pluginKind(path) === "dynamic-security")) {
    variables.push("MOSQUITTO_DYNSEC_PASSWORD");
  }
  if (asked.expandEnv) variables.push(...variablesOf(configuration));
  const written = writtenPaths(configuration);
  return [
    flag("read", [...readPaths(configuration), ...written]),
    flag("write", written),
    flag("net", networkEnds(configuration)),
    flag("env", variables),
    flag("sys", systemFacts(configuration)),
    // A damaged store is looked through by another process, lest it take this one with it.
    flag("run", global.persistence ? [Deno.execPath()] : []),
    "--allow-ffi",
  ].filter((text) => text !== "");
}

/** A flag with its list; without items none is needed, and null is everything. */
function flag(name: string, items: readonly string[] | null): string {
  if (items === null) return `--allow-${name}`;
  const unique = [...new Set(items)].sort();
  const list = unique.map((item) => item.replaceAll(",", ",,")).join(",");
  return list === "" ? "" : `--allow-${name}=${list}`;
}

/** The names in `${NAME}`. */
function variablesOf({ written }: Configuration): string[] {
  return [...written.values()].flatMap((text) =>
    [...text.matchAll(/(?<!\$)\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g)].map(([, name]) => name)
  );
}

function readPaths(configuration: Configuration): string[] {
  const { global, listeners, bridges, plugins, filesRead } = configuration;
  const paths = [...filesRead];
  const rows = OPTIONS.filter((row) =>
    row.kind === "path" && isHonoured(row) && !WRITTEN.includes(row.name)
  );
  for (const values of [global, ...listeners, ...bridges]) {
    for (const { name } of rows) {
      const path = new Map<string, unknown>(Object.entries(values)).get(camelCase(name));
      if (typeof path === "string" && path !== "") paths.push(path);
    }
  }
  for (const { path, options } of plugins) {
    if (pluginKind(path) === "module") paths.push(path);
    else paths.push(...options.filter(([key]) => key.endsWith("_file")).map(([, file]) => file));
  }
  // Hashes of argon2id are computed by a worker, which reads its program itself.
  const hasPasswords = listeners.some(({ passwordFile }) => passwordFile !== "");
  if (hasPasswords || plugins.some(({ path }) => checksPasswords(path))) {
    paths.push(decodeURIComponent(new URL("../access", import.meta.url).pathname));
  }
  // Of the directory above the store, whether it is there, and what stands in the store's place.
  if (global.persistence) paths.push(locationOf(global), ...packageDirectories());
  return paths;
}

function checksPasswords(path: string): boolean {
  const kind = pluginKind(path);
  return kind === "password-file" || kind === "dynamic-security";
}

function locationOf({ persistenceLocation: location }: Configuration["global"]): string {
  return location.replace(/\/+$/, "") || (location === "" ? "." : "/");
}

/** Where the parts of lmdb lie, which loads its native library by itself. */
function packageDirectories(): string[] {
  const entry = import.meta.resolve("lmdb");
  const above = /^file:\/\/(.*)\/lmdb\//.exec(entry)?.[1];
  if (above === undefined) return [];
  return [`${decodeURIComponent(above)}/@lmdb`, `${decodeURIComponent(above)}/lmdb`];
}

function writtenPaths({ global, listeners, plugins }: Configuration): string[] {
  const paths = global.logDest.filter((word) => word.startsWith("file "))
    .map((word) => word.slice("file ".length));
  if (global.pidFile !== "") paths.push(global.pidFile);
  for (const { unixPath } of listeners) if (unixPath !== null) paths.push(unixPath);
  for (const { options } of plugins) {
    for (const [key, value] of options) {
      // It is replaced as a whole, by way of a new file beside it.
      if (key === "config_file") paths.push(dirname(value));
    }
  }
  if (global.persistence) {
    const store = `${locationOf(global)}/${global.persistenceFile}`;
    paths.push(store, `${store}.lmdb`);
  }
  return paths;
}

/** Ports to listen on and brokers to connect to; null where only names are known. */
function networkEnds({ global, listeners, bridges }: Configuration): string[] | null {
  const ends: string[] = [];
  for (const { unixPath } of listeners) {
    if (unixPath !== null) {
      ends.push(`unix:${unixPath.startsWith("/") ? "" : `${Deno.cwd()}/`}${unixPath}`);
    }
  }
  const onPorts = listeners.filter(({ unixPath }) => unixPath === null);
  const admin = global.adminListener === null ? [] : [global.adminListener];
  for (const { port, address } of [...onPorts, ...admin]) {
    if (address === null) ends.push(`0.0.0.0:${port}`, `[::]:${port}`);
    else if (isAddress(address)) ends.push(endOf(address, port));
    else if (isLoopback(address)) {
      ends.push(`${address}:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`);
    } else return null;
  }
  for (const { address: addresses } of bridges) {
    for (const { address, port } of addresses) {
      if (!isAddress(address)) return null;
      ends.push(endOf(address, port));
    }
  }
  return ends;
}

function systemFacts({ global, listeners, bridges }: Configuration): string[] | null {
  // `umask`, which a socket's file needs, cannot be allowed alone.
  if (listeners.some(({ unixPath }) => unixPath !== null)) return null;
  const facts = ["uid"];
  if (global.persistence) facts.push(...STORE_SYSTEM);
  if (bridges.length > 0) facts.push("hostname");
  if (listeners.some(({ bindInterface }) => bindInterface !== "")) facts.push("networkInterfaces");
  return facts;
}

function isAddress(address: string): boolean {
  return /^[\d.]+$/.test(address) || address.includes(":");
}

function endOf(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
