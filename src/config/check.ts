import { type Mistake, type Place, placeText } from "../mistake.ts";
import { nearestHint } from "./nearest_name.ts";
import type { OptionRow } from "./option_row.ts";
import { findOption, optionNames, OPTIONS } from "./options.ts";
import { ListenerSection, Section } from "./section.ts";
import { parseInteger, readValue } from "./values.ts";

/** One setting as a file spells it. */
export interface Setting {
  readonly name: string;
  /** Without blanks around it. */
  readonly text: string;
  readonly place: Place;
  /** Where the value begins, counted from 1. */
  readonly valueColumn: number;
  /** In mosquitto.conf, where a comment can follow a value of one word. */
  readonly firstWordOnly: boolean;
}

/** Names that Mosquitto itself no longer knows, and what came after them. */
const REPLACED: ReadonlyMap<string, string> = new Map([
  ["interface", "its place was taken by 'listener' with an address, and by 'bind_interface'"],
  ["msg_timeout", "it was renamed 'retry_interval', which has no effect any more: leave it out"],
]);

/**
 * Takes settings in the order of the files, checks each by its row and sorts them into sections. All
 * mistakes are gathered: a wrong setting is left out and the next is looked at.
 *
 * Which section an option belongs to is said by three cursors that do not know of each other, as in
 * Mosquitto: the last listener, the last bridge, the last plugin.
 */
export class Check {
  readonly mistakes: Mistake[] = [];
  readonly notices: string[] = [];
  readonly global = new Section();
  readonly listeners: ListenerSection[] = [];
  /** Whether `listener`, `port` or `bind_address` was given: Mosquitto then leaves local only mode. */
  declaresListeners = false;

  #listener: ListenerSection | undefined;
  #defaultListener: ListenerSection | undefined;
  #bridge: Section | undefined;
  #plugin: Section | undefined;

  /** The cursors start empty in each file. */
  startFile(): void {
    this.#listener = this.#bridge = this.#plugin = undefined;
  }

