import assert from "node:assert/strict";
import { badStrings } from "../support/case_parts.ts";
import { conformance } from "../support/conformance.ts";
import { expectDisconnected, lasting, text, valueOf, valuesOf } from "../support/messages.ts";
import type { ServerPacket } from "../support/packet_decoder.ts";
import {
  ack,
  concat,
  connect,
  hex,
  Property,
  property,
  type PropertyValue,
  publish,
  subscribe,
  varint,
} from "../support/packets.ts";
import { World } from "../support/world.ts";

/** The property list as it stands in a PUBLISH that has this payload. */
function listOf(packet: ServerPacket, payload: string): Uint8Array {
  const topicEnd = packet.raw.findIndex((byte, at) => at > 0 && byte < 0x80) + 3 +
    packet.topic!.length + (packet.qos === 0 ? 0 : 2);
  return packet.raw.subarray(topicEnd, packet.raw.length - payload.length);
}

/**
 * Sends a message with these properties by each way there is, and hands over what came: live in
 * every QoS, retained, from the queue of a client that was away.
 */
function everyWay(properties: Uint8Array): ServerPacket[] {
  const found: ServerPacket[] = [];
  const world = new World();
  const publisher = world.connect(5, { clientId: "publisher" });
  for (const qos of [0, 1, 2]) {
    for (const granted of [0, 1, 2]) {
      const subscriber = world.connect(5, { clientId: "live" });
      subscriber.subscribe("t", granted);
      publisher.publish({ topic: "t", qos, payload: "m", properties });
      if (qos === 2) publisher.send(ack("pubrel", 1));
      found.push(subscriber.expect("publish"));
      subscriber.vanish();
    }
  }
  const away = world.connect(5, { ...lasting(100), clientId: "away" });
  away.subscribe("t", 1);
  away.vanish();
  publisher.publish({ topic: "t", qos: 1, retain: true, payload: "m", properties });
  const back = world.open(5).send(connect(5, { ...lasting(100), clientId: "away" }));
  found.push(back.receive()[1]);
  back.send(subscribe(5, { filters: [["t", 0]] }));
  found.push(back.receive()[1]);
  assert.equal(found.length, 11);
  return found;
}

function passedOn(id: number, values: PropertyValue[]): void {
  for (const value of values) {
    for (const packet of everyWay(property(id, value))) {
      assert.deepEqual(packet.properties, [[id, value]]);
      assert.deepEqual(text(packet), "m");
    }
  }
}

conformance("MQTT-3.3.2-4", "the Payload Format Indicator is passed on", () => {
  passedOn(Property.payloadFormatIndicator, [0, 1]);
});

conformance("MQTT-3.3.2-15", "the Response Topic is passed on", () => {
  passedOn(Property.responseTopic, ["a", "$x/ß€𝄞"]);
});

conformance("MQTT-3.3.2-16", "Correlation Data are passed on", () => {
  passedOn(Property.correlationData, [hex("00"), hex("00 ff 80 c0"), new Uint8Array()]);
});

conformance("MQTT-3.3.2-20", "the Content Type is passed on", () => {
  passedOn(Property.contentType, ["text/plain", ""]);
});

conformance(["MQTT-3.3.2-17", "MQTT-3.3.2-18"], "user properties keep number and order", () => {
  const pairs = [["b", "1"], ["a", "2"], ["b", "1"], ["", ""], ["a", "0"]] as const;
  const properties = concat(pairs.map((pair) => property(Property.userProperty, pair)));
  for (const packet of everyWay(properties)) {
    assert.deepEqual(valuesOf(packet, Property.userProperty), pairs);
  }
});

conformance("MQTT-3.3.2-18", "all properties are passed on byte for byte in their order", () => {
  const forwarded = concat(
    property(Property.userProperty, ["z", "1"]),
    property(Property.correlationData, hex("ff 00")),
    property(Property.userProperty, ["a", "2"]),
    property(Property.contentType, "text"),
    property(Property.payloadFormatIndicator, 1),
    property(Property.userProperty, ["z", "1"]),
    property(Property.responseTopic, "r"),
  );
  for (const packet of everyWay(forwarded)) {
    assert.deepEqual(listOf(packet, "m"), concat(varint(forwarded.length), forwarded));
  }
});

