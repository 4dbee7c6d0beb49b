/** From the text of a bridge's options to their values, with Mosquitto's words for what is wrong. */
import { isTopicFilter } from "../wire/utf8.ts";
import type { BridgeTopic, RemoteAddress } from "./option_row.ts";
import { parseInteger, type Reading, unread } from "./reading.ts";

const DEFAULT_PORT = 1883;
const RESTART_MAXIMUM = 3600;
const CAP_MAXIMUM = 7200;
const DIRECTIONS = ["out", "in", "both"] as const;

/** `host[:port] …` or URLs of WebSockets: the last colon separates the port, so that IPv6 is written `::1:1883` or `[::1]`. */
export function readAddresses(words: readonly string[]): Reading {
  const addresses: RemoteAddress[] = [];
  for (const word of words) {
    if (word.startsWith("#")) break;
    if (/^wss?:\/\//.test(word)) {
      const url = URL.parse(word);
      if (url === null) {
        return { message: `Invalid 'address' value (${word}).`, hint: "write ws://HOST:PORT/PATH" };
      }
      const port = Number(url.port) || (url.protocol === "wss:" ? 443 : 80);
      addresses.push({ address: url.hostname.replace(/^\[(.*)\]$/, "$1"), port, url: url.href });
      continue;
    }
    const [, host, portText] = /^(\[[^\]]*\]|.*(?=:)|[^:]*)(?::([^:]*))?$/.exec(word) ?? [];
    const port = portText === undefined ? DEFAULT_PORT : parseInteger(portText) ?? 0;
    const address = host?.replace(/^\[(.*)\]$/, "$1") ?? "";
    if (port < 1 || port > 65_535) {
      return { message: `Invalid bridge port value (${portText}).`, hint: "1 to 65535" };
    }
    if (!/^[0-9A-Za-z.:%_-]+$/.test(address)) {
      return { message: `Invalid 'address' value (${word}).`, hint: "write HOST[:PORT]" };
    }
    addresses.push({ address, port });
  }
  return addresses.length === 0
    ? { message: "Empty 'address' value in configuration." }
    : { value: addresses };
}

/** `pattern [direction [qos [local-prefix [remote-prefix]]]]`; a pattern with blanks stands in quotes. */
export function readTopic(text: string): Reading {
  const quoted = /^"([^"]+)"(?=[ \t]|$)(.*)$/s.exec(text);
  if (quoted === null && /^"(?!")/.test(text)) {
    const rest = text.replace(/^\S+\s*/, "");
    return { message: `Missing closing quote in topic value (${rest}).` };
  }
  const [, pattern, rest] = quoted ?? /^(\S+)(.*)$/s.exec(text) ?? [];
  const words = rest.split(/[ \t]+/).filter((word) => word !== "");
  const [direction = "out", ...further] = words;
  // Behind the direction a word that begins with # ends what is read.
  const end = further.findIndex((word) => word.startsWith("#"));
  const [qos = "0", local = EMPTY, remote = EMPTY, ...ignored] = end < 0
    ? further
    : further.slice(0, end);
  const reading = readTopicFields({
    pattern: pattern === EMPTY ? "" : pattern,
    direction: direction.toLowerCase(),
    qos,
    localPrefix: local === EMPTY ? "" : local,
    remotePrefix: remote === EMPTY ? "" : remote,
  });
  return "value" in reading ? { ...reading, ...unread(ignored) } : reading;
}

/** How a file writes an empty pattern or prefix. */
const EMPTY = '""';

/** The parts of a `topic`, of which any may be wrong. */
export function readTopicFields(
  fields: Readonly<Record<keyof BridgeTopic, string>>,
): Reading {
  const { pattern, qos, localPrefix, remotePrefix } = fields;
  const direction = DIRECTIONS.find((one) => one === fields.direction);
  if (direction === undefined) {
    const hint = `one of: ${DIRECTIONS.join(", ")}`;
    return { message: `Invalid bridge topic direction '${fields.direction}'.`, hint };
  }
  if (!/^[012]$/.test(qos)) {
    return { message: `Invalid bridge QoS level '${qos}'.`, hint: "0, 1 or 2" };
  }
  if (pattern === "" && (localPrefix === "" || remotePrefix === "")) {
    const hint = "without a pattern both prefixes are given: they are the two topics";
    return { message: "Invalid bridge remapping.", hint };
  }
  for (const [which, prefix] of [["local", localPrefix], ["remote", remotePrefix]]) {
    if (/[+#\0]/.test(prefix)) {
      return { message: `Invalid bridge topic ${which} prefix '${prefix}'.`, hint: "no + and #" };
    }
    const combined = `${prefix}${pattern}`;
    if (combined.includes("\0") || !isTopicFilter(combined)) {
      return {
        message: `Invalid bridge topic ${which} prefix and pattern combination '${combined}'.`,
        hint: "+ is a whole level, # the whole last one",
      };
    }
  }
  const topic: BridgeTopic = {
    pattern,
    direction,
    qos: Number(qos) as BridgeTopic["qos"],
    localPrefix,
    remotePrefix,
  };
  return { value: [topic] };
}

/** `seconds` or `base cap [stable]`. */
export function readBackoff(words: readonly string[], label: string): Reading {
  const end = words.findIndex((word) => word.startsWith("#"));
  const [first, second, third, ...ignored] = end < 0 ? words : words.slice(0, end);
  const numbers = [first, second ?? first, third ?? "0"].map(parseInteger);
  const wrong = numbers.indexOf(undefined);
  if (wrong >= 0) return { message: `'${label}' value not a number.` };
  const notices: string[] = [];
  const [given, cap, stable] = numbers as number[];
  const base = Math.min(Math.max(given, 1), RESTART_MAXIMUM);
  if (given < base) notices.push(`${label} interval too low, using 1 second.`);
  if (given > base) notices.push(`${label} interval too high, using ${RESTART_MAXIMUM} seconds.`);
  if (second !== undefined && cap < base) {
    return { message: `backoff cap is lower than the base in ${label}.` };
  }
  if (second !== undefined && cap > CAP_MAXIMUM) {
    notices.push(`backoff cap too high, using ${CAP_MAXIMUM} seconds.`);
  }
  if (stable < 0) return { message: "stable connection period cannot be negative." };
  const capSeconds = second === undefined ? base : Math.min(cap, CAP_MAXIMUM);
  return {
    value: { baseSeconds: base, capSeconds, stableSeconds: stable },
    ...unread(ignored, notices.length === 0 ? undefined : notices.join(" ")),
  };
}

/** `idle interval count`, all more than 0. */
export function readProbes(words: readonly string[], label: string): Reading {
  const numbers: number[] = [];
  for (const [index, part] of ["idle", "interval", "counter"].entries()) {
    const word = words[index];
    const number = word === undefined ? undefined : parseInteger(word);
    if (word === undefined || word.startsWith("#")) {
      return { message: `Empty '${label}_${part}' value in configuration.` };
    }
    if (number === undefined) return { message: `'${label}_${part}' value not a number.` };
    if (number <= 0) return { message: `invalid TCP keepalive ${part} value.`, hint: "1 or more" };
    numbers.push(number);
  }
  const [idleSeconds, intervalSeconds, count] = numbers;
  return { value: { idleSeconds, intervalSeconds, count }, ...unread(words.slice(3)) };
}
