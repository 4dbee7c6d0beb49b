import assert from "node:assert/strict";
import { ack, connect, publish, subscribe } from "../support/packets.ts";
import { type FakeClient, World } from "../support/world.ts";

const MEGABYTE = "m".repeat(1_000_000);
const LIMIT = 5_500_000;

/** Publishes megabytes until the broker ends the connection; returns how many it took. */
function fill(world: World, qos: 0 | 1 = 1): number {
  let taken = 0;
  for (; taken < 50; taken++) {
    const client = world.open(5);
    client.send(connect(5, { clientId: "publisher" }));
    if (client.receiveOf("connack")[0].reason !== 0) return taken;
    client.publish({ topic: "t", payload: MEGABYTE, ...(qos > 0 && { qos, packetId: 1 }) });
    if (client.isClosed) return taken;
    client.vanish();
    world.advanceMs(300);
  }
  return taken;
}

function sleeper(world: World): FakeClient {
  const client = world.connect(4, { clientId: "sleeper", clean: false });
  client.subscribe("t", 1);
  return client;
}

Deno.test("memory_limit bounds what waits for clients that are away", () => {
  const world = new World({ settings: { memoryLimit: LIMIT, maxQueuedMessages: 0 } });
  sleeper(world).vanish();
  assert.equal(fill(world), 6);
  const free = new World({ settings: { maxQueuedMessages: 0 } });
  sleeper(free).vanish();
  assert.equal(fill(free), 50);
});

Deno.test("a message beyond memory_limit ends its sender's connection with 0x97", () => {
  const world = new World({ settings: { memoryLimit: LIMIT, maxQueuedMessages: 0 } });
  sleeper(world).vanish();
  const client = world.connect(5);
  for (let count = 0; count < 7; count++) {
    client.send(publish(5, { topic: "t", qos: 1, packetId: 1, payload: MEGABYTE }));
  }
  const [last] = client.receive().slice(-1);
  assert.deepEqual([last.type, last.reason], ["disconnect", 0x97]);
});

Deno.test("beyond memory_limit nobody new is let in, until there is room again", () => {
  const world = new World({ settings: { memoryLimit: LIMIT, maxQueuedMessages: 0 } });
  sleeper(world).vanish();
  fill(world);
  const refused = world.open(5).send(connect(5, { clientId: "new" }));
  assert.equal(refused.expect("connack").reason, 0x89);
  world.broker.sessions.end(world.broker.sessions.get("sleeper")!);
  world.advanceMs(300);
  world.connect(5, { clientId: "new" });
});

Deno.test("what is retained counts, and may be removed when nothing else goes", () => {
  const world = new World({ settings: { memoryLimit: LIMIT } });
  const client = world.connect(5);
  for (let count = 0; count < 5; count++) {
    client.publish({ topic: `t/${count}`, retain: true, payload: MEGABYTE });
  }
  client.expectOpen();
  client.publish({ topic: "t/6", retain: true, payload: MEGABYTE });
  world.advanceMs(300);
  client.publish({ topic: "t/1", retain: true, payload: "" });
  client.expectOpen();
  world.advanceMs(300);
  client.publish({ topic: "t/2", payload: MEGABYTE });
  client.expectOpen();
});

Deno.test("beyond memory_limit a client may come for what waits for it", () => {
  const world = new World({ settings: { memoryLimit: 10_000 } });
  sleeper(world).vanish();
  const publisher = world.connect(5, { clientId: "publisher" });
  for (let count = 0; count < 20; count++) {
    publisher.publish({ topic: "t", qos: 1, payload: "m".repeat(1000) });
  }
  publisher.expectClosed();
  const client = world.open(4);
  client.send(connect(4, { clientId: "sleeper", clean: false }));
  const [connack, ...messages] = client.receive();
  assert.equal(connack.reason, 0);
  for (const { packetId } of messages) client.send(ack("puback", packetId!));
  world.advanceMs(300);
  world.connect(5, { clientId: "new" });
});

Deno.test("messages without a payload count as well", () => {
  const world = new World({ settings: { memoryLimit: 10_000, maxQueuedMessages: 0 } });
  sleeper(world).vanish();
  const client = world.connect(5);
  for (let count = 0; count < 100; count++) client.publish({ topic: "t", qos: 1, payload: "" });
  client.expectClosed();
});

Deno.test("a QoS 2 message that is not released counts once", () => {
  const world = new World({ settings: { memoryLimit: 10_000 } });
  const client = world.connect(4, { clientId: "publisher", clean: false });
  for (let packetId = 1; packetId <= 4; packetId++) {
    client.publish({ topic: "t", qos: 2, packetId, payload: "m".repeat(1500) });
    world.advanceMs(300);
  }
  client.publish({ topic: "t", payload: "small" });
  client.expectOpen();
});

Deno.test("what a client does not read counts", () => {
  const world = new World({ settings: { memoryLimit: LIMIT, maxUnsentBytes: 100_000_000 } });
  const reader = world.connect(5, { clientId: "reader" });
  reader.send(subscribe(5, { filters: [["t", 0]] }));
  reader.isStuck = true;
  assert.ok(fill(world, 0) < 10);
});
