import assert from "node:assert/strict";
import type { PacketStatistics, Statistics } from "../../src/broker/counters.ts";
import { SysTopics } from "../../src/broker/sys_topics.ts";
import { heard } from "../support/exchange.ts";
import { ack, pingreq, subscribe } from "../support/packets.ts";
import { World } from "../support/world.ts";

const zero: Statistics = {
  uptimeSeconds: 0,
  clientsTotal: 0,
  clientsConnected: 0,
  clientsDisconnected: 0,
  clientsMaximum: 0,
  clientsExpired: 0,
  socketsAccepted: 0,
  connectsReceived: 0,
  messagesReceived: 0,
  messagesSent: 0,
  bytesReceived: 0,
  bytesSent: 0,
  publishMessagesReceived: 0,
  publishMessagesSent: 0,
  publishMessagesDropped: 0,
  publishBytesReceived: 0,
  publishBytesSent: 0,
  subscriptions: 0,
  sharedSubscriptions: 0,
  retainedMessages: 0,
  storeMessages: 0,
  storeBytes: 0,
  packetsWaiting: 0,
  packetBytesWaiting: 0,
  heldBack: 0,
  heapCurrent: 0,
  heapMaximum: 0,
  protocolErrors: 0,
  faults: 0,
};

/** Topics that show a number, without `$SYS/broker/`, and which. */
const values: [topic: string, value: keyof Statistics][] = [
  ["clients/total", "clientsTotal"],
  ["clients/connected", "clientsConnected"],
  ["clients/active", "clientsConnected"],
  ["clients/disconnected", "clientsDisconnected"],
  ["clients/inactive", "clientsDisconnected"],
  ["clients/maximum", "clientsMaximum"],
  ["clients/expired", "clientsExpired"],
  ["connections/socket/count", "socketsAccepted"],
  ["messages/received", "messagesReceived"],
  ["messages/sent", "messagesSent"],
  ["messages/stored", "storeMessages"],
  ["store/messages/count", "storeMessages"],
  ["store/messages/bytes", "storeBytes"],
  ["subscriptions/count", "subscriptions"],
  ["shared_subscriptions/count", "sharedSubscriptions"],
  ["retained messages/count", "retainedMessages"],
  ["bytes/received", "bytesReceived"],
  ["bytes/sent", "bytesSent"],
  ["publish/messages/received", "publishMessagesReceived"],
  ["publish/messages/sent", "publishMessagesSent"],
  ["publish/messages/dropped", "publishMessagesDropped"],
  ["publish/bytes/received", "publishBytesReceived"],
  ["publish/bytes/sent", "publishBytesSent"],
  ["packet/out/count", "packetsWaiting"],
  ["packet/out/bytes", "packetBytesWaiting"],
  ["heap/current", "heapCurrent"],
  ["heap/maximum", "heapMaximum"],
  ["mqtt/publish/dropped", "publishMessagesDropped"],
];
const loads: [topic: string, counter: keyof Statistics][] = [
  ["messages/received", "messagesReceived"],
  ["messages/sent", "messagesSent"],
  ["publish/dropped", "publishMessagesDropped"],
  ["publish/received", "publishMessagesReceived"],
  ["publish/sent", "publishMessagesSent"],
  ["bytes/received", "bytesReceived"],
  ["bytes/sent", "bytesSent"],
  ["sockets", "socketsAccepted"],
  ["connections", "connectsReceived"],
];
const windows: [name: string, seconds: number][] = [["1min", 60], ["5min", 300], ["15min", 900]];

/** Updates the topics and returns what was published, without `$SYS/broker/`. */
class Scene {
  readonly #published: [topic: string, value: string][] = [];
  readonly #topics = new SysTopics(
    "sabethes version 1",
    (topic, value) => this.#published.push([topic.replace("$SYS/broker/", ""), value]),
  );

  list(
    statistics: Partial<Statistics>,
    packets: PacketStatistics = { received: {}, sent: {} },
  ): [topic: string, value: string][] {
    this.#topics.update({ ...zero, ...statistics }, packets);
    return this.#published.splice(0);
  }

  update(statistics: Partial<Statistics>): Record<string, string> {
    return Object.fromEntries(this.list(statistics));
  }
}

const withoutLoads = (published: Record<string, string>) =>
  Object.fromEntries(Object.entries(published).filter(([topic]) => !topic.startsWith("load/")));

Deno.test("the first update publishes the version, then everything, zeros included", () => {
  const expected = [
    ["version", "sabethes version 1"],
    ["uptime", "0 seconds"],
    ...values.filter(([topic]) => topic !== "clients/maximum").map(([topic]) => [topic, "0"]),
    ...loads.flatMap(([topic]) => windows.map(([window]) => [`load/${topic}/${window}`, "0.00"])),
  ];
  assert.deepEqual(new Scene().list({}), expected);
});

Deno.test("what was counted before the first update is no load", () => {
  const scene = new Scene();
  assert.equal(scene.update({ messagesSent: 500 })["load/messages/sent/1min"], "0.00");
  assert.deepEqual(scene.update({ messagesSent: 500, uptimeSeconds: 10 }), {
    uptime: "10 seconds",
  });
});

