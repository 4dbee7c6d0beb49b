import assert from "node:assert/strict";
import { type Pending, PendingConnections } from "../../src/transport/pending_connections.ts";

/** A clock that stands still, and what was cut off. */
class Scene {
  nowMs = 0;
  maximum = 3;
  readonly destroyed: string[] = [];
  readonly pending = new PendingConnections(() => this.maximum, () => this.nowMs);

  add(name: string): { isSettled: boolean } {
    const settling = { isSettled: false };
    const one: Pending = {
      sinceMs: this.nowMs,
      get isSettled() {
        return settling.isSettled;
      },
      destroy: () => void this.destroyed.push(name),
    };
    this.pending.add(one);
    return settling;
  }
}

Deno.test("there is room until the maximum, and again when one is settled", () => {
  const scene = new Scene();
  const [first] = ["a", "b", "c"].map((name) => scene.add(name));
  assert.equal(scene.pending.isFull, true);
  first.isSettled = true;
  assert.equal(scene.pending.isFull, false);
  assert.deepEqual(scene.destroyed, []);
});

Deno.test("when there is no room, those that are five seconds old make some", () => {
  const scene = new Scene();
  scene.add("a");
  scene.nowMs = 1;
  ["b", "c"].forEach((name) => scene.add(name));
  scene.nowMs = 4999;
  assert.equal(scene.pending.isFull, true);
  scene.nowMs = 5000;
  assert.equal(scene.pending.isFull, false);
  assert.deepEqual(scene.destroyed, ["a"]);
});

Deno.test("while there is room nobody is cut off, however old", () => {
  const scene = new Scene();
  scene.add("a");
  scene.nowMs = 3_600_000;
  for (let index = 0; index < 200; index++) scene.add("settled").isSettled = true;
  assert.equal(scene.pending.isFull, false);
  assert.deepEqual(scene.destroyed, []);
});

Deno.test("0 is no bound, and a bound may change", () => {
  const scene = new Scene();
  scene.maximum = 0;
  for (let index = 0; index < 1000; index++) scene.add("a");
  assert.equal(scene.pending.isFull, false);
  scene.maximum = 1000;
  assert.equal(scene.pending.isFull, true);
});

Deno.test("who waits for room gets it when one is settled", async () => {
  const scene = new Scene();
  const [first] = ["a", "b", "c"].map((name) => scene.add(name));
  const room = scene.pending.room();
  first.isSettled = true;
  await room;
  assert.equal(scene.pending.isFull, false);
});

Deno.test("who waits for room waits no longer when nobody is let in any more", async () => {
  const scene = new Scene();
  ["a", "b", "c"].forEach((name) => scene.add(name));
  const room = scene.pending.room();
  scene.pending.wake();
  await room;
  assert.equal(scene.pending.isFull, true);
});
