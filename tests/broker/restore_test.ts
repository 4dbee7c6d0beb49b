import assert from "node:assert/strict";
import { encodeEntry, encodeReceived, encodeSubscription, Kind } from "../../src/store/records.ts";
import type { RecordChange } from "../../src/store/store.ts";
import { assertSame, readStore } from "../simulation/store_check.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import * as packets from "../support/packets.ts";
import type { ServerPacket } from "../support/packet_decoder.ts";
import { type FakeClient, World, type WorldOptions } from "../support/world.ts";

const NEVER = 0xffff_ffff;

/** A process that is killed and started again on what it has committed. */
class Life {
  world: World;
  store: FaultyStore;
  readonly #options: WorldOptions;

  constructor(options: WorldOptions = {}, store = new FaultyStore({ automatic: true })) {
    this.#options = options;
    this.store = store;
    this.world = new World({ ...options, durability: "sync", store });
  }

  lasting(clientId: string, fields: packets.ConnectFields & { expiry?: number } = {}): FakeClient {
    const { expiry = NEVER, ...others } = fields;
    return this.world.connect(5, {
      clientId,
      clean: false,
      properties: packets.property(packets.Property.sessionExpiryInterval, expiry),
      ...others,
    });
  }

  /** Subscribes, and takes the SUBACK. */
  async subscribe(
    client: FakeClient,
    filter: string,
    options: number,
    fields: Partial<packets.SubscribeFields> = {},
  ): Promise<void> {
    client.send(
      packets.subscribe(client.version, { packetId: 1, filters: [[filter, options]], ...fields }),
    );
    await this.settle();
    client.expect("suback");
  }

  /** Everything done so far is committed. */
  async settle(): Promise<void> {
    for (let round = 0; round < 5; round++) {
      await this.world.settle();
      this.world.advanceMs(30);
    }
  }

  /** Killed; started again `downSeconds` later by the wall clock. */
  async restart(downSeconds = 0): Promise<void> {
    await this.settle();
    this.store = this.store.crash("lost");
    const wallMs = this.world.wallMs + downSeconds * 1000;
    // The monotonic clock begins anew.
    this.world = new World({
      ...this.#options,
      durability: "sync",
      store: this.store,
      startMs: 5_000,
      wallMs,
    });
    this.world.advanceMs(0);
  }
}

function text(packet: ServerPacket | undefined): string {
  return new TextDecoder().decode(packet?.payload);
}

/** What a client gets when it comes back, without its CONNACK. */
function resume(
  life: Life,
  clientId: string,
  expiry = NEVER,
): { client: FakeClient; got: ServerPacket[] } {
  const client = life.world.open(5);
  client.send(packets.connect(5, {
    clientId,
    clean: false,
    properties: packets.property(packets.Property.sessionExpiryInterval, expiry),
  }));
  const [connack, ...got] = client.receive();
  assert.equal(connack.type, "connack");
  assert.ok(connack.sessionPresent, "the session is there");
  return { client, got };
}

Deno.test("subscriptions come back with all their options", async () => {
  const life = new Life();
  const client = life.lasting("s");
  const identifier = packets.property(packets.Property.subscriptionIdentifier, 268_435_455);
  await life.subscribe(client, "own", 1 | 4, { properties: identifier });
  await life.subscribe(client, "kept", 1 | 8);
  await life.subscribe(client, "$share/g/shared", 2);
  await life.subscribe(client, "gone", 1);
  client.send(packets.unsubscribe(5, { packetId: 9, filters: ["gone"] }));
  await life.restart();
  const { subscriptions, sharedSubscriptions } = life.world.broker.statistics();
  assert.deepEqual([subscriptions, sharedSubscriptions], [2, 1]);
  const { client: again } = resume(life, "s");
  again.publish({ topic: "own", payload: "no local" });
  again.publish({ topic: "gone", payload: "unsubscribed" });
  again.expectNothing();
  const other = life.world.connect(4, { clientId: "other" });
  other.publish({ topic: "own", qos: 1, payload: "1" });
  other.publish({ topic: "kept", retain: true, payload: "2" });
  other.publish({ topic: "shared", qos: 2, payload: "3", packetId: 2 });
  other.send(packets.ack("pubrel", 2));
  await life.settle();
  const got = again.receiveOf("publish");
  assert.deepEqual(got.map(text), ["1", "2", "3"]);
  assert.deepEqual(got[0].properties, [[packets.Property.subscriptionIdentifier, 268_435_455]]);
  assert.deepEqual(got.map(({ retain }) => retain), [false, true, false]);
  assert.deepEqual(got.map(({ qos }) => qos), [1, 0, 2]);
});

