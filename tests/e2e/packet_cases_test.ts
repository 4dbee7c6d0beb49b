import assert from "node:assert/strict";
import {
  BrokerProcess,
  eventually,
  PATIENCE_MS,
  withDirectory,
} from "../support/broker_process.ts";
import { assertOutcome, casesFor, type PacketCase } from "../support/packet_cases.ts";
import { runOverTcp } from "../support/tcp_case_runner.ts";
import { concat, connect, pingreq, publish, subscribe, type Version } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";

const AT_A_TIME = 16;

/** Plays the cases, so many at a time; returns what went wrong. */
async function play(
  cases: readonly PacketCase[],
  port: number,
  atATime: number,
): Promise<string[]> {
  const failures: string[] = [];
  const rest = cases.values();
  const worker = async (number: number) => {
    for (const one of rest) {
      try {
        const { received, closed } = await runOverTcp(
          one,
          { hostname: "127.0.0.1", port },
          { patienceMs: PATIENCE_MS, clientId: `case${number}` },
        );
        assertOutcome(one, received, closed);
      } catch (error) {
        failures.push(`${one.phase}, version ${one.version}: ${error}`);
      }
    }
  };
  await Promise.all(Array.from({ length: atATime }, (_, number) => worker(number)));
  return failures;
}

async function assertServes(port: number, version: Version): Promise<void> {
  await using client = await TcpClient.connect(port, version, { clientId: "next" });
  void client.send(pingreq());
  await client.next("pingresp");
}

Deno.test("a real broker answers every malformed and forbidden packet, and goes on", () =>
  withDirectory(async (directory) => {
    await using broker = await BrokerProcess.start(directory);
    const { port } = broker;
    for (const version of [3, 4, 5] as const) await assertServes(port, version);
    await eventually(
      () => broker.lines.some((line) => /Client next .*closed/.test(line)),
      () => "",
    );
    const descriptors = Deno.build.os === "linux" ? broker.fileDescriptors() : 0;
    for (const version of [3, 4, 5] as const) {
      const cases = casesFor(version);
      const first = await play(cases.filter(({ phase }) => phase === "first"), port, 1);
      const connected = cases.filter(({ phase }) => phase === "connected");
      const later = await play(connected, port, AT_A_TIME);
      assert.deepEqual([...first, ...later], []);
      await assertServes(port, version);
    }
    broker.assertNoDefect();
    if (Deno.build.os === "linux") {
      await eventually(
        () => broker.fileDescriptors() <= descriptors,
        () => `${broker.fileDescriptors()} descriptors, ${descriptors} before`,
      );
    }
    assert.equal(await broker.end(), 0);
  }));

Deno.test("packets that come byte by byte are answered as if they came at once", () =>
  withDirectory(async (directory) => {
    await using broker = await BrokerProcess.start(directory);
    await using client = await TcpClient.open(broker.port, 5);
    const bytes = concat(
      connect(5, { clientId: "slow" }),
      subscribe(5, { filters: [["t", 1]] }),
      publish(5, { topic: "t", payload: "in pieces", qos: 1 }),
      pingreq(),
    );
    for (const byte of bytes) await client.send(Uint8Array.of(byte));
    const types = [];
    for (let count = 0; count < 5; count++) types.push((await client.next()).type);
    assert.deepEqual(types, ["connack", "suback", "publish", "puback", "pingresp"]);
  }));
