/** How a bridge connects, is refused, waits and comes back. */
import assert from "node:assert/strict";
import { Property, property } from "../support/packets.ts";
import { BridgeWorld, type BridgeWorld as World, topic } from "./support.ts";

const STATE = "$SYS/broker/connection/host.b/state";

/** What is retained as the state here. */
function stateHere(world: World): string {
  const message = world.broker.retained.get(STATE);
  return message === null ? "none" : new TextDecoder().decode(message.publish.payload());
}

Deno.test("CONNECT says what Mosquitto's says", () => {
  const world = new BridgeWorld({ bridge: { notifications: true } });
  assert.equal(world.lastLine, "Connecting bridge b (remote:1883)");
  const { connect } = world.accept();
  assert.equal(connect.clientId, "host.b");
  assert.equal(connect.bridgeMode, true);
  assert.equal(connect.protocolVersion, 4);
  assert.equal(connect.clean, false);
  assert.equal(connect.keepalive, 60);
  assert.equal(connect.username, undefined);
  const { topic: willTopic, payload, qos, retain } = connect.will;
  assert.deepEqual([willTopic, `${payload}`, qos, retain], [STATE, "0", 1, true]);
});

Deno.test("CONNECT of MQTT 5 has Topic Alias Maximum and Receive Maximum, others when asked for", () => {
  const world = new BridgeWorld({ bridge: { protocolVersion: 5 } });
  assert.deepEqual({ ...world.accept().connect.properties }, {
    topicAliasMaximum: 10,
    receiveMaximum: 20,
  });
  const other = new BridgeWorld({
    bridge: {
      protocolVersion: 5,
      maxTopicAlias: 0,
      receiveMaximum: 7,
      sessionExpirySeconds: 4_294_967_295,
      remoteUsername: "me",
      remotePassword: "secret",
      cleanSession: true,
    },
  });
  const { connect } = other.accept();
  assert.deepEqual({ ...connect.properties }, {
    receiveMaximum: 7,
    sessionExpiryInterval: 4_294_967_295,
  });
  assert.deepEqual([connect.username, `${connect.password}`, connect.clean], [
    "me",
    "secret",
    true,
  ]);
});

Deno.test("a password goes with a user name only", () => {
  const world = new BridgeWorld({ bridge: { remotePassword: "secret" } });
  assert.equal(world.accept().connect.password, undefined);
});

Deno.test("once connected it subscribes and unsubscribes line by line", () => {
  const topics = [topic("a", "in", 1), topic("b", "out", 1), topic("c", "both", 2)];
  const world = new BridgeWorld({ bridge: { topics, protocolVersion: 5 } });
  const sent = world.connected().receive();
  assert.deepEqual(sent.map(({ cmd, messageId }) => [cmd, messageId]), [
    ["subscribe", 1],
    ["unsubscribe", 2],
    ["subscribe", 3],
  ]);
  assert.deepEqual({ ...sent[0].subscriptions[0] }, {
    topic: "a",
    qos: 1,
    nl: true,
    rap: true,
    rh: 0,
  });
  assert.deepEqual(sent[1].unsubscriptions, ["b"]);
});

Deno.test("bridge_attempt_unsubscribe false leaves UNSUBSCRIBE out", () => {
  const world = new BridgeWorld({
    bridge: { topics: [topic("b", "out", 1)], attemptUnsubscribe: false },
  });
  assert.deepEqual(world.connected().receive(), []);
});

Deno.test("both brokers are told whether it is up", () => {
  const world = new BridgeWorld({ bridge: { notifications: true, topics: [topic("a")] } });
  assert.equal(stateHere(world), "0");
  const remote = world.connected();
  assert.equal(stateHere(world), "1");
  const [told] = remote.receiveOf("publish");
  assert.deepEqual([told.topic, `${told.payload}`, told.qos, told.retain], [STATE, "1", 1, true]);
  remote.vanish();
  assert.equal(stateHere(world), "0");
  world.advanceSeconds(5);
  const again = world.connected();
  again.receive();
  world.bridges.stop();
  world.run();
  assert.equal(stateHere(world), "0");
  // After a DISCONNECT there is no Will.
  assert.deepEqual(again.receive().map(({ cmd, payload }) => `${cmd} ${payload ?? ""}`), [
    "publish 0",
    "disconnect ",
  ]);
});

Deno.test("notifications_local_only keeps the state here", () => {
  const world = new BridgeWorld({
    bridge: { notifications: true, notificationsLocalOnly: true, topics: [topic("a")] },
  });
  const remote = world.connected();
  assert.equal(remote.connect.will, undefined);
  assert.deepEqual(remote.receiveOf("publish"), []);
  assert.equal(stateHere(world), "1");
});

