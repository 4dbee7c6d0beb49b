import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import { allWritten, expectDisconnected, lasting, sessionPresent } from "../support/messages.ts";
import { connect, disconnect, Property, property } from "../support/packets.ts";
import { World } from "../support/world.ts";

const expiry = (seconds: number) => property(Property.sessionExpiryInterval, seconds);
const stays: ReturnType<typeof lasting> = lasting(0xffff_ffff);

conformance(
  "MQTT-3.1.2-23",
  "the session is kept for its Session Expiry Interval, and no longer",
  () => {
    for (const [afterMs, present] of [[9999, true], [10_000, false]] as const) {
      const world = new World();
      world.connect(5, lasting(10)).subscribe("t", 1);
      world.broker.sessions.get("c")!.connection!.peerEnded();
      world.run();
      world.advanceMs(afterMs);
      assert.equal(world.broker.sessions.count, present ? 1 : 0);
      assert.equal(world.broker.tree.count, present ? 1 : 0);
      assert.equal(sessionPresent(world.connect(5, stays)), present);
    }
  },
);

conformance("MQTT-3.1.2-23", "without Session Expiry Interval the session ends at once", () => {
  const world = new World();
  for (const fields of [{ clean: false }, { clean: true }, lasting(0)]) {
    world.connect(5, fields).vanish();
    assert.equal(world.broker.sessions.count, 0);
  }
});

conformance("MQTT-3.1.2-23", "with Clean Start 1 a session may last as well", () => {
  const world = new World();
  world.connect(5, { ...lasting(10), clean: true }).vanish();
  assert.equal(sessionPresent(world.connect(5, stays)), true);
});

conformance("MQTT-3.1.2-23", "0xFFFFFFFF never expires, 0xFFFFFFFE after 136 years", () => {
  const world = new World();
  world.connect(5, { ...lasting(0xffff_ffff), clientId: "never" }).vanish();
  world.connect(5, { ...lasting(0xffff_fffe), clientId: "late" }).vanish();
  world.advanceSeconds(0xffff_fffd);
  assert.equal(world.broker.sessions.count, 2);
  world.advanceSeconds(1);
  assert.deepEqual([...world.broker.sessions].map(({ clientId }) => clientId), ["never"]);
  world.advanceSeconds(0xffff_ffff);
  assert.equal(world.broker.sessions.count, 1);
});

conformance("MQTT-3.1.2-23", "the time away begins anew with each connection", () => {
  const world = new World();
  world.connect(5, lasting(10)).vanish();
  for (let times = 0; times < 3; times++) {
    world.advanceSeconds(9);
    const client = world.connect(5, lasting(10));
    assert.equal(sessionPresent(client), true);
    world.advanceSeconds(30);
    client.vanish();
  }
});

conformance("MQTT-3.1.2-23", "a CONNECT sets the Session Expiry Interval anew", () => {
  const world = new World();
  world.connect(5, lasting(1000)).vanish();
  world.connect(5, lasting(10)).vanish();
  world.advanceSeconds(10);
  assert.equal(world.broker.sessions.count, 0);
});

conformance("MQTT-3.1.2-23", "DISCONNECT sets the Session Expiry Interval anew", () => {
  for (const [seconds, alive, dead] of [[5, 4, 5], [20, 19, 20], [0, -1, 0]] as const) {
    const world = new World();
    world.connect(5, lasting(10)).send(disconnect({ reason: 0, properties: expiry(seconds) }));
    if (alive >= 0) {
      world.advanceSeconds(alive);
      assert.equal(world.broker.sessions.count, 1);
    }
    world.advanceSeconds(dead - Math.max(alive, 0));
    assert.equal(world.broker.sessions.count, 0);
  }
});

Deno.test("DISCONNECT must not raise a Session Expiry Interval of 0", () => {
  const world = new World();
  const client = world.connect(5).send(disconnect({ reason: 0, properties: expiry(1) }));
  expectDisconnected(client, 0x82);
  assert.equal(world.broker.sessions.count, 0);
  world.connect(5).send(disconnect({ reason: 0, properties: expiry(0) })).expectNothing();
});

for (const version of [4, 5] as const) {
  Deno.test(`persistent_client_expiration ends longer sessions, version ${version}`, () => {
    const world = new World({ settings: { persistentClientExpiration: 60 } });
    const fields = version === 5 ? stays : { clean: false };
    world.connect(version, { ...fields, clientId: "long" }).vanish();
    world.connect(5, { ...lasting(30), clientId: "short" }).vanish();
    world.advanceSeconds(30);
    assert.deepEqual([...world.broker.sessions].map(({ clientId }) => clientId), ["long"]);
    world.advanceMs(29_999);
    assert.equal(world.broker.sessions.count, 1);
    world.advanceMs(1);
    assert.equal(world.broker.sessions.count, 0);
    assert.equal(world.broker.counters.expiredSessions, 2);
  });
}

Deno.test("an expired session leaves nothing behind", () => {
  const world = new World();
  const client = world.connect(5, lasting(10));
  client.subscribe("t", 1);
  client.vanish();
  const publisher = world.connect(5, { clientId: "publisher" });
  publisher.publish({ topic: "t", qos: 1, payload: "m" });
  assert.equal(world.broker.statistics().storeMessages, 1);
  world.advanceSeconds(10);
  assert.equal(world.broker.statistics().storeMessages, 0);
  assert.equal(world.broker.statistics().subscriptions, 0);
  publisher.receive();
  publisher.publish({ topic: "t", qos: 1, payload: "m" });
  assert.equal(publisher.expect("puback").reason, 0x10);
});

conformance(
  "MQTT-3.1.2-23",
  "a session outlives the process, and expires while it is down",
  async () => {
    for (const [downSeconds, present] of [[9, true], [11, false]] as const) {
      const store = new FaultyStore({ automatic: true });
      const world = new World({ store, durability: "sync" });
      const client = world.connect(5, { ...lasting(10), clean: true });
      await allWritten(world);
      client.vanish();
      await allWritten(world);
      const next = new World({
        store: store.crash(),
        durability: "sync",
        wallMs: world.wallMs + downSeconds * 1000,
      });
      next.advanceMs(1);
      const after = next.open(5).send(connect(5, stays));
      await next.settle();
      assert.equal(after.expect("connack").sessionPresent, present);
    }
  },
);
