/** Publishers that are faster than the receivers of QoS 1 and 2: they wait, so that nothing is dropped. */
import assert from "node:assert/strict";
import { longQueueOf } from "../../src/server/settings.ts";
import { connectLasting, payloads } from "../support/exchange.ts";
import type { ServerPacket } from "../support/packet_decoder.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import { ack, concat, disconnect, publish, subscribe } from "../support/packets.ts";
import { type FakeClient, World, type WorldOptions } from "../support/world.ts";

/** In flight, and as many as may wait before publishers do. */
const TAKEN = 20 + 250;

interface Scene {
  world: World;
  receiver: FakeClient;
  publisher: FakeClient;
}

/** A receiver of `t` that acknowledges when it is told to, and a publisher; settings are the defaults. */
function scene(options: WorldOptions = {}): Scene {
  const world = new World(options);
  const receiver = world.connect(4, { clientId: "receiver" });
  receiver.subscribe("t", 2);
  return { world, receiver, publisher: world.connect(4, { clientId: "publisher" }) };
}

/** PUBLISHes of QoS 1 in one chunk, each with its number. */
function numbered(from: number, to: number, topic = "t"): Uint8Array {
  const packets = [];
  for (let number = from; number < to; number++) {
    packets.push(
      publish(4, { topic, payload: `${number}`, qos: 1, packetId: number % 65_535 + 1 }),
    );
  }
  return concat(packets);
}

const numberOf = ({ payload }: ServerPacket) => Number(new TextDecoder().decode(payload));

/** The receiver acknowledges all that has come to it; returns the numbers. */
function take(receiver: FakeClient): number[] {
  const publishes = receiver.receiveOf("publish");
  if (publishes.length > 0) {
    receiver.send(concat(publishes.map(({ packetId }) => ack("puback", packetId!))));
  }
  return publishes.map(numberOf);
}

/** The same until nothing comes any more. */
function takeAll(receiver: FakeClient): number[] {
  const taken: number[] = [];
  for (let some = take(receiver); some.length > 0; some = take(receiver)) taken.push(...some);
  return taken;
}

/** Packet Identifiers of what the publisher's broker has acknowledged. */
const acknowledged = (client: FakeClient) => client.receiveOf("puback").map((p) => p.packetId);

const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index);

Deno.test("a publisher with a window gets its PUBACKs as fast as the receiver is, in their order", () => {
  const { world, receiver, publisher } = scene();
  const taken: number[] = [], released: (number | undefined)[] = [];
  let sent = 0, longest = 0;
  while (released.length < 3000) {
    // Never more than 100 are on their way.
    const until = Math.min(3000, released.length + 100);
    if (sent < until) publisher.send(numbered(sent, sent = until));
    longest = Math.max(longest, world.broker.sessions.get("receiver")!.outbound.queued);
    taken.push(...take(receiver));
    released.push(...acknowledged(publisher));
    assert.ok(!publisher.isPaused);
  }
  taken.push(...takeAll(receiver));
  assert.deepEqual(taken, upTo(3000));
  assert.deepEqual(released, upTo(3000, 1));
  assert.equal(world.broker.counters.dropped, 0);
  assert.ok(longest <= 350, `${longest} in the queue`);
});

Deno.test("one who sends on without acknowledgements is read no further until the queue is short", () => {
  const { world, receiver, publisher } = scene();
  publisher.send(numbered(0, 5000));
  assert.ok(publisher.isPaused);
  assert.equal(world.broker.statistics().heldBack, 1);
  assert.ok(world.broker.sessions.get("receiver")!.outbound.queued < 600);
  assert.deepEqual(takeAll(receiver), upTo(5000));
  assert.deepEqual(acknowledged(publisher), upTo(5000, 1));
  assert.ok(!publisher.isPaused);
  assert.equal(world.broker.statistics().heldBack, 0);
  assert.equal(world.broker.counters.dropped, 0);
});

Deno.test("many publishers go on a few at a time, so that they do not fill the queue together", () => {
  const { world, receiver } = scene();
  const publishers = upTo(50).map((index) => world.connect(4, { clientId: `p${index}` }));
  const sent = publishers.map(() => 0), released = publishers.map(() => 0);
  let taken = 0;
  while (taken < 50 * 300) {
    for (const [index, publisher] of publishers.entries()) {
      const until = Math.min(300, released[index] + 100);
      if (sent[index] < until) publisher.send(numbered(sent[index], sent[index] = until));
      released[index] += acknowledged(publisher).length;
    }
    const some = take(receiver).length;
    taken += some;
    assert.ok(some > 0, `${taken} taken`);
  }
  assert.equal(world.broker.counters.dropped, 0);
});

