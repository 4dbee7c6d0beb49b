import assert from "node:assert/strict";
import type { IConnectPacket, Packet } from "mqtt-packet";
import { BrokerProcess, eventually, withDirectory } from "../support/broker_process.ts";
import { RemoteBroker } from "./remote_broker.ts";
import { answer } from "./with_and_without.ts";

/** Bridges by the name of their remote Client Identifier, and the options they have. */
const BRIDGES: Record<string, string[]> = {
  ordinary: [],
  named: ["remote_username joe", "remote_password secret word", "local_clientid mine"],
  clean: ["cleansession true", "keepalive_interval 33", "notifications false"],
  frank: ["try_private false", "notification_topic state/of/it", "bridge_bind_address 127.0.0.5"],
  probed: ["bridge_tcp_keepalive 1000 10 5"],
  quiet: ["notifications_local_only true", "bridge_attempt_unsubscribe false"],
  modern: [
    ...["bridge_protocol_version mqttv50", "bridge_max_topic_alias 4", "bridge_receive_maximum 7"],
    ...["bridge_session_expiry_interval 99", "bridge_outgoing_retain false"],
  ],
};

Deno.test("options of bridges, as the other broker sees them", (t) =>
  withDirectory(async (directory) => {
    await using remote = RemoteBroker.listen();
    const connections = Object.entries(BRIDGES).flatMap(([name, lines]) => [
      ...[`connection ${name}`, `address 127.0.0.1:${remote.port}`, `topic ${name}/out out 1`],
      ...[`topic ${name}/in in 1`, `remote_clientid ${name}`, ...lines],
    ]);
    await using broker = await BrokerProcess.start(directory, {
      configuration: [
        ...connections,
        ...["connection unnamed", `address 127.0.0.1:${remote.port}`, "topic a out"],
      ],
    });
    const names = Object.keys(BRIDGES);
    await eventually(
      () =>
        names.every((name) =>
          remote.visits(name).at(-1)?.packets.some(({ cmd }) => cmd === "subscribe")
        ),
      () => `not all bridges have come: ${remote.clientIds}`,
    );
    const visitor = (name: string) => {
      const found = remote.visits(name).at(-1);
      assert(found, `${name} in ${remote.clientIds}`);
      return found;
    };
    /** A fact of the CONNECT of a bridge with the option, and of one without. */
    const differs = (
      title: string,
      name: string,
      fact: (connect: IConnectPacket) => unknown,
      withIt: unknown,
      without: unknown,
      plain = "ordinary",
    ) =>
      t.step(title, () => {
        assert.deepEqual(fact(visitor(name).connect), withIt);
        assert.deepEqual(fact(visitor(plain).connect), without);
      });
    const has = (name: string, is: (packet: Packet) => boolean) => visitor(name).packets.some(is);

    await t.step(
      "connection and address: a bridge to that broker, named after host and name",
      () => void visitor(`${Deno.hostname()}.unnamed`),
    );
    await t.step("remote_clientid: its Client Identifier there", () => void visitor("ordinary"));
    await differs("remote_username: sent", "named", ({ username }) => username, "joe", undefined);
    await differs(
      "remote_password: sent",
      "named",
      ({ password }) => password && new TextDecoder().decode(password as Uint8Array),
      "secret word",
      undefined,
    );
    await differs("cleansession: sent", "clean", ({ clean }) => clean, true, false);
    await differs("keepalive_interval: sent", "clean", ({ keepalive }) => keepalive, 33, 60);
    await differs(
      "notifications: false leaves out the Will",
      "clean",
      ({ will }) => will?.topic,
      undefined,
      "$SYS/broker/connection/ordinary/state",
    );
    await differs(
      "notification_topic: its topic",
      "frank",
      ({ will }) => will?.topic,
      "state/of/it",
      "$SYS/broker/connection/ordinary/state",
    );
    await differs(
      "notifications_local_only: leaves out the Will, too",
      "quiet",
      ({ will }) => will?.topic,
      undefined,
      "$SYS/broker/connection/ordinary/state",
    );
    await differs(
      "try_private: false does not say that it is a bridge",
      "frank",
      (connect) => "bridgeMode" in connect && connect.bridgeMode === true,
      false,
      true,
    );
    await differs(
      "bridge_protocol_version: spoken",
      "modern",
      ({ protocolVersion }) => protocolVersion,
      5,
      4,
    );
    await t.step(
      "bridge_max_topic_alias: told",
      () => assert.equal(visitor("modern").connect.properties?.topicAliasMaximum, 4),
    );
    await t.step(
      "bridge_receive_maximum: told",
      () => assert.equal(visitor("modern").connect.properties?.receiveMaximum, 7),
    );
    await t.step(
      "bridge_session_expiry_interval: told",
      () => assert.equal(visitor("modern").connect.properties?.sessionExpiryInterval, 99),
    );
    await t.step(
      "bridge_bind_address: from where it comes",
      () =>
        assert.deepEqual([visitor("frank").address, visitor("ordinary").address], [
          "127.0.0.5",
          "127.0.0.1",
        ]),
    );
    await t.step(
      "topic: what comes in is subscribed to",
      () =>
        assert(
          has("ordinary", (packet) =>
            packet.cmd === "subscribe" && packet.subscriptions.some(({ topic, qos }) =>
              topic === "ordinary/in" && qos === 1
            )),
        ),
    );
    await t.step("bridge_attempt_unsubscribe: false leaves out what only goes out", async () => {
      const unsubscribes = (packet: Packet) => packet.cmd === "unsubscribe";
      await eventually(() => has("ordinary", unsubscribes), () => "no UNSUBSCRIBE has come");
      assert.equal(has("quiet", unsubscribes), false);
    });
    await t.step("bridge_outgoing_retain: false clears RETAIN", async () => {
      const state = (name: string) =>
        visitor(name).packets.find((packet) => packet.cmd === "publish");
      await eventually(
        () => state("ordinary") !== undefined && state("modern") !== undefined,
        () => "no state has come",
      );
      const retained = ["ordinary", "modern"].map((name) => {
        const packet = state(name);
        return packet?.cmd === "publish" && packet.retain;
      });
      assert.deepEqual(retained, [true, false]);
    });
    await t.step({
      name: "bridge_tcp_keepalive: the kernel counts down to a probe",
      ignore: Deno.build.os !== "linux",
      fn: async () => {
        const secondsOf = (name: string) => secondsToProbe(visitor(name).port);
        await eventually(() => secondsOf("probed") > 900, () => "no timer was seen");
        await eventually(() => secondsOf("ordinary") === 0, () => "a timer runs without it, too");
      },
    });
    await t.step(
      "local_clientid: its Client Identifier here, which no client can take",
      async () => {
        assert.notEqual((await answer(broker.port, 4, { clientId: "mine" }))?.reason, 0);
        assert.equal((await answer(broker.port, 4, { clientId: "yours" }))?.reason, 0);
      },
    );
  }));

/** Until TCP probes the idle connection from a port, as the kernel has it; 0: it does not. */
function secondsToProbe(port: number): number {
  const end = port.toString(16).toUpperCase().padStart(4, "0");
  for (const line of Deno.readTextFileSync("/proc/net/tcp").split("\n")) {
    const [, local, , , , timer] = line.trim().split(/\s+/);
    if (local?.endsWith(`:${end}`) !== true) continue;
    const [kind, ticks] = timer.split(":");
    return kind === "02" ? parseInt(ticks, 16) / 100 : 0;
  }
  return 0;
}
