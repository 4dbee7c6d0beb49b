import assert from "node:assert/strict";
import { hookAccess } from "../support/access.ts";
import { conformance } from "../support/conformance.ts";
import {
  expectClosedSilently,
  expectDisconnected,
  lasting,
  payloads,
} from "../support/messages.ts";
import { ack, connect, hex, Property, property, publish, subscribe } from "../support/packets.ts";
import { World } from "../support/world.ts";

const versions = [3, 4, 5] as const;

conformance("MQTT-3.3.1-1", "what was not acknowledged is sent again with DUP", () => {
  for (const version of versions) {
    const world = new World();
    const fields = version === 5 ? lasting(100) : { clean: false };
    const before = world.connect(version, fields);
    before.subscribe("t", 2);
    const publisher = world.connect(5, { clientId: "publisher" });
    publisher.publish({ topic: "t", qos: 1, payload: "1" });
    publisher.publish({ topic: "t", qos: 2, payload: "2" }).send(ack("pubrel", 1));
    assert.deepEqual(before.receive().map(({ dup }) => dup), [false, false]);
    before.vanish();
    publisher.publish({ topic: "t", qos: 1, payload: "3" });
    const after = world.open(version).send(connect(version, fields));
    assert.deepEqual(after.receiveOf("publish").map(({ dup, packetId }) => [dup, packetId]), [
      [true, 1],
      [true, 2],
      [false, 3],
    ]);
  }
});

conformance("MQTT-3.3.1-2", "DUP with QoS 0 is refused, and never sent", () => {
  const world = new World();
  expectDisconnected(world.connect(5).publish({ topic: "t", dup: true }), 0x81);
  expectClosedSilently(world.connect(4).publish({ topic: "t", dup: true }));
  const subscriber = world.connect(5, { clientId: "subscriber" });
  subscriber.subscribe("t", 0);
  world.connect(5).publish({ topic: "t", qos: 1, dup: true, payload: "m" });
  assert.deepEqual(subscriber.receiveBytes(), publish(5, { topic: "t", payload: "m" }));
});

conformance("MQTT-3.3.1-3", "DUP of the publisher is not passed on", () => {
  for (const version of versions) {
    const world = new World();
    const subscriber = world.connect(version, { clientId: "subscriber" });
    subscriber.subscribe("t", 2);
    const publisher = world.connect(version);
    publisher.publish({ topic: "t", qos: 1, dup: true });
    publisher.publish({ topic: "t", qos: 2, dup: true }).send(ack("pubrel", 1));
    assert.deepEqual(subscriber.receive().map(({ dup }) => dup), [false, false]);
  }
});

conformance("MQTT-3.3.1-4", "QoS 3 is malformed", () => {
  const world = new World();
  for (const dup of [false, true]) {
    expectDisconnected(world.connect(5).publish({ topic: "t", qos: 3, dup }), 0x81);
    expectClosedSilently(world.connect(4).publish({ topic: "t", qos: 3, dup }));
  }
});

conformance("MQTT-3.3.2-1", "the Topic Name comes first, with its length", () => {
  const world = new World();
  const subscriber = world.connect(5, { clientId: "subscriber" });
  subscriber.subscribe("a/b", 1);
  const publisher = world.connect(5).publish({ topic: "a/b", qos: 1, payload: "m" });
  assert.deepEqual(subscriber.receiveBytes(), hex("32 09 0003 612f62 0001 00 6d"));
  publisher.receive();
  expectDisconnected(publisher.send(hex("30 04 0005 6162")), 0x81);
  expectDisconnected(world.connect(5).publish({ topic: hex("c3 28") }), 0x81);
});

conformance("MQTT-3.3.2-2", "a wildcard in a Topic Name closes", () => {
  const world = new World();
  for (const topic of ["#", "+", "a/#", "a/+/b", "a#", "+a"]) {
    expectDisconnected(world.connect(5).publish({ topic }), 0x81);
    expectClosedSilently(world.connect(4).publish({ topic }));
  }
});

