import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import {
  expectClosedSilently,
  expectDisconnected,
  lasting,
  payloads,
  sessionPresent,
} from "../support/messages.ts";
import { connect, publish } from "../support/packets.ts";
import { World } from "../support/world.ts";

conformance("MQTT-3.1.4-3", "the connection taken over is told 0x8E and closed", () => {
  const world = new World();
  for (const clean of [true, false]) {
    const old = world.connect(5, { ...lasting(100), clean });
    const next = world.connect(5, { ...lasting(100), clean });
    expectDisconnected(old, 0x8e);
    next.expectOpen();
    next.vanish();
  }
  assert.equal(world.broker.connections.size, 0);
});

conformance("MQTT-3.1.4-2 v3", "the connection taken over is closed", () => {
  const world = new World();
  for (const [before, after] of [[3, 4], [4, 5], [4, 3], [5, 4]] as const) {
    const old = world.connect(before);
    const next = world.connect(after);
    if (before === 5) expectDisconnected(old, 0x8e);
    else expectClosedSilently(old);
    next.expectOpen();
  }
});

conformance(["MQTT-3.1.4-3", "MQTT-3.1.2-5"], "a lasting session goes over whole", () => {
  const world = new World();
  const publisher = world.connect(5, { clientId: "publisher" });
  const old = world.connect(5, lasting(100));
  old.subscribe("t", 1);
  publisher.publish({ topic: "t", qos: 1, payload: "unfinished" });
  old.expect("publish");
  const next = world.open(5).send(connect(5, lasting(100)));
  const [connack, again] = next.receive();
  assert.equal(connack.sessionPresent, true);
  assert.deepEqual([again.dup, again.packetId], [true, 1]);
  publisher.publish({ topic: "t", qos: 1, payload: "new" });
  assert.deepEqual(payloads(next), ["new"]);
});

conformance(
  ["MQTT-3.1.4-3", "MQTT-3.1.2-4"],
  "a session of expiry 0 ends with its connection",
  () => {
    const world = new World();
    const old = world.connect(5, { clean: true });
    old.subscribe("t", 1);
    const next = world.connect(5, { clean: false });
    assert.equal(sessionPresent(next), false);
    expectDisconnected(old, 0x8e);
    world.connect(5, { clientId: "publisher" }).publish({ topic: "t", qos: 1 });
    next.expectNothing();
  },
);

conformance("MQTT-3.1.4-3", "what the old connection still sends is not heard", () => {
  const world = new World();
  const watcher = world.connect(5, { clientId: "watcher" });
  watcher.subscribe("#");
  const old = world.connect(5);
  world.connect(5);
  old.receive();
  old.send(publish(5, { topic: "t", payload: "late" }));
  watcher.expectNothing();
  assert.equal(world.broker.counters.faults, 0);
});

Deno.test("going to and fro between clean and lasting sessions leaves nothing behind", () => {
  const world = new World();
  const publisher = world.connect(5, { clientId: "publisher" });
  for (let times = 0; times < 3; times++) {
    const client = world.connect(4, { clean: false });
    assert.equal(sessionPresent(client), false);
    client.subscribe("t", 2);
    client.vanish();
    publisher.publish({ topic: "t", qos: 1 });
    assert.equal(sessionPresent(world.connect(4, { clean: true })), false);
    const statistics = world.broker.statistics();
    assert.equal(statistics.subscriptions, 0);
    assert.equal(statistics.storeMessages, 0);
    assert.equal(statistics.clientsTotal, 2);
  }
});

Deno.test("who is replaced does not get its own Will", () => {
  for (const [before, after] of [[true, true], [true, false], [false, true]]) {
    const world = new World();
    const watcher = world.connect(5, { clientId: "watcher" });
    watcher.subscribe("w");
    const old = world.connect(4, { clean: before, will: { topic: "w", payload: "replaced" } });
    old.subscribe("w");
    const next = world.connect(4, { clean: after });
    assert.deepEqual(payloads(watcher), ["replaced"]);
    expectClosedSilently(old);
    next.expectNothing();
  }
});
