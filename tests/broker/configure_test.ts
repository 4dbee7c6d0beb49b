import assert from "node:assert/strict";
import type { Settings } from "../../src/session/ports.ts";
import { Property, publish, subscribe } from "../support/packets.ts";
import { defaultSettings, type FakeClient, World } from "../support/world.ts";

const topics = (client: FakeClient) => client.receiveOf("publish").map(({ topic }) => topic);

function configure(world: World, settings: Partial<Settings>) {
  world.broker.configure({ ...defaultSettings, ...settings });
  world.run();
}

Deno.test("a smaller max_packet_size holds for those who connect afterwards", () => {
  const world = new World({ settings: { maxPacketSize: 1000 } });
  const before = world.connect(5, { clientId: "before" });
  configure(world, { maxPacketSize: 100 });
  const after = world.connect(5, { clientId: "after" });
  const told = after.connack!.properties.find(([id]) => id === Property.maximumPacketSize);
  assert.equal(told![1], 100);
  const large = { topic: "t", payload: "m".repeat(200) };
  before.publish(large).expectOpen();
  after.publish(large);
  assert.equal(after.expect("disconnect").reason, 0x95);
});

Deno.test("allow_duplicate_messages takes effect at once", () => {
  const world = new World();
  const client = world.connect(4);
  client.subscribe("a");
  client.subscribe("+");
  client.publish({ topic: "a" });
  assert.equal(topics(client).length, 1);
  configure(world, { allowDuplicateMessages: true });
  client.publish({ topic: "a" });
  assert.equal(topics(client).length, 2);
});

Deno.test("persistent_client_expiration counts from when the client went away", () => {
  const world = new World();
  const away = (clientId: string) => world.connect(4, { clientId, clean: false }).vanish();
  away("early");
  world.advanceSeconds(100);
  away("late");
  configure(world, { persistentClientExpiration: 60 });
  world.advanceSeconds(1);
  assert.deepEqual([...world.broker.sessions].map(({ clientId }) => clientId), ["late"]);
  configure(world, { persistentClientExpiration: 200 });
  world.advanceSeconds(198);
  assert.equal(world.broker.sessions.count, 1);
  configure(world, { persistentClientExpiration: 0 });
  world.advanceSeconds(10_000);
  assert.equal(world.broker.sessions.count, 1);
});

Deno.test("sys_interval may be turned on, changed and turned off", () => {
  const world = new World({ wallMs: 0 });
  const client = world.connect(5);
  client.send(subscribe(5, { filters: [["$SYS/broker/uptime", 0]] }));
  client.receive();
  const updates = (seconds: number) => {
    world.advanceSeconds(seconds);
    return topics(client).length;
  };
  assert.equal(updates(20), 0);
  configure(world, { sysInterval: 5 });
  assert.equal(updates(20), 4);
  configure(world, { sysInterval: 10 });
  assert.equal(updates(20), 2);
  configure(world, {});
  assert.equal(updates(20), 0);
});

Deno.test("retain_available off refuses what comes after it", () => {
  const world = new World();
  const client = world.connect(5);
  client.send(publish(5, { topic: "t", retain: true, payload: "m" }));
  client.expectOpen();
  configure(world, { retainAvailable: false });
  client.send(publish(5, { topic: "t", retain: true, payload: "m" }));
  assert.equal(client.expect("disconnect").reason, 0x9a);
});
