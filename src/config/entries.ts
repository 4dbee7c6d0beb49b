import type { Configuration } from "./configuration.ts";
import { camelCase, type OptionRow } from "./option_row.ts";
import { findOption, isHonoured } from "./options.ts";
import { valueText } from "./value_text.ts";

/** One value in force. */
export interface Entry {
  /** The option's name, with `listener[0].` or `bridge[0].` in front. */
  readonly name: string;
  /** As the table types it, or a text in place of what nobody may see. */
  readonly value: unknown;
  /** As a file would write it. */
  readonly text: string;
  readonly origin: string;
}

/** What takes the place of a secret. */
export const SECRET = "(secret)";

/** Every value in force, with its origin and without what is secret. */
export function configurationEntries(configuration: Configuration): Entry[] {
  const { origins, bridges, plugins } = configuration;
  const entries = [...origins].filter(([name]) => isUsable(name))
    .map(([name, origin]) => entryOf(name, origin, configuration));
  for (const [index, { name, place }] of bridges.entries()) {
    const origin = `${place.file}:${place.line}`;
    entries.push({ name: `bridge[${index}].connection`, value: name, text: name, origin });
  }
  for (const [index, { kind, path, name, options, place }] of plugins.entries()) {
    const origin = `${place.file}:${place.line}`;
    const text = name === null ? path : `${name} ${path}`;
    entries.push({ name: `plugin[${index}].${kind}`, value: text, text, origin });
    for (const [key, value] of options) {
      const shown = /pass(word|wd)?$|secret|token|psk/i.test(key) ? SECRET : value;
      const option = `plugin[${index}].plugin_opt_${key}`;
      entries.push({ name: option, value: shown, text: shown, origin });
    }
  }
  return entries;
}

function entryOf(name: string, origin: string, configuration: Configuration): Entry {
  const [, scope, index, option] = /^(listener|bridge)\[(\d+)\]\.(.*)$/.exec(name) ?? [];
  const { global, listeners, bridges, written } = configuration;
  const values: object = scope === undefined
    ? global
    : (scope === "listener" ? listeners : bridges)[Number(index)];
  const value = (values as Record<string, unknown>)[camelCase(option ?? name)];
  const row = findOption(option ?? name);
  const instead = isHidden(row, value) ? SECRET : written.get(origin);
  return instead === undefined
    ? { name, value, text: valueText(value), origin }
    : { name, value: instead, text: instead, origin };
}

/** What is refused until it is honoured has nothing in force. */
function isUsable(name: string): boolean {
  const row = findOption(name.replace(/^(listener|bridge)\[\d+\]\./, ""));
  return row === undefined || isHonoured(row);
}

function isHidden(row: OptionRow | undefined, value: unknown): boolean {
  return row?.secret === true && value !== "";
}
