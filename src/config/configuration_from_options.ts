import { Check } from "./check.ts";
import { conclude, type Configuration } from "./configuration.ts";
import { ConfigurationError, type Place } from "../mistake.ts";
import { nearestHint } from "./nearest_name.ts";
import { camelCase, type OptionRow } from "./option_row.ts";
import { type BrokerOptions, GLOBAL_OPTIONS, hasValue, LISTENER_OPTIONS } from "./options.ts";
import type { ListenerSection, Section } from "./section.ts";
import { readValue } from "./values.ts";

/** Origin of what the embedder gave. */
const PLACE: Place = { file: "options", line: 0 };

const globalRows = rowsByCamelCase(GLOBAL_OPTIONS);
const listenerRows = rowsByCamelCase(LISTENER_OPTIONS);

/**
 * The configuration of an embedded broker: no listener unless one is given, nothing kept on disk unless
 * `persistence` is asked for. Values are checked as those of a file are.
 * @throws {ConfigurationError} with every mistake in its message.
 */
export function configurationFromOptions(options: BrokerOptions): Configuration {
  const check = new Check();
  const { listeners, ...globals } = options;
  takeValues(globals, globalRows, check.global, check, ["listeners"]);
  if (listeners !== undefined && !Array.isArray(listeners)) {
    check.mistake(PLACE, "Invalid 'listeners' value: an array is expected.");
  } else {
    for (const listener of listeners ?? []) takeListener(listener, check);
  }
  const configuration = conclude(check, {}, false);
  if (check.mistakes.length > 0) throw new ConfigurationError(check.mistakes);
  return configuration;
}

function takeListener(listener: unknown, check: Check): void {
  if (typeof listener !== "object" || listener === null) {
    return check.mistake(PLACE, "Invalid 'listeners' value: each is an object with a port.");
  }
  const { port, address, ...rest } = listener as Record<string, unknown>;
  const section: ListenerSection = check.openListener(PLACE);
  if (!isPort(port)) check.mistake(PLACE, `Invalid 'port' value (${shown(port)}).`, "0 to 65535");
  else section.port = port;
  if (typeof address === "string" && address !== "") section.address = address;
  else if (address !== undefined && address !== null) {
    check.mistake(PLACE, `Invalid 'address' value (${shown(address)}).`);
  }
  takeValues(rest, listenerRows, section, check, ["port", "address"]);
}

function takeValues(
  given: object,
  rows: ReadonlyMap<string, OptionRow>,
  section: Section,
  check: Check,
  otherNames: readonly string[],
): void {
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const row = rows.get(name);
    if (row === undefined) {
      const hint = nearestHint(name, [...rows.keys(), ...otherNames]);
      check.mistake(PLACE, `Unknown option '${name}'.`, hint);
      continue;
    }
    const texts = textsOf(row, value);
    if (texts === undefined) {
      check.mistake(PLACE, `Invalid '${name}' value (${shown(value)}).`);
      continue;
    }
    for (const text of texts) {
      const reading = readValue(row, text, name, false);
      if ("message" in reading) check.mistake(PLACE, reading.message, reading.hint);
      else section.set(row, reading.value, PLACE);
    }
  }
}

/**
 * What a file would have for a value of the type that the row's has, one text for each line; undefined
 * for a value of another type.
 */
function textsOf(row: OptionRow, value: unknown): string[] | undefined {
  switch (row.kind) {
    case "bool":
      return typeof value === "boolean" ? [String(value)] : undefined;
    case "int":
      return Number.isSafeInteger(value) ? [String(value)] : undefined;
    case "duration":
      if (value === 0) return [];
      return Number.isSafeInteger(value) ? [`${value}s`] : undefined;
    case "text":
    case "path":
    case "word":
      return typeof value === "string" ? [value] : undefined;
    case "words":
      return isStrings(value) ? ["none", ...value] : undefined;
    case "versions":
      return Array.isArray(value) && value.every((one) => [3, 4, 5].includes(one))
        ? [value.join(" ")]
        : undefined;
    case "endpoint": {
      if (value === null) return [];
      if (typeof value !== "object") return undefined;
      const { port, address = row.defaultAddress } = value as Record<string, unknown>;
      return isPort(port) && typeof address === "string" ? [`${port} ${address}`] : undefined;
    }
    case "directive":
      return undefined;
  }
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535;
}

function shown(value: unknown): string {
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

function rowsByCamelCase(rows: readonly OptionRow[]): Map<string, OptionRow> {
  return new Map(rows.filter(hasValue).map((row) => [camelCase(row.name), row]));
}
