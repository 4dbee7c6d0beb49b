/** What goes through a connected bridge. */
import assert from "node:assert/strict";
import * as packets from "../support/packets.ts";
import { Property, property } from "../support/packets.ts";
import { BridgeWorld, defaultBridge, topic } from "./support.ts";

const names = { topics: [topic("#", "both", 2, "here/", "there/")] };

for (const version of [3, 4, 5] as const) {
  Deno.test(`messages of all QoS levels go out, renamed (MQTT ${version})`, () => {
    const world = new BridgeWorld({ bridge: { ...names, protocolVersion: version } });
    const remote = world.connected();
    remote.receive();
    const publisher = world.connect(5, { clientId: "p" });
    publisher.publish({ topic: "here/a", payload: "0" });
    publisher.publish({ topic: "here/a", payload: "1", qos: 1, packetId: 1 });
    publisher.publish({ topic: "here/a", payload: "2", qos: 2, packetId: 2 });
    publisher.send(packets.ack("pubrel", 2));
    const sent = remote.receive();
    assert.deepEqual(
      sent.map(({ topic, payload, qos }) => `${topic} ${payload} ${qos}`),
      ["there/a 0 0", "there/a 1 1", "there/a 2 2"],
    );
    assert.equal(world.status.queued, 2);
    remote.ack("puback", sent[1].messageId).ack("pubrec", sent[2].messageId);
    assert.deepEqual(remote.receive().map(({ cmd }) => cmd), ["pubrel"]);
    remote.ack("pubcomp", sent[2].messageId);
    assert.equal(world.status.queued, 0);
    assert.equal(world.status.sent, 3);
  });

  Deno.test(`messages of all QoS levels come in, renamed (MQTT ${version})`, () => {
    const world = new BridgeWorld({ bridge: { ...names, protocolVersion: version } });
    const remote = world.connected();
    remote.receive();
    const subscriber = world.connect(5, { clientId: "s" });
    subscriber.subscribe("#", 2);
    remote.publish({ topic: "there/a", payload: "0" });
    remote.publish({ topic: "there/a", payload: "1", qos: 1, packetId: 7 });
    remote.publish({ topic: "there/a", payload: "2", qos: 2, packetId: 8 });
    remote.ack("pubrel", 8);
    assert.deepEqual(
      subscriber.receive().map(({ topic, payload, qos }) =>
        `${topic} ${new TextDecoder().decode(payload)} ${qos}`
      ),
      ["here/a 0 0", "here/a 1 1", "here/a 2 2"],
    );
    assert.deepEqual(
      remote.receive().map(({ cmd, messageId }) => `${cmd} ${messageId}`),
      ["puback 7", "pubrec 8", "pubcomp 8"],
    );
    assert.equal(world.status.received, 3);
  });
}

Deno.test("what came in over a bridge does not go out over it", () => {
  const world = new BridgeWorld();
  const remote = world.connected();
  remote.receive();
  remote.publish({ topic: "a", qos: 1, packetId: 7, retain: true, payload: "x" });
  assert.deepEqual(remote.receive().map(({ cmd }) => cmd), ["puback"]);
  // Nor later, when what is retained here is sent.
  remote.vanish();
  world.advanceSeconds(5);
  assert.deepEqual(world.connected().messages(), []);
});

Deno.test("the remote broker is not told that nobody subscribes here: no client says so", () => {
  const world = new BridgeWorld({ bridge: { protocolVersion: 5 } });
  const remote = world.connected();
  remote.receive();
  remote.publish({ topic: "a", qos: 1, packetId: 7 });
  const [puback] = remote.receive();
  assert.equal(puback.reasonCode ?? 0, 0);
});

