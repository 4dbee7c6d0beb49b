import { utf8Text } from "../wire/utf8.ts";

/** The files a configuration is read from; a test can put others in their place. */
export interface ConfigurationFiles {
  /** The bytes of a file, or in Mosquitto's words why there are none. */
  read(path: string): Uint8Array | { readonly problem: string };
  /** The names in a directory, in any order, or undefined if it cannot be read. */
  list(directory: string): readonly string[] | undefined;
}

/** The disk, synchronously: a reload is in force before the next connection is served. */
export const diskFiles: ConfigurationFiles = {
  read(path) {
    try {
      if (Deno.statSync(path).isDirectory) {
        return { problem: `Config file '${path}' is a directory.` };
      }
      return Deno.readFileSync(path);
    } catch (error) {
      if (error instanceof Error) return { problem: `Unable to open config file '${path}'.` };
      throw error;
    }
  },
  list(directory) {
    try {
      return [...Deno.readDirSync(directory)].map((entry) => entry.name);
    } catch (error) {
      if (error instanceof Error) return undefined;
      throw error;
    }
  },
};

/**
 * The files of an `include_dir`, in Mosquitto's order: character by character without regard to case,
 * upper case first where only the case differs, the shorter name first.
 */
export function includedFiles(
  files: ConfigurationFiles,
  directory: string,
  ending: ".conf" | ".ini",
): string[] | undefined {
  const names = files.list(directory)?.filter((name) =>
    name.endsWith(ending) && name.length > ending.length
  );
  return names?.sort(compareNames).map((name) => `${directory}/${name}`);
}

/** Negative if `a` comes first. */
export function compareNames(a: string, b: string): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = a[i].toUpperCase().charCodeAt(0) - b[i].toUpperCase().charCodeAt(0) ||
      a.charCodeAt(i) - b.charCodeAt(i);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/**
 * The lines of a file without their ends, null where the bytes are no UTF-8; a byte order mark is
 * skipped.
 */
export function readLines(bytes: Uint8Array): (string | null)[] {
  const lines: (string | null)[] = [];
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  for (let start = hasMark ? 3 : 0; start < bytes.length;) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    lines.push(readLine(bytes.subarray(start, end)));
    start = end + 1;
  }
  return lines;
}

function readLine(bytes: Uint8Array): string | null {
  if (bytes[0] === 0x23) return "#"; // a comment may hold what it likes
  return utf8Text(bytes)?.replace(/\r+$/, "") ?? null;
}