Deno.test("later ones publish the uptime and what changed", () => {
  const scene = new Scene();
  scene.update({ uptimeSeconds: 0.4 });
  assert.deepEqual(scene.update({ uptimeSeconds: 10.9 }), { uptime: "10 seconds" });
  assert.deepEqual(scene.update({ uptimeSeconds: 20, clientsTotal: 3, subscriptions: 1 }), {
    uptime: "20 seconds",
    "clients/total": "3",
    "subscriptions/count": "1",
  });
  assert.deepEqual(scene.update({ uptimeSeconds: 30, clientsTotal: 2, subscriptions: 1 }), {
    uptime: "30 seconds",
    "clients/total": "2",
  });
  assert.deepEqual(scene.update({ uptimeSeconds: 40 }), {
    uptime: "40 seconds",
    "clients/total": "0",
    "subscriptions/count": "0",
  });
});

Deno.test("each topic shows its number", () => {
  const names = new Set(values.map(([, name]) => name));
  for (const name of names) {
    const scene = new Scene();
    scene.update({});
    const changed = values.filter((value) => value[1] === name).map(([topic]) => [topic, "7"]);
    assert.deepEqual(
      withoutLoads(scene.update({ [name]: 7, uptimeSeconds: 10 })),
      { uptime: "10 seconds", ...Object.fromEntries(changed) },
      name,
    );
  }
});

Deno.test("the maximum of clients appears when it exceeds one", () => {
  const scene = new Scene();
  for (const clientsMaximum of [0, 1, 1]) {
    assert.equal(scene.update({ clientsMaximum })["clients/maximum"], undefined);
  }
  assert.equal(scene.update({ clientsMaximum: 2 })["clients/maximum"], "2");
  assert.equal(scene.update({ clientsMaximum: 2 })["clients/maximum"], undefined);
  assert.equal(scene.update({ clientsMaximum: 5 })["clients/maximum"], "5");
});

Deno.test("each load is a moving average of its counter's growth in a minute", () => {
  for (const [topic, counter] of loads) {
    const scene = new Scene();
    scene.update({ [counter]: 100 });
    // Counter and uptime at each update, at uneven intervals.
    const steps = [[200, 10], [230, 13], [230, 43], [5000, 44.5]];
    const expected = windows.map(() => 0);
    let [before, beforeSeconds] = [100, 0];
    for (const [count, uptimeSeconds] of steps) {
      const seconds = uptimeSeconds - beforeSeconds;
      const rate = (count - before) * 60 / seconds;
      const published = scene.update({ [counter]: count, uptimeSeconds });
      windows.forEach(([window, windowSeconds], index) => {
        expected[index] = rate + Math.exp(-seconds / windowSeconds) * (expected[index] - rate);
        const text = published[`load/${topic}/${window}`];
        assert.equal(text, expected[index].toFixed(2), `${topic} ${window} at ${uptimeSeconds}`);
      });
      const others = Object.keys(published)
        .filter((name) => name.startsWith("load/") && !name.startsWith(`load/${topic}/`));
      assert.deepEqual(others, []);
      [before, beforeSeconds] = [count, uptimeSeconds];
    }
  }
});

Deno.test("a load reckoned by hand: 100 messages in 10 seconds", () => {
  const scene = new Scene();
  scene.update({});
  const published = scene.update({ messagesReceived: 100, uptimeSeconds: 10 });
  // 600 a minute, by 1 − e^(−1/6), 1 − e^(−1/30) and 1 − e^(−1/90).
  assert.deepEqual(windows.map(([window]) => published[`load/messages/received/${window}`]), [
    "92.11",
    "19.67",
    "6.63",
  ]);
});

Deno.test("a load that moved by less than 0.01 since it was published is not published", () => {
  const scene = new Scene();
  scene.update({});
  const topic = "load/sockets/15min";
  let value = 0, shown = 0, skipped = 0, uptimeSeconds = 0;
  scene.update({ socketsAccepted: 1, uptimeSeconds: uptimeSeconds = 10 });
  value = shown = 6 - 6 * Math.exp(-10 / 900);
  for (let round = 0; round < 400; round++) {
    const text = scene.update({ socketsAccepted: 1, uptimeSeconds: uptimeSeconds += 10 })[topic];
    value *= Math.exp(-10 / 900);
    if (Math.abs(value - shown) < 0.01) {
      assert.equal(text, undefined);
      skipped++;
    } else {
      assert.equal(text, value.toFixed(2), "small steps add up");
      shown = value;
    }
  }
  assert.ok(skipped > 380 && skipped < 400);
});

const START = Date.UTC(2026, 0, 1);