Deno.test("RETAIN is kept in both directions", () => {
  const world = new BridgeWorld({ bridge: names });
  const remote = world.connected();
  remote.receive();
  world.connect(5, { clientId: "p" }).publish({ topic: "here/a", payload: "x", retain: true });
  assert.equal(remote.receive()[0].retain, true);
  remote.publish({ topic: "there/b", payload: "y", retain: true });
  const late = world.connect(5, { clientId: "late" });
  late.send(packets.subscribe(5, { filters: [["here/b", 0]] }));
  assert.equal(late.receiveOf("publish")[0].retain, true);
});

Deno.test("bridge_outgoing_retain false clears RETAIN, on the state as well", () => {
  const world = new BridgeWorld({
    bridge: { ...names, outgoingRetain: false, notifications: true },
  });
  const remote = world.connected();
  assert.equal(remote.connect.will.retain, false);
  world.connect(5, { clientId: "p" }).publish({ topic: "here/a", payload: "x", retain: true });
  const sent = remote.receiveOf("publish");
  assert.deepEqual(sent.map(({ topic, retain }) => [topic, retain]), [
    ["$SYS/broker/connection/host.b/state", false],
    ["there/a", false],
  ]);
});

Deno.test("what is retained here is sent at each connect, and only what goes out", () => {
  const world = new BridgeWorld({
    bridge: { topics: [topic("out/#", "out", 1), topic("in/#", "in")] },
  });
  const publisher = world.connect(5, { clientId: "p" });
  for (const name of ["out/a", "out/b", "in/c"]) {
    publisher.publish({ topic: name, payload: name, retain: true, qos: 1 });
  }
  for (let time = 0; time < 2; time++) {
    const remote = world.connected();
    const sent = remote.receiveOf("publish");
    const retained = sent.filter(({ retain }) => retain).map(({ topic }) => topic);
    assert.deepEqual(retained.slice(-2).sort(), ["out/a", "out/b"]);
    for (const { messageId } of sent) remote.ack("puback", messageId);
    remote.vanish();
    world.advanceSeconds(5);
  }
});

Deno.test("messages wait while the remote broker is away, and go out in order", () => {
  const world = new BridgeWorld();
  const publisher = world.connect(5, { clientId: "p" });
  publisher.publish({ topic: "a", payload: "1", qos: 1 });
  world.refuse();
  publisher.publish({ topic: "a", payload: "2", qos: 2, packetId: 2 });
  publisher.send(packets.ack("pubrel", 2));
  publisher.publish({ topic: "a", payload: "not kept", qos: 0 });
  assert.equal(world.status.queued, 2);
  world.advanceSeconds(5);
  assert.deepEqual(world.connected().messages(), ["a 1", "a 2"]);
});

Deno.test("what was in flight is sent again with its identifier, QoS 2 goes on where it was", () => {
  const world = new BridgeWorld();
  const remote = world.connected();
  const publisher = world.connect(5, { clientId: "p" });
  remote.receive();
  for (const id of [1, 2, 3]) {
    publisher.publish({ topic: "a", payload: `${id}`, qos: id === 1 ? 1 : 2, packetId: id });
    publisher.send(packets.ack("pubrel", id));
  }
  const [first, second, third] = remote.receive();
  remote.ack("pubrec", third.messageId);
  remote.vanish();
  world.advanceSeconds(5);
  const again = world.connected({ sessionPresent: true }).receive();
  assert.deepEqual(
    again.filter(({ cmd }) => cmd.startsWith("pub"))
      .map(({ cmd, messageId, dup }) => `${cmd} ${messageId} ${dup}`),
    [
      `publish ${first.messageId} true`,
      `publish ${second.messageId} true`,
      `pubrel ${third.messageId} false`,
    ],
  );
});

Deno.test("a QoS 2 message that is sent again comes in once", () => {
  const world = new BridgeWorld();
  const remote = world.connected();
  const subscriber = world.connect(5, { clientId: "s" });
  subscriber.subscribe("#", 2);
  remote.publish({ topic: "a", payload: "x", qos: 2, packetId: 9 });
  remote.vanish();
  world.advanceSeconds(5);
  const back = world.connected({ sessionPresent: true });
  back.publish({ topic: "a", payload: "x", qos: 2, packetId: 9, dup: true });
  back.ack("pubrel", 9).ack("pubrel", 9);
  assert.equal(subscriber.receiveOf("publish").length, 1);
});

