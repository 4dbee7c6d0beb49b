/** What tests/conformance/slow_receivers_test.ts shows of a whole broker is not repeated here. */
import assert from "node:assert/strict";
import { Congestion } from "../../src/broker/congestion.ts";
import { Deadlines } from "../../src/broker/deadlines.ts";
import type { Connection } from "../../src/session/connection.ts";

/** A connection, as far as congestion looks at it. */
class StandIn {
  isClosed = false;
  isStalled = false;
  isBehind = false;
  isCongested = true;
  waitsForItself = false;
  waitsForReceiver = false;
  waiters: StandIn[] | null = null;
  progressAtMs = 0;
  isPaused = false;
  releases = 0;
  readonly outbox: { waiting: number };
  readonly link = { pause: () => void (this.isPaused = true) };

  constructor(waiting = 0) {
    this.outbox = { waiting };
  }

  releaseWaiters(): void {
    this.releases++;
    this.waiters = null;
  }
}

class Scene {
  nowMs = 1000;
  readonly deadlines = new Deadlines();
  readonly #congestion = new Congestion(this.deadlines);

  /** A publisher's input is handled, in which messages go to these receivers. */
  handle(publisher: StandIn, ...receivers: StandIn[]): void {
    for (const receiver of receivers) {
      this.#congestion.add(receiver as unknown as Connection, this.nowMs);
    }
    this.#congestion.settle(publisher as unknown as Connection);
  }

  delete(receiver: StandIn): void {
    this.#congestion.delete(receiver as unknown as Connection);
  }

  /** Time passes; what is due on the way happens when it is due. */
  advance(ms: number): void {
    const endMs = this.nowMs + ms;
    while (this.deadlines.nextAtMs <= endMs) {
      this.nowMs = this.deadlines.nextAtMs;
      this.deadlines.run(this.nowMs);
    }
    this.nowMs = endMs;
  }
}

Deno.test("a publisher waits for the receiver with the most to read", () => {
  const scene = new Scene();
  const [small, large, middle, publisher] = [10, 30, 20, 0].map((bytes) => new StandIn(bytes));
  scene.handle(publisher, small, large, middle);
  assert.deepEqual([small.waiters, large.waiters, middle.waiters], [null, [publisher], null]);
  assert.deepEqual(
    [publisher.isPaused, publisher.waitsForReceiver, publisher.waitsForItself],
    [true, true, false],
  );
});

Deno.test("only the publisher whose message it was waits", () => {
  const scene = new Scene();
  const [receiver, publisher, other] = [new StandIn(), new StandIn(), new StandIn()];
  scene.handle(publisher, receiver);
  scene.handle(other);
  assert.equal(other.isPaused, false);
  scene.handle(other, receiver);
  assert.deepEqual(receiver.waiters, [publisher, other]);
});

Deno.test("who is behind with its own answers waits for itself and for nobody else", () => {
  const scene = new Scene();
  const [receiver, publisher] = [new StandIn(), new StandIn()];
  publisher.isBehind = true;
  scene.handle(publisher, receiver);
  assert.deepEqual(
    [publisher.isPaused, publisher.waitsForItself, publisher.waitsForReceiver],
    [true, true, false],
  );
  assert.equal(receiver.waiters, null);
});

Deno.test("who publishes to itself waits for itself", () => {
  const scene = new Scene();
  const client = new StandIn();
  scene.handle(client, client);
  assert.deepEqual([client.waitsForItself, client.waitsForReceiver], [true, false]);
  assert.equal(client.waiters, null, "else nobody would ever release it");
});

Deno.test("nobody waits for a connection that is gone, nor does one that is gone wait", () => {
  const scene = new Scene();
  const [receiver, publisher] = [new StandIn(), new StandIn()];
  receiver.isClosed = true;
  scene.handle(publisher, receiver);
  assert.equal(publisher.isPaused, false);
  receiver.isClosed = false;
  publisher.isClosed = true;
  scene.handle(publisher, receiver);
  assert.deepEqual([publisher.isPaused, receiver.waiters], [false, null]);
});

Deno.test("a receiver that takes nothing for 200 ms has stalled and holds nobody", () => {
  const scene = new Scene();
  const receiver = new StandIn();
  scene.handle(new StandIn(), receiver);
  scene.advance(199);
  assert.deepEqual([receiver.isStalled, receiver.releases], [false, 0]);
  scene.advance(1);
  assert.deepEqual([receiver.isStalled, receiver.releases], [true, 1]);
  scene.advance(1000);
  assert.equal(receiver.releases, 1);
});

Deno.test("idle before, a receiver has 200 ms from the moment it was congested", () => {
  const scene = new Scene();
  const receiver = new StandIn();
  receiver.progressAtMs = 1;
  scene.handle(new StandIn(), receiver);
  assert.equal(receiver.progressAtMs, scene.nowMs);
  // Further messages do not prolong it.
  scene.advance(150);
  scene.handle(new StandIn(), receiver);
  assert.equal(receiver.progressAtMs, scene.nowMs - 150);
  scene.advance(50);
  assert.ok(receiver.isStalled);
});

Deno.test("a receiver that takes something in time goes on holding publishers", () => {
  const scene = new Scene();
  const receiver = new StandIn();
  scene.handle(new StandIn(), receiver);
  for (let round = 0; round < 10; round++) {
    scene.advance(150);
    receiver.progressAtMs = scene.nowMs;
  }
  assert.deepEqual([receiver.isStalled, receiver.releases], [false, 0]);
  scene.advance(300);
  assert.ok(receiver.isStalled);
});

Deno.test("who has caught up or is gone is looked at no more", () => {
  const leave: ((scene: Scene, receiver: StandIn) => void)[] = [
    (_scene, receiver) => receiver.isCongested = false,
    (_scene, receiver) => receiver.isClosed = true,
    (scene, receiver) => scene.delete(receiver),
  ];
  for (const one of leave) {
    const scene = new Scene();
    const receiver = new StandIn();
    scene.handle(new StandIn(), receiver);
    one(scene, receiver);
    scene.advance(1000);
    assert.equal(receiver.isStalled, false);
    assert.equal(scene.deadlines.size, 0, "no timer runs without a reason");
  }
});

Deno.test("a receiver that is congested again is looked at again", () => {
  const scene = new Scene();
  const receiver = new StandIn();
  scene.handle(new StandIn(), receiver);
  scene.advance(500);
  assert.equal(scene.deadlines.size, 0);
  receiver.isStalled = false;
  scene.handle(new StandIn(), receiver);
  assert.equal(scene.deadlines.size, 1);
  scene.advance(200);
  assert.deepEqual([receiver.isStalled, receiver.releases], [true, 2]);
});

Deno.test("one timer looks at all", () => {
  const scene = new Scene();
  const receivers = Array.from({ length: 5 }, () => new StandIn());
  for (const receiver of receivers) {
    scene.handle(new StandIn(), receiver);
    scene.advance(10);
  }
  assert.equal(scene.deadlines.size, 1);
  scene.advance(400);
  assert.ok(receivers.every(({ isStalled }) => isStalled));
  assert.equal(scene.deadlines.size, 0);
});
