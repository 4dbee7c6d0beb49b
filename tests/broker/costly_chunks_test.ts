import assert from "node:assert/strict";
import { hookAccess } from "../support/access.ts";
import * as packets from "../support/packets.ts";
import { type FakeClient, World } from "../support/world.ts";

/** Chunks of one client that take long to handle: the others must get their turn in between. */

function joined(world: World, clientId: string, filters: readonly string[]): FakeClient {
  const client = world.connect(4, { clientId });
  for (let at = 0; at < filters.length; at += 1000) {
    const some = filters.slice(at, at + 1000).map((filter) => [filter, 0] as const);
    client.send(packets.subscribe(4, { packetId: 1, filters: some }));
  }
  assert.equal(client.receiveOf("suback").length, Math.ceil(filters.length / 1000));
  return client;
}

/** Sends one chunk, and returns after how many turns it has been handled. */
function turnsOf(world: World, client: FakeClient, chunk: Uint8Array): number {
  world.holdsNextTurns = true;
  client.send(chunk, packets.pingreq());
  let turns = 1;
  for (; client.receiveOf("pingresp").length === 0; turns++) world.runNextTurns();
  world.holdsNextTurns = false;
  world.run();
  return turns;
}

/** All filters of that many levels that are `a` or `+`. */
function powerset(levels: number): string[] {
  if (levels === 1) return ["a", "+"];
  return powerset(levels - 1).flatMap((filter) => [`${filter}/a`, `${filter}/+`]);
}

Deno.test("subscribing and publishing by turns, under filters of which thousands match, is interrupted", () => {
  const world = new World();
  const LEVELS = 12, TIMES = 200;
  const subscriber = joined(world, "subscriber", powerset(LEVELS));
  const topic = "a/".repeat(LEVELS).slice(0, -1);
  const publisher = world.connect(4, { clientId: "publisher" });
  const numbered = Array.from({ length: TIMES }, (_, index) => `${index}`);
  const chunk = packets.concat(
    // Each SUBSCRIBE makes the routes that are known invalid.
    ...numbered.flatMap((payload) => [
      packets.subscribe(4, { packetId: 1, filters: [["other", 0]] }),
      packets.publish(4, { topic, payload }),
    ]),
  );
  assert.ok(turnsOf(world, publisher, chunk) > 3);
  const taken = subscriber.receiveOf("publish");
  assert.deepEqual(taken.map(({ payload }) => new TextDecoder().decode(payload)), numbered);
});

Deno.test("a chunk of messages for hundreds of subscribers is interrupted", () => {
  const world = new World();
  const SUBSCRIBERS = 300;
  for (let index = 0; index < SUBSCRIBERS; index++) {
    joined(world, `subscriber${index}`, ["t"]).isStuck = true;
  }
  const publisher = world.connect(4, { clientId: "publisher" });
  const message = packets.publish(4, { topic: "t", payload: "x" });
  const chunk = packets.concat(...Array.from({ length: 4500 }, () => message));
  assert.ok(turnsOf(world, publisher, chunk) > 1);
  assert.equal(world.broker.counters.publishesReceived, 4500);
});

Deno.test("a chunk of messages for a shared group of which nobody is there is interrupted", () => {
  const world = new World();
  for (let index = 0; index < 3000; index++) {
    const member = world.connect(4, { clientId: `member${index}`, clean: false });
    member.subscribe("$share/group/t", 0);
    member.vanish();
  }
  const publisher = world.connect(4, { clientId: "publisher" });
  const message = packets.publish(4, { topic: "t", payload: "x" });
  const chunk = packets.concat(...Array.from({ length: 1000 }, () => message));
  assert.ok(turnsOf(world, publisher, chunk) > 2);
});

Deno.test("whoever is interrupted and vanishes leaves nothing behind; what it sent last is not handled", () => {
  const world = new World();
  joined(world, "subscriber", powerset(12));
  const publisher = world.connect(4, { clientId: "publisher" });
  const topic = "a/".repeat(12).slice(0, -1);
  const pair = packets.concat(
    packets.subscribe(4, { packetId: 1, filters: [["other", 0]] }),
    packets.publish(4, { topic, payload: "x" }),
  );
  world.holdsNextTurns = true;
  publisher.send(...Array.from({ length: 200 }, () => pair));
  const before = world.broker.counters.publishesReceived;
  assert.ok(before < 200);
  publisher.vanish();
  world.holdsNextTurns = false;
  world.run();
  assert.equal(world.broker.counters.publishesReceived, before);
  assert.equal(world.broker.connections.size, 1);
  assert.equal(world.broker.counters.faults, 0);
});

