import { basename } from "node:path";
import type { Mistake } from "../mistake.ts";
import type { PluginSection } from "./options.ts";

/** What answers for a plugin that a configuration names. */
export type PluginKind =
  | "dynamic-security"
  | "acl-file"
  | "password-file"
  | "sparkplug-aware"
  | "module";

/** Mosquitto's own libraries: their names alone count, they are not loaded. */
const LIBRARIES: ReadonlyMap<string, Exclude<PluginKind, "module">> = new Map([
  ["mosquitto_dynamic_security", "dynamic-security"],
  ["mosquitto_acl_file", "acl-file"],
  ["mosquitto_password_file", "password-file"],
  ["mosquitto_sparkplug_aware", "sparkplug-aware"],
]);

/** What a plugin cannot be without, by the name behind `plugin_opt_`. */
const REQUIRED: Readonly<Partial<Record<PluginKind, string>>> = {
  "dynamic-security": "config_file",
  "acl-file": "acl_file",
  "password-file": "password_file",
};

/** Undefined: a library that nothing here stands for. */
export function pluginKind(path: string): PluginKind | undefined {
  if (isModule(path)) return "module";
  return LIBRARIES.get(libraryName(path));
}

/** The value of a `plugin_opt_` line; of several the last. */
export function pluginOption(
  { options }: PluginSection,
  name: string,
): string | undefined {
  return options.findLast(([key]) => key === name)?.[1];
}

/** Why the plugins of a configuration cannot be had, as far as it shows without opening any. */
export function pluginMistakes(plugins: readonly PluginSection[]): Mistake[] {
  return plugins.flatMap((section) => {
    const { path, place } = section;
    const kind = pluginKind(path);
    if (kind === undefined) {
      return { ...place, message: `Unable to load plugin "${path}".`, hint: insteadOf(path) };
    }
    const required = REQUIRED[kind];
    if (required === undefined || pluginOption(section, required) !== undefined) return [];
    const hint = `write 'plugin_opt_${required} FILE' below it`;
    return { ...place, message: `The plugin "${path}" has no 'plugin_opt_${required}'.`, hint };
  });
}

function isModule(path: string): boolean {
  return /\.(ts|js|mjs)$/.test(path);
}

/** Of a path as any system writes it, without the ending of a library. */
function libraryName(path: string): string {
  return basename(path.replaceAll("\\", "/")).replace(/\.(so|dll|dylib)$/i, "");
}

function insteadOf(path: string): string {
  return libraryName(path) === "mosquitto_persist_sqlite"
    ? "leave the line out: LMDB keeps the state, with 'persistence true'"
    : "libraries are not loaded; 'plugin FILE.ts' loads hooks in TypeScript that do the same: see docs/plugins.md";
}