conformance(
  "MQTT-3.3.2-3",
  "a message comes under its own name, whatever filter it matched",
  () => {
    const world = new World();
    const filters = ["a/b", "a/+", "a/#", "#", "+/+", "$share/g/a/b"];
    const subscribers = filters.map((filter, index) => {
      const subscriber = world.connect(5, { clientId: `${index}` });
      subscriber.subscribe(filter);
      return subscriber;
    });
    const publisher = world.connect(5, { clientId: "publisher" });
    for (const topic of ["b/a", "a/b", "a/B", "$x/b"]) publisher.publish({ topic, payload: topic });
    assert.deepEqual(
      subscribers.map((subscriber) => subscriber.receive().map(({ topic }) => topic)),
      [["a/b"], ["a/b", "a/B"], ["a/b", "a/B"], ["b/a", "a/b", "a/B"], ["b/a", "a/b", "a/B"], [
        "a/b",
      ]],
    );
  },
);

conformance("MQTT-3.3.4-1", "QoS 0 is not answered, QoS 1 by PUBACK, QoS 2 by PUBREC", () => {
  const world = new World();
  for (const version of versions) {
    const client = world.connect(version);
    client.publish({ topic: "t", qos: 0 }).expectNothing();
    client.publish({ topic: "t", qos: 1, packetId: 5 });
    assert.equal(client.expect("puback").packetId, 5);
    client.publish({ topic: "t", qos: 2, packetId: 6 });
    assert.equal(client.expect("pubrec").packetId, 6);
  }
});

Deno.test("without a subscriber MQTT 5 is told 0x10 for QoS 1, and never for QoS 2", () => {
  const world = new World();
  const client = world.connect(5);
  client.publish({ topic: "t", qos: 1, retain: true, payload: "m" });
  assert.deepEqual([...client.receiveBytes()], [0x40, 3, 0, 1, 0x10]);
  client.publish({ topic: "t", qos: 2 });
  assert.deepEqual([...client.receiveBytes()], [0x50, 2, 0, 1]);
  client.subscribe("u", 0);
  client.publish({ topic: "u", qos: 1, payload: "m" });
  const [, puback] = client.receive();
  assert.deepEqual([...puback.raw], [0x40, 2, 0, 1]);
  const old = world.connect(4, { clientId: "old" }).publish({ topic: "t", qos: 1 });
  assert.deepEqual([...old.receiveBytes()], [0x40, 2, 0, 1]);
});

Deno.test("who publishes to himself gets the message before its acknowledgement", () => {
  for (const version of versions) {
    const client = new World().connect(version);
    client.subscribe("t", 2);
    client.publish({ topic: "t", qos: 1 });
    assert.deepEqual(client.receive().map(({ type }) => type), ["publish", "puback"]);
    client.publish({ topic: "t", qos: 2, packetId: 2 }).send(ack("pubrel", 2));
    assert.deepEqual(client.receive().map(({ type }) => type), ["pubrec", "publish", "pubcomp"]);
  }
});

conformance(
  "MQTT-3.3.5-2 v3",
  "what may not be published is acknowledged as usual, and vanishes",
  () => {
    const access = hookAccess(
      { authorizePublish: (_client, { topic }) => topic !== "secret" },
      true,
      (error) => {
        throw error;
      },
    );
    for (const version of versions) {
      const world = new World({ access });
      const watcher = world.connect(5, { clientId: "watcher" });
      watcher.subscribe("#", 2);
      const client = world.connect(version);
      client.publish({ topic: "secret", qos: 0, retain: true, payload: "m" }).expectNothing();
      client.publish({ topic: "secret", qos: 1, retain: true, payload: "m" });
      const refused = version === 5 ? [3, 0, 1, 0x87] : [2, 0, 1];
      assert.deepEqual([...client.receiveBytes()], [0x40, ...refused]);
      client.publish({ topic: "secret", qos: 2, payload: "m" });
      assert.deepEqual([...client.receiveBytes()], [0x50, ...refused]);
      client.send(ack("pubrel", 1));
      assert.equal(client.expect("pubcomp").packetId, 1);
      watcher.expectNothing();
      assert.equal(world.broker.retained.count, 0);
      client.publish({ topic: "open", payload: "m" });
      assert.deepEqual(payloads(watcher), ["m"]);
    }
  },
);

