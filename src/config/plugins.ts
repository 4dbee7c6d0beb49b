import type { Place } from "../mistake.ts";
import type { PluginSection } from "./options.ts";
import type { Setting } from "./setting.ts";

/** A plugin whose lines are being read. */
interface PluginDraft extends PluginSection {
  readonly options: [key: string, value: string][];
  denySpecialChars: boolean;
}

/** The plugins of a configuration, in order, and the one that `plugin_opt_*` lines belong to. */
export class Plugins {
  readonly all: PluginDraft[] = [];
  current: PluginDraft | undefined;
  readonly #mistake: (place: Place, message: string) => void;

  constructor(mistake: (place: Place, message: string) => void) {
    this.#mistake = mistake;
  }

  /** `plugin FILE` and `global_plugin FILE`; with `listener` for that one alone. */
  open(kind: PluginSection["kind"], setting: Setting, listener: number | null): void {
    const { name, text, place } = setting;
    if (text === "") this.#mistake(place, `Empty '${name}' value in configuration.`);
    this.#begin(kind, text, null, listener, place);
  }

  /** `plugin_load NAME FILE` */
  load({ text, place }: Setting): void {
    const [, name, path] = /^(\S*)[ \t]*(.*)$/s.exec(text) ?? [];
    if (name === "") this.#mistake(place, "Empty 'plugin_load' value in configuration.");
    else if (path === "") this.#mistake(place, `Missing plugin path for plugin name '${name}'.`);
    else if (this.#named(name) !== undefined) {
      this.#mistake(place, `Duplicate plugin name '${name}'.`);
    }
    this.#begin("plugin_load", path, name, null, place);
  }

  /** `plugin_use NAME`: the options that follow belong to that plugin again. */
  use(name: string, place: Place): void {
    const plugin = this.#named(name);
    if (plugin === undefined) this.#mistake(place, `Plugin '${name}' not previously loaded.`);
    else this.current = plugin;
  }

  /** `plugin_opt_KEY VALUE` */
  takeOption(setting: Setting): void {
    const { name, text, place } = setting;
    const key = name.replace(/^(plugin|auth)_opt_/, "");
    const plugin = this.required(setting);
    if (plugin === undefined) return;
    if (key === "") this.#mistake(place, "Invalid 'plugin_opt_' config option.");
    else if (text === "") this.#mistake(place, `Empty '${key}' value in configuration.`);
    else plugin.options.push([key, text]);
  }

  /** The plugin above a setting; a mistake if there is none. */
  required({ name, place }: Setting): PluginDraft | undefined {
    if (this.current === undefined) {
      this.#mistake(
        place,
        `The '${name}' option requires plugin/global_plugin/plugin_load to be defined first.`,
      );
    }
    return this.current;
  }

  #named(name: string): PluginDraft | undefined {
    return this.all.find((plugin) => plugin.name === name);
  }

  /** Also after a mistake, so that the options that follow are not blamed for having no plugin. */
  #begin(
    kind: PluginSection["kind"],
    path: string,
    name: string | null,
    listener: number | null,
    place: Place,
  ): void {
    this.current = { kind, path, name, listener, options: [], denySpecialChars: false, place };
    this.all.push(this.current);
  }
}
