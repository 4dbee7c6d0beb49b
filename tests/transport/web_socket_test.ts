import assert from "node:assert/strict";
import type { HttpOptions } from "../../src/transport/http_exchange.ts";
import { eventually, within } from "../support/broker_process.ts";
import { concat } from "../support/packets.ts";
import { webSockets } from "./listener_options.ts";
import { assertTurnedAway, readAll, Scene, sendAll } from "./listener_scene.ts";
import { ACCEPT, frame, upgradeRequest, WebSocketClient } from "./web_socket_client.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const PING = 9, PONG = 10, CLOSE = 8, TEXT = 1;

const listen = (options: Partial<HttpOptions> = {}) =>
  Scene.start({ http: { ...webSockets, ...options } });

/** A WebSocket to a new listener, and the core's end of it. */
async function connected(scene: Scene) {
  const before = scene.broker.accepted.length;
  const client = await WebSocketClient.open(await scene.dial());
  return { client, core: await scene.broker.connection(before) };
}

// The upgrade

Deno.test("the upgrade is answered byte for byte as Mosquitto answers it", async () => {
  await using scene = await listen();
  const { client, core } = await connected(scene);
  assert.equal(
    client.answer,
    "HTTP/1.1 101 Switching Protocols\r\n" +
      "Upgrade: WebSocket\r\n" +
      "Connection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${ACCEPT}\r\n` +
      "Sec-WebSocket-Protocol: mqtt\r\n" +
      "\r\n",
  );
  assert.deepEqual(core.link.peer, { viaWebSocket: true });
});

for (
  const [title, changes, subProtocol] of [
    ["MQTT 3.1", { "Sec-WebSocket-Protocol": "mqttv3.1" }, "mqttv3.1"],
    ["several sub-protocols", { "Sec-WebSocket-Protocol": "chat,mqttv3.1 , mqtt" }, "mqttv3.1"],
    ["a proxy's Connection", { Connection: "keep-alive, UPGRADE", Upgrade: "WebSocket" }, "mqtt"],
    ["names in small letters", {
      "Sec-WebSocket-Key": null,
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }, "mqtt"],
    [
      "extensions, which are not taken up",
      { "Sec-WebSocket-Extensions": "permessage-deflate" },
      "mqtt",
    ],
    [
      "names that objects have",
      { constructor: "a", "Sec-WebSocket-Extensions": "constructor" },
      "mqtt",
    ],
    ["any origin", { Origin: "https://example.org" }, "mqtt"],
  ] as [string, Record<string, string | null>, string][]
) {
  Deno.test(`upgraded: ${title}`, async () => {
    await using scene = await listen();
    const client = await WebSocketClient.open(await scene.dial(), upgradeRequest(changes));
    assert.match(client.answer, /^HTTP\/1\.1 101 /);
    assert.equal(client.answer.split("\r\n").length, 7);
    assert.ok(client.answer.includes(`\r\nSec-WebSocket-Protocol: ${subProtocol}\r\n`));
  });
}

Deno.test("the first frames may come with the request, and the request byte by byte", async () => {
  await using scene = await listen();
  const first = await scene.dial();
  await sendAll(first, concat(encode(upgradeRequest()), frame(encode("early"))));
  const early = await scene.broker.connection(0);
  await early.untilReceived(5);
  const second = await scene.dial();
  second.setNoDelay(true);
  for (const character of upgradeRequest()) await sendAll(second, character);
  await sendAll(second, frame(encode("late")));
  const late = await scene.broker.connection(1);
  await late.untilReceived(4);
  const received = [early, late].map((core) => new TextDecoder().decode(core.received));
  assert.deepEqual(received, ["early", "late"]);
});

