/** What the broker promises, and when: acknowledgements and the disk at durability `sync`. */
import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { connectLasting, heard, payloads, reconnect } from "../support/exchange.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import { ack, disconnect, pingreq, publish, subscribe, unsubscribe } from "../support/packets.ts";
import { World } from "../support/world.ts";

/** A world whose store ends its commits when it is told to, and then is told to. */
function keeping(store = new FaultyStore()) {
  const world = new World({ store, durability: "sync" });
  /** The commit in flight ends well; what was kept meanwhile is the next. */
  const settle = async () => {
    assert.ok(store.settle(), "a commit is in flight");
    await world.settle();
  };
  const settleAll = async () => {
    while (store.settle()) await world.settle();
  };
  return { world, store, settle, settleAll };
}

conformance(
  ["MQTT-3.8.4-1", "MQTT-3.10.4-4"],
  "SUBACK and UNSUBACK of a lasting session wait for the commit, those of another do not",
  async () => {
    for (const version of [4, 5] as const) {
      const { world, settle, settleAll } = keeping();
      world.broker.publishMessage({ topic: "a", payload: new Uint8Array(1), retain: true });
      const lasting = connectLasting(world, version, "lasting");
      const clean = world.connect(version, { clientId: "clean" });
      await settleAll();
      for (const client of [lasting, clean]) {
        client.send(subscribe(version, { filters: [["a", 1]] }));
      }
      assert.equal(heard(clean).length, 2);
      assert.deepEqual(heard(lasting), [], "nor do retained messages go before it");
      await settle();
      assert.deepEqual(heard(lasting)[0], "SUBACK #1 01");
      for (const client of [lasting, clean]) {
        client.send(unsubscribe(version, { filters: ["a"] }));
      }
      assert.equal(heard(clean).length, 1);
      assert.deepEqual(heard(lasting), []);
      await settle();
      assert.equal(heard(lasting).length, 1);
    }
  },
);

conformance(
  ["MQTT-4.3.2-4", "MQTT-4.3.2-2 v3"],
  "PUBACK waits for the commit of what lasting sessions and RETAIN need, and for nothing else",
  async () => {
    for (const version of [4, 5] as const) {
      const { world, settle, settleAll } = keeping();
      connectLasting(world, 5, "away").send(subscribe(5, { filters: [["kept", 1]] }));
      await settleAll();
      const clean = world.connect(5, { clientId: "clean" });
      clean.subscribe("#", 1);
      const publisher = world.connect(version, { clientId: "publisher" });
      publisher.publish({ topic: "volatile", qos: 1, packetId: 1 });
      assert.deepEqual(heard(publisher), ["PUBACK #1"]);
      publisher.publish({ topic: "kept", payload: "x", qos: 1, packetId: 2 });
      assert.deepEqual(heard(publisher), []);
      assert.deepEqual(heard(clean).length, 2, "delivery does not wait");
      await settle();
      assert.deepEqual(heard(publisher), ["PUBACK #2"]);
      publisher.publish({ topic: "retained", payload: "x", qos: 1, packetId: 3, retain: true });
      assert.deepEqual(heard(publisher), []);
      await settle();
      assert.deepEqual(heard(publisher), ["PUBACK #3"]);
    }
  },
);

conformance(
  ["MQTT-4.3.3-8", "MQTT-4.3.3-11"],
  "PUBREC and PUBCOMP of a lasting publisher wait for the commit",
  async () => {
    const { world, settle, settleAll } = keeping();
    const publisher = connectLasting(world, 5, "publisher");
    await settleAll();
    publisher.publish({ topic: "a", qos: 2, packetId: 7 });
    publisher.publish({ topic: "a", qos: 2, packetId: 7, dup: true });
    assert.deepEqual(heard(publisher), [], "neither the first nor the repeated one");
    await settle();
    assert.deepEqual(heard(publisher), ["PUBREC #7", "PUBREC #7"]);
    publisher.send(ack("pubrel", 7));
    assert.deepEqual(heard(publisher), []);
    await settle();
    assert.deepEqual(heard(publisher), ["PUBCOMP #7"]);
  },
);

conformance(
  ["MQTT-4.3.3-10", "MQTT-4.3.3-11"],
  "what is sent again over a new connection still waits for the commit of the first time",
  async () => {
    const { world, settleAll } = keeping();
    const reader = connectLasting(world, 5, "reader");
    reader.send(subscribe(5, { filters: [["a", 2]] }));
    const message = { topic: "a", qos: 2, packetId: 7 };
    const publisher = connectLasting(world, 5, "publisher");
    await settleAll();
    publisher.publish(message).vanish();
    const second = reconnect(world, 5, "publisher").publish({ ...message, dup: true });
    assert.deepEqual(heard(second), ["CONNACK 0x00 present"]);
    await settleAll();
    assert.deepEqual(heard(second), ["PUBREC #7"]);
    second.send(ack("pubrel", 7)).vanish();
    const third = reconnect(world, 5, "publisher").send(ack("pubrel", 7));
    assert.deepEqual(heard(third), ["CONNACK 0x00 present"]);
    await settleAll();
    assert.deepEqual(heard(third), ["PUBCOMP #7"]);
    assert.equal(payloads(reader).length, 1);
  },
);