Deno.test("notifications false tells nobody", () => {
  const world = new BridgeWorld();
  const remote = world.connected();
  assert.equal(remote.connect.will, undefined);
  assert.equal(stateHere(world), "none");
});

Deno.test("a constant delay, and one line for each failure", () => {
  const world = new BridgeWorld();
  world.refuse("Connection refused");
  assert.deepEqual(world.log.slice(-2), [
    "Error: Bridge b cannot connect to remote:1883: Connection refused",
    "Bridge b next backoff will be 5000 ms",
  ]);
  world.advanceMs(4999);
  assert.equal(world.attempts.length, 0);
  world.advanceMs(1);
  assert.equal(world.attempts.length, 1);
  assert.equal(world.status.lastError, "cannot connect to remote:1883: Connection refused");
});

Deno.test("a delay by chance grows up to its cap and begins anew after a connection that lasted", () => {
  const world = new BridgeWorld({
    bridge: { backoff: { baseSeconds: 5, capSeconds: 30, stableSeconds: 10 } },
    chances: [0.5, 1, 1, 0, 0.5],
  });
  const delays: number[] = [];
  const fail = (act: () => void) => {
    act();
    const line = world.log.findLast((text) => text.includes("next backoff"))!;
    delays.push(Number(/(\d+) ms/.exec(line)![1]));
    world.advanceMs(delays.at(-1)!);
  };
  fail(() => world.refuse());
  fail(() => world.refuse());
  // Accepted, but lost too soon.
  fail(() => world.connected().vanish());
  fail(() => {
    const remote = world.connected();
    world.advanceSeconds(10);
    remote.vanish();
  });
  assert.deepEqual(delays, [10_000, 30_000, 30_000, 5000]);
  const stable = world.log.filter((line) => line.includes("stable enough"));
  assert.deepEqual(stable, ["Bridge b connection was stable enough, resetting backoff"]);
});

const REFUSALS: readonly [version: 4 | 5, reason: number, text: string][] = [
  [4, 2, "identifier rejected"],
  [4, 3, "broker unavailable"],
  [4, 4, "bad user name or password"],
  [4, 5, "not authorised"],
  [4, 99, "unknown reason"],
  [5, 0x85, "client identifier not valid"],
  [5, 0x87, "not authorised"],
  [5, 0x88, "server unavailable"],
];
for (const [version, reason, text] of REFUSALS) {
  Deno.test(`MQTT ${version} refused with ${reason} is logged and tried again later`, () => {
    const world = new BridgeWorld({ bridge: { protocolVersion: version } });
    const remote = world.accept().accept({ reason });
    assert.ok(remote.isClosed);
    assert.equal(world.log.at(-2), `Error: Bridge b Connection Refused: ${text}`);
    assert.equal(world.status.state, "waiting");
  });
}

Deno.test("a remote broker that does not know MQTT 5 is spoken to in 3.1.1, at once", () => {
  for (const answer of [{ reason: 1, version: 4 }, { reason: 0x84, version: 5 }] as const) {
    const world = new BridgeWorld({ bridge: { protocolVersion: 5 } });
    world.accept().accept(answer);
    const remote = world.connected();
    assert.equal(remote.connect.protocolVersion, 4);
    assert.equal(world.status.connected, true);
  }
});

Deno.test("a remote broker that refuses try_private is asked without it, from then on", () => {
  const world = new BridgeWorld();
  const first = world.accept();
  assert.equal(first.connect.bridgeMode, true);
  first.accept({ reason: 1 });
  assert.equal(
    world.log.at(-2),
    "Bridge b Connection Refused: unacceptable protocol version. Trying again without try_private",
  );
  const second = world.accept();
  assert.ok(!second.connect.bridgeMode);
  second.accept({ reason: 1 });
  assert.equal(world.status.state, "waiting");
  world.advanceSeconds(5);
  assert.ok(!world.accept().connect.bridgeMode);
});

Deno.test("a Will that is refused for RETAIN or QoS is sent without", () => {
  const world = new BridgeWorld({ bridge: { protocolVersion: 5, notifications: true } });
  world.accept().accept({ reason: 0x9a });
  const second = world.accept();
  assert.deepEqual([second.connect.will.retain, second.connect.will.qos], [false, 1]);
  second.accept({ reason: 0x9b });
  const third = world.accept();
  assert.deepEqual([third.connect.will.retain, third.connect.will.qos], [false, 0]);
  third.accept({ reason: 0x9b });
  assert.equal(world.status.state, "waiting");
});

