import { Check } from "./check.ts";
import { conclude, type Configuration } from "./configuration.ts";
import { ConfigurationError, type Place } from "../mistake.ts";
import { nearestHint } from "./nearest_name.ts";
import { camelCase, type OptionRow } from "./option_row.ts";
import {
  BRIDGE_OPTIONS,
  type BrokerOptions,
  GLOBAL_OPTIONS,
  hasValue,
  LISTENER_OPTIONS,
  PER_LISTENER_OPTIONS,
  PROCESS_OPTIONS,
} from "./options.ts";
import { type Given, isDefault, readingsOf } from "./given_values.ts";
import type { Section } from "./section.ts";

/** Origin of what the embedder gave. */
const PLACE: Place = { file: "options", line: 0 };

const processOptions: readonly string[] = PROCESS_OPTIONS;
const globalRows = rowsByCamelCase(GLOBAL_OPTIONS);
const listenerRows = rowsByCamelCase(LISTENER_OPTIONS);
const ownAccessRows = rowsByCamelCase([...LISTENER_OPTIONS, ...PER_LISTENER_OPTIONS]);
const bridgeRows = rowsByCamelCase(BRIDGE_OPTIONS);

/**
 * The configuration of an embedded broker: no listener unless one is given, nothing kept on disk unless
 * `persistence` is asked for. Values are checked as those of a file are.
 * @throws {ConfigurationError} with every mistake in its message.
 */
export function configurationFromOptions(options: BrokerOptions): Configuration {
  const check = new Check();
  const { listeners, bridges, ...globals } = options;
  takeValues(globals, globalRows, check.global, check, ["listeners", "bridges"]);
  takeList(listeners, "listeners", "a port", check, takeListener);
  takeList(bridges, "bridges", "a name", check, takeBridge);
  const configuration = conclude(check, {}, false);
  if (check.mistakes.length > 0) throw new ConfigurationError(check.mistakes);
  return configuration;
}

/** Takes each object of a list that may be anything. */
function takeList(
  list: unknown,
  name: string,
  need: string,
  check: Check,
  take: (one: Record<string, unknown>, check: Check) => void,
): void {
  if (list === undefined) return;
  if (!Array.isArray(list)) {
    return check.mistake(PLACE, `Invalid '${name}' value: an array is expected.`);
  }
  for (const one of list) {
    if (typeof one === "object" && one !== null) take(one, check);
    else check.mistake(PLACE, `Invalid '${name}' value: each is an object with ${need}.`);
  }
}

function takeListener(listener: Record<string, unknown>, check: Check): void {
  const { port, address, unixPath, ...rest } = listener;
  const section = check.openListener(PLACE);
  if (typeof unixPath === "string" && unixPath !== "") {
    section.port = 0;
    check.setUnixPath(section, unixPath, PLACE);
  } else if (unixPath !== undefined && unixPath !== null) {
    check.mistake(PLACE, `Invalid 'unixPath' value (${shown(unixPath)}).`);
  } else if (!isPort(port)) {
    check.mistake(PLACE, `Invalid 'port' value (${shown(port)}).`, "0 to 65535");
  } else section.port = port;
  if (typeof address === "string" && address !== "") section.address = address;
  else if (address !== undefined && address !== null) {
    check.mistake(PLACE, `Invalid 'address' value (${shown(address)}).`);
  }
  const rows = check.perListener ? ownAccessRows : listenerRows;
  takeValues(rest, rows, section, check, ["port", "address", "unixPath"]);
}

function takeBridge({ name, ...rest }: Record<string, unknown>, check: Check): void {
  if (typeof name !== "string" || /^\s*$/.test(name)) {
    return check.mistake(PLACE, `Invalid 'name' value (${shown(name)}).`, "each bridge has a name");
  }
  takeValues(rest, bridgeRows, check.openBridge(name, PLACE), check, ["name"]);
}

function takeValues(
  given: object,
  rows: ReadonlyMap<string, Given>,
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
    if (isDefault(row, value)) continue;
    if (processOptions.includes(row.name)) {
      if (value !== row.default) {
        check.mistake(PLACE, `'${name}' is for a process of the broker's own.`);
      }
      continue;
    }
    const readings = readingsOf(row, value, name);
    if (readings === undefined) {
      check.mistake(PLACE, `Invalid '${name}' value (${shown(value)}).`);
      continue;
    }
    for (const reading of readings) {
      if ("message" in reading) check.mistake(PLACE, reading.message, reading.hint);
      else section.set(row, reading.value, PLACE);
    }
    if (row.status === "refused") check.refuse(row, PLACE);
  }
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535;
}

function shown(value: unknown): string {
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

function rowsByCamelCase(rows: readonly OptionRow[]): Map<string, Given> {
  return new Map(rows.filter(hasValue).map((row) => [camelCase(row.name), row]));
}
