import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import {
  expectClosedSilently,
  expectDisconnected,
  expectRefused,
  payloads,
  valueOf,
} from "../support/messages.ts";
import { connect, hex, pingreq, Property } from "../support/packets.ts";
import { World } from "../support/world.ts";

conformance(
  ["MQTT-3.1.2-22", "MQTT-3.1.2-24 v3", "MQTT-3.2.2-22"],
  "one and a half times Keep Alive without a packet closes, and not a moment less",
  () => {
    for (const version of [3, 4, 5] as const) {
      const world = new World();
      const client = world.connect(version, { keepAliveSeconds: 10 });
      world.advanceMs(14_999);
      client.expectOpen();
      world.advanceMs(1);
      if (version === 5) expectDisconnected(client, 0x8d);
      else expectClosedSilently(client);
    }
  },
);

conformance(
  ["MQTT-3.1.2-22", "MQTT-3.1.2-24 v3"],
  "any packet of the client begins the time anew, none of the server",
  () => {
    const world = new World();
    const client = world.connect(5, { keepAliveSeconds: 10 });
    client.subscribe("t");
    const publisher = world.connect(5, { clientId: "publisher", keepAliveSeconds: 0 });
    for (let times = 0; times < 3; times++) {
      world.advanceSeconds(14);
      client.send(pingreq());
    }
    client.receive();
    world.advanceSeconds(14);
    client.publish({ topic: "t" });
    world.advanceSeconds(14);
    publisher.publish({ topic: "t" });
    client.expectOpen();
    world.advanceSeconds(1);
    client.expectClosed();
  },
);

conformance("MQTT-3.1.2-22", "half a packet does not count", () => {
  const world = new World();
  const client = world.connect(5, { keepAliveSeconds: 10 });
  world.advanceSeconds(14);
  client.send(hex("30"));
  world.advanceSeconds(1);
  expectDisconnected(client, 0x8d);
});

conformance("MQTT-3.1.2-22", "Keep Alive 0 never closes", () => {
  const world = new World();
  const client = world.connect(5, { keepAliveSeconds: 0 });
  world.advanceSeconds(1_000_000);
  client.expectOpen();
});

conformance(["MQTT-3.1.2-22", "MQTT-3.1.2-8"], "a Keep Alive that ran out sends the will", () => {
  const world = new World();
  const watcher = world.connect(5, { clientId: "watcher", keepAliveSeconds: 0 });
  watcher.subscribe("will");
  world.connect(5, { keepAliveSeconds: 1, will: { topic: "will", payload: "gone" } });
  world.advanceMs(1499);
  watcher.expectNothing();
  world.advanceMs(1);
  assert.deepEqual(payloads(watcher), ["gone"]);
});

conformance("MQTT-3.1.2-22", "max_keepalive takes the client's place as Server Keep Alive", () => {
  const world = new World({ settings: { maxKeepalive: 10 } });
  for (const keepAliveSeconds of [0, 11, 65_535]) {
    const client = world.connect(5, { keepAliveSeconds });
    assert.equal(valueOf(client.connack!, Property.serverKeepAlive), 10);
    world.advanceMs(14_999);
    client.expectOpen();
    world.advanceMs(1);
    expectDisconnected(client, 0x8d);
  }
});

conformance("MQTT-3.2.2-22", "a Keep Alive within max_keepalive stays as it is", () => {
  const world = new World({ settings: { maxKeepalive: 10 } });
  for (const version of [3, 4, 5] as const) {
    const client = world.connect(version, { keepAliveSeconds: 6 });
    assert.equal(valueOf(client.connack!, Property.serverKeepAlive), undefined);
    world.advanceMs(8999);
    client.expectOpen();
    world.advanceMs(1);
    client.expectClosed();
  }
});

Deno.test("max_keepalive refuses an MQTT 3 client that asks for more, or for none", () => {
  const world = new World({ settings: { maxKeepalive: 10 } });
  for (const version of [3, 4] as const) {
    for (const keepAliveSeconds of [0, 11]) {
      expectRefused(world.open(version).send(connect(version, { keepAliveSeconds })), 2);
    }
  }
});

Deno.test("a socket that sends no CONNECT in time is closed", () => {
  const world = new World({ settings: { connectTimeoutSeconds: 30 } });
  const silent = world.open();
  const slow = world.open();
  for (const byte of connect(5).subarray(0, -1)) {
    world.advanceSeconds(1);
    slow.send(Uint8Array.of(byte));
  }
  world.advanceMs(29_999 - (connect(5).length - 1) * 1000);
  silent.expectOpen();
  slow.expectOpen();
  world.advanceMs(1);
  expectClosedSilently(silent);
  expectClosedSilently(slow);
  assert.equal(world.broker.connections.size, 0);
});

Deno.test("the time for CONNECT is of no account once it came", () => {
  const world = new World({ settings: { connectTimeoutSeconds: 30 } });
  const client = world.open();
  world.advanceSeconds(29);
  client.send(connect(5, { keepAliveSeconds: 60 }));
  world.advanceSeconds(89);
  client.expectOpen();
  world.advanceSeconds(1);
  client.expectClosed();
});
