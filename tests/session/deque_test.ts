import assert from "node:assert/strict";
import fc from "fast-check";
import { Deque } from "../../src/session/deque.ts";

Deno.test("a deque is what an array is", () => {
  const step = fc.constantFrom("push", "push", "unshift", "shift", "shift");
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const deque = new Deque<number>();
    const array: number[] = [];
    steps.forEach((method, value) => {
      if (method === "shift") assert.equal(deque.shift(), array.shift());
      else {
        deque[method](value);
        array[method](value);
      }
      assert.equal(deque.size, array.length);
      assert.equal(deque.peek(), array[0]);
      assert.deepEqual([...deque], array);
    });
  }));
});
