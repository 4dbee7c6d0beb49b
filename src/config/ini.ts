import { parse } from "@std/ini";
import type { Place } from "../mistake.ts";
import type { Check } from "./check.ts";
import type { ConfigurationFiles } from "./files.ts";
import { pathsToInclude } from "./include_dir.ts";
import { nearestHint } from "./nearest_name.ts";
import { isGathered, type OptionRow } from "./option_row.ts";
import { OPTIONS } from "./options.ts";
import { placedLines } from "./placed_lines.ts";
import type { BridgeSection, ListenerSection } from "./section.ts";
import type { Setting } from "./setting.ts";

/** A value whose line is well formed, with its number among all such lines of the file. */
interface Entry {
  readonly setting: Omit<Setting, "text">;
  readonly isList: boolean;
  readonly guardedValue: string;
}

/** A section of the file: the top level, a listener, or one whose heading is a mistake. */
interface Part {
  readonly heading: string;
  readonly place: Place;
  readonly entries: Entry[];
}

/**
 * Reads a file in INI: `name = value`, sections `[listener NAME]` and `[bridge NAME]`, `name[] = value`
 * for each value of an option that takes several, `;` and `#` before a comment.
 *
 * `parse` decides what a value is (quotes, escapes, comments), but it makes numbers and booleans of
 * texts (a password 0012 becomes 12), lets a repeated section or name replace the first, throws on some
 * quoted names, and knows no lines. So headings and names are read and checked here; `parse` is given
 * each value under a name of ours, with a letter in front that nothing is converted with.
 */
export function readIni(path: string, files: ConfigurationFiles, check: Check): void {
  readFile(path, files, check, new Map(), undefined);
}

function readFile(
  path: string,
  files: ConfigurationFiles,
  check: Check,
  headings: Map<string, Place>,
  includedFrom: Place["includedFrom"],
): void {
  const top: Part = { heading: "", place: { file: path, line: 1 }, entries: [] };
  const parts = [top];
  for (const { text, place } of placedLines(path, files, check, includedFrom)) {
    readLine(text, place, parts, headings, check);
  }
  const values = unguard(parts);
  for (const part of parts) takePart(part, values, files, check, headings);
}