conformance("MQTT-3.3.2-18", "behind them come Message Expiry and Subscription Identifier", () => {
  const world = new World();
  const subscriber = world.connect(5, { clientId: "subscriber" });
  const identifier = property(Property.subscriptionIdentifier, 300);
  subscriber.subscribe("t", 1, { properties: identifier });
  const first = property(Property.userProperty, ["a", "1"]);
  const second = property(Property.userProperty, ["b", "2"]);
  const expiry = property(Property.messageExpiryInterval, 9);
  const alias = property(Property.topicAlias, 1);
  const publisher = world.connect(5, { clientId: "publisher" });
  for (
    const sent of [[expiry, first, alias, second], [first, second, expiry], [
      alias,
      first,
      expiry,
      second,
    ]]
  ) {
    publisher.publish({ topic: "t", qos: 1, payload: "m", properties: sent });
    const expected = concat(first, second, expiry, identifier);
    const message = subscriber.expect("publish");
    assert.deepEqual(listOf(message, "m"), concat(expected.length, expected));
    subscriber.send(ack("puback", message.packetId!));
  }
});

conformance("MQTT-3.3.2-17", "many and long user properties are passed on", () => {
  const long = "x".repeat(20_000);
  const properties = concat(
    Array.from({ length: 1000 }, (_, n) => property(Property.userProperty, [`${n}`, "v"])),
    property(Property.userProperty, [long, long]),
  );
  for (const packet of everyWay(properties)) {
    assert.deepEqual(listOf(packet, "m"), concat(varint(properties.length), properties));
  }
});

conformance("MQTT-3.3.2-4", "a payload is not looked at, whatever the indicator says", () => {
  const world = new World();
  const client = world.connect(5);
  client.subscribe("t");
  const properties = property(Property.payloadFormatIndicator, 1);
  client.publish({ topic: "t", payload: hex("ff fe"), properties });
  assert.deepEqual(client.expect("publish").payload, hex("ff fe"));
});

Deno.test("a Payload Format Indicator above 1 is a protocol error", () => {
  const properties = property(Property.payloadFormatIndicator, 2);
  expectDisconnected(new World().connect(5).publish({ topic: "t", properties }), 0x82);
});

Deno.test("a property that may stand there once is a protocol error when it comes twice", () => {
  for (
    const [id, value] of [
      [Property.payloadFormatIndicator, 1],
      [Property.messageExpiryInterval, 1],
      [Property.contentType, "a"],
      [Property.responseTopic, "a"],
      [Property.correlationData, "a"],
      [Property.topicAlias, 1],
    ] as const
  ) {
    const properties = concat(property(id, value), property(id, value));
    expectDisconnected(new World().connect(5).publish({ topic: "t", properties }), 0x82);
  }
});

conformance("MQTT-3.3.2-13", "an ill-formed Response Topic is malformed", () => {
  for (const [, bytes] of badStrings) {
    const properties = property(Property.responseTopic, bytes);
    expectDisconnected(new World().connect(5).publish({ topic: "t", properties }), 0x81);
  }
});

conformance("MQTT-3.3.2-14", "a Response Topic with a wildcard is refused", () => {
  for (const topic of ["#", "+", "a/+/b", "a/#", "a+"]) {
    const client = new World().connect(5);
    client.publish({ topic: "t", properties: property(Property.responseTopic, topic) });
    assert.ok([0x81, 0x82].includes(client.expect("disconnect").reason!));
    client.expectClosed();
  }
});

conformance("MQTT-3.3.2-19", "an ill-formed Content Type is malformed", () => {
  for (const [, bytes] of badStrings) {
    const properties = property(Property.contentType, bytes);
    expectDisconnected(new World().connect(5).publish({ topic: "t", properties }), 0x81);
  }
});

Deno.test("between MQTT 3 and 5 properties are left away and nothing else", () => {
  const world = new World();
  const old = world.connect(4, { clientId: "old" });
  old.subscribe("t", 1);
  const young = world.connect(5, { clientId: "young" });
  young.subscribe("t", 1);
  const properties = property(Property.userProperty, ["a", "b"]);
  young.publish({ topic: "t", qos: 1, payload: "m", properties });
  const expected = publish(4, { topic: "t", qos: 1, packetId: 1, payload: "m" });
  assert.deepEqual(old.receiveBytes(), expected);
  young.receive();
  old.publish({ topic: "t", qos: 0, payload: "n" });
  const [message] = young.receive();
  assert.deepEqual(message.raw, publish(5, { topic: "t", payload: "n" }));
  assert.equal(valueOf(message, Property.userProperty), undefined);
});
