import type { Check, Notice } from "./check.ts";
import { placeText } from "../mistake.ts";
import { bridgeMistakes, bridgeNotices } from "./bridge_settings.ts";
import type { OptionRow, OptionValue } from "./option_row.ts";
import { camelCase } from "./option_row.ts";
import {
  BRIDGE_OPTIONS,
  type BridgeValues,
  GLOBAL_OPTIONS,
  type GlobalValues,
  hasValue,
  LISTENER_OPTIONS,
  type ListenerValues,
  LOG_TYPES,
  PER_LISTENER_OPTIONS,
  type PluginSection,
} from "./options.ts";
import { checkRelations } from "./relations.ts";
import { type BridgeSection, ListenerSection, type Section } from "./section.ts";

/** A configuration in force: complete, typed, and sound in itself. */
export interface Configuration {
  readonly global: GlobalValues;
  readonly listeners: readonly ListenerValues[];
  readonly bridges: readonly BridgeValues[];
  /** In the order in which they are asked, which is that of the file. */
  readonly plugins: readonly PluginSection[];
  /** No listener was declared: reachable from this machine alone. */
  readonly localOnly: boolean;
  /**
   * Where each value comes from: "default", "command line", "FILE:LINE", "environment …" or "options".
   * The keys are the options' names; those of a listener have `listener[0].` in front, of a bridge
   * `bridge[0].`.
   */
  readonly origins: ReadonlyMap<string, string>;
  /**
   * By `FILE:LINE`, the text of values in which something was filled in from the environment or a file,
   * as it is written there: it is shown in place of such a value.
   */
  readonly written: ReadonlyMap<string, string>;
  /** The files and directories that it was read from. */
  readonly filesRead: readonly string[];
  /** Lines for the log: what was taken otherwise than written, what is deprecated, what has no effect. */
  readonly notices: readonly string[];
}

/** What the command line and the environment say beside the file. */
export interface Overrides {
  /** `-p`: ports of local only mode. */
  readonly ports?: readonly number[];
  /** `-v` */
  readonly verbose?: boolean;
  /** `-q`, which wins over `-v`. */
  readonly quiet?: boolean;
  /** MOSQUITTO_PERSISTENCE_LOCATION */
  readonly persistenceLocation?: string;
}

const DEFAULT_PORT = 1883;
const LOOPBACK_ADDRESSES = ["127.0.0.1", "::1"];

/** The configuration that the gathered settings make. Adds the mistakes that only the whole shows. */
export function conclude(
  check: Check,
  overrides: Overrides,
  localOnly = !check.declaresListeners,
): Configuration {
  const origins = new Map<string, string>();
  checkRelations(check);
  const global = globalValues(check, overrides, localOnly, origins);
  const access = new AccessValues(check, global, localOnly, origins);
  const listeners = localOnly
    ? localListeners(check, overrides, access, origins)
    : check.listeners.map((listener) => {
      if (listener.kind === "default listener" && listener.port === undefined) {
        check.notice(
          listener.place,
          `The default listener is opened on port ${DEFAULT_PORT}, for an option stands before any listener line.`,
        );
      }
      return listenerValues(listener, access, origins);
    });
  if (!localOnly && (overrides.ports?.length ?? 0) > 0) {
    check.notices.push({
      text: "Warning: -p is ignored, for the configuration declares its listeners.",
    });
  }
  const bridges = check.bridges.map((bridge, index) =>
    bridgeValues(bridge, `bridge[${index}].`, origins)
  );
  for (const mistake of bridgeMistakes(bridges, listeners.map(({ port }) => port))) {
    check.mistake(mistake, mistake.message, mistake.hint);
  }
  for (const { place, text } of bridgeNotices(bridges)) check.notice(place, text);
  const plugins = check.plugins.all;
  const notices = check.notices.map(noticeText);
  const written = check.filledIn.written();
  return {
    ...{ global, listeners, bridges, plugins, localOnly, origins, written, notices },
    filesRead: [],
  };
}

function noticeText({ text, place }: Notice): string {
  return place === undefined ? text : `${text} (${placeText(place)})`;
}

function globalValues(
  check: Check,
  overrides: Overrides,
  localOnly: boolean,
  origins: Map<string, string>,
): GlobalValues {
  const values = sectionValues(GLOBAL_OPTIONS, check.global, "", origins);
  const { places } = check.global;
  if (!places.has("allow_anonymous")) values.set("allow_anonymous", localOnly);
  const autosave = places.get("autosave_interval") ?? places.get("autosave_on_changes");
  if (!places.has("durability") && autosave !== undefined) {
    values.set("durability", "autosave");
    origins.set("durability", placeText(autosave));
    if (values.get("persistence") === true) check.notice(autosave, autosaveNotice(values));
  }
  if (overrides.persistenceLocation) {
    values.set("persistence_location", overrides.persistenceLocation);
    origins.set("persistence_location", "environment MOSQUITTO_PERSISTENCE_LOCATION");
  }
  if (overrides.quiet || overrides.verbose) {
    values.set("log_type", overrides.quiet ? [] : LOG_TYPES);
    origins.set("log_type", "command line");
  }
  return inCamelCase(values) as unknown as GlobalValues; // the rows that made the values made the type
}

