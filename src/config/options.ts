/**
 * The table of options. Each option is declared once, in the file of its theme; everything else (both
 * file languages, the types of the embedding API, the files in `conf/`, `docs/configuration.md`) follows
 * from the rows. One with status "refused" has its type, its bounds and Mosquitto's texts, and is refused
 * with the reason, so that nobody believes a setting to hold that does not.
 */
import type { Place } from "../mistake.ts";
import type { BridgeTopic, CamelCase, OptionRow, ValuesOf } from "./option_row.ts";
import { BRIDGE_OPTIONS } from "./options_bridge.ts";
import { DROPPED_OPTIONS } from "./options_dropped.ts";
import { GLOBAL_OPTIONS } from "./options_global.ts";
import { LISTENER_OPTIONS } from "./options_listener.ts";
import { LOG_TYPES } from "./options_log.ts";
import { PLUGIN_OPTIONS } from "./options_plugin.ts";

export {
  BRIDGE_OPTIONS,
  DROPPED_OPTIONS,
  GLOBAL_OPTIONS,
  LISTENER_OPTIONS,
  LOG_TYPES,
  PLUGIN_OPTIONS,
};

/** Every row there is. */
export const OPTIONS: readonly OptionRow[] = [
  ...GLOBAL_OPTIONS,
  ...LISTENER_OPTIONS,
  ...BRIDGE_OPTIONS,
  ...PLUGIN_OPTIONS,
  ...DROPPED_OPTIONS,
];

/** The rows that are refused by name. */
export const REFUSED_OPTIONS: readonly OptionRow[] = OPTIONS.filter(({ status }) =>
  status === "refused"
);

/** The global options that `per_listener_settings` gives to each listener. */
export const PER_LISTENER_OPTIONS: readonly OptionRow[] = GLOBAL_OPTIONS.filter((row) =>
  "perListener" in row
);

/** The values of the global options in force. */
export type GlobalValues = ValuesOf<typeof GLOBAL_OPTIONS>;

/** What `per_listener_settings` gives to each listener. */
type AccessNames =
  | "allowAnonymous"
  | "allowZeroLengthClientid"
  | "autoIdPrefix"
  | "passwordFile"
  | "aclFile"
  | "pskFile";

/** One listener in force. */
export interface ListenerValues
  extends ValuesOf<typeof LISTENER_OPTIONS>, Pick<GlobalValues, AccessNames> {
  /** 0 (embedding only) takes any free port; 0 too where `unixPath` is not null. */
  readonly port: number;
  /** An IP address or host name; null is every address of the machine, IPv4 and IPv6. */
  readonly address: string | null;
  /** The path of a Unix domain socket that is listened on instead of a port. */
  readonly unixPath: string | null;
  /** Whether its files and plugins are its own (`per_listener_settings`) or those of all. */
  readonly hasOwnAccess: boolean;
}

/** One bridge in force; an empty `remoteClientid` or `localClientid` stands for the default. */
export interface BridgeValues extends ValuesOf<typeof BRIDGE_OPTIONS> {
  readonly name: string;
  readonly place: Place;
  /** Where each option that was given stands, by its name in the table. */
  readonly places: ReadonlyMap<string, Place>;
}

/** A plugin with its settings. */
export interface PluginSection {
  readonly kind: "plugin" | "global_plugin" | "plugin_load";
  readonly path: string;
  /** The name that `plugin_load` gave, or null. */
  readonly name: string | null;
  /** With `per_listener_settings` the index of the listener of a `plugin` line, else null: for all. */
  readonly listener: number | null;
  /** The `plugin_opt_*` lines in order, without that beginning. */
  readonly options: readonly (readonly [key: string, value: string])[];
  /** True only where it was asked for. */
  readonly denySpecialChars: boolean;
  readonly place: Place;
}

/** One listener as the embedding API takes it. */
export type ListenerOptions =
  & Partial<Omit<ListenerValues, "port" | "address" | "unixPath" | "hasOwnAccess">>
  & (
    | { readonly port: number; readonly address?: string | null; readonly unixPath?: undefined }
    | { readonly unixPath: string; readonly port?: undefined; readonly address?: undefined }
  );

/** One bridge as the embedding API takes it. */
export type BridgeOptions =
  & Partial<Omit<BridgeValues, "name" | "topic" | "address" | "place" | "places">>
  & Pick<BridgeValues, "name" | "address">
  & { readonly topic: readonly (Partial<BridgeTopic> & Pick<BridgeTopic, "pattern">)[] };

/** What belongs to a process of the broker's own: a program that embeds it has its own. */
export const PROCESS_OPTIONS = ["user", "pid_file"] as const;

/** What `createBroker` takes: the global options in camel case, the listeners and the bridges. */
export type BrokerOptions =
  & Partial<Omit<GlobalValues, "adminListener" | CamelCase<(typeof PROCESS_OPTIONS)[number]>>>
  & {
    readonly adminListener?: { readonly port: number; readonly address?: string } | null;
    readonly listeners?: readonly ListenerOptions[];
    readonly bridges?: readonly BridgeOptions[];
  };

const byName = new Map<string, OptionRow>();
for (const row of OPTIONS) {
  for (const name of [row.name, ...(row.aliases ?? [])]) byName.set(name, row);
}

/** The row of a name or alias as a configuration file spells it; `plugin_opt_x` is found as `plugin_opt_*`. */
export function findOption(name: string): OptionRow | undefined {
  const prefix = /^(plugin_opt_|auth_opt_)/.exec(name);
  return byName.get(prefix === null ? name : `${prefix[0]}*`);
}

/** Every name and alias that may stand in a file. */
export function optionNames(): string[] {
  return [...byName.keys()].filter((name) => !name.endsWith("*"));
}

/** Whether a row has a value in the configuration. */
export function hasValue(row: OptionRow): row is Exclude<OptionRow, { kind: "directive" }> {
  return row.kind !== "directive";
}

/** Whether an option may be used. */
export function isHonoured(row: OptionRow): boolean {
  return row.status === "honoured" || row.status === "own";
}