Deno.test("$SYS and $share are not for clients to publish to, but a bridge's state is", () => {
  for (const version of versions) {
    const world = new World();
    const watcher = world.connect(5, { clientId: "watcher" });
    watcher.subscribe("$SYS/#");
    watcher.subscribe("#");
    const client = world.connect(version);
    for (
      const topic of [
        "$SYS",
        "$SYS/broker/uptime",
        "$share/g/t",
        "$SYS/broker/connection/a/b/state",
      ]
    ) {
      client.publish({ topic, qos: 1, retain: true, payload: "forged" });
      assert.equal(client.expect("puback").reason, version === 5 ? 0x87 : 0);
      client.publish({ topic, qos: 2, payload: "forged" });
      assert.equal(client.expect("pubrec").reason, version === 5 ? 0x87 : 0);
      client.publish({ topic, payload: "forged" });
    }
    watcher.expectNothing();
    assert.equal(world.broker.retained.count, 0);
    client.publish({ topic: "$SYS/broker/connection/remote.id/state", payload: "1" });
    assert.deepEqual(payloads(watcher), ["1"]);
    client.expectOpen();
  }
});

Deno.test("other topics that begin with $ are ordinary, but not for wildcards", () => {
  const world = new World();
  const client = world.connect(5);
  client.subscribe("#");
  client.subscribe("+/x");
  client.publish({ topic: "$other/x", payload: "m" }).expectNothing();
  client.subscribe("$other/+");
  client.publish({ topic: "$other/x", payload: "m" });
  assert.deepEqual(payloads(client), ["m"]);
});

Deno.test("message_size_limit drops larger payloads and keeps the connection", () => {
  for (const version of versions) {
    const world = new World({ settings: { messageSizeLimit: 5 } });
    const watcher = world.connect(5, { clientId: "watcher" });
    watcher.subscribe("#", 2);
    const client = world.connect(version);
    const reason = version === 5 ? 0x95 : 0;
    client.publish({ topic: "a long topic", qos: 0, payload: "123456" }).expectNothing();
    client.publish({ topic: "t", qos: 1, retain: true, payload: "123456" });
    assert.equal(client.expect("puback").reason, reason);
    client.publish({ topic: "t", qos: 2, payload: "123456" });
    assert.equal(client.expect("pubrec").reason, reason);
    watcher.expectNothing();
    assert.equal(world.broker.retained.count, 0);
    client.publish({ topic: "a long topic", payload: "12345" });
    assert.deepEqual(payloads(watcher), ["12345"]);
  }
});

Deno.test("a packet above max_packet_size closes, one of that size is taken", () => {
  const size = 100;
  for (const version of versions) {
    const world = new World({ settings: { maxPacketSize: size } });
    const client = world.connect(version);
    client.subscribe("t");
    const overhead = publish(version, { topic: "t" }).length;
    client.publish({ topic: "t", payload: new Uint8Array(size - overhead) });
    assert.equal(client.expect("publish").raw.length, size);
    client.publish({ topic: "t", payload: new Uint8Array(size - overhead + 1) });
    if (version === 5) expectDisconnected(client, 0x95);
    else expectClosedSilently(client);
  }
});

Deno.test("too large a packet is refused before it has come", () => {
  const world = new World({ settings: { maxPacketSize: 1000 } });
  expectDisconnected(world.connect(5).send(hex("30 e6 07")), 0x95);
  const client = world.connect(5).send(hex("30 e5 07"));
  client.expectOpen();
  expectClosedSilently(world.open(5).send(hex("10 e6 07")));
});

Deno.test("a Subscription Identifier from a client is a protocol error", () => {
  const properties = property(Property.subscriptionIdentifier, 1);
  expectDisconnected(new World().connect(5).publish({ topic: "t", properties }), 0x82);
});

Deno.test("payloads of every length come through whole", () => {
  for (const version of versions) {
    const world = new World();
    const subscriber = world.connect(5, { clientId: "subscriber" });
    subscriber.send(subscribe(5, { filters: [["t", 2]] }));
    subscriber.receive();
    const publisher = world.connect(version);
    for (const length of [0, 1, 127, 128, 4096, 16_384, 65_535, 65_536, 100_000]) {
      const payload = Uint8Array.from({ length }, (_, at) => at * 7 & 0xff);
      for (const qos of [0, 1]) {
        publisher.publish({ topic: "t", qos, payload });
        const message = subscriber.expect("publish");
        assert.equal(message.payload!.length, length);
        assert.ok(message.payload!.every((byte, at) => byte === payload[at]));
        if (qos === 1) subscriber.send(ack("puback", message.packetId!));
      }
    }
  }
});
