import assert from "node:assert/strict";
import { Hono } from "hono";
import mqtt, { type MqttClient } from "mqtt";
import { createBroker } from "../../mod.ts";
import { addMqtt } from "../../src/admin/mqtt.ts";
import type { AdminSource } from "../../src/admin/source.ts";
import { connect as connectPacket } from "../support/packets.ts";
import { eventually, within } from "../support/broker_process.ts";
import { upgradeRequest, WebSocketClient } from "../transport/web_socket_client.ts";

type Options = Parameters<typeof createBroker>[0];

/** A broker behind an HTTP server of its own, as `deno serve` runs it. */
async function withServer(
  options: Options,
  run: (port: number, broker: Awaited<ReturnType<typeof createBroker>>) => Promise<void>,
): Promise<void> {
  const broker = await createBroker({ adminMqtt: true, ...options });
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request, info) => broker.app.fetch(request, info),
  );
  try {
    await run(server.addr.port, broker);
  } finally {
    await within(broker.close(), () => "the broker does not stop");
    await within(server.shutdown(), () => "the HTTP server does not stop");
  }
}

async function connect(port: number): Promise<MqttClient> {
  const client = mqtt.connect(`ws://127.0.0.1:${port}/mqtt`, {
    reconnectPeriod: 0,
    timerVariant: "native",
  });
  const connected = new Promise<void>((resolve, reject) => {
    client.once("connect", () => resolve());
    client.once("error", reject);
  });
  await within(connected, () => "no CONNACK");
  return client;
}

/** The status with which an upgrade is answered. */
async function upgradeStatus(port: number, headers: Record<string, string | null>, path = "/mqtt") {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const client = await within(
    WebSocketClient.open(
      connection,
      upgradeRequest({ Host: `localhost:${port}`, ...headers }, path),
    ),
    () => "no answer",
  );
  return Number(client.answer.split(" ")[1]);
}

/** A test in which mqtt.js is the client: it ends its timers when it likes, which is not ours to judge. */
function testWithMqttjs(name: string, fn: () => Promise<void>) {
  Deno.test({ name, sanitizeOps: false, sanitizeResources: false, fn });
}

testWithMqttjs(
  "mqtt.js speaks MQTT on the path /mqtt, in both directions and at any length",
  () =>
    withServer({}, async (port) => {
      const client = await connect(port);
      await client.subscribeAsync("a", { qos: 2 });
      for (const length of [0, 10, 1000, 300_000]) {
        const came = new Promise<number>((resolve) =>
          client.once("message", (_topic, payload) => resolve(payload.length))
        );
        await client.publishAsync("a", "x".repeat(length), { qos: 2 });
        assert.equal(await within(came, () => "no message"), length);
      }
      await client.endAsync();
    }),
);

testWithMqttjs(
  "a stop tells the clients of /mqtt, and waits for them",
  () =>
    withServer({}, async (port, broker) => {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port });
      const client = await within(
        WebSocketClient.open(connection, upgradeRequest({ Host: `localhost:${port}` })),
        () => "no answer",
      );
      const next = () => within(client.readFrame(), () => "no frame");
      for (const byte of connectPacket(5, { clientId: "c" })) {
        await client.write(Uint8Array.of(byte));
      }
      assert.equal((await next())!.payload[0] >> 4, 2);
      await within(broker.close(), () => "the stop does not end");
      const left = [];
      for (let frame = await next(); frame !== null; frame = await next()) {
        left.push(frame.opcode === 2 ? frame.payload[0] >> 4 : "close");
        if (frame.opcode === 8) break;
      }
      assert.deepEqual(left, [14, "close"]);
    }),
);

Deno.test("a broker that stops answers 503 to who comes to /mqtt", () =>
  withServer({}, async (port, broker) => {
    await broker.close();
    assert.equal(await upgradeStatus(port, {}), 503);
  }));

Deno.test("a WebSocket that cannot be served is closed, and its upgrade is answered", async () => {
  const faults: string[] = [];
  const app = new Hono();
  const broker = { isStopping: false, fault: (error: Error) => void faults.push(error.message) };
  addMqtt(app, {
    token: null,
    broker: () => broker,
    webSocket: () => {
      throw new Error("no room");
    },
  } as unknown as AdminSource);
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => app.fetch(request),
  );
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
  const client = await within(WebSocketClient.open(connection), () => "no answer");
  assert.match(client.answer, /^HTTP\/1.1 101 /);
  assert.equal((await within(client.readFrame(), () => "no frame"))!.opcode, 8);
  assert.deepEqual(faults, ["no room"]);
  await within(server.shutdown(), () => "the server does not stop");
});

Deno.test("without admin_mqtt there is no /mqtt", () =>
  withServer({ adminMqtt: false }, async (port) => {
    assert.equal(await upgradeStatus(port, {}), 404);
  }));

Deno.test("/mqtt refuses what is no WebSocket or does not speak MQTT", () =>
  withServer({}, async (port) => {
    const answer = await fetch(`http://127.0.0.1:${port}/mqtt`);
    assert.equal(answer.status, 426);
    await answer.body?.cancel();
    assert.equal(await upgradeStatus(port, { "Sec-WebSocket-Protocol": "chat" }), 426);
    assert.equal(await upgradeStatus(port, { "Sec-WebSocket-Key": null }), 400);
    assert.equal(await upgradeStatus(port, { "Connection": "close" }), 400);
    assert.equal(await upgradeStatus(port, { "Sec-WebSocket-Protocol": "chat, mqttv3.1" }), 101);
  }));

Deno.test("without a token /mqtt is for this machine, and for no page from elsewhere", () =>
  withServer({}, async (port) => {
    assert.equal(await upgradeStatus(port, { Host: "evil.example" }), 403);
    assert.equal(await upgradeStatus(port, { Origin: "https://evil.example" }), 403);
    assert.equal(await upgradeStatus(port, { Origin: `http://localhost:${port}` }), 101);
  }));

testWithMqttjs(
  "with a token /mqtt is for all, and MQTT asks who they are",
  () =>
    withServer({ adminToken: "t" }, async (port) => {
      assert.equal(await upgradeStatus(port, { Host: "broker.example" }), 101);
      const refused = connect(port);
      await assert.rejects(refused, /Not authorized/i);
    }),
);

testWithMqttjs(
  "a client that breaks off is forgotten",
  () =>
    withServer({}, async (port, broker) => {
      let left = false;
      broker.on("disconnect", () => left = true);
      const client = await connect(port);
      client.stream.destroy();
      await eventually(() => left, () => "the broker does not notice");
      await client.endAsync(true);
    }),
);

testWithMqttjs(
  "global_max_connections holds on /mqtt, too",
  () =>
    withServer({ globalMaxConnections: 1 }, async (port) => {
      const first = await connect(port);
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      const request = upgradeRequest({ Host: `localhost:${port}` });
      const second = await WebSocketClient.open(connection, request);
      const frame = await within(second.readFrame(), () => "it was let in");
      assert.ok(frame === null || frame.opcode === 8);
      connection.close();
      await first.endAsync();
      const third = await connect(port);
      await third.endAsync();
    }),
);
