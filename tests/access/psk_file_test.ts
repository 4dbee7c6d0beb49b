import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { parsePskFile } from "../../src/access/psk_file.ts";
import { expectReports } from "./file_case.ts";

Deno.test("identities and keys are read, leading zeros and odd digits too", () => {
  const keys = expectReports(parsePskFile, "# x:1\nsensor7:00ff12AB\n a b : abc \r\n", {});
  const found = [...keys].map(([identity, key]) => [identity, Buffer.from(key).toString("hex")]);
  assert.deepEqual(found, [["sensor7", "00ff12ab"], ["a b", "0abc"]]);
});

Deno.test("all mistakes are reported, with their lines", () => {
  const file = `a:12\nb:0x12\nc:\n:12\nnothing\na:34\nd:12 34\nlong:${"ab".repeat(513)}\n`;
  const keys = expectReports(parsePskFile, file, {
    mistakes: [
      '2: psk for identity "b" contains non-hexadecimal characters.',
      '3: psk for identity "c" is empty.',
      "4: Empty PSK identity.",
      '7: psk for identity "d" contains non-hexadecimal characters.',
      '8: psk for identity "long" is longer than 512 bytes.',
    ],
    warnings: [
      "5: A line without ':' is no identity: ignored.",
      '6: Duplicate PSK identity "a": line 1 counts.',
    ],
  });
  assert.deepEqual(keys.get("a"), Uint8Array.of(0x12));
});