Deno.test("messages queued and in flight come back in order, with their identifiers and DUP", async () => {
  const life = new Life();
  const subscriber = life.lasting("s", {
    properties: [
      packets.property(packets.Property.sessionExpiryInterval, NEVER),
      packets.property(packets.Property.receiveMaximum, 2),
    ],
  });
  await life.subscribe(subscriber, "#", 2);
  const publisher = life.world.connect(4, { clientId: "p" });
  for (let count = 1; count <= 5; count++) {
    publisher.publish({ topic: `t/${count}`, qos: 1, packetId: count, payload: `${count}` });
  }
  const sent = subscriber.receiveOf("publish");
  assert.deepEqual(sent.map(({ packetId }) => packetId), [1, 2]);
  await life.restart();
  const { got } = resume(life, "s");
  assert.deepEqual(got.map(text), ["1", "2", "3", "4", "5"]);
  assert.deepEqual(got.map(({ packetId }) => packetId), [1, 2, 3, 4, 5]);
  assert.deepEqual(got.map(({ dup }) => dup), [true, true, false, false, false]);
});

Deno.test("all properties of a queued message come back as they came", async () => {
  const life = new Life();
  await life.subscribe(life.lasting("s"), "t", 1);
  const properties = [
    packets.property(packets.Property.payloadFormatIndicator, 1),
    packets.property(packets.Property.userProperty, ["b", "1"]),
    packets.property(packets.Property.contentType, "text/é"),
    packets.property(packets.Property.userProperty, ["a", "2"]),
    packets.property(packets.Property.userProperty, ["b", "3"]),
    packets.property(packets.Property.responseTopic, "answer"),
    packets.property(packets.Property.correlationData, Uint8Array.of(0, 1, 255)),
  ];
  const publisher = life.world.connect(5, { clientId: "p" });
  publisher.publish({ topic: "t", qos: 1, payload: "queued", properties });
  publisher.publish({ topic: "r", qos: 1, payload: "retained", retain: true, properties });
  await life.restart();
  const { client, got: [queued] } = resume(life, "s");
  client.send(packets.subscribe(5, { filters: [["r", 1]] }));
  await life.settle();
  const [retained] = client.receiveOf("publish");
  const expected = [
    [0x01, 1],
    [0x26, ["b", "1"]],
    [0x03, "text/é"],
    [0x26, ["a", "2"]],
    [0x26, ["b", "3"]],
    [0x08, "answer"],
    [0x09, Uint8Array.of(0, 1, 255)],
  ];
  assert.deepEqual(queued.properties, expected);
  assert.deepEqual(retained.properties, expected);
});

Deno.test("a QoS 2 message that was released is released again, and not sent again", async () => {
  const life = new Life();
  const subscriber = life.lasting("s");
  await life.subscribe(subscriber, "t", 2);
  const publisher = life.world.connect(4, { clientId: "p" });
  publisher.publish({ topic: "t", qos: 2, packetId: 1, payload: "once" });
  await life.settle();
  publisher.send(packets.ack("pubrel", 1));
  await life.settle();
  const [publish] = subscriber.receiveOf("publish");
  subscriber.send(packets.ack("pubrec", publish.packetId!));
  await life.restart();
  const { client } = resume(life, "s");
  await life.settle();
  const got = client.receive();
  assert.deepEqual(got.map(({ type, packetId }) => [type, packetId]), [[
    "pubrel",
    publish.packetId,
  ]]);
  client.send(packets.ack("pubcomp", publish.packetId!));
  await life.settle();
  assert.equal(readStore(life.store).entries, 0);
});