Deno.test("who is interrupted and has to wait for a receiver goes on when that has caught up", () => {
  const world = new World({ settings: { maxUnsentBytes: 10_000 } });
  const receivers = Array.from(
    { length: 300 },
    (_, index) => joined(world, `subscriber${index}`, ["t"]),
  );
  receivers[0].isStuck = true;
  const publisher = world.connect(4, { clientId: "publisher" });
  const message = packets.publish(4, { topic: "t", payload: "x" });
  world.holdsNextTurns = true;
  publisher.send(...Array.from({ length: 4500 }, () => message), packets.pingreq());
  const before = world.broker.counters.publishesReceived;
  for (let turn = 0; turn < 10; turn++) world.runNextTurns();
  assert.equal(world.broker.counters.publishesReceived, before, "the receiver is not waited for");
  world.holdsNextTurns = false;
  receivers[0].unstick();
  assert.equal(world.broker.counters.publishesReceived, 4500);
  publisher.expect("pingresp");
});

Deno.test("routes of many topics to many subscribers are not all held at the same time", () => {
  const world = new World();
  const SUBSCRIBERS = 500, TOPICS = 2500;
  for (let index = 0; index < SUBSCRIBERS; index++) {
    joined(world, `subscriber${index}`, ["#"]).isStuck = true;
  }
  const publisher = world.connect(4, { clientId: "publisher" });
  for (let index = 0; index < TOPICS; index++) publisher.publish({ topic: `t/${index}` });
  const { topics } = world.broker;
  assert.ok(topics.size * SUBSCRIBERS <= 1_000_000, `${topics.size} topics`);
});

Deno.test("looking for retained messages under hundreds of filters in vain is interrupted", () => {
  const world = new World();
  const publisher = world.connect(4, { clientId: "publisher" });
  for (let index = 0; index < 640; index++) {
    publisher.publish({ topic: `t/${index}`, payload: "x", retain: true });
  }
  const client = world.connect(4, { clientId: "client" });
  // All but the last look at all of the names below t/, and find nothing.
  const filters = Array.from({ length: 200 }, (_, index) => [`t/+/${index}`, 0] as const);
  const chunk = packets.subscribe(4, { packetId: 1, filters: [...filters, ["t/639", 0]] });
  world.holdsNextTurns = true;
  client.send(chunk);
  assert.deepEqual(client.receive().map(({ type }) => type), ["suback"]);
  let turns = 1;
  for (; client.receiveOf("publish").length === 0; turns++) world.runNextTurns();
  assert.ok(turns > 5, `${turns} turns`);
});

Deno.test("subscribing to # again and again, where much is retained, is interrupted", () => {
  const world = new World();
  const publisher = world.connect(4, { clientId: "publisher" });
  for (let index = 0; index < 500; index++) {
    publisher.publish({ topic: `t/${index}`, payload: "x", retain: true });
  }
  const client = world.connect(4, { clientId: "client" });
  const packet = packets.subscribe(4, { packetId: 1, filters: [["#", 0]] });
  const chunk = packets.concat(...Array.from({ length: 200 }, () => packet));
  assert.ok(turnsOf(world, client, chunk) > 1);
});

Deno.test("asking whether thousands of filters may be subscribed to, or no more, is interrupted", () => {
  let asked = 0;
  const access = hookAccess(
    {
      authorizeSubscribe: ({ clientId }, { filter }) => {
        if (clientId === "client") asked++;
        return filter !== "f/1500";
      },
    },
    true,
    () => {},
  );
  const world = new World({ access });
  const client = world.connect(4, { clientId: "client" });
  const filters = Array.from({ length: 2000 }, (_, index) => [`f/${index}`, 0] as const);
  world.holdsNextTurns = true;
  client.send(packets.subscribe(4, { packetId: 1, filters }), packets.pingreq());
  const inFirstTurn = asked;
  assert.ok(inFirstTurn < 500, `${inFirstTurn} in the first turn`);
  client.expectNothing();
  world.holdsNextTurns = false;
  world.run();
  const [suback, pingresp, ...more] = client.receive();
  assert.deepEqual([suback.type, pingresp.type, more], ["suback", "pingresp", []]);
  assert.equal(asked, 2000);
  assert.deepEqual(suback.reasons?.indexOf(0x80), 1500);
  assert.equal(world.broker.tree.count, 1999);
  world.holdsNextTurns = true;
  client.send(packets.unsubscribe(4, { packetId: 2, filters: filters.map(([filter]) => filter) }));
  assert.ok(world.broker.tree.count > 1000, "some wait for a later turn");
  client.expectNothing();
  world.holdsNextTurns = false;
  world.run();
  client.expect("unsuback");
  assert.equal(world.broker.tree.count, 0);
});