Deno.test("$SYS is retained, at QoS 2", () => {
  const world = new World({ settings: { sysInterval: 10 } });
  const client = world.connect(5);
  client.send(subscribe(5, { filters: [["$SYS/broker/uptime", 2]] }));
  assert.deepEqual(heard(client), [
    "SUBACK #1 02",
    "PUBLISH $SYS/broker/uptime 0 seconds q2 #1 retain",
  ]);
  client.send(ack("pubrec", 1), ack("pubcomp", 1));
  client.receive();
  world.advanceSeconds(10);
  assert.deepEqual(heard(client), ["PUBLISH $SYS/broker/uptime 10 seconds q2 #2"]);
  const retained = [...world.broker.retained.all()];
  assert.equal(retained.length, 86);
  assert.deepEqual(new Set(retained.map(({ publish }) => publish.qos)), new Set([2]));
});

Deno.test("$SYS is updated at the multiples of its interval by the wall clock", () => {
  const world = new World({ settings: { sysInterval: 10 }, wallMs: START + 3500 });
  const client = world.connect(5);
  client.subscribe("$SYS/broker/uptime");
  world.run();
  client.receive();
  const next = "PUBLISH $SYS/broker/uptime";
  world.advanceMs(6499);
  assert.deepEqual(heard(client), []);
  world.advanceMs(1);
  assert.deepEqual(heard(client), [`${next} 6 seconds q0`], "live, and so not marked as retained");
  world.advanceMs(9999);
  assert.deepEqual(heard(client), []);
  world.advanceMs(1);
  assert.deepEqual(heard(client), [`${next} 16 seconds q0`]);
  // The clock is set: the next comes as planned, those after it at the multiples again.
  world.wallMs += 3000;
  world.advanceSeconds(10);
  assert.deepEqual(heard(client), [`${next} 26 seconds q0`]);
  world.advanceSeconds(7);
  assert.deepEqual(heard(client), [`${next} 33 seconds q0`]);
  assert.equal(world.wallMs % 10_000, 0);
});

Deno.test("$SYS tells what clients do", () => {
  const world = new World({ settings: { sysInterval: 10 } });
  const client = world.connect(5, { clientId: "client" });
  world.connect(5, { clientId: "other" });
  client.subscribe("a");
  client.publish({ topic: "a", payload: "four" });
  client.receive();
  client.subscribe("$SYS/broker/publish/#");
  client.subscribe("$SYS/broker/clients/maximum");
  client.receive();
  world.advanceSeconds(10);
  const told = heard(client);
  assert.deepEqual(told.filter((line) => !line.includes("/sent")), [
    "PUBLISH $SYS/broker/clients/maximum 2 q0",
    "PUBLISH $SYS/broker/publish/messages/received 1 q0",
    "PUBLISH $SYS/broker/publish/bytes/received 4 q0",
  ]);
});

Deno.test("wildcards in the first level do not match $SYS", () => {
  const world = new World({ settings: { sysInterval: 10 } });
  const client = world.connect(5);
  client.subscribe("#");
  client.subscribe("+/broker/uptime");
  client.subscribe("+/#");
  world.advanceSeconds(30);
  client.expectNothing();
  client.subscribe("$SYS/#");
  client.receive();
  world.advanceSeconds(10);
  assert.ok(heard(client).includes("PUBLISH $SYS/broker/uptime 40 seconds q0"));
});

Deno.test("without an interval there is no $SYS", () => {
  const world = new World({ settings: { sysInterval: 0 } });
  const client = world.connect(5);
  client.subscribe("$SYS/#");
  world.advanceSeconds(60);
  client.expectNothing();
  assert.equal(world.broker.retained.count, 0);
});

Deno.test("packets are counted by their type, in both directions", () => {
  const world = new World({ wallMs: 0, settings: { sysInterval: 10 } });
  const client = world.connect(5);
  client.subscribe("$SYS/broker/mqtt/#");
  client.publish({ topic: "t", qos: 1 }).publish({ topic: "t", qos: 1 }).send(pingreq());
  client.receive();
  world.advanceSeconds(10);
  const told = Object.fromEntries(
    client.receiveOf("publish").map(({ topic, payload }) => [
      topic!.replace("$SYS/broker/mqtt/", ""),
      Number(new TextDecoder().decode(payload)),
    ]),
  );
  assert.deepEqual(told, {
    "connect/received": 1,
    "subscribe/received": 1,
    "publish/received": 2,
    "pingreq/received": 1,
    "connack/sent": 1,
    "suback/sent": 1,
    // The retained topics that came with the subscription, and those of this update before it.
    "publish/sent": told["publish/sent"],
    "puback/sent": 2,
    "pingresp/sent": 1,
  });
  assert.ok(told["publish/sent"] > 20);
});

Deno.test("what waits to be sent is counted until it is taken", () => {
  const world = new World();
  const client = world.connect(5);
  client.isStuck = true;
  client.send(pingreq(), pingreq());
  const { packetsWaiting, packetBytesWaiting } = world.broker.statistics();
  assert.deepEqual([packetsWaiting, packetBytesWaiting], [2, 4]);
  client.isStuck = false;
  client.flush();
  assert.equal(world.broker.statistics().packetsWaiting, 0);
});
