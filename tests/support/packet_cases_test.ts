import assert from "node:assert/strict";
import { assertOutcome, casesFor, type PacketCase } from "./packet_cases.ts";
import { hex } from "./packets.ts";

Deno.test("there are at least 150 cases that end the connection for each version", () => {
  for (const version of [3, 4, 5] as const) {
    const ending = casesFor(version).filter(({ expect }) => "close" in expect);
    assert.ok(ending.length >= 150, `${ending.length} for version ${version}`);
  }
});

Deno.test("no two cases of a version have the same name or the same bytes", () => {
  for (const version of [3, 4, 5] as const) {
    const names = new Set<string>();
    const bytes = new Map<string, string>();
    for (const { name, phase, bytes: content } of casesFor(version)) {
      assert.ok(!names.has(name), `${name} in version ${version}`);
      names.add(name);
      const key = phase + content.toHex();
      assert.ok(!bytes.has(key), `${name} and ${bytes.get(key)} in version ${version}`);
      bytes.set(key, name);
    }
  }
});

Deno.test("a DISCONNECT is expected by MQTT 5 alone, and never before CONNECT", () => {
  for (const version of [3, 4, 5] as const) {
    for (const { name, phase, expect } of casesFor(version)) {
      if (!("close" in expect) || expect.disconnect === undefined) continue;
      assert.equal(`${phase} ${version}`, "connected 5", name);
    }
  }
});

/** Whether what came back is accepted for a case of MQTT 5 with this expectation. */
function passes(expect: PacketCase["expect"], received: string, closed: boolean): boolean {
  const row: PacketCase = { name: "x", version: 5, phase: "connected", bytes: hex(""), expect };
  try {
    assertOutcome(row, hex(received), closed);
    return true;
  } catch (error) {
    if (error instanceof assert.AssertionError) return false;
    throw error;
  }
}

Deno.test("an outcome is accepted only if it is the one that was expected", () => {
  assert.ok(passes({ close: true }, "", true));
  assert.ok(!passes({ close: true }, "", false));
  assert.ok(!passes({ close: true }, "e0 01 81", true));
  assert.ok(passes({ close: true, disconnect: 0x81 }, "e0 01 81", true));
  assert.ok(passes({ close: true, disconnect: [0x82, 0x81] }, "e0 01 81", true));
  assert.ok(!passes({ close: true, disconnect: 0x82 }, "e0 01 81", true));
  assert.ok(!passes({ close: true, disconnect: 0x81 }, "", true));
  assert.ok(passes({ close: true, connack: 0x81, optional: true }, "", true));
  assert.ok(passes({ close: true, connack: 0x81, optional: true }, "20 03 00 81 00", true));
  assert.ok(!passes({ close: true, connack: 0x81, optional: true }, "20 03 00 00 00", true));
  assert.ok(passes({ close: true, raw: "20 02 00 01" }, "20 02 00 01", true));
  assert.ok(!passes({ close: true, raw: "20 02 00 01" }, "20 03 00 84 00", true));
  assert.ok(passes({ survives: true }, "d0 00", false));
  assert.ok(!passes({ survives: true }, "d0 00", true));
  assert.ok(!passes({ survives: true }, "40 02 00 01 d0 00", false));
  assert.ok(passes({ survives: true, answers: ["puback"], reason: 0 }, "4002 0001 d000", false));
  assert.ok(
    !passes({ survives: true, answers: ["puback"], reason: 0x87 }, "4002 0001 d000", false),
  );
  assert.ok(passes({ refused: true }, "90 04 0001 00 8f d0 00", false));
  assert.ok(!passes({ refused: true }, "90 04 0001 00 00 d0 00", false));
  assert.ok(passes({ refused: true }, "e0 01 8f", true));
});