Deno.test("what the remote broker has handed over and then forgot is not lost", () => {
  const world = new BridgeWorld();
  const remote = world.connected();
  const subscriber = world.connect(5, { clientId: "s" });
  subscriber.subscribe("#", 2);
  remote.publish({ topic: "a", payload: "x", qos: 2, packetId: 9 });
  remote.vanish();
  world.advanceSeconds(5);
  subscriber.expectNothing();
  world.connected({ sessionPresent: false });
  assert.equal(subscriber.receiveOf("publish").length, 1);
});

Deno.test("unknown acknowledgements are answered or ignored", () => {
  const world = new BridgeWorld();
  const remote = world.connected();
  remote.receive();
  remote.ack("puback", 77).ack("pubcomp", 77).ack("pubrec", 78).ack("pubrel", 79);
  assert.deepEqual(
    remote.receive().map(({ cmd, messageId }) => `${cmd} ${messageId}`),
    ["pubrel 78", "pubcomp 79"],
  );
  assert.ok(!remote.isClosed);
});

Deno.test("a topic with a wildcard ends the connection", () => {
  const world = new BridgeWorld();
  const remote = world.connected();
  remote.publish({ topic: "a/#", payload: "x" });
  assert.ok(remote.isClosed);
  assert.ok(
    world.log.some((line) => line.includes("Error: Bridge b connection to remote:1883 lost")),
  );
});

Deno.test("the limits of the remote broker are kept to", () => {
  const world = new BridgeWorld({ bridge: { protocolVersion: 5, topics: [topic("#", "out", 2)] } });
  const publisher = world.connect(5, { clientId: "p" });
  for (const id of [1, 2, 3]) {
    publisher.publish({ topic: "a", payload: `${id}`, qos: 2, packetId: id, retain: true });
    publisher.send(packets.ack("pubrel", id));
  }
  const remote = world.connected({
    properties: [
      property(Property.receiveMaximum, 2),
      property(Property.maximumQos, 1),
      property(Property.retainAvailable, 0),
      property(Property.maximumPacketSize, 60),
      property(Property.topicAliasMaximum, 1),
    ],
  });
  const sent = remote.receiveOf("publish");
  // The first gives the alias, the second uses it; the third exceeds Receive Maximum.
  assert.deepEqual(
    sent.map(({ topic, qos, retain, properties }) => [topic, qos, retain, properties?.topicAlias]),
    [["a", 1, false, 1], ["", 1, false, 1]],
  );
  publisher.publish({ topic: "b", payload: "x".repeat(100), qos: 0 });
  assert.deepEqual(remote.receiveOf("publish"), []);
  assert.equal(world.status.dropped, 1);
  assert.equal(world.lastLine, "Error: Bridge b a message on b is too large for the remote broker");
  for (const { messageId } of sent) remote.ack("puback", messageId);
  const late = remote.receiveOf("publish");
  assert.deepEqual(late.map(({ payload, qos }) => `${payload} ${qos}`).slice(0, 1), ["3 1"]);
});

Deno.test("bridge_max_packet_size and bridge_max_topic_alias hold where the remote broker allows more", () => {
  const world = new BridgeWorld({
    bridge: { protocolVersion: 5, maxPacketSize: 30, maxTopicAlias: 0 },
  });
  const remote = world.connected({ properties: property(Property.topicAliasMaximum, 5) });
  assert.equal(remote.connect.properties.topicAliasMaximum, undefined);
  const publisher = world.connect(5, { clientId: "p" });
  remote.receive();
  publisher.publish({ topic: "a", payload: "x".repeat(30) });
  publisher.publish({ topic: "a", payload: "y" });
  const sent = remote.receiveOf("publish");
  assert.deepEqual(sent.map(({ payload, properties }) => [`${payload}`, properties?.topicAlias]), [
    ["y", undefined],
  ]);
});

