import { type Mistake, type Place, placeText } from "../mistake.ts";
import type { ExpansionSources } from "./expansion.ts";
import { FilledIn } from "./filled_in.ts";
import { nearestHint } from "./nearest_name.ts";
import type { OptionRow, OptionValue } from "./option_row.ts";
import { findOption, optionNames } from "./options.ts";
import { Plugins } from "./plugins.ts";
import { parseInteger } from "./reading.ts";
import { BridgeSection, ListenerSection, Section } from "./section.ts";
import type { Setting } from "./setting.ts";
import { readValue } from "./values.ts";

/** Something to log: what was taken otherwise than written, what has no effect. */
export interface Notice {
  readonly text: string;
  readonly place?: Place;
  /** Only for who examines the configuration. */
  readonly hint?: string;
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
  readonly notices: Notice[] = [];
  /** Settings under an older name of their option. */
  readonly olderNames: { readonly name: string; readonly row: OptionRow; readonly place: Place }[] =
    [];
  readonly global = new Section();
  readonly listeners: ListenerSection[] = [];
  readonly bridges: BridgeSection[] = [];
  readonly plugins = new Plugins((place, message) => this.mistake(place, message));
  /** Whether `listener`, `port` or `bind_address` was given: Mosquitto then leaves local only mode. */
  declaresListeners = false;

  readonly filledIn: FilledIn;
  #listener: ListenerSection | undefined;
  #defaultListener: ListenerSection | undefined;
  #bridge: BridgeSection | undefined;
  /** An option was taken that `per_listener_settings` would have given to a listener. */
  #hasGlobalAccess = false;

  /** @param sources what `${…}` in values is filled in from; without it nothing is */
  constructor(sources?: ExpansionSources) {
    this.filledIn = new FilledIn(sources);
  }

  /** The cursors start empty in each file. */
  startFile(): void {
    this.#listener = this.#bridge = this.plugins.current = undefined;
  }

  /** Whether the access options belong to the listener above them. */
  get perListener(): boolean {
    return this.global.values.get("per_listener_settings") === true;
  }

  /** Reads other files in between: the cursors are the same afterwards. */
  aside(read: () => void): void {
    const [listener, bridge, plugin] = [this.#listener, this.#bridge, this.plugins.current];
    read();
    [this.#listener, this.#bridge, this.plugins.current] = [listener, bridge, plugin];
  }

  mistake(place: Place, message: string, hint?: string): void {
    const shown = this.filledIn.hide(place, message);
    this.mistakes.push({ ...place, message: shown, ...(hint === undefined ? {} : { hint }) });
  }

  notice(place: Place, text: string, hint?: string): void {
    const shown = this.filledIn.hide(place, text);
    this.notices.push({ text: shown, place, ...(hint === undefined ? {} : { hint }) });
  }

  /** Fills in what a value takes from elsewhere; undefined and a mistake if that cannot be had. */
  expand(setting: Setting): Setting | undefined {
    const expanded = this.filledIn.expand(setting);
    if (!("message" in expanded)) return expanded;
    const column = setting.valueColumn + expanded.index;
    this.mistake({ ...setting.place, column }, expanded.message, expanded.hint);
    return undefined;
  }

  /** Takes one setting whose section the cursors say. */
  set(setting: Setting): void {
    const row = this.find(setting);
    if (row === undefined) return;
    if (row.note !== undefined) {
      const isDropped = row.status === "dropped";
      this.notice(setting.place, row.note, isDropped ? `${row.meaning} Leave it out.` : undefined);
    }
    if (row.scope === "plugin") return this.#takePluginSetting(row, setting);
    if (row.kind === "directive") return this.#direct(row, setting);
    const section = this.#sectionOf(row, setting);
    if (section !== undefined) this.assign(section, row, setting);
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
    } else if (row.aliases?.includes(name.replace(/^auth_opt_.*/, "auth_opt_*"))) {
      this.olderNames.push({ name, row, place });
    }
    return row;
  }

  /** Reads the value of a setting and puts it into a section. */
  assign(section: Section, row: OptionRow, setting: Setting): void {
    const { name, place } = setting;
    const label = row.label ?? name;
    const value = this.#read(row, setting, label);
    if (value === undefined) return;
    if (row.name === "per_listener_settings") {
      if (this.perListener) return; // as Mosquitto: once on it stays on
      if (value === true && this.#hasGlobalAccess) {
        const text = "per_listener_settings must be set before any other security settings.";
        return this.mistake(place, text);
      }
    }
    if (row.name === "plugin_use") this.plugins.use(String((value as readonly string[])[0]), place);
    const before = section.places.get(row.name);
    const outcome = section.set(row, value, place);
    if (outcome === "duplicate") {
      const hint = before === undefined ? undefined : `it was given at ${placeText(before)}`;
      const message = row.duplicate ?? `Duplicate '${label}' value in configuration.`;
      return this.mistake(place, message, hint);
    }
    if (outcome === "skipped") this.notice(place, `Duplicate '${label}' line, skipping.`);
    if (row.perListener && section === this.global) this.#hasGlobalAccess = true;
    if (row.status === "refused") this.refuse(row, place);
  }

  /** The value of a setting; undefined and a mistake if its text is wrong. */
  #read(row: OptionRow, setting: Setting, label: string): OptionValue | undefined {
    const { text, place, firstWordOnly } = setting;
    const reading = readValue(row, text, label, firstWordOnly);
    if ("value" in reading) {
      if (reading.notice !== undefined) this.notice(place, `Warning: ${reading.notice}`);
      return reading.value;
    }
    const column = text === "" ? place.column : setting.valueColumn;
    this.mistake({ ...place, column }, reading.message, reading.hint);
    return undefined;
  }

