import type { OptionValue } from "./option_row.ts";

/** A value, or what is wrong with its text. */
export type Reading =
  | { readonly value: OptionValue; readonly notice?: string }
  | { readonly message: string; readonly hint?: string };

/** A number as C's strtol takes it: decimal, 0x and 0 for octal. */
export function parseInteger(word: string): number | undefined {
  const match = /^([+-]?)(?:0[xX]([0-9a-fA-F]+)|0([0-7]*)|([1-9][0-9]*))$/.exec(word);
  if (match === null) return undefined;
  const [, sign, hex, octal, decimal] = match;
  const size = hex !== undefined
    ? parseInt(hex, 16)
    : octal !== undefined
    ? parseInt(`0${octal}`, 8)
    : Number(decimal);
  return sign === "-" && size !== 0 ? -size : size;
}

/** A notice about words that nothing reads, unless they are a comment. */
export function unread(words: readonly string[], notice?: string): { notice?: string } {
  if (words.length === 0 || words[0].startsWith("#")) return notice === undefined ? {} : { notice };
  const ignored = `'${words.join(" ")}' at the end of the line is ignored.`;
  return { notice: notice === undefined ? ignored : `${notice} ${ignored}` };
}