Deno.test("an attempt without an answer ends after half a minute", () => {
  const world = new BridgeWorld();
  world.advanceSeconds(30);
  assert.equal(world.attempts.length, 0);
  assert.equal(
    world.log.at(-2),
    "Error: Bridge b cannot connect to remote:1883: no answer in time",
  );
  world.advanceSeconds(5);
  const remote = world.accept();
  world.advanceSeconds(30);
  assert.ok(remote.isClosed);
});

Deno.test("of several addresses the next is tried after a failure, and round again", () => {
  const addresses = ["one", "two", "three"].map((host) => ({ host, port: 1883 }));
  const world = new BridgeWorld({ bridge: { addresses, roundRobin: true } });
  const tried: string[] = [];
  for (let time = 0; time < 4; time++) {
    tried.push(world.attempts[0].address);
    world.refuse();
    world.advanceSeconds(5);
  }
  assert.deepEqual(tried, ["one:1883", "two:1883", "three:1883", "one:1883"]);
});

Deno.test("without round_robin it goes back to the first address as soon as that can be reached", () => {
  const addresses = ["one", "two"].map((host) => ({ host, port: 1883 }));
  const world = new BridgeWorld({ bridge: { addresses } });
  world.refuse();
  world.advanceSeconds(5);
  const second = world.connected();
  world.advanceMs(4000);
  assert.equal(world.probes.length, 0);
  world.advanceMs(2000);
  assert.deepEqual(world.probes.map(({ address }) => address), ["one:1883"]);
  world.probes.shift()!.answer(false);
  world.run();
  world.advanceSeconds(5);
  world.probes.shift()!.answer(true);
  world.run();
  assert.deepEqual(second.receiveOf("disconnect").length, 1);
  assert.equal(world.connected().remoteAddress, "one:1883");
  world.advanceSeconds(20);
  assert.equal(world.probes.length, 0);
});

Deno.test("PINGREQ after keepalive_interval without traffic; without an answer the connection is lost", () => {
  const world = new BridgeWorld({ bridge: { keepaliveSeconds: 10 } });
  const remote = world.connected();
  remote.receive();
  world.advanceMs(9000);
  assert.deepEqual(remote.receive(), []);
  world.advanceMs(1000);
  assert.deepEqual(remote.receive().map(({ cmd }) => cmd), ["pingreq"]);
  remote.send(Uint8Array.of(0xd0, 0));
  world.advanceMs(10_000);
  assert.deepEqual(remote.receive().map(({ cmd }) => cmd), ["pingreq"]);
  world.advanceMs(4999);
  assert.ok(!remote.isClosed);
  world.advanceMs(1);
  assert.ok(remote.isClosed);
  assert.equal(
    world.log.at(-2),
    "Error: Bridge b connection to remote:1883 lost: exceeded timeout",
  );
});

Deno.test("Server Keep Alive is obeyed", () => {
  const world = new BridgeWorld({ bridge: { protocolVersion: 5 } });
  const remote = world.connected({ properties: property(Property.serverKeepAlive, 7) });
  remote.receive();
  world.advanceSeconds(7);
  assert.deepEqual(remote.receive().map(({ cmd }) => cmd), ["pingreq"]);
});

Deno.test("a DISCONNECT of the remote broker is logged with its reason", () => {
  const world = new BridgeWorld({ bridge: { protocolVersion: 5 } });
  world.connected().send(Uint8Array.of(0xe0, 1, 0x8b));
  assert.equal(
    world.log.at(-2),
    "Error: Bridge b connection to remote:1883 lost: remote broker disconnects, server shutting down",
  );
});

Deno.test("start_type once: connects at start and never again", () => {
  const world = new BridgeWorld({ bridge: { startType: "once" } });
  world.connected().vanish();
  world.advanceSeconds(600);
  assert.equal(world.attempts.length, 0);
  assert.equal(world.status.state, "stopped");
});

