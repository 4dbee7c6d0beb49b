import assert from "node:assert/strict";
import type { Parsed } from "../../src/access/access_file.ts";
import type { Mistake } from "../../src/mistake.ts";

/** `LINE: message`, or the bare message where no line is meant. */
export function lineAndText({ line, message }: Mistake): string {
  return line === 0 ? message : `${line}: ${message}`;
}

/** Parses the text and compares all that is reported. */
export function expectReports<T>(
  parse: (bytes: Uint8Array, path: string) => Parsed<T>,
  text: string | Uint8Array,
  expected: { mistakes?: string[]; warnings?: string[] },
): T {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  const { value, mistakes, warnings } = parse(bytes, "F");
  assert.deepEqual(mistakes.map(lineAndText), expected.mistakes ?? []);
  assert.deepEqual(warnings.map(lineAndText), expected.warnings ?? []);
  for (const { file } of [...mistakes, ...warnings]) assert.equal(file, "F");
  return value;
}
