import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { expectClosedSilently, expectRefused, lasting, valueOf } from "../support/messages.ts";
import {
  ack,
  concat,
  connect,
  field,
  hex,
  Property,
  property,
  publish,
  subscribe,
  varint,
} from "../support/packets.ts";
import { World } from "../support/world.ts";

/** What every CONNACK of MQTT 5 says of the broker as it is by default. */
const usual = hex("22 000a 27 001e8480 21 0014");

conformance(["MQTT-3.2.0-1", "MQTT-3.2.0-1 v3"], "CONNACK comes before what waited", () => {
  for (const version of [4, 5] as const) {
    const world = new World();
    const fields = version === 5 ? lasting(100) : { clean: false };
    const before = world.connect(version, fields);
    before.subscribe("t", 1);
    before.vanish();
    world.connect(5, { clientId: "publisher" }).publish({ topic: "t", qos: 1 });
    const after = world.open(version).send(
      connect(version, fields),
      publish(version, { topic: "t" }),
    );
    assert.deepEqual(after.receive().map(({ type }) => type), ["connack", "publish", "publish"]);
  }
});

conformance("MQTT-3.2.0-1", "before CONNECT nothing is answered at all", () => {
  const world = new World();
  for (
    const bytes of [hex("c0 00"), publish(5, { topic: "t" }), hex("f0 00"), hex("20 03 000000")]
  ) {
    expectClosedSilently(world.open(5).send(bytes));
  }
});

conformance("MQTT-3.2.0-2", "there is one CONNACK in a connection", () => {
  const client = new World().open(5).send(connect(5), subscribe(5, { filters: [["t", 0]] }));
  client.send(connect(5));
  assert.equal(client.receiveOf("connack").length, 1);
});

conformance("MQTT-3.2.2-1", "bits 7 to 1 of the acknowledge flags are 0", () => {
  for (const version of [3, 4, 5] as const) {
    const world = new World();
    const fields = version === 5 ? lasting(100) : { clean: false };
    for (const session of [0, 1]) {
      const { connack } = world.connect(version, fields);
      assert.equal(connack!.raw[2], version === 3 ? 0 : session);
    }
  }
});

conformance(
  ["MQTT-3.2.2-6", "MQTT-3.2.2-4 v3"],
  "a refusal has Session Present 0, though there is a session",
  () => {
    const world = new World({ settings: { messageSizeLimit: 3 } });
    const will = { topic: "t", payload: "long" };
    world.connect(5, lasting(100)).vanish();
    expectRefused(world.open(5).send(connect(5, { ...lasting(100), will })), 0x95);
    expectRefused(world.open(4).send(connect(4, { clean: false, will })), 5);
  },
);

conformance("MQTT-3.2.2-7", "a refusal closes once the CONNACK is sent", () => {
  const world = new World();
  const properties = property(Property.authenticationMethod, "none");
  expectRefused(world.open(5).send(connect(5, { properties })), 0x8c);
});

conformance("MQTT-3.2.2-8", "all the refusals have reason codes of CONNACK", () => {
  const listed = [
    ...[0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97],
    ...[0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f],
  ];
  const world = new World({
    settings: {
      globalMaxClients: 1,
      messageSizeLimit: 1,
      retainAvailable: false,
    },
    listener: { maxQos: 0, allowZeroLengthClientid: false },
  });
  world.connect(5, { clientId: "first" });
  const reasons = [
    {},
    { clientId: "" },
    { clientId: hex("ff") },
    { protocolLevel: 6 },
    { properties: property(Property.authenticationMethod, "m") },
    { properties: property(Property.receiveMaximum, 0) },
    { properties: hex("7f") },
    { will: { topic: "#" } },
    { will: { topic: "t", qos: 1 } },
    { will: { topic: "t", retain: true } },
    { will: { topic: "t", payload: "long" } },
  ].map((fields) => world.open(5).send(connect(5, fields)).expect("connack").reason!);
  assert.deepEqual(reasons.filter((reason) => !listed.includes(reason)), []);
  assert.deepEqual(reasons, [
    0x89,
    0x80,
    0x85,
    0x84,
    0x8c,
    0x82,
    0x81,
    0x81,
    0x9b,
    0x9a,
    0x95,
  ]);
});

Deno.test("a CONNACK says Topic Alias Maximum, Maximum Packet Size and Receive Maximum", () => {
  const { connack } = new World().connect(5);
  assert.deepEqual(connack!.raw, concat(0x20, 3 + usual.length, 0, 0, usual.length, usual));
});

Deno.test("a CONNACK has its properties in the order that clients compare", () => {
  const world = new World({
    settings: { maxKeepalive: 10, retainAvailable: false },
    listener: { maxQos: 1 },
  });
  const id = field("auto-00000000-0000-4000-8000-000000000001");
  const properties = concat(
    hex("13 000a 22 000a 12"),
    id,
    hex("25 00 27 001e8480 21 0014 24 01"),
  );
  assert.deepEqual(
    world.connect(5, { clientId: "" }).connack!.raw,
    concat(0x20, varint(3 + properties.length), 0, 0, properties.length, properties),
  );
});

