import { Buffer } from "node:buffer";
import type { Mistake } from "../mistake.ts";
import { fileLines, type Parsed, trimBlanks } from "./access_file.ts";

/** Pre-shared keys by identity. */
export type PskKeys = ReadonlyMap<string, Uint8Array>;

/** OpenSSL takes no longer ones. */
const KEY_BYTES_MAXIMUM = 512;

/** Reads a `psk_file`: a line `identity:hexadecimal key` for each identity. */
export function parsePskFile(bytes: Uint8Array, path: string): Parsed<PskKeys> {
  const keys = new Map<string, Uint8Array>();
  const firstLines = new Map<string, number>();
  const mistakes: Mistake[] = [], warnings: Mistake[] = [];
  for (const { number: line, text } of fileLines(bytes, path, mistakes)) {
    const mistake = (message: string, hint?: string) =>
      mistakes.push({ file: path, line, message, hint });
    const colon = text.indexOf(":");
    if (colon === -1) {
      warnings.push({ file: path, line, message: "A line without ':' is no identity: ignored." });
      continue;
    }
    const identity = trimBlanks(text.slice(0, colon)), key = trimBlanks(text.slice(colon + 1));
    const firstLine = firstLines.get(identity);
    if (identity === "") mistake("Empty PSK identity.");
    else if (key === "") mistake(`psk for identity "${identity}" is empty.`);
    else if (!/^[0-9a-fA-F]+$/.test(key)) {
      mistake(`psk for identity "${identity}" contains non-hexadecimal characters.`);
    } else if (key.length > 2 * KEY_BYTES_MAXIMUM) {
      mistake(`psk for identity "${identity}" is longer than ${KEY_BYTES_MAXIMUM} bytes.`);
    } else if (firstLine !== undefined) {
      const message = `Duplicate PSK identity "${identity}": line ${firstLine} counts.`;
      warnings.push({ file: path, line, message });
    } else {
      // A number with an odd count of digits begins with half a byte, as Mosquitto reads it.
      const digits = key.length % 2 === 0 ? key : `0${key}`;
      keys.set(identity, new Uint8Array(Buffer.from(digits, "hex")));
    }
    if (firstLine === undefined) firstLines.set(identity, line);
  }
  return { value: keys, mistakes, warnings };
}