Deno.test("nobody waits long for a receiver that takes nothing, nor again for ten seconds", () => {
  const { world, receiver, publisher } = scene();
  publisher.send(numbered(0, 300));
  assert.equal(acknowledged(publisher).length, TAKEN);
  assert.ok(publisher.connection.isHeldBack && !receiver.connection.isHeldBack);
  world.advanceMs(999);
  assert.deepEqual(acknowledged(publisher), []);
  world.advanceMs(1);
  assert.deepEqual(acknowledged(publisher), upTo(300 - TAKEN, TAKEN + 1));
  publisher.send(numbered(300, 1100));
  assert.equal(acknowledged(publisher).length, 800);
  assert.equal(world.broker.counters.dropped, 80, "its queue is full");
  assert.equal(takeAll(receiver).length, 1020);
  world.advanceMs(9999);
  publisher.send(numbered(0, 300));
  assert.equal(acknowledged(publisher).length, 300);
  assert.equal(takeAll(receiver).length, 300);
  world.advanceMs(1);
  publisher.send(numbered(0, 300));
  assert.equal(acknowledged(publisher).length, TAKEN, "they wait again");
});

Deno.test("a receiver whose queue does not become short is left behind, one that catches up is not", () => {
  for (const catchesUp of [false, true]) {
    const { world, receiver, publisher } = scene();
    let sent = 300;
    publisher.send(numbered(0, sent));
    for (let tenth = 1; tenth <= 30; tenth++) {
      // Others fill it up whenever it has taken some.
      const other = world.connect(4, { clientId: `other ${tenth}` });
      let taken = 0;
      while (taken < (catchesUp ? 200 : 100)) taken += take(receiver).length;
      other.send(numbered(sent, sent += taken));
      const isHeldBack = other.connection.isHeldBack;
      assert.equal(isHeldBack, catchesUp || tenth <= 10, `after ${tenth} tenths of a second`);
      world.advanceMs(100);
    }
    assert.equal(world.broker.counters.dropped, 0);
  }
});

Deno.test("two who flood each other are both read, and nothing is dropped", () => {
  const world = new World();
  const clients = ["a", "b"].map((clientId) => world.connect(4, { clientId }));
  clients[0].subscribe("a", 1);
  clients[1].subscribe("b", 1);
  const sent = [0, 0], released = [0, 0], taken: number[][] = [[], []];
  while (taken[0].length < 3000 || taken[1].length < 3000) {
    const before = taken[0].length + taken[1].length;
    for (const [index, client] of clients.entries()) {
      const until = Math.min(3000, released[index] + 150);
      const topic = index === 0 ? "b" : "a";
      if (sent[index] < until) client.send(numbered(sent[index], sent[index] = until, topic));
      const packets = client.receive();
      released[index] += packets.filter(({ type }) => type === "puback").length;
      const publishes = packets.filter(({ type }) => type === "publish");
      taken[index].push(...publishes.map(numberOf));
      client.send(concat(publishes.map(({ packetId }) => ack("puback", packetId!))));
    }
    assert.ok(taken[0].length + taken[1].length > before, `${before} taken`);
  }
  assert.deepEqual(taken, [upTo(3000), upTo(3000)]);
  assert.equal(world.broker.counters.dropped, 0);
});

Deno.test("who publishes to itself is read on, since its own PUBACKs are what it waits for", () => {
  const world = new World();
  const client = world.connect(4, { clientId: "both" });
  client.subscribe("t", 1);
  client.send(numbered(0, 900));
  assert.ok(!client.isPaused);
  const taken: number[] = [];
  let released = 0;
  while (taken.length < 900) {
    const packets = client.receive();
    released += packets.filter(({ type }) => type === "puback").length;
    const publishes = packets.filter(({ type }) => type === "publish");
    assert.ok(publishes.length > 0);
    taken.push(...publishes.map(numberOf));
    client.send(concat(publishes.map(({ packetId }) => ack("puback", packetId!))));
  }
  assert.deepEqual(taken, upTo(900));
  assert.equal(released + acknowledged(client).length, 900);
});

