import type { OptionRow } from "../../src/config/option_row.ts";

/** Texts that are taken, with the value they mean, and texts that are refused, with the message. */
export interface Case {
  readonly taken: readonly (readonly [string, unknown])[];
  readonly refused: readonly (readonly [string, string])[];
  /** Lines that it cannot be without. */
  readonly companion?: string;
}

export const bool = (name: string): Case => ({
  taken: [["true", true], ["1", true], ["false", false], ["0", false], ["true # why", true]],
  refused: [
    ["yes", `Invalid '${name}' value (yes).`],
    ["TRUE", `Invalid '${name}' value (TRUE).`],
    ["", `Empty '${name}' value in configuration.`],
  ],
});

/** What every whole number refuses. */
export const noNumber = (name: string): [string, string][] => [
  ["", `Empty '${name}' value in configuration.`],
  ["x", `'${name}' value not a number.`],
  ["10x", `'${name}' value not a number.`],
  ["1.5", `'${name}' value not a number.`],
  ["08", `'${name}' value not a number.`],
];

/** A number of 0 or more; below is no limit. */
export const limit = (name: string, below = 0): Case => ({
  taken: [["5", 5], ["0x10", 16], ["010", 8], ["-7", below], ["2147483647", 2_147_483_647]],
  refused: [
    ...noNumber(name),
    ["2147483648", `'${name}' value out of range.`],
    ["-2147483649", `'${name}' value out of range.`],
  ],
});

/** A number within bounds; others are refused with Mosquitto's usual words or those given. */
export function within(
  name: string,
  minimum: number,
  maximum: number,
  refusal = (value: number) => `Invalid '${name}' value (${value}).`,
): Case {
  const outside = [minimum - 1, ...(maximum < 2_147_483_647 ? [maximum + 1] : [])];
  return {
    taken: [[`${minimum}`, minimum], [`${maximum}`, maximum]],
    refused: [
      ...noNumber(name),
      ...outside.map((value): [string, string] => [`${value}`, refusal(value)]),
    ],
  };
}

export const word = (
  name: string,
  words: readonly string[],
  refusal = `Invalid '${name}' value (wrong).`,
): Case => ({
  taken: words.map((one) => [one, one]),
  refused: [["", `Empty '${name}' value in configuration.`], ["wrong", refusal]],
});

/** A text or path; messages call it by its label. */
export const path = (name: string): Case => ({
  taken: [["a", "a"], ["/var/lib/a b", "/var/lib/a b"], ["a # b", "a # b"], ["ä/€", "ä/€"]],
  refused: [
    ["", `Empty '${name}' value in configuration.`],
    ["a\u0001", "Malformed UTF-8 in configuration."],
    ["a".repeat(65_536), `'${name}' value too long.`],
  ],
});

/** A text that must look like something. */
export const matching = (
  name: string,
  taken: readonly string[],
  refused: readonly string[],
  refusal = (_: string) => `Invalid '${name}' value in configuration.`,
): Case => ({
  taken: taken.map((text) => [text, text]),
  refused: [
    ["", `Empty '${name}' value in configuration.`],
    ...refused.map((text): [string, string] => [text, refusal(text)]),
  ],
});

/** A path that must not stand alone. */
export const withCompanion = (name: string, companion: string): Case => ({
  ...path(name),
  companion,
});

/** A text that adds to a list. */
export const texts = (name: string): Case => ({
  taken: path(name).taken.map(([text]) => [text, [text]]),
  refused: path(name).refused,
});

/** What follows from a row alone. */
export function ordinaryCase(row: OptionRow): Case {
  const { name } = row;
  switch (row.kind) {
    case "bool":
      return bool(name);
    case "int":
      return within(
        name,
        row.minimum,
        row.maximum,
        (value) =>
          row.refusal?.replace("{name}", name).replace("{value}", String(value)) ??
            `Invalid '${name}' value (${value}).`,
      );
    case "word":
      return word(name, row.words);
    case "text":
    case "path":
      return path(name);
    case "texts":
      return texts(name);
    default:
      throw new Error(`the option ${name} needs a case of its own`);
  }
}
