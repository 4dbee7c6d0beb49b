/** From the text of a value to the value, by the row of its option. */
import { readAddresses, readBackoff, readProbes, readTopic } from "./bridge_values.ts";
import { nearestHint } from "./nearest_name.ts";
import { INT_MAXIMUM } from "./option_row.ts";
import type {
  IntRow,
  OptionRow,
  ProtocolVersion,
  TextRow,
  TextsRow,
  WordRow,
  WordsRow,
} from "./option_row.ts";
import { parseInteger, type Reading, unread } from "./reading.ts";

const INT_MINIMUM = -2_147_483_648;
const TEXT_BYTES_MAXIMUM = 65_535;
const SECONDS_OF: ReadonlyMap<string, number> = new Map([
  ["s", 1],
  ["h", 3600],
  ["d", 86_400],
  ["w", 604_800],
  ["m", 2_592_000],
  ["y", 31_536_000],
]);
const encoder = new TextEncoder();

/**
 * Reads `text`, which has no blanks around it. Where `firstWordOnly`, as in mosquitto.conf, an option
 * of one word leaves the further words alone, so that a comment can follow.
 */
export function readValue(
  row: OptionRow,
  text: string,
  label: string,
  firstWordOnly: boolean,
): Reading {
  if (text === "") return { message: `Empty '${label}' value in configuration.` };
  if (row.kind === "text" || row.kind === "path") return readText(row, text, label);
  if (row.kind === "texts") {
    const reading = readText(row, text, label);
    return "value" in reading ? { value: [text] } : reading;
  }
  const words = text.split(/[ \t]+/);
  if (row.kind === "versions") return readVersions(text, label);
  if (row.kind === "endpoint") return readEndpoint(row.defaultAddress, words, label);
  if (row.kind === "addresses") return readAddresses(words);
  if (row.kind === "topics") return readTopic(text);
  if (row.kind === "backoff") return readBackoff(words, label);
  if (row.kind === "probes") return readProbes(words, label);
  if (row.kind === "words" && row.pathWords?.includes(words[0])) return readPathWord(row, text);
  if (!firstWordOnly && words.length > 1) return invalid(label, text);
  const reading = readWord(row, words[0], label);
  return "value" in reading ? { ...reading, ...unread(words.slice(1), reading.notice) } : reading;
}

function readWord(row: OptionRow, word: string, label: string): Reading {
  switch (row.kind) {
    case "bool":
      if (word === "true" || word === "1") return { value: true };
      if (word === "false" || word === "0") return { value: false };
      return { ...invalid(label, word), hint: "write true or false" };
    case "int":
      return readInt(row, word, label);
    case "duration": {
      const match = /^(\d{1,9})([a-z])$/.exec(word);
      const seconds = match === null ? 0 : Number(match[1]) * (SECONDS_OF.get(match[2]) ?? 0);
      if (seconds > 0) return { value: seconds };
      return {
        message: `Invalid '${label}' duration in configuration.`,
        hint: "write a number and s, h, d, w, m (30 days) or y, for example 14d",
      };
    }
    case "word":
    case "words":
      return readKnownWord(row, word, label);
    default:
      return invalid(label, word);
  }
}

function readKnownWord(row: WordRow | WordsRow, word: string, label: string): Reading {
  const words: readonly string[] = row.kind === "words"
    ? [...row.words, ...(row.pathWords ?? []), "none", ...(row.all ? ["all"] : [])]
    : row.words;
  if (words.includes(word)) return { value: row.kind === "words" ? [word] : word };
  const special = Object.hasOwn(row.refusals ?? {}, word) ? row.refusals?.[word] : undefined;
  const hint = nearestHint(word, words) ?? `one of: ${words.join(", ")}`;
  return { message: special ?? refusalText(row, label, word), hint };
}

/** A word whose rest of the line is a path. */
function readPathWord(row: WordsRow, text: string): Reading {
  const [, word, path] = /^(\S+)[ \t]*(.*)$/s.exec(text) ?? [];
  const name = `${row.name} ${word}`;
  if (path === "") return { message: `Empty "${name}" value in configuration.` };
  if (!isText(path)) return malformed(name);
  return { value: [`${word} ${path}`] };
}

