/** The order of messages: MQTT 5.0 section 4.6. */
import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { connectLasting, reconnect } from "../support/exchange.ts";
import { ack, concat, Property, property, publish, subscribe } from "../support/packets.ts";
import type { ServerPacket } from "../support/packet_decoder.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import { type FakeClient, World } from "../support/world.ts";

/** Takes messages and answers them until no more come, or enough; returns all PUBLISHes in order. */
function takeAll(client: FakeClient, enough = Infinity): ServerPacket[] {
  const taken: ServerPacket[] = [];
  while (taken.length < enough) {
    const got = client.receive();
    if (got.length === 0) break;
    for (const { type, packetId, qos } of got) {
      if (type === "pubrel") client.send(ack("pubcomp", packetId!));
      else if (type === "publish" && qos! > 0) {
        client.send(ack(qos === 1 ? "puback" : "pubrec", packetId!));
      }
    }
    taken.push(...got.filter(({ type }) => type === "publish"));
  }
  return taken;
}

const numberOf = (packet: ServerPacket) => Number(new TextDecoder().decode(packet.payload));

/** For each topic and QoS the numbers have to ascend; a message with DUP may repeat one. */
function assertOrdered(messages: readonly ServerPacket[]): void {
  const last = new Map<string, number>();
  for (const message of messages) {
    const key = `${message.topic} QoS ${message.qos}`;
    const number = numberOf(message), before = last.get(key) ?? -1;
    assert.ok(number > before, `${key}: ${number} after ${before}`);
    last.set(key, number);
  }
}

/** Publishes the numbers from `from` to `to`, on two topics, at QoS 1 and 2 by turns. */
function publishMany(publisher: FakeClient, from: number, to: number): void {
  const packets = [];
  for (let number = from; number < to; number++) {
    const qos = number % 3 === 0 ? 2 : 1, topic = number % 2 === 0 ? "a" : "b";
    packets.push(publish(publisher.version, { topic, payload: `${number}`, qos, packetId: 1 }));
    if (qos === 2) packets.push(ack("pubrel", 1));
  }
  publisher.send(concat(packets));
}

conformance(
  ["MQTT-4.6.0-5", "MQTT-4.6.0-6", "MQTT-4.6.0-6 v3"],
  "each topic and QoS keeps its order through the window, the queue and connections that shrink it",
  () => {
    for (const version of [4, 5] as const) {
      const world = new World();
      const connect = (receiveMaximum: number) =>
        reconnect(
          world,
          version,
          "reader",
          version === 5
            ? {
              properties: concat(
                property(Property.sessionExpiryInterval, 100),
                property(Property.receiveMaximum, receiveMaximum),
              ),
            }
            : {},
        );
      const reader = connect(15);
      reader.receive();
      for (const filter of ["a", "b"]) reader.subscribe(filter, 2);
      const publisher = world.connect(version, { clientId: "publisher" });
      publishMany(publisher, 0, 100);
      const first = takeAll(reader, 30);
      reader.vanish();
      publishMany(publisher, 100, 200);
      const taken = [...first, ...reader.receiveOf("publish")];
      for (const receiveMaximum of [3, 1, 7]) {
        const again = connect(receiveMaximum);
        taken.push(...takeAll(again, 20));
        again.vanish();
        taken.push(...again.receiveOf("publish"));
      }
      publishMany(publisher, 200, 210);
      taken.push(...takeAll(connect(2)));
      const fresh = taken.filter(({ dup }) => !dup);
      assertOrdered(fresh);
      const numbers = new Set(taken.map(numberOf));
      assert.equal(numbers.size, 210, "none is lost");
      assert.equal(fresh.length, 210, "none is sent twice but with DUP");
    }
  },
);

conformance(
  ["MQTT-4.6.0-5", "MQTT-4.6.0-6"],
  "QoS 0 keeps its order for each publisher, over both versions and past larger messages",
  () => {
    const world = new World();
    const reader = world.connect(5, { clientId: "reader" });
    reader.subscribe("#", 0);
    const publishers = [world.connect(4, { clientId: "p4" }), world.connect(5, { clientId: "p5" })];
    for (let number = 0; number < 300; number++) {
      for (const [index, publisher] of publishers.entries()) {
        const qos = number % 3;
        const payload = `${number}`.padEnd(number % 10 === 0 ? 70_000 : 5);
        publisher.publish({ topic: `p${index}`, payload, qos }).send(ack("pubrel", 1));
      }
      if (number % 50 === 0) world.run();
    }
    const messages = reader.receive();
    assert.equal(messages.length, 600);
    assertOrdered(messages);
  },
);

conformance(
  ["MQTT-4.6.0-1", "MQTT-4.6.0-5"],
  "with a store that takes its time, messages are sent, and sent again, in one order",
  async () => {
    const store = new FaultyStore();
    const world = new World({ store, durability: "sync" });
    const settle = async () => {
      while (store.settle()) await world.settle();
    };
    const reader = connectLasting(world, 5, "reader");
    reader.send(subscribe(5, { filters: [["a", 2], ["b", 2]] }));
    await settle();
    reader.receive();
    const publisher = world.connect(5, { clientId: "publisher" });
    const order: string[] = [];
    for (let from = 0; from < 12; from += 4) {
      publishMany(publisher, from, from + 4);
      await settle();
    }
    order.push(...reader.receiveOf("publish").map(({ packetId }) => `${packetId}`));
    assert.equal(order.length, 12);
    reader.vanish();
    await settle();
    const again = reconnect(world, 5, "reader");
    await settle();
    const resent = again.receiveOf("publish");
    assert.deepEqual(resent.map(({ packetId }) => `${packetId}`), order);
    assert.ok(resent.every(({ dup }) => dup));
  },
);