function autosaveNotice(values: ReadonlyMap<string, OptionValue>): string {
  const interval = values.get("autosave_interval");
  const loses = interval === 0
    ? "everything since the start or the last SIGUSR1"
    : `up to ${interval} ${values.get("autosave_on_changes") === true ? "changes" : "seconds"}`;
  return `durability is autosave, as an autosave option is set: a crash loses ${loses}; with 'durability sync' it loses nothing acknowledged.`;
}

function localListeners(
  check: Check,
  overrides: Overrides,
  access: AccessValues,
  origins: Map<string, string>,
): ListenerValues[] {
  check.notices.push(
    {
      text:
        "Starting in local only mode. Connections will only be possible from clients running on this machine.",
    },
    { text: "Create a configuration file which defines a listener to allow remote access." },
  );
  for (const listener of check.listeners) {
    for (const [name, place] of listener.places) {
      check.notice(place, `Warning: '${name}' has no effect in local only mode.`);
    }
  }
  const given = overrides.ports ?? [];
  const ports = given.length > 0 ? given : [DEFAULT_PORT];
  const file = given.length > 0 ? "command line" : "default";
  const pairs = ports.flatMap((port) => LOOPBACK_ADDRESSES.map((address) => ({ port, address })));
  return pairs.map(({ port, address }, index) => {
    const listener = new ListenerSection("listener line", { file, line: 0 }, index);
    listener.port = port;
    listener.address = address;
    return listenerValues(listener, access, origins);
  });
}

function listenerValues(
  section: ListenerSection,
  access: AccessValues,
  origins: Map<string, string>,
): ListenerValues {
  const prefix = `listener[${section.index}].`;
  const values = sectionValues(LISTENER_OPTIONS, section, prefix, origins);
  const origin = placeText(section.place);
  const { unixPath } = section;
  origins.set(`${prefix}port`, origin);
  origins.set(`${prefix}address`, origin);
  if (unixPath !== null) origins.set(`${prefix}unix_path`, origin);
  access.fillIn(section, prefix, values);
  const rest = inCamelCase(values) as unknown as Omit<
    ListenerValues,
    "port" | "address" | "unixPath" | "hasOwnAccess"
  >;
  return {
    port: section.port ?? DEFAULT_PORT,
    address: section.address,
    unixPath,
    hasOwnAccess: access.isPerListener,
    ...rest,
  };
}

/** Who may connect to each listener: by its own settings, or by those of all. */
class AccessValues {
  readonly isPerListener: boolean;
  readonly #global: GlobalValues;
  readonly #origins: Map<string, string>;

  constructor(
    check: Check,
    global: GlobalValues,
    localOnly: boolean,
    origins: Map<string, string>,
  ) {
    this.isPerListener = check.perListener && !localOnly;
    this.#global = global;
    this.#origins = origins;
  }

  fillIn(section: ListenerSection, prefix: string, values: Map<string, OptionValue>): void {
    for (const row of PER_LISTENER_OPTIONS) {
      if (!hasValue(row)) continue;
      const { name } = row;
      const ownName = section.values.has(`listener_${name}`) ? `listener_${name}` : name;
      const own = section.values.get(ownName);
      const place = section.places.get(ownName);
      // An embedder's or Mosquitto's "auto-" holds for listeners too that say nothing.
      const isShared = !this.isPerListener || name === "auto_id_prefix";
      const shared = this.#global[camelCase(name) as keyof GlobalValues] as OptionValue;
      const otherwise = isShared ? this.#origins.get(name) ?? "default" : "default";
      values.set(name, own ?? (isShared ? shared : row.default));
      this.#origins.set(
        `${prefix}${name}`,
        own === undefined || place === undefined ? otherwise : placeText(place),
      );
    }
  }
}

function bridgeValues(
  section: BridgeSection,
  prefix: string,
  origins: Map<string, string>,
): BridgeValues {
  const values = sectionValues(BRIDGE_OPTIONS, section, prefix, origins);
  if (!section.values.has("local_cleansession")) {
    values.set("local_cleansession", values.get("cleansession") ?? false);
  }
  const { name, place, places } = section;
  const rest = inCamelCase(values) as unknown as Omit<BridgeValues, "name" | "place" | "places">;
  return { name, place, places, ...rest };
}

/** The values of one section with the defaults of the table. */
function sectionValues(
  rows: readonly OptionRow[],
  section: Section | undefined,
  prefix: string,
  origins: Map<string, string>,
): Map<string, OptionValue> {
  const values = new Map<string, OptionValue>();
  for (const row of rows) {
    if (!hasValue(row)) continue;
    const value = section?.values.get(row.name);
    const place = section?.places.get(row.name);
    values.set(row.name, value === undefined ? row.default : value);
    origins.set(`${prefix}${row.name}`, place === undefined ? "default" : placeText(place));
  }
  return values;
}

function inCamelCase(values: ReadonlyMap<string, OptionValue>): Record<string, OptionValue> {
  return Object.fromEntries([...values].map(([name, value]) => [camelCase(name), value]));
}