for (
  const [title, request, status] of [
    ["no WebSocket", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 426],
    ["no key", upgradeRequest({ "Sec-WebSocket-Key": null }), 400],
    ["a key that is too short", upgradeRequest({ "Sec-WebSocket-Key": "YWJj" }), 400],
    ["no Connection", upgradeRequest({ Connection: null }), 400],
    ["another Connection", upgradeRequest({ Connection: "close" }), 400],
    ["version 8", upgradeRequest({ "Sec-WebSocket-Version": "8" }), 426],
    ["no sub-protocol", upgradeRequest({ "Sec-WebSocket-Protocol": null }), 400],
    ["another sub-protocol", upgradeRequest({ "Sec-WebSocket-Protocol": "mqtt5" }), 400],
    ["POST", upgradeRequest().replace("GET", "POST"), 400],
    ["HTTP/2.0", upgradeRequest().replace("HTTP/1.1", "HTTP/2.0"), 400],
    ["MQTT", "\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", 400],
    ["a header without a name", upgradeRequest({ "": "a" }), 400],
    ["a header in two lines", "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400],
    ["4097 bytes", upgradeRequest({ Cookie: "x".repeat(4097) }), 431],
    ["headers without an end", `GET / HTTP/1.1\r\n${"A: b\r\n".repeat(2000)}`, 431],
  ] as const
) {
  Deno.test(`refused with ${status}: ${title}`, async () => {
    await using scene = await listen();
    const answer = await readAll(await scene.send(request));
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
    if (title === "version 8") assert.match(answer, /\r\nsec-websocket-version: 13\r\n/i);
    assert.equal(scene.broker.accepted.length, 0);
  });
}

Deno.test("the size of a request's head is what the option says", async () => {
  await using scene = await listen({ headMaximum: 10_000 });
  const client = await scene.dial();
  await WebSocketClient.open(client, upgradeRequest({ Cookie: "x".repeat(9_500) }));
  await using small = await listen({ headMaximum: 300 });
  const answer = await readAll(await small.send(upgradeRequest({ Cookie: "x".repeat(200) })));
  assert.match(answer, /^HTTP\/1\.1 431 /);
});

Deno.test("of several origins any is right; another is closed without a byte", async () => {
  await using scene = await listen({ origins: ["https://a.example", "https://b.example"] });
  await WebSocketClient.open(await scene.dial(), upgradeRequest({ Origin: "https://b.example" }));
  for (const origin of ["https://c.example", "https://b.example:444", "HTTPS://b.example", null]) {
    const client = await scene.send(upgradeRequest({ Origin: origin }));
    assert.equal(await readAll(client), "");
  }
  assert.equal(scene.broker.accepted.length, 1);
  assert.deepEqual(scene.notices, []);
});

// Frames, both ways

Deno.test("what is sent goes out in frames of up to 64 KiB, as short a header as can be", async () => {
  await using scene = await listen();
  const { client, core } = await connected(scene);
  const sent: Uint8Array[] = [];
  for (const length of [1, 125, 126, 65_000, 200_000]) {
    const bytes = new Uint8Array(length).fill(length);
    sent.push(bytes);
    core.send(bytes);
    let read = 0;
    while (read < length) read += (await client.readFrame())!.payload.length;
  }
  assert.deepEqual(concat(...client.frames.map(({ payload }) => payload)), concat(...sent));
  assert.ok(client.frames.every(({ opcode, payload }) => opcode === 2 && payload.length < 65_536));
  assert.equal(scene.broker.counters.bytesSent, 1 + 125 + 126 + 65_000 + 200_000);
});

Deno.test("a Ping is answered, also in the middle of a message and of a paused connection's", async () => {
  await using scene = await listen();
  const { client, core } = await connected(scene);
  await client.sendRaw(frame(encode("a"), { fin: false }));
  await client.sendRaw(frame(encode("are you there"), { opcode: PING }));
  const pong = await client.readFrame();
  assert.deepEqual([pong!.opcode, pong!.payload], [PONG, encode("are you there")]);
  await client.sendRaw(frame(encode("b"), { opcode: 0 }));
  await core.untilReceived(2);
  assert.equal(new TextDecoder().decode(core.received), "ab");
});

Deno.test("Pings by the thousand of a peer that does not read take no memory", async () => {
  await using scene = await listen();
  const { client, core } = await connected(scene);
  const pings = concat(
    ...Array.from({ length: 1000 }, () => frame(new Uint8Array(125), { opcode: PING })),
  );
  // More than all buffers between hold, if each were answered.
  for (let round = 0; round < 100; round++) await client.sendRaw(pings);
  await client.sendRaw(frame(encode("end")));
  await core.untilReceived(3);
  // It is still served.
  core.send(encode("answer"));
  let answered = false;
  while (!answered) answered = (await client.readFrame())!.opcode === 2;
  const pongs = client.frames.filter(({ opcode }) => opcode === PONG).length;
  assert.ok(pongs > 0 && pongs < 100_000);
});

Deno.test("a Close frame is answered with its code, and the connection ends", async () => {
  for (const [payload, code] of [[[3, 233], 1001], [[15, 160, 0x62, 0x79, 0x65], 4000]] as const) {
    await using scene = await listen();
    const { client, core } = await connected(scene);
    await client.sendRaw(frame(encode("last")));
    await client.sendRaw(frame(Uint8Array.from(payload), { opcode: CLOSE }));
    const close = await client.readFrame();
    assert.deepEqual([close!.opcode, close!.payload], [CLOSE, Uint8Array.of(code >> 8, code)]);
    assert.equal(await client.readFrame(), null);
    assert.equal(core.length, 4);
    assert.deepEqual(core.endings, [undefined]);
  }
});

Deno.test("an empty Close frame is answered with one", async () => {
  await using scene = await listen();
  const { client } = await connected(scene);
  await client.sendRaw(frame(new Uint8Array(), { opcode: CLOSE }));
  const close = await client.readFrame();
  assert.deepEqual([close!.opcode, close!.payload.length], [CLOSE, 0]);
});

Deno.test("the core's end is a Close frame with 1000 behind what was sent last", async () => {
  await using scene = await listen();
  const { client, core } = await connected(scene);
  core.send(encode("goodbye"));
  core.end();
  assert.deepEqual((await client.readFrame())!.payload, encode("goodbye"));
  const close = await client.readFrame();
  assert.deepEqual([close!.opcode, close!.payload], [CLOSE, Uint8Array.of(3, 232)]);
  assert.equal(await client.readFrame(), null, "one Close frame");
  // It lingers for the peer's answer, so that nothing of this is lost.
  assert.equal(scene.listener.connections, 1);
  await client.sendRaw(frame(Uint8Array.of(3, 232), { opcode: CLOSE }));
  await eventually(() => scene.listener.connections === 0, () => "both have closed");
});

for (
  const [title, bytes, code] of [
    ["a text frame", frame(encode("a"), { opcode: TEXT }), 1003],
    ["an unmasked frame", frame(encode("a"), { masked: false }), 1002],
    ["a reason that is not UTF-8", frame(Uint8Array.of(3, 232, 255), { opcode: CLOSE }), 1007],
  ] as const
) {
  Deno.test(`told with ${code}: ${title}`, async () => {
    await using scene = await listen();
    const { client, core } = await connected(scene);
    await client.sendRaw(concat(frame(encode("before")), bytes, new Uint8Array(300_000)));
    const close = await within(client.readFrame(), () => "no Close frame");
    assert.deepEqual([close!.opcode, close!.payload], [CLOSE, Uint8Array.of(code >> 8, code)]);
    assert.equal(await client.readFrame(), null);
    await client.closeWrite();
    await core.until(() => core.endings.length === 1, "the end");
    assert.match(core.endings[0]!, /^WebSocket protocol error: /);
    assert.equal(core.length, 6);
  });
}

// Limits

Deno.test("max_connections counts WebSockets and their handshakes", async () => {
  await using scene = await Scene.start({ http: webSockets, maxConnections: 2 });
  await connected(scene);
  const half = await scene.send("GET /mqtt HTTP/1.1\r\n");
  await eventually(() => scene.listener.connections === 2, () => "the handshake counts");
  await assertTurnedAway(await scene.dial());
  await half.closeWrite();
  await eventually(() => scene.listener.connections === 1, () => "the handshake has ended");
  await connected(scene);
});