Deno.test("QoS 2: PUBREC and PUBREL do not wait, PUBCOMP does", () => {
  const { receiver, publisher } = scene();
  publisher.send(numbered(0, TAKEN));
  assert.equal(acknowledged(publisher).length, TAKEN);
  publisher.publish({ topic: "t", payload: "two", qos: 2, packetId: 1000 });
  assert.equal(publisher.expect("pubrec").packetId, 1000);
  publisher.send(ack("pubrel", 1000));
  publisher.expectNothing();
  // What it gets itself goes its way.
  publisher.subscribe("mine", 2);
  receiver.publish({ topic: "mine", payload: "x", qos: 2, packetId: 7 });
  receiver.send(ack("pubrel", 7));
  const [{ packetId }] = publisher.receiveOf("publish");
  publisher.send(ack("pubrec", packetId!));
  assert.equal(publisher.expect("pubrel").packetId, packetId);
  publisher.send(ack("pubcomp", packetId!));
  publisher.expectNothing();
  for (let got = receiver.receive(); got.length > 0; got = receiver.receive()) {
    for (const packet of got) {
      if (packet.type === "pubrel") receiver.send(ack("pubcomp", packet.packetId!));
      if (packet.type !== "publish") continue;
      receiver.send(ack(packet.qos === 2 ? "pubrec" : "puback", packet.packetId!));
    }
  }
  assert.equal(publisher.expect("pubcomp").packetId, 1000);
});

Deno.test("when the receiver leaves, publishers go on; a publisher that leaves is forgotten", () => {
  for (const leaves of ["receiver", "publisher"] as const) {
    const world = new World();
    const receiver = connectLasting(world, 4, "receiver");
    receiver.subscribe("t", 1);
    const publisher = world.connect(4, { clientId: "publisher" });
    publisher.send(numbered(0, 300));
    assert.equal(acknowledged(publisher).length, TAKEN);
    if (leaves === "receiver") {
      receiver.vanish();
      assert.deepEqual(acknowledged(publisher), upTo(300 - TAKEN, TAKEN + 1));
      publisher.send(numbered(300, 301));
      assert.deepEqual(acknowledged(publisher), [301]);
    } else {
      publisher.send(disconnect());
      assert.deepEqual(takeAll(receiver), upTo(300));
      publisher.expectNothing();
    }
    world.advanceSeconds(1);
    assert.equal(world.broker.counters.dropped, 0);
    assert.equal(world.broker.counters.faults, 0);
  }
});

Deno.test("bytes count as well; without a bound the rest is dropped at once", () => {
  const payload = "x".repeat(1000);
  const counts = [[{ messages: 250, bytes: 25_000 }, 45], [
    { messages: Infinity, bytes: 3e4 },
    50,
  ]] as const;
  for (const [longQueue, expected] of counts) {
    const { publisher } = scene({ settings: { longQueue } });
    for (let number = 0; number < 100; number++) {
      publisher.publish({ topic: "t", payload, qos: 1, packetId: number + 1 });
    }
    assert.equal(acknowledged(publisher).length, expected);
  }
  const { world, publisher } = scene({
    settings: { longQueue: { messages: Infinity, bytes: Infinity }, maxQueuedMessages: 50 },
  });
  publisher.send(numbered(0, 100));
  assert.equal(acknowledged(publisher).length, 100);
  assert.equal(world.broker.counters.dropped, 30);
});

Deno.test("a quarter of what may be queued is long, unless that is little", () => {
  assert.deepEqual(longQueueOf(1000, 0), { messages: 250, bytes: Infinity });
  assert.deepEqual(longQueueOf(0, 0), { messages: 256, bytes: Infinity });
  assert.deepEqual(longQueueOf(1_000_000, 100_000), { messages: 256, bytes: 25_000 });
  assert.deepEqual(longQueueOf(100, 65_535), { messages: 25, bytes: Infinity });
  assert.deepEqual(longQueueOf(99, 65_536), { messages: Infinity, bytes: 16_384 });
});

Deno.test("others who publish elsewhere do not wait", () => {
  const { world, publisher } = scene();
  publisher.send(numbered(0, 300));
  const other = world.connect(4, { clientId: "other" });
  const elsewhere = world.connect(4, { clientId: "elsewhere" });
  elsewhere.subscribe("u", 1);
  other.send(numbered(0, 10, "u"));
  assert.equal(acknowledged(other).length, 10);
  assert.equal(payloads(elsewhere).length, 10);
});

