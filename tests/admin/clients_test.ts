import assert from "node:assert/strict";
import { property } from "../support/packets.ts";
import { World } from "../support/world.ts";
import { Admin } from "./support.ts";

const SESSION_EXPIRY = 0x11;
const expiry = (seconds: number) => ({ properties: property(SESSION_EXPIRY, seconds) });
const ODD_IDS = [
  "a/b",
  "/",
  "constructor",
  "__proto__",
  "a b?c#d&e=f",
  "%2F",
  "100%",
  "ü/日本",
  "+",
];

Deno.test("a client is shown with what it said and what waits for it", async () => {
  const world = new World();
  const client = world.connect(5, {
    clientId: "a",
    userName: "ann",
    keepAliveSeconds: 60,
    ...expiry(100),
  });
  client.subscribe("t/#", 1);
  for (let n = 0; n < 25; n++) {
    world.broker.publishMessage({ topic: "t/x", payload: new Uint8Array(10), qos: 1 });
  }
  world.run();
  world.advanceSeconds(7);
  assert.deepEqual(await new Admin(world).get("/api/v1/clients/a"), {
    clientId: "a",
    userName: "ann",
    address: "127.0.0.1:50000",
    listenerPort: 1883,
    protocolVersion: "5.0",
    keepAliveSeconds: 60,
    sessionExpirySeconds: 100,
    idleSeconds: 7,
    subscriptions: 1,
    inFlight: 20,
    queued: 5,
    queuedBytes: 50,
    unsentBytes: 0,
    heldBack: false,
  });
});

Deno.test("the list has those who are connected, chosen by a prefix", async () => {
  const world = new World();
  const gone = world.connect(5, { clientId: "room/gone", ...expiry(100) });
  world.connect(3, { clientId: "room/1" });
  world.connect(4, { clientId: "room/2" });
  world.connect(5, { clientId: "hall" });
  world.open();
  gone.vanish();
  const admin = new Admin(world);
  const list = async (query = "") =>
    (await admin.get(`/api/v1/clients${query}`)).clients.map(
      (client: { clientId: string; protocolVersion: string }) =>
        `${client.clientId} ${client.protocolVersion}`,
    );
  assert.deepEqual(await list(), ["room/1 3.1", "room/2 3.1.1", "hall 5.0"]);
  assert.deepEqual(await list("?prefix=room/"), ["room/1 3.1", "room/2 3.1.1"]);
  assert.deepEqual(await list("?prefix=room%2F2"), ["room/2 3.1.1"]);
  assert.deepEqual(await list("?prefix=x"), []);
  await admin.refused("GET /api/v1/clients/room%2Fgone", 404, "not_found");
});

Deno.test("identifiers of any characters are found in the path, and in lists", async () => {
  const world = new World();
  const admin = new Admin(world);
  for (const clientId of ODD_IDS) {
    const path = encodeURIComponent(clientId);
    for (const kind of ["clients", "sessions"]) {
      await admin.refused(`GET /api/v1/${kind}/${path}`, 404, "not_found");
    }
    world.connect(5, { clientId });
    for (const kind of ["clients", "sessions"]) {
      assert.equal((await admin.get(`/api/v1/${kind}/${path}`)).clientId, clientId);
      const { [kind]: [found] } = await admin.get(`/api/v1/${kind}?prefix=${path}`);
      assert.equal(found.clientId, clientId);
    }
    const { subscriptions } = await admin.get(`/api/v1/sessions/${path}/subscriptions`);
    assert.deepEqual(subscriptions, []);
  }
});

Deno.test("a path that is no percent-encoded UTF-8 is refused", async () => {
  const admin = new Admin(new World());
  for (const path of ["%", "%zz", "%ff", "a%c3", "%ed%a0%80"]) {
    await admin.refused(`GET /api/v1/clients/${path}`, 400, "bad_request");
    await admin.refused(`DELETE /api/v1/sessions/${path}`, 400, "bad_request");
    await admin.refused(`GET /api/v1/sessions/${path}/subscriptions`, 400, "bad_request");
  }
});

Deno.test("DELETE disconnects a client with 0x98, and its Will is sent", async () => {
  const world = new World();
  const watcher = world.connect(5, { clientId: "watcher" });
  watcher.subscribe("gone");
  const client = world.connect(5, { clientId: "a/b", will: { topic: "gone", payload: "a" } });
  const admin = new Admin(world);
  assert.equal((await admin.ask("DELETE /api/v1/clients/a%2Fb")).status, 204);
  const disconnect = client.expect("disconnect");
  assert.equal(disconnect.reason, 0x98);
  client.expectClosed();
  assert.equal(watcher.expect("publish").topic, "gone");
  await admin.refused("DELETE /api/v1/clients/a%2Fb", 404, "not_found");
  watcher.expectOpen();
});

Deno.test("DELETE closes the connection of an MQTT 3.1.1 client, which has no word for it", async () => {
  const world = new World();
  const client = world.connect(4, { clientId: "old", clean: false });
  const admin = new Admin(world);
  assert.equal((await admin.ask("DELETE /api/v1/clients/old")).status, 204);
  client.expectNothing();
  client.expectClosed();
  const session = await admin.get("/api/v1/sessions/old");
  assert.equal(session.connected, false, "its session stays");
});
