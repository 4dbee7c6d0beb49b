import assert from "node:assert/strict";
import { Reason } from "../../src/wire/reason.ts";
import { BridgeWorld, topic as bridged } from "../bridge/support.ts";
import { hookAccess } from "../support/access.ts";
import { ack, raw } from "../support/packets.ts";
import { type FakeClient, World } from "../support/world.ts";

const TOPIC = "$CONTROL/test/v1";

/** Topics and payloads of the messages that came. */
function messages(client: FakeClient): [topic: string, payload: string][] {
  return client.receiveOf("publish").map(({ topic, payload }) => [
    topic!,
    new TextDecoder().decode(payload),
  ]);
}

Deno.test("a request is answered to the client that asked, subscribed or not, and to no other", () => {
  const world = new World();
  const asked: string[] = [];
  world.broker.onControl(TOPIC, (payload, from, answer) => {
    asked.push(`${from.clientId} ${new TextDecoder().decode(payload)}`);
    answer("done");
  });
  const bystander = world.connect(5, { clientId: "bystander" });
  bystander.subscribe("$CONTROL/#");
  bystander.subscribe("#");
  const client = world.connect(5, { clientId: "client" });
  client.publish({ topic: TOPIC, payload: "request", retain: true });
  assert.deepEqual(messages(client), [[`${TOPIC}/response`, "done"]]);
  assert.deepEqual(asked, ["client request"]);
  assert.deepEqual(messages(bystander), []);
  assert.equal(world.broker.retained.count, 0);
});

Deno.test("a topic without anybody who answers there says so", () => {
  const world = new World();
  const client = world.connect(4);
  client.publish({ topic: "$CONTROL/none", payload: "x" });
  const answer = '{"error": "endpoint not available"}';
  assert.deepEqual(messages(client), [["$CONTROL/none/response", answer]]);
  world.broker.onControl(TOPIC, (_payload, _from, reply) => reply("here"));
  world.broker.onControl(TOPIC, null);
  client.publish({ topic: TOPIC, payload: "x" });
  assert.deepEqual(messages(client), [[`${TOPIC}/response`, answer]]);
});

Deno.test("only what stands below $CONTROL/ is a command", () => {
  const world = new World();
  const client = world.connect(5);
  for (const topic of ["$CONTROL", "$CONTROLS/a", "a/$CONTROL/b"]) {
    client.subscribe(topic);
    client.publish({ topic, payload: "x" });
    assert.deepEqual(messages(client), [[topic, "x"]]);
  }
});

Deno.test("requests of QoS 1 and 2 are acknowledged, and done once", () => {
  const world = new World();
  let count = 0;
  world.broker.onControl(TOPIC, (_payload, _from, answer) => answer(String(++count)));
  const client = world.connect(5);
  client.publish({ topic: TOPIC, qos: 1, packetId: 1 });
  const [first, second] = client.receive();
  assert.deepEqual([first.type, second.type].sort(), ["puback", "publish"]);
  assert.equal([first, second].find(({ type }) => type === "puback")!.reason, 0);
  client.publish({ topic: TOPIC, qos: 2, packetId: 2 });
  client.publish({ topic: TOPIC, qos: 2, packetId: 2, dup: true });
  assert.deepEqual(client.receive().map(({ type, reason }) => [type, reason]), [
    ["pubrec", 0],
    ["pubrec", 0],
  ]);
  client.send(ack("pubrel", 2));
  assert.deepEqual(client.receive().map(({ type }) => type).sort(), ["pubcomp", "publish"]);
  client.send(ack("pubrel", 2));
  assert.deepEqual(client.receive().map(({ type }) => type), ["pubcomp"]);
  assert.equal(count, 2);
});

