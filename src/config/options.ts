/**
 * The table of options. Each option is declared once, in the file of its scope; everything else (both
 * file languages, the types of the embedding API, the files in `conf/`, `docs/configuration.md`) follows
 * from the rows.
 */
import type { OptionRow, ValuesOf } from "./option_row.ts";
import { GLOBAL_OPTIONS, LOG_TYPES } from "./options_global.ts";
import { DROPPED_OPTIONS, LATER_OPTIONS } from "./options_later.ts";
import { LISTENER_OPTIONS } from "./options_listener.ts";

export { DROPPED_OPTIONS, GLOBAL_OPTIONS, LATER_OPTIONS, LISTENER_OPTIONS, LOG_TYPES };

/** Every row there is. */
export const OPTIONS: readonly OptionRow[] = [
  ...GLOBAL_OPTIONS,
  ...LISTENER_OPTIONS,
  ...LATER_OPTIONS,
  ...DROPPED_OPTIONS,
];

/** The values of the global options in force. */
export type GlobalValues = ValuesOf<typeof GLOBAL_OPTIONS>;

/** One listener in force. */
export interface ListenerValues extends ValuesOf<typeof LISTENER_OPTIONS> {
  /** 0 (embedding only) takes any free port. */
  readonly port: number;
  /** An IP address or host name; null is every address of the machine, IPv4 and IPv6. */
  readonly address: string | null;
}

/** A log line's type. */
export type LogType = GlobalValues["logType"][number];

/** One listener as the embedding API takes it. */
export type ListenerOptions =
  & Partial<Omit<ListenerValues, "port" | "address">>
  & { readonly port: number; readonly address?: string | null };

/** What `createBroker` takes: the global options in camel case, and the listeners. */
export type BrokerOptions =
  & Partial<Omit<GlobalValues, "adminListener">>
  & {
    readonly adminListener?: { readonly port: number; readonly address?: string } | null;
    readonly listeners?: readonly ListenerOptions[];
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
