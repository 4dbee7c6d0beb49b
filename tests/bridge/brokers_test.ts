/** Bridges between real processes: to Debian's Mosquitto, to another of ours, and from Mosquitto. */
import assert from "node:assert/strict";
import {
  BrokerProcess,
  eventually,
  freePort,
  persistent,
  withDirectory,
} from "../support/broker_process.ts";
import { LastingClient } from "../support/lasting_client.ts";
import { hasMosquitto, MosquittoProcess } from "./mosquitto_process.ts";

type Broker = BrokerProcess | MosquittoProcess;

const REMOTES = ["mosquitto", "sabethes"] as const;

async function startRemote(
  kind: typeof REMOTES[number],
  directory: string,
  port?: number,
): Promise<Broker> {
  await Deno.mkdir(directory, { recursive: true });
  if (kind === "mosquitto") return MosquittoProcess.start(directory, { port });
  return await BrokerProcess.start(directory, {
    port,
    configuration: ["allow_anonymous true", ...persistent(directory), "max_queued_messages 0"],
  });
}

function ours(directory: string, bridge: readonly string[]): Promise<BrokerProcess> {
  return BrokerProcess.start(directory, {
    configuration: [
      "allow_anonymous true",
      ...persistent(directory),
      "max_queued_messages 0",
      "connection there",
      "restart_timeout 1",
      ...bridge,
    ],
  });
}

async function client(broker: Broker, name: string, filter?: string): Promise<LastingClient> {
  // In MQTT 5 it would have to keep to a Receive Maximum.
  const connected = new LastingClient(4, name);
  await connected.connect(broker.port);
  if (filter !== undefined) {
    await new Promise<void>((resolve) => connected.subscribe(filter, 2, resolve));
  }
  return connected;
}

for (const kind of REMOTES) {
  for (const protocol of ["mqttv31", "mqttv311", "mqttv50"]) {
    Deno.test({
      name: `bridge to ${kind}, ${protocol}: each direction and QoS, renamed, retained, state`,
      ignore: kind === "mosquitto" && !hasMosquitto(),
      fn: () =>
        withDirectory(async (directory) => {
          await using remote = await startRemote(kind, `${directory}/remote`);
          await using local = await ours(directory, [
            `address 127.0.0.1:${remote.port}`,
            `bridge_protocol_version ${protocol}`,
            "remote_clientid bridge",
            "topic sens/# both 2 here/ there/",
            'topic "" out 1 one/local one/remote',
          ]);
          await local.line(/Bridge there is connected/);
          await using there = await client(remote, "t", "#");
          await using here = await client(local, "h", "#");
          await using state = await client(remote, "s", "$SYS/broker/connection/bridge/state");
          const at = (broker: LastingClient) =>
            broker.taken.map(({ topic, text, qos }) => `${topic} ${text} ${qos}`).sort();
          await eventually(() => state.taken.length > 0, () => "no state");
          assert.equal(state.taken.at(-1)!.text, "1");
          for (const qos of [1, 2] as const) {
            here.publish({ topic: "here/sens/x", payload: `out ${qos}`, qos }, () => {});
            there.publish({ topic: "there/sens/y", payload: `in ${qos}`, qos }, () => {});
          }
          here.publish({ topic: "one/local", payload: "1", qos: 2, retain: true }, () => {});
          here.publish({ topic: "not shared", payload: "x", qos: 1 }, () => {});
          await eventually(
            () => there.taken.length >= 5 && here.taken.length >= 6,
            () => `${at(there)} and ${at(here)}`,
          );
          assert.deepEqual(at(there), [
            "one/remote 1 1",
            "there/sens/x out 1 1",
            "there/sens/x out 2 2",
            "there/sens/y in 1 1",
            "there/sens/y in 2 2",
          ]);
          assert.deepEqual(at(here), [
            "here/sens/x out 1 1",
            "here/sens/x out 2 2",
            "here/sens/y in 1 1",
            "here/sens/y in 2 2",
            "not shared x 1",
            "one/local 1 2",
          ]);
          await using late = await client(remote, "l", "one/remote");
          await eventually(() => late.taken.length > 0, () => "nothing retained");
          assert.equal(late.taken[0].retain, true);
          // In order: the remote broker is told that the bridge has gone.
          assert.equal(await local.end(), 0);
          await eventually(() => state.taken.at(-1)!.text === "0", () => "the state stays 1");
          local.assertNoDefect();
        }),
    });
  }

  Deno.test({
    name: `kill -9 of ours with a queue for ${kind}: nothing is lost, and order is kept`,
    ignore: kind === "mosquitto" && !hasMosquitto(),
    fn: () =>
      withDirectory(async (directory) => {
        const port = freePort();
        const bridge = [`address 127.0.0.1:${port}`, "topic a/# out 2", "restart_timeout 1"];
        const sent = new Map<string, string[]>([["a/1", []], ["a/2", []]]);
        {
          await using local = await ours(directory, bridge.slice(0, 2));
          await using publisher = await client(local, "p");
          let acknowledged = 0;
          for (let number = 0; number < 200; number++) {
            const qos = number % 2 === 0 ? 1 : 2;
            sent.get(`a/${qos}`)!.push(String(number));
            publisher.publish(
              { topic: `a/${qos}`, payload: `${number}`, qos },
              () => acknowledged++,
            );
          }
          await eventually(() => acknowledged === 200, () => `${acknowledged} acknowledged`);
          await local.end("SIGKILL");
        }
        await using remote = await startRemote(kind, `${directory}/remote`, port);
        await using there = await client(remote, "t", "#");
        await using local = await ours(directory, bridge.slice(0, 2));
        await eventually(() => there.taken.length >= 200, () => `${there.taken.length} came`);
        // A QoS 2 message is published when it is released, so that order is one for each topic.
        for (const topic of ["a/1", "a/2"]) {
          const came = there.taken.filter((message) => message.topic === topic);
          assert.deepEqual(came.map(({ text }) => text), sent.get(topic));
        }
        local.assertNoDefect();
      }),
  });
}

Deno.test({
  name: "a bridge of Mosquitto to us: each direction, and no echo",
  ignore: !hasMosquitto(),
  fn: () =>
    withDirectory(async (directory) => {
      await Deno.mkdir(`${directory}/remote`);
      await using us = await BrokerProcess.start(directory, {
        configuration: ["allow_anonymous true", ...persistent(directory)],
      });
      await using other = await MosquittoProcess.start(`${directory}/remote`, {
        configuration: [
          "connection back",
          `address 127.0.0.1:${us.port}`,
          "remote_clientid back",
          "topic # both 2",
          "restart_timeout 1",
        ],
      });
      await using state = await client(us, "s", "$SYS/broker/connection/back/state");
      await eventually(() => state.taken.at(-1)?.text === "1", () => "not connected");
      await using here = await client(us, "h", "#");
      await using there = await client(other, "t", "#");
      here.publish({ topic: "a", payload: "1", qos: 2 }, () => {});
      there.publish({ topic: "b", payload: "2", qos: 2 }, () => {});
      const both = (taken: LastingClient) => taken.taken.map(({ topic }) => topic).sort().join();
      await eventually(
        () => both(here) === "a,b" && both(there) === "a,b",
        () => `${both(here)} and ${both(there)}`,
      );
    }),
});