Deno.test("no client can take the session of a bridge", () => {
  const world = new BridgeWorld();
  const client = world.open(5);
  client.send(packets.connect(5, { clientId: "local.host.b" }));
  assert.equal(client.receive()[0].reason, 0x85);
});

Deno.test("messages that the remote broker refuses are counted, and logged once", () => {
  const world = new BridgeWorld({ bridge: { protocolVersion: 5 } });
  const remote = world.connected();
  remote.receive();
  const publisher = world.connect(5, { clientId: "p" });
  for (const id of [1, 2]) {
    publisher.publish({ topic: "a", qos: 1, packetId: id });
    remote.ack("puback", remote.receive()[0].messageId, 0x87);
  }
  assert.equal(world.status.dropped, 2);
  const lines = world.log.filter((line) => line.includes("refuses messages"));
  assert.deepEqual(lines, ["Error: Bridge b the remote broker refuses messages: not authorised"]);
});

Deno.test("a subscription that the remote broker refuses is logged", () => {
  const world = new BridgeWorld();
  const remote = world.connected();
  const [subscribe] = remote.receiveOf("subscribe");
  remote.suback(subscribe.messageId, 0x80);
  assert.equal(
    world.lastLine,
    "Error: Bridge b the remote broker refuses the subscription to #",
  );
});

Deno.test("as many messages are in flight as the broker, the bridge or the remote broker says", () => {
  const rows: [
    qos1Inflight: number | null,
    version: 4 | 5,
    receiveMaximum: number,
    qos: 1 | 2,
    sent: number,
  ][] = [
    [null, 4, 0, 1, 20],
    [40, 4, 0, 1, 40],
    [40, 4, 0, 2, 20],
    [10, 4, 0, 1, 20],
    [40, 5, 0, 1, 40],
    [40, 5, 0, 2, 20],
    [40, 5, 30, 1, 30],
    [40, 5, 30, 2, 30],
  ];
  for (const [qos1Inflight, protocolVersion, receiveMaximum, qos, sent] of rows) {
    const bridge = { qos1Inflight, protocolVersion, topics: [topic("#", "out", 2)] };
    const world = new BridgeWorld({ bridge });
    const properties = receiveMaximum > 0
      ? [property(Property.receiveMaximum, receiveMaximum)]
      : [];
    const remote = world.connected({ properties });
    remote.receive();
    const publisher = world.connect(4, { clientId: "publisher" });
    for (let packetId = 1; packetId <= 60; packetId++) {
      publisher.publish({ topic: "t", qos, packetId, payload: "m" });
      if (qos === 2) publisher.send(packets.ack("pubrel", packetId));
    }
    assert.equal(remote.receiveOf("publish").length, sent, `${qos1Inflight} ${qos} ${sent}`);
  }
});

Deno.test("beside one of QoS 2 no more of QoS 1 are in flight than to a client, and the order is kept", () => {
  const bridge = { qos1Inflight: 4, topics: [topic("#", "out", 2)] };
  const world = new BridgeWorld({ bridge, settings: { maxInflightMessages: 2 } });
  const remote = world.connected();
  remote.receive();
  const publisher = world.connect(4, { clientId: "publisher" });
  for (const [index, qos] of [1, 1, 1, 1, 2, 1, 1, 1, 1].entries()) {
    publisher.publish({ topic: "t", qos, packetId: index + 1, payload: `${index}` });
    if (qos === 2) publisher.send(packets.ack("pubrel", index + 1));
  }
  const sent: number[] = [];
  /** What was sent after an acknowledgement of the oldest, or of none. */
  const after = (acknowledgement?: "puback" | "pubrec" | "pubcomp", index = 0) => {
    if (acknowledgement !== undefined) remote.ack(acknowledgement, sent[index]);
    const publishes = remote.receiveOf("publish");
    sent.push(...publishes.map(({ messageId }) => messageId!));
    return publishes.map(({ payload }) => `${payload}`);
  };
  assert.deepEqual(after(), ["0", "1", "2", "3"]);
  assert.deepEqual(after("puback", 0), []);
  assert.deepEqual(after("puback", 1), []);
  assert.deepEqual(after("puback", 2), ["4"]);
  assert.deepEqual(after("puback", 3), ["5"]);
  assert.deepEqual(after("pubrec", 4), []);
  assert.deepEqual(after("pubcomp", 4), ["6", "7", "8"]);
});