conformance(
  ["MQTT-4.3.3-3", "MQTT-4.3.3-4"],
  "a QoS 2 PUBLISH to a lasting session, and its PUBREL, wait for the commit; QoS 1 does not",
  async () => {
    const { world, settle, settleAll } = keeping();
    const reader = connectLasting(world, 5, "reader");
    reader.send(subscribe(5, { filters: [["a", 2]] }));
    await settleAll();
    heard(reader);
    const publisher = world.connect(5, { clientId: "publisher" });
    publisher.publish({ topic: "a", payload: "1", qos: 1, packetId: 1 });
    assert.deepEqual(heard(reader), ["PUBLISH a 1 q1 #1"]);
    await settleAll();
    publisher.publish({ topic: "a", payload: "2", qos: 2, packetId: 2 }).send(ack("pubrel", 2));
    assert.deepEqual(heard(reader), []);
    await settle();
    assert.deepEqual(heard(reader), ["PUBLISH a 2 q2 #2"]);
    await settleAll();
    reader.send(ack("pubrec", 2));
    assert.deepEqual(heard(reader), []);
    await settle();
    assert.deepEqual(heard(reader), ["PUBREL #2"]);
    reader.send(pingreq());
    assert.deepEqual(heard(reader), ["PINGRESP"]);
  },
);

conformance(
  ["MQTT-4.3.2-4", "MQTT-4.3.3-8"],
  "acknowledgements leave in the order of their PUBLISHes, also those that need no commit",
  async () => {
    const { world, settle, settleAll } = keeping();
    connectLasting(world, 5, "away").send(subscribe(5, { filters: [["kept", 2]] }));
    await settleAll();
    const publisher = world.connect(5, { clientId: "publisher" });
    const send = (packetId: number, topic: string, qos: number) =>
      publisher.publish({ topic, payload: "x", qos, packetId });
    send(1, "volatile", 1);
    send(2, "kept", 1); // In flight from here on.
    send(3, "volatile", 1);
    send(4, "volatile", 2);
    send(5, "kept", 1); // For the next commit.
    send(6, "volatile", 1);
    publisher.send(ack("pubrel", 4));
    assert.deepEqual(heard(publisher), ["PUBACK #1 0x10"]);
    await settle();
    assert.deepEqual(heard(publisher), ["PUBACK #2", "PUBACK #3 0x10", "PUBREC #4"]);
    await settle();
    assert.deepEqual(heard(publisher), ["PUBACK #5", "PUBACK #6 0x10", "PUBCOMP #4"]);
  },
);

conformance(
  "MQTT-4.3.2-4",
  "what was acknowledged is there after a crash, whichever way the commit in flight went",
  async () => {
    for (const outcome of ["written", "lost"] as const) {
      const { world, store, settle, settleAll } = keeping();
      connectLasting(world, 5, "away").send(subscribe(5, { filters: [["a", 2]] }));
      await settleAll();
      world.broker.sessions.get("away")!.connection!.peerEnded();
      world.run();
      await settleAll();
      const publisher = world.connect(5, { clientId: "publisher" });
      publisher.publish({ topic: "a", payload: "acknowledged", qos: 1, packetId: 1 });
      await settle();
      publisher.publish({ topic: "a", payload: "not yet", qos: 1, packetId: 2 });
      assert.deepEqual(heard(publisher), ["PUBACK #1"]);
      const after = keeping(store.crash(outcome));
      const again = reconnect(after.world, 5, "away");
      await after.settleAll();
      const expected = outcome === "written" ? ["acknowledged", "not yet"] : ["acknowledged"];
      assert.deepEqual(payloads(again), expected);
    }
  },
);

conformance(
  ["MQTT-4.3.3-10", "MQTT-4.3.3-6"],
  "QoS 2 is delivered once across a crash, in both directions, with the same identifiers",
  async () => {
    const { world, store, settleAll } = keeping();
    const reader = connectLasting(world, 5, "reader");
    reader.send(subscribe(5, { filters: [["a", 2]] }));
    const publisher = connectLasting(world, 5, "publisher");
    await settleAll();
    const message = { topic: "a", payload: "first", qos: 2, packetId: 7 };
    publisher.publish(message).send(ack("pubrel", 7));
    await settleAll();
    publisher.publish({ ...message, payload: "second", packetId: 8 });
    await settleAll();
    reader.send(ack("pubrec", 1));
    await settleAll();
    assert.deepEqual(heard(reader), ["SUBACK #1 02", "PUBLISH a first q2 #1", "PUBREL #1"]);
    const after = keeping(store.crash());
    const readerAgain = reconnect(after.world, 5, "reader");
    await after.settleAll();
    assert.deepEqual(heard(readerAgain), ["CONNACK 0x00 present", "PUBREL #1"]);
    const again = reconnect(after.world, 5, "publisher");
    again.publish({ ...message, payload: "second", packetId: 8, dup: true });
    again.send(ack("pubrel", 8));
    await after.settleAll();
    assert.deepEqual(heard(again), ["CONNACK 0x00 present", "PUBREC #8", "PUBCOMP #8"]);
    assert.deepEqual(heard(readerAgain), ["PUBLISH a second q2 #2"]);
  },
);