Deno.test("a CONNACK leaves out what is not limited", () => {
  const world = new World({
    settings: { maxPacketSize: 0, maxInflightMessages: 0 },
    listener: { maxTopicAlias: 0 },
  });
  assert.deepEqual([...world.connect(5).connack!.raw], [0x20, 3, 0, 0, 0]);
});

Deno.test("a CONNACK gives back no Session Expiry Interval", () => {
  const { connack } = new World().connect(5, lasting(100));
  assert.equal(valueOf(connack!, Property.sessionExpiryInterval), undefined);
});

Deno.test("a CONNACK of MQTT 3 is four bytes", () => {
  for (const version of [3, 4] as const) {
    assert.deepEqual([...new World().connect(version).connack!.raw], [0x20, 2, 0, 0]);
  }
});

for (const maxQos of [0, 1] as const) {
  conformance(
    ["MQTT-3.2.2-9", "MQTT-3.2.2-10", "MQTT-3.2.2-12"],
    `max_qos ${maxQos} is told, refuses wills and messages above it, and no subscription`,
    () => {
      const world = new World({ listener: { maxQos } });
      const client = world.connect(5);
      assert.equal(valueOf(client.connack!, Property.maximumQos), maxQos);
      for (const qos of [0, 1, 2]) {
        assert.deepEqual(client.subscribe(`t/${qos}`, qos).reasons, [Math.min(qos, maxQos)]);
      }
      client.publish({ topic: "t", qos: maxQos + 1 });
      assert.equal(client.expect("disconnect").reason, 0x9b);
      client.expectClosed();
      const will = { topic: "t", qos: maxQos + 1 };
      expectRefused(world.open(5).send(connect(5, { will })), 0x9b);
      expectClosedSilently(world.open(4).send(connect(4, { will })));
      world.connect(5, { will: { ...will, qos: maxQos } });
    },
  );
}

conformance("MQTT-3.2.2-9", "with QoS 2 there is no Maximum QoS in CONNACK", () => {
  assert.equal(valueOf(new World().connect(5).connack!, Property.maximumQos), undefined);
});

conformance(
  "MQTT-3.2.2-13",
  "without retain_available a retained will or message is refused",
  () => {
    const world = new World({ settings: { retainAvailable: false } });
    const client = world.connect(5);
    assert.equal(valueOf(client.connack!, Property.retainAvailable), 0);
    const will = { topic: "t", payload: "m", retain: true };
    expectRefused(world.open(5).send(connect(5, { clientId: "other", will })), 0x9a);
    client.publish({ topic: "t", payload: "m", retain: true });
    assert.equal(client.expect("disconnect").reason, 0x9a);
    client.expectClosed();
    expectClosedSilently(world.connect(4).publish({ topic: "t", payload: "m", retain: true }));
    assert.equal(world.broker.retained.count, 0);
  },
);

conformance("MQTT-3.1.2-28", "no Response Information is sent, unasked or asked for 0", () => {
  const world = new World();
  for (const properties of [[], property(Property.requestResponseInformation, 0)]) {
    const { connack } = world.connect(5, { properties });
    assert.equal(valueOf(connack!, Property.responseInformation), undefined);
  }
});

conformance(
  "MQTT-3.1.2-29",
  "Request Problem Information 0 keeps Reason String and User Property off all but PUBLISH",
  () => {
    const world = new World();
    const client = world.connect(5, {
      properties: property(Property.requestProblemInformation, 0),
    });
    client.publish({ topic: "$SYS/x", qos: 1 }).publish({ topic: "$SYS/x", qos: 2 });
    client.send(subscribe(5, { filters: [["$share//t", 0], ["t", 0]] }));
    client.send(ack("pubrel", 99), hex("a2 06 0001 00 0001 78"));
    client.publish({
      topic: "t",
      payload: "m",
      properties: property(Property.userProperty, ["a", "b"]),
    });
    client.publish({ topic: "t", qos: 3 });
    const found = client.receive();
    assert.deepEqual(found.map(({ type, properties }) => [type, properties.length]), [
      ["puback", 0],
      ["pubrec", 0],
      ["suback", 0],
      ["pubcomp", 0],
      ["unsuback", 0],
      ["publish", 1],
      ["disconnect", 0],
    ]);
  },
);

conformance(
  ["MQTT-3.2.2-19", "MQTT-3.2.2-20"],
  "CONNACK is never larger than the client's Maximum Packet Size",
  () => {
    const world = new World();
    const size = world.connect(5).connack!.raw.length;
    const limited = (maximum: number) => ({
      properties: property(Property.maximumPacketSize, maximum),
    });
    assert.equal(world.connect(5, limited(size)).connack!.raw.length, size);
    expectClosedSilently(world.open(5).send(connect(5, limited(size - 1))));
    const refused = world.open(5).send(
      connect(5, { ...limited(5), will: { topic: "t", payload: "", properties: hex("7f") } }),
    );
    assert.ok(refused.receiveBytes().length <= 5);
    refused.expectClosed();
  },
);
