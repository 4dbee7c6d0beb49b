/** From a value of a program to the value of a row, checked as the text of a file is. */
import { readTopicFields } from "./bridge_values.ts";
import type { OptionRow } from "./option_row.ts";
import type { Reading } from "./reading.ts";
import { readValue } from "./values.ts";

/** A row that has a value. */
export type Given = Exclude<OptionRow, { kind: "directive" }>;

/**
 * Whether a value says "none" as the row's default does where a file could only leave the option out.
 */
export function isDefault(row: Given, value: unknown): boolean {
  if (!isSame(value, row.default)) return false;
  return value === null || value === "" || value === 0 || value === -1 ||
    (Array.isArray(value) && value.length === 0);
}

/** Whether two values of options are the same, one of which may be anything. */
function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  const entries = Object.entries(b);
  return Object.keys(a).length === entries.length && Array.isArray(a) === Array.isArray(b) &&
    entries.every(([key, value]) => isSame((a as Record<string, unknown>)[key], value));
}

/** The readings of a value, one for each line that a file would have; undefined for another type. */
export function readingsOf(row: Given, value: unknown, name: string): Reading[] | undefined {
  if (row.kind === "topics") {
    return isObjects(value) ? value.map((topic) => readTopic(topic, name)) : undefined;
  }
  return textsOf(row, value)?.map((text) => readValue(row, text, name, false));
}

/** What a file would have for a value of the type that the row's has; undefined for another type. */
function textsOf(row: Given, value: unknown): string[] | undefined {
  switch (row.kind) {
    case "bool":
      return typeof value === "boolean" ? [String(value)] : undefined;
    case "int":
      return Number.isSafeInteger(value) ? [String(value)] : undefined;
    case "duration":
      return Number.isSafeInteger(value) ? [`${value}s`] : undefined;
    case "text":
    case "path":
    case "word":
      return typeof value === "string" ? [value] : undefined;
    case "words":
      return isStrings(value) ? ["none", ...value] : undefined;
    case "texts":
      return isStrings(value) ? value : undefined;
    case "versions":
      return Array.isArray(value) && value.every((one) => [3, 4, 5].includes(one))
        ? [value.join(" ")]
        : undefined;
    case "endpoint": {
      const { port, address = row.defaultAddress } = fieldsOf(value);
      return isNumber(port) && typeof address === "string" ? [`${port} ${address}`] : undefined;
    }
    case "addresses":
      return isObjects(value) &&
          value.every(({ port = 0, address }) =>
            isNumber(port) && typeof address === "string" && !/[\s#]/.test(address)
          )
        ? [value.map(({ port = 1883, address, url }) => url ?? `${address}:${port}`).join(" ")]
        : undefined;
    case "backoff": {
      const { baseSeconds, capSeconds = baseSeconds, stableSeconds = 0 } = fieldsOf(value);
      const numbers = [baseSeconds, capSeconds, stableSeconds];
      return numbers.every(isNumber) ? [numbers.join(" ")] : undefined;
    }
    case "probes": {
      const { idleSeconds, intervalSeconds, count } = fieldsOf(value);
      const numbers = [idleSeconds, intervalSeconds, count];
      return numbers.every(isNumber) ? [numbers.join(" ")] : undefined;
    }
    case "topics":
      return undefined;
  }
}

/** A topic from an object, in which blanks need no quotes. */
function readTopic(topic: Record<string, unknown>, name: string): Reading {
  const { pattern, direction = "out", qos = 0, localPrefix = "", remotePrefix = "" } = topic;
  const texts = [pattern, direction, localPrefix, remotePrefix];
  if (!isStrings(texts) || !isNumber(qos)) return { message: `Invalid '${name}' value.` };
  const [patternText, directionText, local, remote] = texts;
  return readTopicFields({
    pattern: patternText,
    direction: directionText,
    qos: String(qos),
    localPrefix: local,
    remotePrefix: remote,
  });
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function isObjects(value: unknown): value is Record<string, unknown>[] {
  return Array.isArray(value) && value.every((one) => typeof one === "object" && one !== null);
}

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The fields of an object; none of anything else. */
function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}