  refuse({ name, because = "" }: OptionRow, place: Place): void {
    this.mistake(place, `The '${name}' option cannot be honoured.`, because);
  }

  /** Opens a listener; the options that follow are its own. */
  openListener(place: Place, kind: ListenerSection["kind"] = "listener line"): ListenerSection {
    this.#listener = new ListenerSection(kind, place, this.listeners.length);
    this.listeners.push(this.#listener);
    return this.#listener;
  }

  /** Opens a bridge; the bridge options that follow are its own. */
  openBridge(name: string, place: Place): BridgeSection {
    const bridge = this.#bridge = new BridgeSection(name, place);
    const earlier = this.bridges.find((one) => one.name === name);
    if (name === "") this.mistake(place, "Empty 'connection' value in configuration.");
    else if (earlier !== undefined) {
      const hint = `it stands at ${placeText(earlier.place)} already`;
      this.mistake(place, `Duplicate bridge name '${name}'.`, hint);
    } else this.bridges.push(bridge);
    return bridge;
  }

  /** Makes a listener one on a Unix domain socket. */
  setUnixPath(listener: ListenerSection, path: string | undefined, place: Place): void {
    if (path === undefined) {
      return this.mistake(place, "A listener with port 0 must provide a Unix socket path.");
    }
    listener.unixPath = path;
    listener.address = null;
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
    if (name === "listener") this.#listenerLine(text, place);
    if (name === "connection") this.openBridge(text.split(/[ \t]+/)[0], place);
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
    if (listener.port === 0) this.setUnixPath(listener, address, place);
    else listener.address = address ?? null;
    if (address !== undefined && further.length > 0 && !further[0].startsWith("#")) {
      this.notice(place, `Warning: '${further.join(" ")}' at the end of the line is ignored.`);
    }
  }

  /** The section a row's value goes to, if the cursors allow it here. */
  #sectionOf(row: OptionRow, setting: Setting): Section | undefined {
    const { name, place } = setting;
    if (row.listenerNeed !== undefined) {
      const isDefault = this.#listener === this.#defaultListener;
      if (this.#listener === undefined || (row.listenerNeed === "explicit" && isDefault)) {
        return this.needsListener(setting);
      }
    }
    if (row.scope === "listener") return this.#listener ?? this.#default(place);
    if (row.scope === "global") return this.accessSection(row, setting, this.#listener);
    if (this.#bridge === undefined) {
      this.mistake(place, `The '${name}' option requires a bridge to be defined first.`);
    }
    return this.#bridge;
  }

  /** Where a global option goes: with `per_listener_settings`, some go to a listener. */
  accessSection(
    row: OptionRow,
    setting: Setting,
    listener: ListenerSection | undefined,
  ): Section | undefined {
    if (!row.perListener || !this.perListener) return this.global;
    if (listener === undefined) return this.needsListener(setting);
    if (row.name === "allow_anonymous") {
      this.notice(
        setting.place,
        "You are using the 'allow_anonymous' option with 'per_listener_settings true'. Please replace this with 'listener_allow_anonymous'.",
      );
    }
    return listener;
  }

  /** The mistake of a listener option without listener. */
  needsListener({ name, place }: Setting): undefined {
    this.mistake(
      place,
      `The '${name}' option requires a listener to be defined first.`,
      "put it below a 'listener PORT' line",
    );
  }

  #takePluginSetting(row: OptionRow, setting: Setting): void {
    const { name, place } = setting;
    const mistakesBefore = this.mistakes.length;
    if (row.name === "plugin_opt_*") this.plugins.takeOption(setting);
    else if (row.name === "plugin_load") this.plugins.load(setting);
    else if (row.kind === "bool") {
      const plugin = this.plugins.required(setting);
      const value = this.#read(row, setting, name);
      if (plugin !== undefined && value !== undefined) plugin.denySpecialChars = value as boolean;
    } else {
      const isOwn = row.perListener === true && this.perListener;
      if (isOwn && this.#listener === undefined) return this.needsListener(setting);
      if (!isOwn) this.#hasGlobalAccess = true;
      const kind = row.name === "global_plugin" ? "global_plugin" : "plugin";
      this.plugins.open(kind, setting, isOwn ? this.#listener?.index ?? null : null);
    }
    const isRight = this.mistakes.length === mistakesBefore;
    if (row.status === "refused" && isRight) this.refuse(row, place);
  }

  /** Mosquitto's default listener, made when it is first needed. */
  #default(place: Place): ListenerSection {
    this.#defaultListener ??= this.openListener(place, "default listener");
    this.#listener = this.#defaultListener;
    return this.#listener;
  }
}