function readInt(row: IntRow, word: string, label: string): Reading {
  const number = parseInteger(word);
  if (number === undefined) return { message: `'${label}' value not a number.` };
  if (number > Math.max(INT_MAXIMUM, row.maximum) || number < INT_MINIMUM) {
    return { message: `'${label}' value out of range.` };
  }
  if (number === row.same?.given) return { value: row.same.taken };
  if (number < row.minimum && row.below !== undefined) {
    return { value: row.below, ...(row.belowNotice && { notice: row.belowNotice }) };
  }
  if (number > row.maximum && row.clampsAbove) {
    return { value: row.maximum, notice: `'${label}' is lowered to its maximum ${row.maximum}.` };
  }
  if (number >= row.minimum && number <= row.maximum) return { value: number };
  return {
    message: refusalText(
      row,
      label,
      String(number),
      number < row.minimum ? row.refusalBelow ?? row.refusal : row.refusal,
    ),
    hint: row.maximum >= INT_MAXIMUM
      ? `${row.minimum} or more`
      : `${row.minimum} to ${row.maximum}`,
  };
}

function readText(row: TextRow | TextsRow, text: string, label: string): Reading {
  if (!isText(text)) return malformed(label);
  const { bytesMaximum = TEXT_BYTES_MAXIMUM, pattern } = row.kind === "texts" ? {} : row;
  if (encoder.encode(text).length > bytesMaximum) {
    const isSpecial = row.refusal !== undefined && bytesMaximum < TEXT_BYTES_MAXIMUM;
    return {
      message: isSpecial ? refusalText(row, label, text) : `'${label}' value too long.`,
      hint: `at most ${bytesMaximum} bytes`,
    };
  }
  if (pattern !== undefined && !pattern.test(text)) {
    return { message: refusalText(row, label, text) };
  }
  return { value: text };
}

/** What MQTT forbids in its strings, Mosquitto forbids here. */
function isText(text: string): boolean {
  return text.isWellFormed() && !/\p{Cc}/u.test(text);
}

function malformed(label: string): Reading {
  return {
    message: "Malformed UTF-8 in configuration.",
    hint: `'${label}' has bytes that are no text`,
  };
}

function readVersions(text: string, label: string): Reading {
  const words = text.split(/[, \t]+/).filter((word) => word !== "");
  const known: ProtocolVersion[] = [];
  const unknown: string[] = [];
  for (const word of words) {
    if (word.startsWith("#")) break;
    if (word === "3" || word === "4" || word === "5") known.push(Number(word) as ProtocolVersion);
    else unknown.push(word);
  }
  if (known.length === 0) return { ...invalid(label, text), hint: "3, 4 and 5 can be given" };
  const value = [...new Set(known)].sort();
  return unknown.length === 0
    ? { value }
    : { value, notice: `'${label}' has no version ${unknown.join(", ")}: ignored.` };
}

function readEndpoint(defaultAddress: string, words: readonly string[], label: string): Reading {
  const port = parseInteger(words[0]);
  if (port === undefined) {
    return { message: `'${label}' value not a number.`, hint: "write PORT [ADDRESS]" };
  }
  if (port < 0 || port > 65_535) return { ...invalid(label, words[0]), hint: "0 to 65535" };
  const hasAddress = words.length > 1 && !words[1].startsWith("#");
  const address = hasAddress ? words[1] : defaultAddress;
  if (!/^[0-9A-Za-z.:%_-]+$/.test(address)) {
    return { ...invalid(label, address), hint: "write an IP address or a host name" };
  }
  return { value: { port, address }, ...unread(words.slice(hasAddress ? 2 : 1)) };
}

function invalid(label: string, value: string): { message: string } {
  return { message: `Invalid '${label}' value (${value}).` };
}

/** Mosquitto refuses an alias under the option's name. */
function refusalText(
  row: OptionRow,
  label: string,
  value: string,
  text = row.refusal,
): string {
  const name = row.aliases?.includes(label) ? row.name : label;
  return text?.replaceAll("{name}", () => name).replaceAll("{value}", () => value) ??
    invalid(label, value).message;
}