Deno.test("an answer may come later; a client that is gone by then is not answered", () => {
  const world = new World();
  const answers: ((text: string) => void)[] = [];
  world.broker.onControl(TOPIC, (_payload, _from, answer) => void answers.push(answer));
  const [stays, goes] = ["stays", "goes"].map((clientId) => world.connect(5, { clientId }));
  stays.publish({ topic: TOPIC });
  goes.publish({ topic: TOPIC });
  // Others are served meanwhile, and so is the client itself.
  stays.publish({ topic: "a", qos: 1, packetId: 1 });
  assert.equal(stays.expect("puback").reason, 0x10);
  goes.vanish();
  const again = world.connect(5, { clientId: "goes" });
  for (const answer of answers) answer("late");
  for (const answer of answers) answer("twice");
  world.run();
  assert.deepEqual(messages(stays), [[`${TOPIC}/response`, "late"]]);
  assert.deepEqual(messages(again), []);
});

Deno.test("requests that wait for answers have a bound", () => {
  const world = new World();
  const answers: ((text: string) => void)[] = [];
  world.broker.onControl(TOPIC, (_payload, _from, answer) => void answers.push(answer));
  const client = world.connect(5);
  const payload = "x".repeat(1_900_000);
  for (let count = 0; count < 10; count++) client.publish({ topic: TOPIC, payload });
  assert.equal(answers.length, 9);
  assert.deepEqual(messages(client), [[`${TOPIC}/response`, '{"error": "too many requests"}']]);
  answers[0]("done");
  client.publish({ topic: TOPIC, payload: "x" });
  assert.equal(answers.length, 10);
});

Deno.test("a handler that throws is a fault, and harms nobody", () => {
  const world = new World();
  world.broker.onControl(TOPIC, () => {
    throw new Error("out of order");
  });
  const client = world.connect(5);
  client.publish({ topic: TOPIC, qos: 1, packetId: 1 });
  assert.equal(client.expect("puback").reason, 0);
  assert.equal(world.broker.counters.faults, 1);
});

Deno.test("who may not publish there may not ask", () => {
  const hooks = {
    authorizePublish: (_client: unknown, { topic }: { topic: string }) => topic !== TOPIC,
  };
  const world = new World({ access: hookAccess(hooks, true, () => {}) });
  let count = 0;
  world.broker.onControl(TOPIC, () => void count++);
  const client = world.connect(5);
  client.publish({ topic: TOPIC, qos: 1, packetId: 1, payload: raw("x") });
  assert.equal(client.expect("puback").reason, 0x87);
  assert.equal(count, 0);
});

Deno.test("kicked are those concerned, with 0x98 and without their Will", () => {
  const world = new World();
  const watcher = world.connect(5, { clientId: "watcher" });
  watcher.subscribe("will/#");
  const clients = [4, 5].map((version) =>
    world.connect(version as 4 | 5, {
      clientId: `c${version}`,
      userName: "kicked",
      password: "",
      will: { topic: `will/${version}`, payload: "x" },
    })
  );
  const other = world.connect(5, { clientId: "other", userName: "other", password: "" });
  const count = world.broker.disconnectClients(
    ({ userName }) => userName === "kicked",
    Reason.AdministrativeAction,
    { sendWill: false },
  );
  assert.equal(count, 2);
  world.run();
  for (const client of clients) client.expectClosed();
  assert.deepEqual(clients[0].receive(), []);
  assert.equal(clients[1].expect("disconnect").reason, 0x98);
  other.expectOpen();
  assert.deepEqual(messages(watcher), []);
});

Deno.test("what comes over a bridge commands nothing, and reaches nobody", () => {
  const world = new BridgeWorld({ bridge: { topics: [bridged("#", "in", 2, "$CONTROL/")] } });
  let count = 0;
  world.broker.onControl(TOPIC, () => void count++);
  const remote = world.connected();
  const watcher = world.connect(5, { clientId: "watcher" });
  watcher.subscribe("$CONTROL/#");
  remote.publish({ topic: "test/v1", payload: "0" });
  remote.publish({ topic: "test/v1", payload: "1", qos: 1, packetId: 7 });
  remote.publish({ topic: "test/v1", payload: "2", qos: 2, packetId: 8 });
  remote.ack("pubrel", 8);
  assert.equal(world.status.received, 3);
  assert.equal(count, 0);
  assert.deepEqual(messages(watcher), []);
});