conformance(
  "MQTT-4.3.2-4",
  "a commit that is rejected acknowledges nothing until it has been written after all",
  async () => {
    for (const outcome of ["written", "lost"] as const) {
      const { world, store, settle, settleAll } = keeping();
      connectLasting(world, 5, "away").send(subscribe(5, { filters: [["a", 1]] }));
      await settleAll();
      const publisher = world.connect(5, { clientId: "publisher" });
      publisher.publish({ topic: "a", qos: 1 });
      store.reject(outcome);
      await world.settle();
      assert.deepEqual(heard(publisher), []);
      world.advanceSeconds(2);
      await settle();
      assert.deepEqual(heard(publisher), ["PUBACK #1"]);
    }
  },
);

conformance(
  ["MQTT-3.4.2-1", "MQTT-3.5.2-1"],
  "when the store can take no more, what would have to be kept is refused by 0x97",
  async () => {
    const { world, store, settleAll } = keeping();
    connectLasting(world, 5, "away").send(subscribe(5, { filters: [["kept", 1]] }));
    const lasting = connectLasting(world, 5, "lasting");
    const client = world.connect(5, { clientId: "client" });
    const old = world.connect(4, { clientId: "old" });
    await settleAll();
    store.healthNow = { writable: false, reason: "the disk is full", bytes: 0 };
    world.advanceSeconds(1);
    const kept = { topic: "kept", payload: "x", qos: 1, packetId: 1 };
    client.publish(kept);
    client.publish({ ...kept, topic: "else", packetId: 2, retain: true });
    client.publish({ ...kept, topic: "else", packetId: 3 });
    client.publish({ ...kept, qos: 2, packetId: 4 });
    assert.deepEqual(heard(client), [
      "PUBACK #1 0x97",
      "PUBACK #2 0x97",
      "PUBACK #3 0x10",
      "PUBREC #4 0x97",
    ]);
    old.publish(kept).send(pingreq());
    assert.deepEqual(heard(old), ["PINGRESP"], "3.1.1 has no word for it: not acknowledged");
    lasting.publish({ ...kept, topic: "else", qos: 2, packetId: 5 });
    assert.deepEqual(heard(lasting), ["PUBREC #5 0x97"], "its own identifier had to be kept");
    lasting.send(subscribe(5, { packetId: 6, filters: [["b", 1]] }));
    assert.deepEqual(heard(lasting), ["SUBACK #6 97"]);
    client.send(subscribe(5, { packetId: 6, filters: [["b", 1]] }));
    assert.deepEqual(heard(client), ["SUBACK #6 01"], "a session that does not last needs no disk");
    store.healthNow = { writable: true, reason: "", bytes: 0 };
    world.advanceSeconds(1);
    client.publish(kept);
    await settleAll();
    assert.deepEqual(heard(client), ["PUBACK #1"]);
  },
);

conformance(
  ["MQTT-3.10.4-2", "MQTT-3.14.4-1"],
  "what waits for a commit is not sent to a connection that has ended, nor begun too late",
  async () => {
    const { world, settle, settleAll } = keeping();
    world.broker.publishMessage({ topic: "a", payload: new Uint8Array(1), retain: true });
    const client = connectLasting(world, 5, "client");
    await settleAll();
    client.send(
      subscribe(5, { filters: [["a", 1]] }),
      unsubscribe(5, { filters: ["a"] }),
    );
    await settleAll();
    assert.deepEqual(heard(client), ["SUBACK #1 01", "UNSUBACK #1 00"], "no retained message");
    client.send(
      publish(5, { topic: "b", payload: "x", qos: 1, retain: true }),
      disconnect(),
    );
    await settle();
    assert.deepEqual(heard(client), []);
    client.expectClosed();
  },
);

conformance(
  "MQTT-4.9.0-3",
  "while the store takes its time, a client that goes on publishing is read no further at last",
  () => {
    const { world } = keeping();
    const client = world.connect(5);
    const chunk = new Uint8Array(publish(5, { topic: "a", payload: "x", qos: 1, retain: true }));
    let sent = 0;
    while (!client.isPaused && sent < 200_000) {
      client.send(...Array(1000).fill(chunk));
      sent += 1000;
    }
    assert.ok(client.isPaused, "its acknowledgements may not pile up without bound");
    assert.ok(sent > 20, "but far more than our Receive Maximum is tolerated");
  },
);
