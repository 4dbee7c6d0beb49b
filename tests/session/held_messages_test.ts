/** A QoS 2 message waits for the commit of its Packet Identifier; much may happen meanwhile. */
import assert from "node:assert/strict";
import * as packets from "../support/packets.ts";
import { hookAccess } from "../support/access.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import { type FakeClient, World, type WorldOptions } from "../support/world.ts";

const { Property, property } = packets;

/** A subscriber with one message at a time in flight, in a world in which commits end when told. */
async function subscriber(
  options: WorldOptions = {},
  properties: packets.Part = [],
): Promise<{ world: World; store: FaultyStore; reader: FakeClient }> {
  const store = new FaultyStore({ automatic: true });
  const world = new World({ store, durability: "sync", ...options });
  const reader = world.connect(5, {
    clientId: "reader",
    properties: packets.concat(
      property(Property.sessionExpiryInterval, 3600),
      property(Property.receiveMaximum, 1),
      properties,
    ),
  });
  reader.send(packets.subscribe(5, { filters: [["t", 2]] }));
  await world.settle();
  reader.expect("suback");
  store.automatic = false;
  return { world, store, reader };
}

function release(publisher: FakeClient): void {
  publisher.send(packets.ack("pubrel", 1));
}

/** The commit in flight ends, and all that follow. */
async function commit(world: World, store: FaultyStore): Promise<void> {
  do await world.settle(); while (store.settle());
}

Deno.test("a message that expires while it waits for its commit is not sent", async () => {
  const { world, store, reader } = await subscriber();
  const publisher = world.connect(5, { clientId: "publisher" });
  const interval = property(Property.messageExpiryInterval, 2);
  publisher.publish({ topic: "t", qos: 2, properties: interval, payload: "old" });
  release(publisher);
  publisher.publish({ topic: "t", qos: 2, payload: "new" });
  release(publisher);
  world.advanceSeconds(2);
  reader.expectNothing();
  await commit(world, store);
  const payloads = reader.receive().map(({ payload }) => new TextDecoder().decode(payload));
  assert.deepEqual(payloads, ["new"]);
  assert.equal(world.broker.counters.dropped, 1);
});

Deno.test("a right that is lost while a message waits for its commit keeps it back", async () => {
  let allowed = true;
  const access = hookAccess({ authorizeReceive: () => allowed }, true, (error) => {
    throw error;
  });
  const { world, store, reader } = await subscriber({ access });
  const publisher = world.connect(5, { clientId: "publisher" });
  publisher.publish({ topic: "t", qos: 2 });
  release(publisher);
  allowed = false;
  access.changed();
  await commit(world, store);
  reader.expectNothing();
  assert.equal(world.broker.sessions.get("reader")!.outbound.inFlight, 0);
});

Deno.test("retained messages go on behind one that is too large for the client", async () => {
  const small = property(Property.maximumPacketSize, 100);
  const { world, store, reader } = await subscriber({}, small);
  const publisher = world.connect(5, { clientId: "publisher" });
  for (const [topic, payload] of [["r/1", "x".repeat(100)], ["r/2", "fits"]]) {
    publisher.publish({ topic, payload, qos: 2, retain: true });
    release(publisher);
  }
  reader.send(packets.subscribe(5, { packetId: 2, filters: [["r/#", 2]] }));
  await commit(world, store);
  assert.deepEqual(reader.receive().map(({ topic }) => topic), [undefined, "r/2"]);
});