Deno.test("a QoS 2 message received before is routed once, when it is released after", async () => {
  const life = new Life();
  await life.subscribe(life.lasting("s"), "t", 1);
  const publisher = life.lasting("p");
  publisher.publish({ topic: "t", qos: 2, packetId: 7, payload: "once" });
  await life.restart();
  const { client } = resume(life, "p");
  client.publish({ topic: "t", qos: 2, packetId: 7, payload: "once", dup: true });
  client.send(packets.ack("pubrel", 7));
  client.send(packets.ack("pubrel", 7));
  await life.settle();
  assert.deepEqual(client.receive().map(({ type }) => type), ["pubrec", "pubcomp", "pubcomp"]);
  assert.deepEqual(resume(life, "s").got.map(text), ["once"]);
});

Deno.test("Packet Identifiers go on where they were", async () => {
  const life = new Life();
  const subscriber = life.lasting("s");
  await life.subscribe(subscriber, "t", 1);
  const publisher = life.world.connect(4, { clientId: "p" });
  for (let count = 1; count <= 3; count++) {
    publisher.publish({ topic: "t", qos: 1, packetId: count, payload: "x" });
    subscriber.send(packets.ack("puback", count));
  }
  subscriber.send(packets.disconnect());
  publisher.publish({ topic: "t", qos: 1, packetId: 4, payload: "queued" });
  await life.restart();
  const { client, got } = resume(life, "s");
  assert.deepEqual(got.map(({ packetId }) => packetId), [4]);
  life.world.connect(4, { clientId: "p" }).publish({ topic: "t", qos: 1, payload: "new" });
  assert.deepEqual(client.receiveOf("publish").map(({ packetId }) => packetId), [5]);
});

Deno.test("messages expire while the broker is down, by the wall clock", async () => {
  const life = new Life();
  const subscriber = life.lasting("s");
  await life.subscribe(subscriber, "t/#", 1);
  subscriber.send(packets.disconnect());
  const publisher = life.world.connect(5, { clientId: "p" });
  const expiry = (seconds: number) =>
    packets.property(packets.Property.messageExpiryInterval, seconds);
  publisher.publish({ topic: "t/1", qos: 1, payload: "short", properties: expiry(50) });
  publisher.publish({ topic: "t/2", qos: 1, payload: "long", properties: expiry(500) });
  publisher.publish({ topic: "t/3", qos: 1, payload: "for ever" });
  publisher.publish({ topic: "r/1", payload: "short", retain: true, properties: expiry(50) });
  publisher.publish({ topic: "r/2", payload: "long", retain: true, properties: expiry(500) });
  await life.settle();
  life.world.advanceSeconds(40);
  await life.restart(60);
  const { client, got } = resume(life, "s");
  assert.deepEqual(got.map(text), ["long", "for ever"]);
  const left = (packet: ServerPacket) =>
    packet.properties.find(([id]) => id === packets.Property.messageExpiryInterval)?.[1];
  assert.deepEqual(got.map(left), [400, undefined]);
  client.send(packets.subscribe(5, { packetId: 2, filters: [["r/#", 0]] }));
  await life.settle();
  const retained = client.receiveOf("publish");
  assert.deepEqual(retained.map(text), ["long"]);
  assert.deepEqual(retained.map(left), [400]);
});

Deno.test("sessions that expired while the broker was down are gone, and counted", async () => {
  const life = new Life();
  for (const [clientId, expiry] of [["short", 50], ["long", 500], ["ever", NEVER]] as const) {
    const client = life.lasting(clientId, { expiry });
    await life.subscribe(client, "t", 1);
    client.send(packets.disconnect());
  }
  life.world.connect(4, { clientId: "p" }).publish({ topic: "t", qos: 1, payload: "x" });
  await life.restart(60);
  await life.settle();
  const statistics = life.world.broker.statistics();
  assert.equal(statistics.clientsExpired, 1);
  assert.equal(statistics.clientsTotal, 2);
  assert.equal(statistics.subscriptions, 2);
  assert.deepEqual([...readStore(life.store).sessions.keys()].sort(), ["ever", "long"]);
  life.world.advanceSeconds(441);
  assert.equal(life.world.broker.statistics().clientsTotal, 1, "time goes on where it was");
});

Deno.test("a session that was connected is away since the restart", async () => {
  const life = new Life();
  await life.subscribe(life.lasting("s", { expiry: 100 }), "t", 1);
  await life.restart(1000);
  life.world.advanceSeconds(99);
  assert.equal(life.world.broker.statistics().clientsTotal, 1);
  life.world.advanceSeconds(2);
  assert.equal(life.world.broker.statistics().clientsTotal, 0);
});

