import assert from "node:assert/strict";
import fc from "fast-check";
import { Deadlines } from "../../src/broker/deadlines.ts";
import type { Deadline } from "../../src/session/ports.ts";

Deno.test("deadlines come when they are due, as from a sorted list", () => {
  const at = fc.integer({ min: 0, max: 100 });
  const step = fc.oneof(
    fc.record({ type: fc.constant("set" as const), at: fc.oneof(at, fc.constant(Infinity)) }),
    fc.record({ type: fc.constant("cancel" as const), which: fc.nat(50) }),
    fc.record({ type: fc.constant("run" as const), passed: fc.nat(20) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.array(fc.nat(30)), (steps, again) => {
      const deadlines = new Deadlines();
      const list = new Map<number, { at: number; deadline: Deadline }>();
      let now = 0, number = 0;
      const came: number[] = [];
      for (const step of steps) {
        if (step.type === "set") {
          const id = number++;
          // Some ask to be looked at again.
          const wanted = again[id];
          const deadline = deadlines.set(step.at, {
            due: (nowMs) => {
              assert.equal(nowMs, now);
              came.push(id);
              const one = list.get(id)!;
              one.at = wanted === undefined || one.at === Infinity
                ? Infinity
                : Math.max(nowMs + wanted, nowMs + 1);
              return wanted === undefined ? Infinity : nowMs + wanted;
            },
          });
          list.set(id, { at: step.at, deadline });
        } else if (step.type === "cancel") {
          const one = list.get(step.which);
          if (one === undefined) continue;
          deadlines.cancel(one.deadline);
          deadlines.cancel(one.deadline);
          list.delete(step.which);
        } else {
          now += step.passed;
          const due = [...list].filter(([, { at }]) => at <= now)
            .sort(([, a], [, b]) => a.at - b.at).map(([id, { at }]) => ({ id, at }));
          came.length = 0;
          deadlines.run(now);
          const order = came.map((id) => due.find((one) => one.id === id)?.at);
          assert.deepEqual([...came].sort(), due.map(({ id }) => id).sort());
          assert.deepEqual(order, [...order].sort((a, b) => a! - b!), "the earliest first");
        }
        const next = Math.min(Infinity, ...[...list.values()].map(({ at }) => at));
        assert.ok(deadlines.nextAtMs <= next, "it wakes in time");
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("a deadline that says now is looked at in a later run, not for ever in this one", () => {
  const deadlines = new Deadlines();
  let runs = 0;
  deadlines.set(0, { due: (nowMs) => (runs++, nowMs) });
  deadlines.run(10);
  assert.equal(runs, 1);
  assert.equal(deadlines.nextAtMs, 11);
});

Deno.test("a deadline may cancel itself and others while they are due", () => {
  const deadlines = new Deadlines();
  const came: string[] = [];
  const first = deadlines.set(1, {
    due: () => {
      came.push("first");
      deadlines.cancel(first);
      deadlines.cancel(second);
      return 2;
    },
  });
  const second = deadlines.set(1, { due: () => (came.push("second"), Infinity) });
  deadlines.run(5);
  deadlines.run(50);
  assert.deepEqual(came, ["first"]);
  assert.equal(deadlines.size, 0);
});

Deno.test("what was cancelled is let go of", () => {
  const deadlines = new Deadlines();
  const keeper = deadlines.set(1e9, { due: () => Infinity });
  for (let count = 0; count < 10_000; count++) {
    deadlines.cancel(deadlines.set(1e9 + count, { due: () => Infinity }));
    assert.equal(deadlines.size, 1);
  }
  deadlines.cancel(keeper);
  assert.equal(deadlines.size, 0);
});

Deno.test("times beyond 2³¹ ms keep their order", () => {
  const deadlines = new Deadlines();
  const came: number[] = [];
  const years = [0xffff_ffff * 1000, 2 ** 31, 2 ** 31 - 1, 2 ** 32, 49.7 * 86_400_000];
  for (const at of years) deadlines.set(at, { due: () => (came.push(at), Infinity) });
  assert.equal(deadlines.nextAtMs, 2 ** 31 - 1);
  deadlines.run(0xffff_ffff * 1000);
  assert.deepEqual(came, [...years].sort((a, b) => a - b));
});