Deno.test("start_type lazy: connects when enough waits, QoS 0 too, and leaves when idle", () => {
  const world = new BridgeWorld({
    bridge: {
      startType: "lazy",
      threshold: 3,
      idleTimeoutSeconds: 20,
      topics: [topic("#", "out", 1)],
    },
  });
  assert.equal(world.status.state, "idle");
  const publisher = world.connect(5, { clientId: "p" });
  publisher.publish({ topic: "a", payload: "1" }).publish({ topic: "a", payload: "2", qos: 1 });
  world.advanceSeconds(10);
  assert.equal(world.attempts.length, 0);
  publisher.publish({ topic: "a", payload: "3" });
  world.advanceSeconds(1);
  const remote = world.connected();
  const sent = remote.receiveOf("publish");
  assert.deepEqual(sent.map(({ payload, qos }) => `${payload} ${qos}`), ["1 0", "2 1", "3 0"]);
  remote.ack("puback", sent[1].messageId);
  world.advanceSeconds(15);
  publisher.publish({ topic: "a", payload: "4" });
  world.advanceSeconds(19);
  assert.ok(!remote.isClosed);
  world.advanceSeconds(3);
  assert.ok(remote.isClosed);
  assert.equal(remote.receiveOf("disconnect").length, 1);
  assert.equal(world.status.state, "idle");
});

Deno.test("a lazy bridge that lost its connection stays away until enough waits", () => {
  const world = new BridgeWorld({
    bridge: { startType: "lazy", threshold: 1, topics: [topic("#", "out", 1)] },
  });
  const publisher = world.connect(5, { clientId: "p" });
  publisher.publish({ topic: "a", qos: 0 });
  world.advanceSeconds(1);
  world.connected().vanish();
  world.advanceSeconds(60);
  assert.equal(world.attempts.length, 0);
  publisher.publish({ topic: "a", qos: 0 });
  world.advanceSeconds(1);
  assert.equal(world.attempts.length, 1);
});

Deno.test("local_cleansession true keeps nothing while the bridge is down", () => {
  const world = new BridgeWorld({ bridge: { localCleanSession: true } });
  const publisher = world.connect(5, { clientId: "p" });
  publisher.publish({ topic: "a", payload: "before", qos: 1 });
  const remote = world.connected();
  publisher.publish({ topic: "a", payload: "in flight", qos: 1 });
  remote.vanish();
  publisher.publish({ topic: "a", payload: "lost", qos: 1 });
  world.advanceSeconds(5);
  assert.deepEqual(world.connected().messages(), []);
});

Deno.test("pause, resume and reconnect", () => {
  const world = new BridgeWorld();
  const first = world.connected();
  const bridge = world.bridges.get("b")!;
  bridge.pause();
  world.run();
  assert.ok(first.isClosed);
  world.connect(5, { clientId: "p" }).publish({ topic: "a", payload: "x", qos: 1 });
  world.advanceSeconds(600);
  assert.equal(world.attempts.length, 0);
  bridge.resume();
  const second = world.connected();
  assert.deepEqual(second.messages(), ["a x"]);
  bridge.reconnect();
  world.run();
  assert.ok(second.isClosed);
  assert.equal(world.attempts.length, 1);
});

Deno.test("a reload touches what has changed and nothing else", () => {
  const world = new BridgeWorld();
  const remote = world.connected();
  const other = { ...world.settings, name: "c", localClientId: "local.c", remoteClientId: "c" };
  world.bridges.apply([{ ...world.settings, place: { file: "x", line: 9 } }, other]);
  world.run();
  assert.ok(!remote.isClosed);
  assert.equal(world.attempts.length, 1);
  const added = world.connected();
  world.bridges.apply([world.settings]);
  world.run();
  assert.ok(added.isClosed && !remote.isClosed);
  assert.equal(world.broker.sessions.get("local.c"), undefined);
});

Deno.test("bridge_reload_type lazy waits for the next connection, immediate does not", () => {
  const world = new BridgeWorld();
  const first = world.connected();
  world.reload({ keepaliveSeconds: 11 });
  assert.ok(!first.isClosed);
  first.vanish();
  world.advanceSeconds(5);
  const second = world.connected();
  assert.equal(second.connect.keepalive, 11);
  world.reload({ keepaliveSeconds: 12, reloadType: "immediate", topics: [topic("z", "out", 1)] });
  assert.ok(second.isClosed);
  assert.equal(world.accept().connect.keepalive, 12);
  assert.deepEqual([...world.broker.sessions.get("local.host.b")!.subscriptions!.keys()], ["z"]);
});

Deno.test("a session that was ended from outside is made anew", () => {
  const world = new BridgeWorld();
  const remote = world.connected();
  const { sessions } = world.broker;
  remote.vanish();
  sessions.end(sessions.get("local.host.b")!);
  world.advanceSeconds(5);
  world.connect(5, { clientId: "p" }).publish({ topic: "a", payload: "x", qos: 1 });
  assert.deepEqual(world.connected().messages(), ["a x"]);
});