Deno.test("a bridge that is read no further still shows that it is alive", () => {
  const world = new BridgeWorld({ bridge: { keepaliveSeconds: 10 } });
  const remote = world.connected();
  remote.receive();
  // As when a receiver here has too much to read.
  world.broker.sessions.get("local.host.b")!.connection!.waitsForReceiver = true;
  world.advanceSeconds(35);
  assert.deepEqual(remote.receiveOf("pingreq").length, 3);
  assert.ok(!remote.isClosed);
});

Deno.test("over MQTT 3.1, which does not tell, nothing is taken for forgotten", () => {
  const world = new BridgeWorld({ bridge: { protocolVersion: 3 } });
  const remote = world.connected();
  const subscriber = world.connect(5, { clientId: "s" });
  subscriber.subscribe("#", 2);
  remote.publish({ topic: "a", payload: "x", qos: 2, packetId: 9 });
  remote.vanish();
  world.advanceSeconds(5);
  const back = world.connected();
  back.publish({ topic: "a", payload: "x", qos: 2, packetId: 9, dup: true });
  back.ack("pubrel", 9);
  assert.equal(subscriber.receiveOf("publish").length, 1);
});

Deno.test("messages that find no room while the remote broker is away are counted and logged", () => {
  const world = new BridgeWorld({ settings: { maxQueuedMessages: 2 } });
  world.refuse();
  const publisher = world.connect(5, { clientId: "p" });
  for (const id of [1, 2, 3, 4]) publisher.publish({ topic: "a", qos: 1, packetId: id });
  assert.equal(world.status.dropped, 2);
  world.advanceSeconds(5);
  world.refuse();
  const lines = () => world.log.filter((line) => line.includes("no room"));
  assert.deepEqual(lines(), ["Error: Bridge b has no room in its queue, 2 messages were dropped"]);
  world.advanceSeconds(5);
  world.refuse();
  assert.equal(lines().length, 1);
});

Deno.test("a Packet Identifier in flight is kept, however many were given out meanwhile", () => {
  const world = new BridgeWorld({
    bridge: { notifications: true },
    settings: { maxQueuedMessages: 0 },
  });
  const first = world.connected();
  first.receive();
  const publisher = world.connect(4, { clientId: "p" });
  publisher.publish({ topic: "a", payload: "1", qos: 2, packetId: 1 });
  publisher.send(packets.ack("pubrel", 1));
  const [{ messageId }] = first.receiveOf("publish");
  first.vanish();
  // The identifier given out next is that of the message again.
  const one = packets.publish(4, { topic: "a", payload: "x", qos: 1, packetId: 2 });
  const thousand = packets.concat(...new Array(1000).fill(one));
  for (let sent = 0; sent < 65; sent++) publisher.send(thousand);
  publisher.send(...new Array(534).fill(one));
  world.advanceSeconds(5);
  const second = world.connected({ sessionPresent: true });
  const [state, ...sent] = second.receiveOf("publish");
  assert.equal(state.topic, defaultBridge.notificationTopic);
  assert.notEqual(state.messageId, messageId);
  assert.deepEqual([sent[0].messageId, sent[0].dup, `${sent[0].payload}`], [messageId, true, "1"]);
});
