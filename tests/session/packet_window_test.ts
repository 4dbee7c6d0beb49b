import assert from "node:assert/strict";
import fc from "fast-check";
import { InFlight, PacketWindow } from "../../src/session/packet_window.ts";

/** Identifiers that follow each other, some that lag far behind, and some on the same slot. */
const packetId = fc.oneof(
  fc.integer({ min: 1, max: 40 }),
  fc.integer({ min: 65_500, max: 65_535 }),
  fc.constantFrom(16, 32, 48, 1024, 16_384, 32_768),
  fc.integer({ min: 1, max: 65_535 }),
);
const state = fc.constantFrom(
  InFlight.AwaitsPuback,
  InFlight.AwaitsPubrec,
  InFlight.AwaitsPubcomp,
);

Deno.test("a window of identifiers is what a map is", () => {
  const steps = fc.array(fc.tuple(packetId, fc.option(state, { freq: 2 }), fc.boolean()), {
    maxLength: 120,
  });
  fc.assert(
    fc.property(steps, (steps) => {
      const window = new PacketWindow<string>();
      const map = new Map<number, [state: number, entry: string | null]>();
      steps.forEach(([id, state, hasEntry], index) => {
        const entry = hasEntry ? `entry ${index}` : null;
        if (state === null) {
          window.delete(id);
          map.delete(id);
        } else {
          window.set(id, state, entry);
          map.set(id, [state, entry]);
        }
        assert.equal(window.count, map.size);
        for (const [id] of steps) {
          const [state, entry] = map.get(id) ?? [InFlight.None, null];
          assert.equal(window.state(id), state);
          if (state !== InFlight.None) assert.equal(window.entry(id), entry);
        }
      });
      // From the oldest to the newest, the newest being the last identifier given out.
      const last = steps.at(-1)?.[0] ?? 1;
      const expected = [...map].filter(([, [, entry]]) => entry !== null)
        .sort(([a], [b]) => (last - b & 0xffff) - (last - a & 0xffff))
        .map(([, [, entry]]) => entry);
      assert.deepEqual(window.inOrder(last), expected);
    }),
    { numRuns: 200 },
  );
});

Deno.test("an identifier that is not in flight has no entry either", () => {
  const window = new PacketWindow<string>();
  window.set(5, InFlight.AwaitsPuback, "kept");
  window.delete(5);
  assert.equal(window.entry(5), null);
  assert.equal(window.state(21), InFlight.None);
  window.delete(21);
  assert.equal(window.count, 0);
});

Deno.test("all 65,535 identifiers may be in flight at once", () => {
  const window = new PacketWindow<number>();
  for (let id = 1; id <= 65_535; id++) window.set(id, InFlight.AwaitsPubrec, id);
  assert.equal(window.count, 65_535);
  for (let id = 1; id <= 65_535; id++) assert.equal(window.entry(id), id);
  for (let id = 1; id <= 65_535; id++) window.delete(id);
  assert.equal(window.count, 0);
});
