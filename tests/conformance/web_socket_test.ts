/** WebSocket as a transport: MQTT 5.0 and 3.1.1, section 6. */
import assert from "node:assert/strict";
import { createBroker } from "../../mod.ts";
import { within } from "../support/broker_process.ts";
import { conformance } from "../support/conformance.ts";
import { concat, connect, pingreq } from "../support/packets.ts";
import { frame, upgradeRequest, WebSocketClient } from "../transport/web_socket_client.ts";

const TEXT = 1, CLOSE = 8;
/** An answer to CONNECT of MQTT 3.1.1, and one to PINGREQ. */
const CONNACK = [0x20, 2, 0, 0], PINGRESP = [0xd0, 0];

/** Runs with a WebSocket to a broker. */
async function withWebSocket(
  run: (client: WebSocketClient) => Promise<void>,
  request = upgradeRequest(),
): Promise<void> {
  await using broker = await createBroker({
    listeners: [{ port: 0, address: "127.0.0.1", protocol: "websockets" }],
  });
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: broker.address().port });
  await run(await WebSocketClient.open(connection, request));
}

/** The next bytes of the payload, however the server frames them. */
async function read(client: WebSocketClient, length: number): Promise<number[]> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await within(client.read(bytes.subarray(at)), () => "nothing comes");
    assert.ok(count !== null, `it ended after ${at} of ${length} bytes`);
    at += count;
  }
  return [...bytes];
}

conformance(
  "MQTT-6.0.0-1",
  "a frame that is not binary closes the Network Connection",
  () =>
    withWebSocket(async (client) => {
      await client.write(connect(4, { clientId: "c" }));
      assert.deepEqual(await read(client, 4), CONNACK);
      await client.sendRaw(frame(pingreq(), { opcode: TEXT }));
      assert.equal((await within(client.readFrame(), () => "it goes on"))!.opcode, CLOSE);
      assert.equal(await within(client.readFrame(), () => "it stays open"), null);
    }),
);

conformance(
  "MQTT-6.0.0-1",
  "what the server sends are binary frames",
  () =>
    withWebSocket(async (client) => {
      await client.write(concat(connect(4, { clientId: "c" }), pingreq()));
      await read(client, 6);
      assert.ok(client.frames.every(({ opcode }) => opcode === 2));
    }),
);

conformance(
  "MQTT-6.0.0-2",
  "several packets in a frame, and a packet in several frames",
  () =>
    withWebSocket(async (client) => {
      const packets = concat(connect(4, { clientId: "c" }), pingreq(), pingreq());
      await client.sendRaw(frame(packets.subarray(0, packets.length - 1)));
      assert.deepEqual(await read(client, 6), [...CONNACK, ...PINGRESP]);
      await client.sendRaw(frame(packets.subarray(packets.length - 1)));
      assert.deepEqual(await read(client, 2), PINGRESP);
      for (const byte of concat(pingreq(), pingreq())) {
        await client.sendRaw(frame(Uint8Array.of(byte)));
      }
      assert.deepEqual(await read(client, 4), [...PINGRESP, ...PINGRESP]);
    }),
);

conformance(
  "MQTT-6.0.0-2",
  "a packet in fragments of one message",
  () =>
    withWebSocket(async (client) => {
      const bytes = connect(4, { clientId: "c" });
      await client.sendRaw(frame(bytes.subarray(0, 3), { fin: false }));
      await client.sendRaw(frame(bytes.subarray(3, 4), { opcode: 0, fin: false }));
      await client.sendRaw(frame(bytes.subarray(4), { opcode: 0 }));
      assert.deepEqual(await read(client, 4), CONNACK);
    }),
);

conformance("MQTT-6.0.0-4", "the server selects the sub-protocol mqtt", () =>
  withWebSocket(
    (client) => {
      assert.match(client.answer, /\r\nSec-WebSocket-Protocol: mqtt\r\n/);
      return Promise.resolve();
    },
    upgradeRequest({ "Sec-WebSocket-Protocol": "chat, mqtt" }),
  ));
