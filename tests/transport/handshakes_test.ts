import assert from "node:assert/strict";
import { HandshakeError, type Secure } from "../../src/transport/handshake.ts";
import type { ByteStream } from "../../src/transport/stream_link.ts";
import { eventually, within } from "../support/broker_process.ts";
import { defaultSettings } from "../support/world.ts";
import { webSockets } from "./listener_options.ts";
import { assertTurnedAway, readAll, Scene } from "./listener_scene.ts";
import { StandInBroker } from "./stand_in_broker.ts";
import { WebSocketClient } from "./web_socket_client.ts";

/** A broker that gives handshakes this time. */
function brokerWith(connectTimeoutSeconds: number): StandInBroker {
  const broker = new StandInBroker();
  broker.settings = { ...defaultSettings, connectTimeoutSeconds };
  return broker;
}

/** A handshake of one byte: "s" is a good one. */
const toy: Secure = async (raw: ByteStream, remoteAddress: string) => {
  const byte = new Uint8Array(1);
  if (await raw.read(byte) === null) throw new HandshakeError("");
  if (byte[0] !== 0x73) {
    throw new HandshakeError(`Client ${remoteAddress.slice(0, 9)} is no friend.`);
  }
  return { stream: raw, info: { tlsVersion: "TLSv0", cipher: "TOY", pskIdentity: "me" } };
};

const proxy = { version: 1, requireTls: false, requireCertificate: false } as const;

Deno.test("what all handshakes learnt reaches the core", async () => {
  await using scene = await Scene.start({ proxy, secure: toy, http: webSockets });
  const client = await scene.send("PROXY TCP4 192.0.2.5 192.0.2.6 7 8\r\ns");
  await WebSocketClient.open(client);
  const { link } = await scene.broker.connection(0);
  assert.equal(link.remoteAddress, "192.0.2.5:7");
  assert.deepEqual(link.peer, {
    tlsVersion: "TLSv0",
    cipher: "TOY",
    pskIdentity: "me",
    viaWebSocket: true,
  });
  assert.deepEqual(scene.broker.lines, []);
});

Deno.test("a handshake that fails closes the connection, and its line is logged", async () => {
  await using scene = await Scene.start({ secure: toy });
  await assertTurnedAway(await scene.send("x"));
  assert.deepEqual(scene.notices, ["notice: Client 127.0.0.1 is no friend."]);
});

Deno.test("a thousand handshakes that go no further hold up nobody", async () => {
  const broker = brokerWith(3600);
  await using scene = await Scene.start(
    { secure: toy, http: webSockets, maxPendingConnections: 2000 },
    broker,
  );
  for (let index = 0; index < 500; index++) await scene.dial();
  for (let index = 0; index < 500; index++) await scene.send("sGET / HT");
  const client = await scene.send("s");
  await within(WebSocketClient.open(client), () => "it is held up");
  assert.equal(scene.listener.connections, 1001);
});

for (
  const [title, options, bytes] of [
    ["no PROXY header", { proxy }, ""],
    ["half a PROXY header", { proxy }, "PROXY TCP4 "],
    ["no TLS", { secure: toy }, ""],
    ["no request", { http: webSockets }, ""],
    ["half a request", { http: webSockets }, "GET / HTTP/1.1\r\nHost:"],
  ] as const
) {
  Deno.test(`a handshake has its time: ${title}`, async () => {
    await using scene = await Scene.start(options, brokerWith(0.02));
    assert.equal(await readAll(await scene.send(bytes)), "");
    await eventually(() => scene.listener.connections === 0, () => "it is forgotten");
    assert.deepEqual([scene.broker.accepted, scene.notices], [[], []]);
  });
}

Deno.test("bytes that come now and then do not make the time longer", async () => {
  await using scene = await Scene.start({ http: webSockets }, brokerWith(0.1));
  const client = await scene.send("GET / HTTP/1.1\r\n");
  let isOver = false;
  const over = readAll(client).then(() => isOver = true);
  let sent = 0;
  while (!isOver && sent < 200) {
    await client.write(new TextEncoder().encode("A: b\r\n")).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 10));
    sent++;
  }
  await over;
  assert.ok(sent < 200, "it was cut off while it went on sending");
});

Deno.test("what handshakes take is taken from the time for CONNECT", async () => {
  let finish: () => void = () => {};
  const secure: Secure = async (raw) => {
    await new Promise<void>((resolve) => finish = resolve);
    return { stream: raw, info: {} };
  };
  await using scene = await Scene.start({ secure });
  await scene.dial();
  await eventually(() => scene.listener.connections === 1, () => "it is in");
  const since = performance.now();
  await eventually(() => performance.now() - since > 30, () => "time passes");
  finish();
  await scene.broker.connection(0);
  const [elapsed] = scene.broker.elapsedMs;
  assert.ok(elapsed >= 30 && Number.isInteger(elapsed), `${elapsed}`);
});

Deno.test("at the bound new ones wait, and are served when others are through", async () => {
  await using scene = await Scene.start({ secure: toy, maxPendingConnections: 2 });
  const slow = [await scene.dial(), await scene.dial()];
  await eventually(() => scene.listener.connections === 2, () => "both are in");
  const third = await scene.send("s");
  await slow[0].closeWrite();
  await scene.broker.connection(0);
  const { port } = third.localAddr;
  assert.equal(scene.broker.accepted[0].link.remoteAddress, `127.0.0.1:${port}`);
});

Deno.test("connections before their CONNECT count as pending, those after it do not", async () => {
  await using scene = await Scene.start({ maxPendingConnections: 2 });
  await scene.enter();
  const second = await scene.enter();
  await scene.dial();
  scene.broker.accepted[0].isConnected = true;
  await scene.broker.connection(2);
  await scene.dial();
  await second.closeWrite();
  await scene.broker.connection(3);
});

Deno.test("closing breaks off handshakes and the wait for room", async () => {
  await using scene = await Scene.start({ secure: toy, maxPendingConnections: 1 });
  const client = await scene.dial();
  await eventually(() => scene.listener.connections === 1, () => "it is in");
  await within(scene.listener.close(), () => "it waits for the handshake");
  await assertTurnedAway(client);
  await within(scene.listener.drain(3_600_000), () => "it waits for nobody");
});

Deno.test("other options hold from the next connection on", async () => {
  await using scene = await Scene.start({ maxConnections: 1 });
  const first = await scene.enter();
  await assertTurnedAway(await scene.dial());
  scene.configure({ maxConnections: 2, secure: toy, maxQos: 1 });
  const second = await scene.send("s");
  await scene.broker.connection(1);
  assert.deepEqual(scene.broker.listeners.map(({ maxQos }) => maxQos), [2, 1]);
  assert.equal(scene.broker.listeners[1].port, scene.port);
  await Promise.all([first.closeWrite(), second.closeWrite()]);
});