  /** Reads other files in between: the cursors are the same afterwards. */
  aside(read: () => void): void {
    const [listener, bridge, plugin] = [this.#listener, this.#bridge, this.#plugin];
    read();
    [this.#listener, this.#bridge, this.#plugin] = [listener, bridge, plugin];
  }

  mistake(place: Place, message: string, hint?: string): void {
    this.mistakes.push({ ...place, message, ...(hint === undefined ? {} : { hint }) });
  }

  notice(place: Place, text: string): void {
    this.notices.push(`${text} (${placeText(place)})`);
  }

  /** Takes one setting whose section the cursors say. */
  set(setting: Setting): void {
    const row = this.find(setting);
    if (row === undefined) return;
    const { name, place } = setting;
    if (row.kind === "directive") return this.#direct(row, setting);
    if (row.note !== undefined) this.notice(place, row.note);
    const section = this.#sectionOf(row, setting);
    if (section === undefined) return;
    if (name.startsWith("plugin_opt_") || name.startsWith("auth_opt_")) {
      if (/^(plugin|auth)_opt_$/.test(name)) {
        return this.mistake(place, "Invalid 'plugin_opt_' config option.");
      }
    }
    this.assign(section, row, setting);
  }

  /** The row of a setting's name; an unknown name is a mistake. */
  find({ name, place }: Setting): OptionRow | undefined {
    const row = findOption(name);
    if (row === undefined) {
      this.mistake(
        place,
        `Unknown configuration variable '${name}'.`,
        REPLACED.get(name) ?? nearestHint(name, optionNames()),
      );
    }
    return row;
  }

  /** Reads the value of a setting and puts it into a section. */
  assign(section: Section, row: OptionRow, setting: Setting): void {
    const { name, text, place } = setting;
    const label = row.label ?? name.replace(/^(plugin|auth)_opt_/, "");
    const reading = readValue(row, text, label, setting.firstWordOnly);
    if ("message" in reading) {
      const column = text === "" ? place.column : setting.valueColumn;
      return this.mistake({ ...place, column }, reading.message, reading.hint);
    }
    if (reading.notice !== undefined) this.notice(place, `Warning: ${reading.notice}`);
    const before = section.places.get(row.name);
    if (!section.set(row, reading.value, place)) {
      const hint = before === undefined ? undefined : `it was given at ${placeText(before)}`;
      return this.mistake(place, `Duplicate '${label}' value in configuration.`, hint);
    }
    if (row.status === "later") this.notYet(name, place);
  }

  notYet(name: string, place: Place): void {
    this.mistake(place, `The '${name}' option is not supported yet.`);
  }

  /** Opens a listener; the options that follow are its own. */
  openListener(place: Place, kind: ListenerSection["kind"] = "listener line"): ListenerSection {
    this.#listener = new ListenerSection(kind, place);
    this.listeners.push(this.#listener);
    return this.#listener;
  }

  /** The port of a listener from its text; a wrong one is a mistake and undefined. */
  readPort(text: string, place: Place, label: string): number | undefined {
    const word = text.split(/[ \t]+/)[0];
    const port = parseInteger(word);
    if (word === "") this.mistake(place, `Empty '${label}' value in configuration.`);
    else if (port === undefined) this.mistake(place, `'${label}' value not a number.`);
    else if (port < 0 || port > 65_535 || (port === 0 && label === "port")) {
      this.mistake(place, `Invalid 'port' value (${port}).`, "1 to 65535");
    } else return port;
    return undefined;
  }

  #direct(row: OptionRow, setting: Setting): void {
    const { name, text, place } = setting;
    if (row.note !== undefined) this.notice(place, row.note);
    if (name === "listener") this.#listenerLine(text, place);
    if (name === "port") {
      const listener = this.#default(place);
      if (listener.port !== undefined) {
        this.notice(
          place,
          "Warning: Default listener port specified multiple times. Only the latest will be used.",
        );
      }
      listener.port = this.readPort(text, place, "port") ?? listener.port;
      this.declaresListeners = true;
    }
    if (name === "bind_address") {
      const label = row.label ?? name;
      const listener = this.#default(place);
      this.declaresListeners = true;
      if (text === "") this.mistake(place, `Empty '${label}' value in configuration.`);
      else if (listener.address !== null) {
        this.mistake(place, `Duplicate '${label}' value in configuration.`);
      } else listener.address = text;
    }
  }

  #listenerLine(text: string, place: Place): void {
    this.declaresListeners = true;
    const [, second, ...further] = text.split(/[ \t]+/);
    const address = second === undefined || second.startsWith("#") ? undefined : second;
    // Also after a mistake, so that the options that follow are not blamed for having no listener.
    const listener = this.openListener(place);
    listener.port = this.readPort(text, place, "listener port");
    if (listener.port === 0 && address === undefined) {
      this.mistake(place, "A listener with port 0 must provide a Unix socket path.");
    } else if (listener.port === 0) {
      this.mistake(place, "A listener on a Unix socket path is not supported yet.");
    }
    listener.address = address ?? null;
    if (address !== undefined && further.length > 0 && !further[0].startsWith("#")) {
      this.notice(place, `Warning: '${further.join(" ")}' at the end of the line is ignored.`);
    }
  }

  /** The section a row's value goes to, if the cursors allow it here. */
  #sectionOf(row: OptionRow, { name, place }: Setting): Section | undefined {
    if (row.listenerNeed !== undefined) {
      const isDefault = this.#listener === this.#defaultListener;
      if (this.#listener === undefined || (row.listenerNeed === "explicit" && isDefault)) {
        this.mistake(
          place,
          `The '${name}' option requires a listener to be defined first.`,
          "put it below a 'listener PORT' line",
        );
        return undefined;
      }
    }
    switch (row.scope) {
      case "global":
        return this.global;
      case "listener":
        return this.#listener ?? this.#default(place);
      case "bridge":
        if (row.name === "connection") return this.#bridge = new Section();
        if (this.#bridge !== undefined) return this.#bridge;
        this.mistake(place, `The '${name}' option requires a bridge to be defined first.`);
        return undefined;
      case "plugin":
        if (/^(plugin|auth_plugin|global_plugin|plugin_load|plugin_use)$/.test(name)) {
          return this.#plugin = new Section();
        }
        if (this.#plugin !== undefined) return this.#plugin;
        this.mistake(
          place,
          `The '${name}' option requires plugin/global_plugin/plugin_load to be defined first.`,
        );
        return undefined;
    }
  }

  /** Mosquitto's default listener, made when it is first needed. */
  #default(place: Place): ListenerSection {
    this.#defaultListener ??= this.openListener(place, "default listener");
    this.#listener = this.#defaultListener;
    return this.#listener;
  }
}

/** The names a listener's section of an INI file can hold. */
export function listenerNames(): string[] {
  return OPTIONS.filter(({ scope, name }) => scope === "listener" && name !== "listener")
    .flatMap(({ name, aliases }) => [name, ...(aliases ?? [])]);
}
