import assert from "node:assert/strict";
import { badStrings } from "../support/case_parts.ts";
import { conformance } from "../support/conformance.ts";
import { expectClosedSilently, expectDisconnected, payloads } from "../support/messages.ts";
import {
  concat,
  connect,
  field,
  hex,
  property,
  publish,
  subscribe,
  varint,
} from "../support/packets.ts";
import { World } from "../support/world.ts";

const isNull = (bytes: Uint8Array) => bytes.includes(0);

for (const [what, bytes] of badStrings.filter(([, bytes]) => !isNull(bytes))) {
  conformance("MQTT-1.5.4-1", `MQTT 5: a Topic Name with ${what} is malformed`, () => {
    const client = new World().connect(5);
    expectDisconnected(client.publish({ topic: bytes, payload: "m" }), 0x81);
  });
  conformance("MQTT-1.5.3-1 v3", `a Topic Name with ${what} closes`, () => {
    const client = new World().connect(4);
    expectClosedSilently(client.publish({ topic: bytes, payload: "m" }));
  });
}

conformance("MQTT-1.5.4-1", "text of two, three and four bytes goes through unchanged", () => {
  const world = new World();
  const subscriber = world.connect(5, { clientId: "subscriber" });
  subscriber.subscribe("ß/€/𝄞");
  world.connect(5, { clientId: "publisher" }).publish({ topic: "ß/€/𝄞", payload: "m" });
  assert.equal(subscriber.expect("publish").topic, "ß/€/𝄞");
});

conformance(["MQTT-1.5.4-2", "MQTT-1.5.3-2 v3"], "U+0000 in a Topic Name closes", () => {
  const world = new World();
  const topic = hex("61 00 62");
  expectDisconnected(world.connect(5).publish({ topic, payload: "m" }), 0x81);
  expectClosedSilently(world.connect(4).publish({ topic, payload: "m" }));
});

conformance(["MQTT-1.5.4-2", "MQTT-1.5.3-2 v3"], "U+0000 in a Client Identifier refuses", () => {
  const world = new World();
  const clientId = hex("61 00 62");
  const refused = world.open(5).send(connect(5, { clientId }));
  assert.deepEqual([...refused.receiveBytes()], [0x20, 3, 0, 0x85, 0]);
  refused.expectClosed();
  expectClosedSilently(world.open(4).send(connect(4, { clientId })));
});

conformance("MQTT-1.5.4-3", "a byte order mark is a character of the Topic Name", () => {
  const world = new World();
  const subscriber = world.connect(5, { clientId: "subscriber" });
  subscriber.subscribe("a");
  subscriber.subscribe("\ufeffa");
  const publisher = world.connect(5, { clientId: "publisher" });
  publisher.publish({ topic: "\ufeffa", payload: "marked" });
  assert.deepEqual(
    [...subscriber.receiveBytes()],
    [...hex("30 0d 0004 efbbbf61 00 6d61726b6564")],
  );
  publisher.publish({ topic: "a", payload: "bare" });
  assert.deepEqual([...subscriber.receiveBytes()], [...hex("30 08 0001 61 00 62617265")]);
});

conformance("MQTT-1.5.4-3", "a byte order mark makes another retained topic and session", () => {
  const world = new World();
  const one = world.connect(5, { clientId: "a" });
  const other = world.connect(5, { clientId: "\ufeffa" });
  one.expectOpen();
  one.publish({ topic: "\ufefft", payload: "marked", retain: true });
  other.subscribe("t");
  other.expectNothing();
  other.send(subscribe(5, { packetId: 2, filters: [["\ufefft", 0]] }));
  assert.deepEqual(other.receive().map(({ type }) => type), ["suback", "publish"]);
});

conformance("MQTT-1.5.5-1", "a Remaining Length is written in as few bytes as it needs", () => {
  const world = new World();
  const subscriber = world.connect(4, { clientId: "subscriber" });
  subscriber.subscribe("t");
  const same = world.connect(4, { clientId: "same version" });
  const other = world.connect(5, { clientId: "other version" });
  for (const remaining of [3, 127, 128, 16_383, 16_384]) {
    for (const publisher of [same, other]) {
      publisher.publish({ topic: "t", payload: new Uint8Array(remaining - 3) });
      const bytes = subscriber.receiveBytes();
      const length = varint(remaining);
      assert.deepEqual([...bytes.subarray(1, 1 + length.length)], length);
      assert.equal(bytes.length, 1 + length.length + remaining);
    }
  }
});

conformance("MQTT-1.5.5-1", "a padded Remaining Length of a client is not passed on", () => {
  const world = new World();
  for (const version of [4, 5] as const) {
    const subscriber = world.connect(version, { clientId: "subscriber" });
    subscriber.subscribe("t");
    const plain = publish(version, { topic: "t", payload: "m" });
    const padded = publish(version, { topic: "t", payload: "m" }, {
      remainingLength: varint(plain[1], 4),
    });
    assert.equal(padded.length, plain.length + 3);
    world.connect(version, { clientId: "publisher" }).send(padded);
    assert.deepEqual([...subscriber.receiveBytes()], [...plain]);
  }
});

conformance("MQTT-1.5.5-1", "a padded Property Length is malformed", () => {
  const client = new World().connect(5);
  client.publish({ topic: "t", properties: { length: [0x80, 0], bytes: [] } });
  expectDisconnected(client, 0x81);
});

for (const [what, bytes] of badStrings) {
  conformance("MQTT-1.5.7-1", `a User Property with ${what} in name or value is malformed`, () => {
    const world = new World();
    for (const pair of [concat(field(bytes), field("v")), concat(field("n"), field(bytes))]) {
      const client = world.connect(5);
      client.publish({ topic: "t", properties: concat(0x26, pair) });
      expectDisconnected(client, 0x81);
    }
  });
}

conformance("MQTT-1.5.7-1", "a User Property may be empty in name and value", () => {
  const world = new World();
  const subscriber = world.connect(5, { clientId: "subscriber" });
  subscriber.subscribe("t");
  const properties = property(0x26, ["", ""]);
  world.connect(5, { clientId: "publisher" }).publish({ topic: "t", payload: "m", properties });
  assert.deepEqual(payloads(subscriber), ["m"]);
});
