import assert from "node:assert/strict";
import { Kind } from "../../src/store/records.ts";
import { connectLasting } from "../support/exchange.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import { connect, publish, subscribe } from "../support/packets.ts";
import { World } from "../support/world.ts";

Deno.test("a message of a session that is being ended is kept until the end itself is", async () => {
  const store = new FaultyStore({ automatic: true });
  const world = new World({ store, durability: "sync" });
  const subscriber = connectLasting(world, 4, "subscriber");
  subscriber.send(subscribe(4, { filters: [["a", 1]] }));
  const publisher = world.connect(4, { clientId: "publisher" });
  await world.settle();
  store.automatic = false;

  const again = world.open(4);
  // Kept, sent and not acknowledged: its batch is sealed, and waits a moment for the subscriber.
  const message = publish(4, { topic: "a", payload: "kept", qos: 1 });
  publisher.connection.receive(message, message.length);
  world.broker.endTurn();
  assert.ok(world.broker.journal.sealedPosition > 0);
  again.send(connect(4, { clientId: "subscriber", clean: true }));
  await world.settle();
  let acknowledged = publisher.receiveOf("puback").length;
  if (acknowledged === 0) {
    store.settle();
    await world.settle();
    acknowledged = publisher.receiveOf("puback").length;
  }
  assert.equal(acknowledged, 1);
  // The commit that ends the session is lost.
  const records: number[] = [];
  store.crash("lost").restore((kind) => void records.push(kind));
  const sessions = records.filter((kind) => kind === Kind.Session).length;
  const entries = records.filter((kind) => kind === Kind.Entry).length;
  assert.equal(sessions, entries, "the old session with its message, or neither");
});