function readLine(
  line: string,
  place: Place,
  parts: Part[],
  headings: Map<string, Place>,
  check: Check,
): void {
  if (/^\s*([;#]|$)/.test(line)) return;
  const column = line.search(/\S/) + 1;
  if (line.trim().startsWith("[")) {
    const heading = /^\s*\[([^\]]*)\]\s*([;#].*)?$/.exec(line)?.[1].trim().replace(/\s+/g, " ") ??
      "";
    const at = { ...place, column };
    const earlier = headings.get(heading);
    if (earlier !== undefined && heading !== "") {
      const hint = `it stands at ${earlier.file}:${earlier.line} already`;
      check.mistake(at, `Duplicate section '[${heading}]' in configuration.`, hint);
    }
    headings.set(heading, earlier ?? at);
    parts.push({ heading, place: at, entries: [] });
    if (!/^(listener|bridge) \S+$/.test(heading)) {
      const hint = "write [listener NAME] or [bridge NAME]";
      check.mistake(at, `Invalid section '${line.trim()}' in configuration.`, hint);
    }
    return;
  }
  readEntry(line, { ...place, column }, parts[parts.length - 1], check);
}

function readEntry(line: string, place: Place, part: Part, check: Check): void {
  const [, given, , raw = ""] = /^([^=]*)(=(.*))?$/s.exec(line) ?? [];
  const isList = /\[\]\s*$/.test(given);
  const name = given.trim().replace(/\[\]$/, "");
  const valueColumn = given.length + 2 + raw.search(/\S|$/);
  const entry = { setting: { name, place, valueColumn, firstWordOnly: false }, isList };
  const value = raw.trim();
  const quote = /^(["']).*\1$/s.test(value) && value.length > 1 ? value[0] : "";
  const beforeComment = quote === "" ? /^((?:[^\\;#]|\\.)*)[;#]/s.exec(value)?.[1] ?? "" : "";
  if (/\p{Cc}/u.test(value.replaceAll("\t", " "))) {
    check.mistake(place, "Malformed UTF-8 in configuration.");
  } else if (/\S$/.test(beforeComment)) {
    const hint = "; and # begin a comment: quote the value, or put a blank before the comment";
    check.mistake(
      { ...place, column: valueColumn },
      `Invalid '${name}' value in configuration.`,
      hint,
    );
  } else if (quote === "" && /^["']/.test(value)) {
    const hint = "a value that begins with a quote ends with it, and no comment follows";
    check.mistake(
      { ...place, column: valueColumn },
      `Invalid '${name}' value in configuration.`,
      hint,
    );
  } else {
    part.entries.push({ ...entry, guardedValue: `${quote}${GUARD}${value.slice(quote.length)}` });
  }
}

/** In front of every value that is given to `parse`, so that none looks like a number or a boolean. */
const GUARD = "_";

/** The text of each entry, as `parse` understands it; undefined where quotes or escapes are wrong. */
function unguard(parts: readonly Part[]): Map<Entry, string | undefined> {
  const entries = parts.flatMap((part) => part.entries);
  const guarded = entries.map((entry, index) => `e${index}=${entry.guardedValue}`).join("\n");
  const parsed: Record<string, unknown> = parse(guarded);
  return new Map(entries.map((entry, index) => {
    const value = parsed[`e${index}`];
    const isText = typeof value === "string" && value.startsWith(GUARD);
    return [entry, isText ? value.slice(GUARD.length).trim() : undefined];
  }));
}

function takePart(
  part: Part,
  values: ReadonlyMap<Entry, string | undefined>,
  files: ConfigurationFiles,
  check: Check,
  headings: Map<string, Place>,
): void {
  const [, kind, name] = /^(listener|bridge) (\S+)$/.exec(part.heading) ?? [];
  const listener = kind === "listener" ? check.openListener(part.place) : undefined;
  const bridge = kind === "bridge" ? check.openBridge(name, part.place) : undefined;
  if (listener !== undefined) check.declaresListeners = true;
  const seen = new Map<string, Place>();
  for (const entry of part.entries) {
    const text = values.get(entry);
    const { name, place } = entry.setting;
    if (text === undefined) {
      check.mistake(place, `Invalid '${name}' value in configuration.`, "look at its quotes");
      continue;
    }
    const setting = check.expand({ ...entry.setting, text });
    if (setting === undefined) continue;
    const row = check.find(setting);
    if (row === undefined || !isNumberRight(row, entry, seen.get(row.name), check)) continue;
    seen.set(row.name, place);
    if (name === "include_dir") include(setting, files, check, headings);
    else if (listener !== undefined) takeListenerSetting(row, setting, part, listener, check);
    else if (bridge !== undefined) takeBridgeSetting(row, setting, part, bridge, check);
    else takeTopSetting(row, setting, check);
  }
  if (listener !== undefined) concludeListener(listener, part, seen, check);
}

/** Whether an option is not given more often than it can be. */
function isNumberRight(
  row: OptionRow,
  entry: Entry,
  earlier: Place | undefined,
  check: Check,
): boolean {
  const { name, place } = entry.setting;
  if (row.scope === "plugin") return true; // a line of its own for each plugin, as in mosquitto.conf
  if (earlier !== undefined && !entry.isList) {
    const hint = isGathered(row)
      ? `write ${row.name}[] = VALUE for each`
      : `it was given at ${earlier.file}:${earlier.line}`;
    check.mistake(place, `Duplicate '${name}' value in configuration.`, hint);
    return false;
  }
  if (entry.isList && !isGathered(row)) {
    check.mistake(place, `The '${name}' option takes one value only.`, `write ${name} = VALUE`);
    return false;
  }
  return true;
}

function takeTopSetting(row: OptionRow, setting: Setting, check: Check): void {
  if (row.status === "dropped" || row.scope === "plugin") return check.set(setting);
  if (row.scope === "global") {
    if (row.note !== undefined) check.notice(setting.place, row.note);
    const section = check.accessSection(row, setting, undefined);
    if (section !== undefined) check.assign(section, row, setting);
    return;
  }
  const section = row.scope === "listener" ? "listener" : "bridge";
  check.mistake(
    setting.place,
    `The '${setting.name}' option requires a ${section} to be defined first.`,
    `write it below a [${section} NAME] line`,
  );
}

function takeListenerSetting(
  row: OptionRow,
  setting: Setting,
  part: Part,
  listener: ListenerSection,
  check: Check,
): void {
  const { name, text, place } = setting;
  if (row.status === "dropped") return check.set(setting);
  if (row.perListener && check.perListener) {
    if (row.scope === "plugin") return check.set(setting);
    if (row.note !== undefined) check.notice(place, row.note);
    check.assign(listener, row, setting);
  } else if (row.scope === "plugin" && check.plugins.current?.listener === listener.index) {
    check.set(setting);
  } else if (row.scope !== "listener" || row.name === "listener") {
    misplaced(row, setting, part, nearestHint(name, listenerNames()), check);
  } else if (name === "port") {
    listener.port = check.readPort(text, place, "listener port");
  } else if (name === "bind_address") {
    if (text === "") check.mistake(place, "Empty 'bind_address' value in configuration.");
    else listener.address = text;
  } else check.assign(listener, row, setting);
}

function takeBridgeSetting(
  row: OptionRow,
  setting: Setting,
  part: Part,
  bridge: BridgeSection,
  check: Check,
): void {
  if (row.scope !== "bridge" || row.name === "connection") {
    misplaced(row, setting, part, undefined, check);
  } else check.assign(bridge, row, setting);
}

function misplaced(
  row: OptionRow,
  { name, place }: Setting,
  part: Part,
  nearest: string | undefined,
  check: Check,
): void {
  const hint = row.scope === "global" ? "write it above the first section" : nearest;
  check.mistake(place, `The '${name}' option has no place in '[${part.heading}]'.`, hint);
}

/** A listener's port and address are known when all its lines are. */
function concludeListener(
  listener: ListenerSection,
  part: Part,
  seen: ReadonlyMap<string, Place>,
  check: Check,
): void {
  const portPlace = seen.get("port");
  if (portPlace === undefined) {
    check.mistake(part.place, `The section '[${part.heading}]' has no 'port'.`);
  } else if (listener.port === 0) {
    check.setUnixPath(listener, listener.address ?? undefined, portPlace);
  }
}

/** The names a listener's section can hold. */
function listenerNames(): string[] {
  return OPTIONS.filter(({ scope, name }) => scope === "listener" && name !== "listener")
    .flatMap(({ name, aliases }) => [name, ...(aliases ?? [])]);
}

function include(
  { text: directory, place }: Setting,
  files: ConfigurationFiles,
  check: Check,
  headings: Map<string, Place>,
): void {
  const paths = pathsToInclude(directory, place, ".ini", files, check);
  const { file, line } = place;
  for (const path of paths) readFile(path, files, check, headings, { file, line });
}
