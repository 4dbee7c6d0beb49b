import { utf8Text } from "../wire/utf8.ts";

/** Where the parts of a value that stand in `${…}` come from. */
export interface ExpansionSources {
  /** The value of an environment variable. */
  variable(name: string): string | undefined;
  /** The bytes of a file. */
  file(path: string): Uint8Array | undefined;
}

/** A value with its parts filled in, or what is wrong with it at which index. */
export type Expansion =
  | { readonly text: string; readonly parts: readonly ExpandedPart[] }
  | { readonly message: string; readonly hint?: string; readonly index: number };

/** What was written and what took its place. */
export interface ExpandedPart {
  readonly source: string;
  readonly value: string;
}

/**
 * Fills in `${NAME}` from the environment and `${file:PATH}` from a file of one line, such as a mounted
 * secret. `$${` stands for `${` itself. What is filled in is not looked through again.
 */
export function expand(text: string, sources: ExpansionSources): Expansion {
  const parts: ExpandedPart[] = [];
  const pieces: string[] = [];
  let end = 0;
  for (const match of text.matchAll(/(\$?)\$\{([^}]*)(\}?)/g)) {
    const { index } = match;
    const [source, escape, inner, closing] = match;
    pieces.push(text.slice(end, index));
    end = index + source.length;
    if (escape !== "") {
      pieces.push(source.slice(1));
      continue;
    }
    if (closing === "") {
      const hint = "write $${ for ${ itself";
      return { message: "'${' without '}' in configuration.", hint, index };
    }
    const value = inner.startsWith("file:")
      ? fromFile(inner.slice("file:".length), sources)
      : fromVariable(inner, sources);
    if (typeof value !== "string") return { ...value, index };
    parts.push({ source, value });
    pieces.push(value);
  }
  pieces.push(text.slice(end));
  return { text: pieces.join("").trim(), parts };
}

type Problem = { readonly message: string; readonly hint?: string };

function fromVariable(name: string, sources: ExpansionSources): string | Problem {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    const hint = "write ${NAME}, ${file:PATH}, or $${ for ${ itself";
    return { message: `Invalid '\${${name}}' in configuration.`, hint };
  }
  return sources.variable(name) ?? { message: `Environment variable '${name}' is not set.` };
}

function fromFile(path: string, sources: ExpansionSources): string | Problem {
  const bytes = sources.file(path);
  if (bytes === undefined) return { message: `Unable to open file '${path}'.` };
  const text = utf8Text(bytes)?.replace(/^\uFEFF/, "").replace(/\r?\n$/, "");
  if (text === undefined) return { message: `The file '${path}' is not valid UTF-8.` };
  return /[\r\n]/.test(text) ? { message: `The file '${path}' has more than one line.` } : text;
}
