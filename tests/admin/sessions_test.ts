import assert from "node:assert/strict";
import { FaultyStore } from "../support/faulty_store.ts";
import { property } from "../support/packets.ts";
import { World } from "../support/world.ts";
import { Admin } from "./support.ts";

const expiry = (seconds: number) => ({ properties: property(0x11, seconds) });

Deno.test("a session is shown with its Will while its client is connected", async () => {
  const world = new World();
  world.connect(5, {
    clientId: "a",
    userName: "ann",
    will: { topic: "will/a", payload: "bye", qos: 1, retain: true, properties: property(0x18, 5) },
    ...expiry(100),
  });
  assert.deepEqual(await new Admin(world).get("/api/v1/sessions/a"), {
    clientId: "a",
    userName: "ann",
    protocolVersion: "5.0",
    connected: true,
    sessionExpirySeconds: 100,
    disconnectedAt: null,
    expiresAt: null,
    subscriptions: 0,
    inFlight: 0,
    queued: 0,
    queuedBytes: 0,
    unreleased: 0,
    will: { topic: "will/a", qos: 1, retain: true, payloadBytes: 3, delaySeconds: 5 },
  });
});

Deno.test("a session whose client is away is shown with what waits, and when it ends", async () => {
  const world = new World({ settings: { persistentClientExpiration: 90 } });
  const client = world.connect(5, { clientId: "a", ...expiry(100) });
  const forever = world.connect(5, { clientId: "b", ...expiry(0xffff_ffff) });
  client.subscribe("t", 1);
  client.publish({ topic: "x", qos: 2, packetId: 1 });
  client.vanish();
  forever.vanish();
  world.broker.publishMessage({ topic: "t", payload: new Uint8Array(7), qos: 1 });
  world.run();
  world.advanceSeconds(10);
  const admin = new Admin(world);
  const session = await admin.get("/api/v1/sessions/a");
  const { subscriptions, queued, queuedBytes, unreleased, disconnectedAt, expiresAt } = session;
  assert.deepEqual(
    { subscriptions, queued, queuedBytes, unreleased, disconnectedAt, expiresAt },
    {
      subscriptions: 1,
      queued: 1,
      queuedBytes: 7,
      unreleased: 1,
      disconnectedAt: "2026-01-01T00:00:00.000Z",
      expiresAt: "2026-01-01T00:01:30.000Z",
    },
  );
  const { sessions } = await admin.get("/api/v1/sessions?prefix=b");
  assert.equal(sessions.length, 1);
  assert.equal(sessions[0].sessionExpirySeconds, 0xffff_ffff);
  assert.equal(sessions[0].expiresAt, "2026-01-01T00:01:30.000Z");
});

Deno.test("a session that never expires says so", async () => {
  const world = new World();
  world.connect(4, { clientId: "a", clean: false }).vanish();
  const { expiresAt, disconnectedAt } = await new Admin(world).get("/api/v1/sessions/a");
  assert.deepEqual([expiresAt, disconnectedAt], [null, "2026-01-01T00:00:00.000Z"]);
});

Deno.test("the subscriptions of a session are listed page by page", async () => {
  const world = new World();
  const client = world.connect(5, { clientId: "a/b" });
  client.subscribe("one/#", 1, { properties: property(0x0b, 7) });
  client.subscribe("$share/g/two", 2 | 8);
  client.subscribe("three", 4);
  const admin = new Admin(world);
  const pages = await admin.walk("/api/v1/sessions/a%2Fb/subscriptions?limit=2", "subscriptions");
  assert.deepEqual(pages, [
    [
      { filter: "one/#", qos: 1, noLocal: false, retainAsPublished: false, identifier: 7 },
      { filter: "$share/g/two", qos: 2, noLocal: false, retainAsPublished: true, identifier: null },
    ],
    [{ filter: "three", qos: 0, noLocal: true, retainAsPublished: false, identifier: null }],
  ]);
  await admin.refused("GET /api/v1/sessions/x/subscriptions", 404, "not_found");
});

Deno.test("DELETE ends a session and disconnects its client", async () => {
  const world = new World();
  const client = world.connect(5, { clientId: "a", ...expiry(100) });
  client.subscribe("t", 1);
  const admin = new Admin(world);
  assert.equal((await admin.ask("DELETE /api/v1/sessions/a")).status, 204);
  assert.equal(client.expect("disconnect").reason, 0x98);
  client.expectClosed();
  await admin.refused("GET /api/v1/sessions/a", 404, "not_found");
  await admin.refused("DELETE /api/v1/sessions/a", 404, "not_found");
  assert.deepEqual((await admin.publish({ topic: "t" })).body, { matched: false });
  assert.equal(world.connect(5, { clientId: "a", clean: false }).connack!.sessionPresent, false);
});

Deno.test("DELETE of a session whose client is away sends its delayed Will", async () => {
  const world = new World();
  const watcher = world.connect(5, { clientId: "watcher" });
  watcher.subscribe("will");
  world.connect(5, {
    clientId: "a",
    will: { topic: "will", payload: "x", properties: property(0x18, 50) },
    ...expiry(100),
  }).vanish();
  watcher.expectNothing();
  assert.equal((await new Admin(world).ask("DELETE /api/v1/sessions/a")).status, 204);
  assert.equal(watcher.expect("publish").topic, "will");
});

Deno.test("DELETE is answered only when the disk has it, and after a restart the session is gone", async () => {
  const store = new FaultyStore();
  const world = new World({ store, durability: "sync" });
  world.connect(5, { clientId: "a", ...expiry(100) }).vanish();
  world.broker.journal.save();
  for (let commit = 0; store.inFlight !== null; commit++) {
    assert.ok(commit < 5);
    store.settle();
    await world.settle();
  }
  assert.ok(store.commits > 0, "the session is on disk");
  let answered = false;
  const asked = new Admin(world).ask("DELETE /api/v1/sessions/a").then((answer) => {
    answered = true;
    return answer;
  });
  await world.settle();
  assert.notEqual(store.inFlight, null, "the change is being written");
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(answered, false);
  store.settle();
  await world.settle();
  assert.equal((await asked).status, 204);
  const after = new World({ store: store.crash("lost"), durability: "sync" });
  assert.equal(after.broker.sessions.count, 0);
});
