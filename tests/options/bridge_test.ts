import assert from "node:assert/strict";
import { generate, type IConnectPacket, type Packet, parser } from "mqtt-packet";
import { BrokerProcess, eventually, withDirectory } from "../support/broker_process.ts";
import { answer } from "./with_and_without.ts";

/** What a bridge has said. */
interface Visitor {
  readonly connect: IConnectPacket;
  /** From where it came. */
  readonly address: string;
  readonly port: number;
  readonly packets: Packet[];
}

/** A broker that takes whoever comes, and remembers what they say. */
class Remote implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections: Deno.Conn[] = [];
  readonly #reading: Promise<void>[] = [];
  readonly visitors = new Map<string, Visitor>();
  readonly #accepting = this.#accept();

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
    await this.#accepting;
    await Promise.all(this.#reading);
  }

  async #accept() {
    for await (const connection of this.#listener) {
      this.#connections.push(connection);
      this.#reading.push(this.#serve(connection));
    }
  }

  async #serve(connection: Deno.Conn) {
    const reader = parser();
    let visitor: Visitor | undefined;
    const send = (packet: Packet) =>
      void connection.write(generate(packet, visitor?.connect)).catch(() => {});
    reader.on("packet", (packet: Packet) => {
      if (packet.cmd === "connect") {
        const { hostname: address, port } = connection.remoteAddr as Deno.NetAddr;
        visitor = { connect: packet, address, port, packets: [] };
        this.visitors.set(packet.clientId, visitor);
        return send({ cmd: "connack", sessionPresent: false, returnCode: 0, reasonCode: 0 });
      }
      visitor?.packets.push(packet);
      const { messageId } = packet;
      if (packet.cmd === "subscribe") {
        send({ cmd: "suback", messageId, granted: packet.subscriptions.map(({ qos }) => qos) });
      } else if (packet.cmd === "unsubscribe") {
        send({ cmd: "unsuback", messageId, granted: packet.unsubscriptions.map(() => 0) });
      } else if (packet.cmd === "publish" && packet.qos === 1) send({ cmd: "puback", messageId });
    });
    const buffer = new Uint8Array(16_384);
    try {
      for (let length; (length = await connection.read(buffer)) !== null;) {
        // The parser wants Node's buffers.
        const { Buffer } = await import("node:buffer");
        reader.parse(Buffer.from(buffer.subarray(0, length)));
      }
    } catch {
      // Closed by either side.
    }
  }
}

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
    await using remote = await new Remote();
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
          remote.visitors.get(name)?.packets.some(({ cmd }) => cmd === "subscribe")
        ),
      () => `not all bridges have come: ${[...remote.visitors.keys()]}`,
    );
    const visitor = (name: string) => {
      const found = remote.visitors.get(name);
      assert(found, `${name} in ${[...remote.visitors.keys()]}`);
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