Deno.test("retained messages come back, the last of each topic, and what was removed does not", async () => {
  const life = new Life();
  const publisher = life.world.connect(4, { clientId: "p" });
  publisher.publish({ topic: "a", payload: "1", retain: true });
  publisher.publish({ topic: "a", payload: "2", qos: 1, retain: true });
  publisher.publish({ topic: "b", payload: "gone", retain: true });
  publisher.publish({ topic: "b", payload: "", retain: true });
  await life.restart();
  const subscriber = life.world.connect(4, { clientId: "s" });
  subscriber.send(packets.subscribe(4, { filters: [["#", 2]] }));
  const got = subscriber.receiveOf("publish");
  assert.deepEqual(got.map((packet) => [packet.topic, text(packet), packet.qos]), [["a", "2", 1]]);
  assert.equal(life.world.broker.statistics().storeMessages, 1);
});

Deno.test("what ended with its connection leaves nothing behind", async () => {
  const life = new Life();
  const client = life.world.connect(4, { clientId: "clean" });
  await life.subscribe(client, "t", 2);
  client.publish({ topic: "t", qos: 2, payload: "x" });
  life.lasting("once");
  await life.settle();
  await life.subscribe(life.world.connect(5, { clientId: "once", clean: false }), "t", 1);
  await life.restart();
  assert.equal(life.world.broker.statistics().clientsTotal, 0);
  await life.settle();
  assert.equal(readStore(life.store).sessions.size, 0);
});

Deno.test("records that refer to nothing are removed, and the rest is served", async () => {
  const life = new Life();
  await life.subscribe(life.lasting("s"), "t", 1);
  await life.settle();
  const entry = { packetId: 1, qos: 1, retain: false, state: 0, identifiers: null };
  const subscription = {
    filter: "x",
    qos: 1,
    noLocal: false,
    retainAsPublished: false,
    identifier: 0,
  };
  const orphans: RecordChange[] = [
    {
      kind: Kind.Subscription,
      number: 901,
      value: encodeSubscription({ ...subscription, session: 77 }),
    },
    { kind: Kind.Entry, number: 902, value: encodeEntry({ ...entry, session: 77, message: 78 }) },
    { kind: Kind.Retained, number: 903, value: new Uint8Array() },
    {
      kind: Kind.Received,
      number: 904,
      value: encodeReceived({ session: 77, message: 78, packetId: 1 }),
    },
    { kind: 99, number: 905, value: Uint8Array.of(1) },
  ];
  const crashed = life.store.crash("lost");
  void crashed.commit(orphans);
  crashed.settle();
  const again = new Life({}, crashed);
  await again.settle();
  assertSame(again.world.broker, crashed);
  assert.equal(again.world.broker.statistics().subscriptions, 1);
  const client = again.world.connect(4, { clientId: "p" });
  client.publish({ topic: "t", qos: 1, payload: "numbers are not used twice" });
  await again.settle();
  assertSame(again.world.broker, crashed);
  assert.equal(readStore(crashed).entries, 1);
});

for (
  const [what, jumpSeconds] of [["+1 day", 86_400], ["-1 day", -86_400], [
    "+10 years",
    315e6,
  ]] as const
) {
  Deno.test(`a wall clock that jumps ${what} ends nothing, before and after a restart`, async () => {
    const life = new Life();
    const subscriber = life.lasting("s", { expiry: 100, keepAliveSeconds: 60 });
    await life.subscribe(subscriber, "t", 1);
    life.world.wallMs += jumpSeconds * 1000;
    life.world.advanceSeconds(59);
    subscriber.expectOpen();
    subscriber.send(packets.disconnect());
    await life.settle();
    life.world.advanceSeconds(50);
    const publisher = life.world.connect(5, { clientId: "p" });
    const properties = packets.property(packets.Property.messageExpiryInterval, 30);
    publisher.publish({ topic: "t", qos: 1, payload: "in time", properties });
    await life.restart(20);
    assert.deepEqual(resume(life, "s", 100).got.map(text), ["in time"]);
    life.world.advanceSeconds(60);
    assert.equal(life.world.broker.statistics().clientsExpired, 0);
  });
}