Deno.test("a PUBACK waits for the queue and for the disk, whichever is later", async () => {
  for (const diskIsLater of [false, true]) {
    const store = new FaultyStore();
    const world = new World({ store, durability: "sync" });
    const settleAll = async () => {
      while (store.settle()) await world.settle();
    };
    const receiver = connectLasting(world, 4, "receiver");
    await settleAll();
    receiver.send(subscribe(4, { filters: [["t", 1]] }));
    await settleAll();
    const publisher = world.connect(4, { clientId: "publisher" });
    publisher.send(numbered(0, 300));
    assert.deepEqual(acknowledged(publisher), [], "nothing is on disk");
    if (!diskIsLater) {
      await settleAll();
      assert.deepEqual(acknowledged(publisher), upTo(TAKEN, 1));
    }
    let taken = 0;
    for (let some = take(receiver); some.length > 0; some = take(receiver)) taken += some.length;
    assert.equal(taken, 300);
    if (diskIsLater) {
      assert.deepEqual(acknowledged(publisher), [], "nothing is on disk, still");
      await settleAll();
    }
    const released = acknowledged(publisher);
    assert.equal(released.at(-1), 300);
    assert.equal(released.length, diskIsLater ? 300 : 300 - TAKEN);
    await settleAll();
    assert.equal(world.broker.counters.faults, 0);
  }
});

Deno.test("a waiting publisher that connects again gets what it sends again acknowledged", () => {
  const { world, receiver, publisher } = scene();
  publisher.send(numbered(0, 300));
  assert.equal(acknowledged(publisher).length, TAKEN);
  const again = world.connect(4, { clientId: "publisher" });
  publisher.expectClosed();
  again.send(numbered(TAKEN, 300));
  assert.deepEqual(acknowledged(again), []);
  assert.equal(takeAll(receiver).length, 300 + 300 - TAKEN);
  assert.deepEqual(acknowledged(again), upTo(300 - TAKEN, TAKEN + 1));
  assert.equal(world.broker.counters.faults, 0);
});

Deno.test("what is not routed does not wait for the queue that another message went to", () => {
  const { world, receiver, publisher } = scene();
  world.broker.onControl("$CONTROL/test", () => {});
  // By the broker itself, for which nobody waits.
  for (let number = 0; number < 300; number++) {
    world.broker.publishMessage({ topic: "t", payload: new Uint8Array(1), qos: 1 });
  }
  world.run();
  assert.equal(takeAll(receiver).length, 300);
  publisher.publish({ topic: "$CONTROL/test", payload: "x", qos: 1, packetId: 9 });
  publisher.publish({ topic: "$CONTROL/test", payload: "x", qos: 2, packetId: 10 });
  publisher.send(ack("pubrel", 10));
  assert.deepEqual(publisher.receive().map(({ type }) => type), ["puback", "pubrec", "pubcomp"]);
});

Deno.test("a publisher that is read no further for a queue is not taken for silent", () => {
  const { world, receiver, publisher } = scene();
  const { outbound } = world.broker.sessions.get("receiver")!;
  const takeUntil = (queued: number) => {
    while (outbound.queued > queued) assert.ok(take(receiver).length > 0);
  };
  publisher.send(numbered(0, 300));
  const others = upTo(7).map((index) => world.connect(4, { clientId: `other ${index}` }));
  for (const other of others) {
    takeUntil(150);
    other.send(numbered(0, 200));
  }
  world.connect(4, { clientId: "last" }).send(numbered(0, 200));
  const waiting = world.connect(4, { clientId: "waiting", keepAliveSeconds: 1 });
  waiting.send(numbered(0, 1));
  assert.ok(waiting.isPaused);
  // The receiver catches up again and again, and the others go on first.
  let released = 0;
  for (let step = 0; released === 0 && step < 10; step++) {
    world.advanceMs(800);
    takeUntil(120);
    for (const other of others) {
      const count = acknowledged(other).length;
      if (count > 0) other.send(numbered(0, count));
    }
    waiting.expectOpen();
    released = acknowledged(waiting).length;
  }
  assert.equal(released, 1);
});
