import assert from "node:assert/strict";
import { eventually, within } from "../support/broker_process.ts";
import { assertTurnedAway, Scene } from "./listener_scene.ts";
import { StandInBroker } from "./stand_in_broker.ts";

const addressOf = (client: Deno.TcpConn) => `127.0.0.1:${client.localAddr.port}`;
const denials = ({ lines }: StandInBroker) => lines.filter((line) => line.includes("denied"));

Deno.test("port 0 is a port the system chooses, and the core is told which", async () => {
  await using one = await Scene.start();
  await using two = await Scene.start();
  assert.ok(one.port > 0 && two.port > 0 && one.port !== two.port);
  const client = await one.enter();
  assert.equal(one.broker.listeners[0].port, one.port);
  assert.deepEqual(
    one.broker.lines,
    [`notice: New connection from ${addressOf(client)} on port ${one.port}.`],
  );
});

Deno.test("what the listener says to its clients reaches the core", async () => {
  await using scene = await Scene.start({ maxQos: 1, acceptProtocolVersions: [5] });
  await scene.enter();
  const [{ maxQos, acceptProtocolVersions }] = scene.broker.listeners;
  assert.deepEqual([maxQos, acceptProtocolVersions], [1, [5]]);
});

Deno.test("a port that is taken is the system's error", async () => {
  for (const address of ["127.0.0.1", null]) {
    await using first = await Scene.open({ address });
    await assert.rejects(Scene.open({ address, port: first.port }), Deno.errors.AddrInUse);
  }
});

Deno.test("an address that is not this machine's is the system's error", async () => {
  await assert.rejects(Scene.open({ address: "192.0.2.1" }));
});

Deno.test("clients that come before the start wait for it", async () => {
  await using scene = await Scene.open();
  await scene.dial();
  assert.equal(scene.broker.accepted.length, 0);
  scene.start();
  await scene.broker.connection(0);
});

Deno.test("max_connections turns away who comes beyond it, until somebody leaves", async () => {
  await using scene = await Scene.start({ maxConnections: 2 });
  const first = await scene.enter();
  await scene.enter();
  const third = await scene.dial();
  await assertTurnedAway(third);
  assert.deepEqual(denials(scene.broker), [
    "notice: Client connection from 127.0.0.1 denied: max_connections exceeded.",
  ]);
  assert.deepEqual([scene.broker.accepted.length, scene.listener.connections], [2, 2]);
  await first.closeWrite();
  await eventually(() => scene.listener.connections === 1, () => "the first has left");
  await scene.enter();
  assert.equal(denials(scene.broker).length, 1);
});

Deno.test("max_connections counts those of its own listener", async () => {
  const broker = new StandInBroker();
  await using one = await Scene.start({ maxConnections: 1 }, broker);
  await using two = await Scene.start({ maxConnections: 1 }, broker);
  await one.enter();
  await two.enter();
  assert.deepEqual(denials(broker), []);
});

Deno.test("global_max_connections counts those of all listeners", async () => {
  const broker = new StandInBroker();
  await using one = await Scene.start({ globalMaxConnections: 2, maxConnections: 9 }, broker);
  await using two = await Scene.start({ globalMaxConnections: 2 }, broker);
  const first = await one.enter();
  await two.enter();
  for (const listener of [one, two]) {
    const client = await listener.dial();
    await assertTurnedAway(client);
    assert.equal(
      denials(broker).at(-1),
      "notice: Client connection from 127.0.0.1 denied: global_max_connections exceeded.",
    );
  }
  assert.equal(broker.connections.size, 2);
  await first.closeWrite();
  await eventually(() => broker.connections.size === 1, () => "the first has left");
  await two.enter();
});

Deno.test("a closed listener takes nobody, and those that are there live on", async () => {
  await using scene = await Scene.start();
  const client = await scene.enter();
  const core = await scene.broker.connection(0);
  await scene.listener.close();
  await scene.listener.close();
  await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port: scene.port }));
  core.onReceive = (chunk) => core.send(chunk);
  await client.write(Uint8Array.of(7));
  const buffer = new Uint8Array(2);
  assert.equal(await within(client.read(buffer), () => "no answer"), 1);
  assert.equal(buffer[0], 7);
  assert.equal(scene.listener.connections, 1);
});

Deno.test("drain waits for the last connection and no longer", async () => {
  await using scene = await Scene.start();
  const clients = [await scene.enter(), await scene.enter()];
  await scene.listener.close();
  let isDrained = false;
  // Patience that no test has.
  const draining = scene.listener.drain(3_600_000).then(() => isDrained = true);
  await clients[0].closeWrite();
  await eventually(() => scene.listener.connections === 1, () => "the first has left");
  assert.equal(isDrained, false);
  await clients[1].closeWrite();
  await within(draining, () => "it still waits");
  assert.equal(scene.listener.connections, 0);
});

Deno.test("drain without connections is over at once", async () => {
  await using scene = await Scene.start();
  await within(scene.listener.drain(3_600_000), () => "it waits for nobody");
});

Deno.test("drain cuts off who has not ended in time", async () => {
  await using scene = await Scene.start();
  const client = await scene.enter();
  const core = await scene.broker.connection(0);
  await scene.listener.close();
  await scene.listener.drain(0);
  assert.equal(scene.listener.connections, 0);
  await assertTurnedAway(client);
  await core.until(() => core.endings.length === 1, "the core is told");
});

Deno.test("an IPv4 address is shown as one, whatever it came in over", async () => {
  await using scene = await Scene.start({ address: null });
  const client = await scene.enter();
  const core = await scene.broker.connection(0);
  assert.equal(core.link.remoteAddress, addressOf(client));
});

Deno.test({
  name: "an IPv6 address is shown as it is",
  ignore: !hasIpv6(),
  fn: async () => {
    await using scene = await Scene.start({ address: null });
    const client = await scene.dial("::1");
    const core = await scene.broker.connection(0);
    assert.equal(core.link.remoteAddress, `::1:${client.localAddr.port}`);
  },
});

function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}
