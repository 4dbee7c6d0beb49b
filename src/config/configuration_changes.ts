import type { Configuration } from "./configuration.ts";
import { camelCase, type OptionRow } from "./option_row.ts";
import {
  BRIDGE_OPTIONS,
  type BridgeValues,
  GLOBAL_OPTIONS,
  hasValue,
  isHonoured,
  LISTENER_OPTIONS,
  type ListenerValues,
  PER_LISTENER_OPTIONS,
} from "./options.ts";
import { valueText } from "./value_text.ts";

/** One difference between two configurations. */
export interface Change {
  /** The option's name, with its listener or bridge: `max_qos (listener 1883)`. */
  readonly option: string;
  /** As text; what is secret is not shown. */
  readonly before: string;
  readonly now: string;
  /** False: it takes a restart. */
  readonly applied: boolean;
}

/** What a reload makes of two configurations. */
export interface Reloaded {
  /** The one before with everything of the new one that can be applied while the broker runs. */
  readonly effective: Configuration;
  readonly changes: readonly Change[];
}

type Values = Readonly<Record<string, unknown>>;

/**
 * What may change while the broker runs does, the rest stays as it was. Listeners are neither opened nor
 * closed: they are known by their port and address, or path.
 */
export function mergeConfigurations(before: Configuration, now: Configuration): Reloaded {
  const changes: Change[] = [];
  const global = mergeValues(GLOBAL_OPTIONS, before.global, now.global, "", changes);
  const listeners = mergeListeners(before, now, changes);
  compareBridges(before.bridges, now.bridges, changes);
  if (!equal(pluginTexts(before), pluginTexts(now))) {
    changes.push({
      option: "plugin",
      before: pluginTexts(before).join(", ") || "none",
      now: pluginTexts(now).join(", ") || "none",
      applied: false,
    });
  }
  const effective: Configuration = {
    ...now,
    global,
    listeners,
    plugins: before.plugins,
    localOnly: before.localOnly,
  };
  return { effective, changes };
}

function mergeListeners(
  before: Configuration,
  now: Configuration,
  changes: Change[],
): ListenerValues[] {
  const left = new Map(now.listeners.map((listener) => [keyOf(listener), listener]));
  const merged = before.listeners.map((listener) => {
    const key = keyOf(listener);
    const found = left.get(key);
    left.delete(key);
    if (found === undefined) {
      changes.push({ option: "listener", before: key, now: "none", applied: false });
      return listener;
    }
    const where = ` (listener ${key})`;
    // What is not the listener's own follows the global options, which are compared already.
    const ownAccess = listener.hasOwnAccess ? PER_LISTENER_OPTIONS : [];
    const rows = [...LISTENER_OPTIONS, ...ownAccess];
    const own = mergeValues(rows, listener, found, where, changes);
    if (listener.hasOwnAccess) return own;
    const shared = PER_LISTENER_OPTIONS.map(({ name }) => camelCase(name) as keyof ListenerValues);
    return { ...own, ...Object.fromEntries(shared.map((name) => [name, found[name]])) };
  });
  for (const key of left.keys()) {
    changes.push({ option: "listener", before: "none", now: key, applied: false });
  }
  return merged;
}

function mergeValues<T extends object>(
  rows: readonly OptionRow[],
  before: T,
  now: T,
  where: string,
  changes: Change[],
): T {
  const merged = { ...before } as Record<string, unknown>;
  for (const row of rows) {
    if (!hasValue(row) || !isHonoured(row)) continue;
    const name = camelCase(row.name);
    const [old, young] = [before, now].map((values) => (values as Values)[name]);
    if (equal(old, young)) continue;
    const applied = row.reloadable;
    changes.push({
      option: row.name + where,
      before: shown(row, old),
      now: shown(row, young),
      applied,
    });
    if (applied) merged[name] = young;
  }
  return merged as T;
}

function compareBridges(
  before: readonly BridgeValues[],
  now: readonly BridgeValues[],
  changes: Change[],
) {
  const left = new Map(now.map((bridge) => [bridge.name, bridge]));
  for (const bridge of before) {
    const found = left.get(bridge.name);
    left.delete(bridge.name);
    if (found === undefined) {
      changes.push({ option: "connection", before: bridge.name, now: "none", applied: true });
    } else mergeValues(BRIDGE_OPTIONS, bridge, found, ` (connection ${bridge.name})`, changes);
  }
  for (const name of left.keys()) {
    changes.push({ option: "connection", before: "none", now: name, applied: true });
  }
}

/** How a listener is known: `1883`, `1883 127.0.0.1` or a path. */
function keyOf({ unixPath, port, address }: ListenerValues): string {
  if (unixPath !== null) return unixPath;
  return address === null ? String(port) : `${port} ${address}`;
}

function pluginTexts({ plugins }: Configuration): string[] {
  return plugins.map(({ path, options }) =>
    [path, ...options.map(([key]) => `plugin_opt_${key}`)].join(" ")
  );
}

function equal(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function shown(row: OptionRow, value: unknown): string {
  const text = valueText(value);
  return text === "" ? "none" : row.secret ? "(secret)" : text;
}
