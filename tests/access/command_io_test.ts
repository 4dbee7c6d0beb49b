import assert from "node:assert/strict";
import { readLine, readTyped } from "../../src/access/command_io.ts";

/** Gives a text out in one byte after the other. */
function input(text: string) {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return {
    readSync(into: Uint8Array): number | null {
      if (at === bytes.length) return null;
      into[0] = bytes[at++];
      return 1;
    },
  };
}

const text = (line: Uint8Array | null) => line && new TextDecoder().decode(line);

Deno.test("lines of a pipe are read one by one, whatever their ends", () => {
  const from = input("one\r\n\ntwo\x7f\nthree");
  const lines = [1, 2, 3, 4, 5].map(() => text(readLine(from)));
  assert.deepEqual(lines, ["one", "", "two\x7f", "three", null]);
});

Deno.test("what is typed can be taken back, by characters or as a whole", () => {
  const typed: [keys: string, line: string | null][] = [
    ["secret\r", "secret"],
    ["\x7fsé\x7fecret\n", "secret"],
    ["wrong\x15right\r", "right"],
    ["secr\x03", null],
    ["\x04", null],
    ["secret", null],
  ];
  for (const [keys, line] of typed) assert.equal(text(readTyped(input(keys))), line, keys);
});
