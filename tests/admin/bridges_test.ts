import assert from "node:assert/strict";
import { BridgeWorld } from "../bridge/support.ts";
import * as packets from "../support/packets.ts";
import { Admin } from "./support.ts";

function start(world = new BridgeWorld()) {
  const admin = new Admin(world, { bridges: () => [world.bridges.get("b")!] });
  return { world, admin };
}

Deno.test("bridges are listed, and shown one by one", async () => {
  const { world, admin } = start();
  world.refuse("Connection refused");
  const waiting = {
    name: "b",
    state: "waiting",
    connected: false,
    address: "remote:1883",
    queued: 0,
    sent: 0,
    received: 0,
    dropped: 0,
    connects: 0,
    lastError: "cannot connect to remote:1883: Connection refused",
  };
  assert.deepEqual(await admin.get("/api/v1/bridges"), { bridges: [waiting] });
  assert.deepEqual(await admin.get("/api/v1/bridges/b"), waiting);
  await admin.refused("GET /api/v1/bridges/c", 404, "not_found");
  await admin.refused("GET /api/v1/bridges?x=1", 400, "bad_request");
});

Deno.test("a bridge is paused, resumed and made to reconnect", async () => {
  const { world, admin } = start();
  const remote = world.connected();
  const post = async (action: string) => {
    const answer = await admin.ask(`POST /api/v1/bridges/b/${action}`);
    assert.equal(answer.status, 200, answer.text);
    return answer.body.state;
  };
  assert.equal(await post("pause"), "stopped");
  assert.ok(remote.isClosed);
  assert.equal(await post("resume"), "connecting");
  const second = world.connected();
  assert.equal(await post("reconnect"), "connecting");
  assert.ok(second.isClosed);
  await admin.refused("GET /api/v1/bridges/b/pause", 405, "method_not_allowed");
  await admin.refused("POST /api/v1/bridges/c/pause", 404, "not_found");
});

Deno.test("the metrics have the numbers of each bridge", async () => {
  const { world, admin } = start();
  const remote = world.connected();
  world.connect(5, { clientId: "p" }).publish({ topic: "a", qos: 1 });
  remote.send(packets.publish(4, { topic: "b" }));
  remote.vanish('lost "it"');
  const { text } = await admin.ask("GET /metrics");
  const lines = text.split("\n").filter((line) => line.startsWith("sabethes_bridge_"));
  assert.deepEqual(lines, [
    'sabethes_bridge_connected{bridge="b"} 0',
    'sabethes_bridge_queued_messages{bridge="b"} 1',
    'sabethes_bridge_sent_total{bridge="b"} 1',
    'sabethes_bridge_received_total{bridge="b"} 1',
    'sabethes_bridge_dropped_total{bridge="b"} 0',
    'sabethes_bridge_connects_total{bridge="b"} 1',
    'sabethes_bridge_last_error_info{bridge="b",error="connection to remote:1883 lost: lost \\"it\\""} 1',
  ]);
});
