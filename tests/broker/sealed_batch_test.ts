/** What a batch that waits a moment refers to stays in it, whatever is let go of meanwhile. */
import assert from "node:assert/strict";
import { readStore } from "../simulation/store_check.ts";
import { connectLasting } from "../support/exchange.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import { ack, publish, subscribe } from "../support/packets.ts";
import { type FakeClient, World } from "../support/world.ts";

/** Two lasting subscribers of `a`, a publisher, and turns that end when the test says so. */
async function scene(qos: number) {
  const store = new FaultyStore({ automatic: true });
  const world = new World({ store, durability: "sync" });
  const subscribers = ["one", "two"].map((clientId) => connectLasting(world, 4, clientId));
  for (const subscriber of subscribers) subscriber.send(subscribe(4, { filters: [["a", qos]] }));
  const publisher = world.connect(4, { clientId: "publisher" });
  publisher.publish({ topic: "a", payload: "0", qos: 1, retain: true });
  await world.settle();
  for (const subscriber of subscribers) {
    const [{ packetId }] = subscriber.receiveOf("publish");
    subscriber.send(ack("puback", packetId!));
  }
  await world.settle();
  publisher.receive();
  store.automatic = false;
  /** In a turn of its own, and before what is left to a later turn. */
  const turn = (client: FakeClient, bytes: Uint8Array) => {
    client.connection.receive(bytes, bytes.length);
    world.broker.endTurn();
  };
  /** The batch that was sealed is written, what came later is lost. */
  const crash = async () => {
    await world.settle();
    assert.notEqual(store.inFlight, null);
    return readStore(store.crash("written"));
  };
  return { world, subscribers, publisher, turn, crash };
}

const publishing = (payload: string, qos: number, packetId: number, retain = false) =>
  publish(4, { topic: "a", payload, qos, packetId, retain });

Deno.test("a retained message that is replaced at once is written with the record that retains it", async () => {
  const { world, subscribers, publisher, turn, crash } = await scene(1);
  turn(publisher, publishing("1", 1, 1, true));
  assert.ok(world.broker.journal.sealedPosition > 0);
  turn(publisher, publishing("2", 1, 2, true));
  for (const subscriber of subscribers) {
    const [{ packetId }] = subscriber.receiveOf("publish");
    turn(subscriber, ack("puback", packetId!));
  }
  assert.equal((await crash()).retained.get("a"), "1");
});

Deno.test("a message is written as long as the entry of a session that ends may refer to it", async () => {
  const { world, subscribers, publisher, turn, crash } = await scene(2);
  const [one, two] = subscribers;
  turn(publisher, publishing("1", 1, 1));
  assert.ok(world.broker.journal.sealedPosition > 0);
  world.broker.sessions.end(world.broker.sessions.get("one")!);
  one.receive();
  const [{ packetId }] = two.receiveOf("publish");
  turn(two, ack("puback", packetId!));
  // Nothing refers to what is not there.
  await crash();
});
