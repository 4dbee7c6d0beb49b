import assert from "node:assert/strict";
import { BrokerProcess, freePort, withDirectory } from "../support/broker_process.ts";
import { Authority } from "../support/certificates.ts";
import { concat, hex } from "../support/packets.ts";
import { generate, loadFromArguments } from "./generator.ts";

/**
 * A stand-in for a broker: it answers everything and sends each PUBLISH to all who subscribed, except
 * every `loses`th, which it only acknowledges. Returns its port.
 */
function standIn(loses = Infinity): { port: number } & AsyncDisposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const subscribers = new Set<Deno.Conn>();
  const serving: Promise<void>[] = [];
  let published = 0;

  async function answer(connection: Deno.Conn, packet: Uint8Array): Promise<void> {
    const body = packet.subarray(2);
    const send = (...bytes: number[]) => connection.write(Uint8Array.from(bytes));
    switch (packet[0] >> 4) {
      case 1:
        await send(0x20, 2, 0, 0);
        break;
      case 8:
        subscribers.add(connection);
        await send(0x90, 3, body[0], body[1], 0);
        break;
      case 3: {
        if (++published % loses !== 0) {
          for (const subscriber of subscribers) await subscriber.write(packet);
        }
        const id = 2 + body[1];
        const qos = packet[0] >> 1 & 3;
        if (qos > 0) await send(qos === 1 ? 0x40 : 0x50, 2, body[id], body[id + 1]);
        break;
      }
      case 5: // a subscriber's PUBREC: the exchange goes on
        await send(0x62, 2, body[0], body[1]);
        break;
      case 6: // a publisher's PUBREL
        await send(0x70, 2, body[0], body[1]);
        break;
    }
  }

  async function serve(connection: Deno.Conn): Promise<void> {
    let pending: Uint8Array = hex("");
    for await (const chunk of connection.readable) {
      pending = concat(pending, chunk);
      // All packets here are shorter than 128 bytes.
      while (pending.length > 1 && pending.length >= 2 + pending[1]) {
        const packet = pending.slice(0, 2 + pending[1]);
        pending = pending.slice(packet.length);
        await answer(connection, packet);
      }
    }
    subscribers.delete(connection);
  }

  const accepting = (async () => {
    for await (const connection of listener) {
      serving.push(
        serve(connection).catch((error) => {
          if (!(error instanceof Deno.errors.BadResource || isReset(error))) throw error;
        }),
      );
    }
  })();
  return {
    port: (listener.addr as Deno.NetAddr).port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      await Promise.all(serving);
    },
  };
}

/** The generator ends its connections without DISCONNECT. */
function isReset(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe;
}

Deno.test("every message is counted, at each QoS", async () => {
  for (const qos of [0, 1, 2]) {
    await using broker = standIn();
    const result = await generate({ port: broker.port, messages: 200, qos, window: 10 });
    assert.equal(result.received, 200, `QoS ${qos}`);
    assert.equal(result.lost, 0);
    assert.equal(result.acknowledged, qos === 0 ? 0 : 200);
    assert.ok(result.latencyMs!.p50 >= 0 && result.latencyMs!.p50 <= result.latencyMs!.max);
  }
});

Deno.test("a broker is reached by TLS, WebSocket and both", () =>
  withDirectory(async (directory) => {
    const authority = new Authority(undefined, directory);
    const { certfile, keyfile } = authority.issueServer();
    const secure = [`certfile ${certfile}`, `keyfile ${keyfile}`];
    const ports = [freePort(), freePort()];
    await using broker = await BrokerProcess.start(directory, {
      configuration: [
        ...secure,
        `listener ${ports[0]} 127.0.0.1`,
        "protocol websockets",
        `listener ${ports[1]} 127.0.0.1`,
        "protocol websockets",
        ...secure,
      ],
    });
    for (
      const address of [
        { tls: true, port: broker.port },
        { ws: true, port: ports[0] },
        { tls: true, ws: true, port: ports[1] },
      ]
    ) {
      for (const payloadBytes of [8, 70_000]) {
        const load = { ...address, cafile: authority.cafile, payloadBytes, qos: 1, messages: 50 };
        const { received, acknowledged, closed } = await generate(load);
        assert.deepEqual([received, acknowledged, closed], [50, 50, 0]);
      }
    }
  }));

Deno.test("what the broker loses is reported as lost", async () => {
  await using broker = standIn(10);
  const result = await generate({ port: broker.port, messages: 200, patienceSeconds: 0.1 });
  assert.equal(result.received, 180);
  assert.equal(result.lost, 20);
});

Deno.test("fan-out is expected once for every subscriber", async () => {
  await using broker = standIn();
  const result = await generate({ port: broker.port, subscribers: 3, fanOut: true, messages: 50 });
  assert.equal(result.expected, 150);
  assert.equal(result.received, 150);
});

Deno.test("a set rate is not exceeded", async () => {
  await using broker = standIn();
  const result = await generate({ port: broker.port, messages: 40, messagesPerSecond: 400 });
  assert.equal(result.received, 40);
  assert.ok(result.sentPerSecond <= 440, `${result.sentPerSecond}`);
});

Deno.test("a broker that is not there is an error, not a hang", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  await assert.rejects(generate({ port }), Deno.errors.ConnectionRefused);
});

Deno.test("options have the names of the fields, and a wrong one is refused", () => {
  assert.deepEqual(loadFromArguments(["--payload-bytes", "8", "--fan-out", "--host", "::1"]), {
    payloadBytes: 8,
    fanOut: true,
    host: "::1",
  });
  assert.throws(() => loadFromArguments(["--speed", "9"]), /unknown option --speed/);
  assert.throws(() => loadFromArguments(["--qos", "many"]), /--qos needs a number/);
  assert.throws(() => loadFromArguments(["--qos"]), /--qos needs a number/);
});
