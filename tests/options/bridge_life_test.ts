import assert from "node:assert/strict";
import {
  BrokerProcess,
  eventually,
  freePort,
  pause,
  withDirectory,
} from "../support/broker_process.ts";
import { publish } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";
import { RemoteBroker } from "./remote_broker.ts";
import { arrived } from "./with_and_without.ts";

/** Lines of a bridge that calls itself by its name at the other broker. */
function bridge(name: string, port: number, ...lines: readonly string[]): string[] {
  return [
    ...[`connection ${name}`, `address 127.0.0.1:${port}`, `remote_clientid ${name}`],
    ...[`topic ${name}/# out 1`, "restart_timeout 1", "notifications false", ...lines],
  ];
}

/** Publishes with QoS 1 and waits until all is acknowledged. */
async function publishAll(port: number, messages: readonly [topic: string, payload: string][]) {
  await using client = await TcpClient.connect(port, 4, { clientId: "publisher" });
  for (const [index, [topic, payload]] of messages.entries()) {
    void client.send(publish(4, { topic, payload, qos: 1, packetId: index + 1 }));
  }
  await arrived(client);
}

Deno.test("round_robin: with it a bridge stays where it is, without it goes back to the first", () =>
  withDirectory(async (directory) => {
    const firstPort = freePort();
    await using second = RemoteBroker.listen();
    const addresses = `addresses 127.0.0.1:${firstPort} 127.0.0.1:${second.port}`;
    const to = (name: string, ...lines: string[]) => [
      ...[`connection ${name}`, addresses, `remote_clientid ${name}`, `topic ${name} out`],
      ...["restart_timeout 1", ...lines],
    ];
    await using broker = await BrokerProcess.start(directory, {
      configuration: [...to("stays", "round_robin true"), ...to("returns")],
    });
    await second.visit("stays");
    await second.visit("returns");
    await using first = RemoteBroker.listen(firstPort);
    await first.visit("returns");
    await broker.line(/Bridge returns goes back to 127\.0\.0\.1/);
    // Another look at the first address, for which there was time enough.
    await first.visit("returns");
    assert.equal(first.visits("stays").length, 0);
    assert.equal(second.visits("stays").length, 1);
  }));

Deno.test("start_type, threshold and idle_timeout: when a bridge comes, goes and comes again", () =>
  withDirectory(async (directory) => {
    await using remote = RemoteBroker.listen();
    await using broker = await BrokerProcess.start(directory, {
      configuration: [
        ...bridge("automatic", remote.port),
        ...bridge("once", remote.port, "start_type once"),
        ...bridge("ten", remote.port, "start_type lazy", "idle_timeout 1"),
        ...bridge("three", remote.port, "start_type lazy", "threshold 3", "idle_timeout 1"),
        ...bridge("patient", remote.port, "start_type lazy", "threshold 3"),
      ],
    });
    for (const name of ["once", "automatic"]) (await remote.visit(name)).drop();
    (await remote.visit("automatic", 2)).drop();
    await remote.visit("automatic", 3);
    assert.equal(remote.visits("once").length, 1);

    const names = ["ten", "three", "patient"];
    const of = (payload: string) => names.map((name) => [`${name}/t`, payload] as [string, string]);
    await publishAll(broker.port, [...of("1"), ...of("2")]);
    // A lazy bridge looks once a second whether enough waits.
    await pause(2500);
    for (const name of names) assert.equal(remote.visits(name).length, 0, name);
    await publishAll(broker.port, of("3"));
    await remote.visit("three");
    await eventually(
      () => remote.published("three").length === 3,
      () => remote.published("three").join(),
    );
    assert.deepEqual(remote.published("three"), ["three/t 1", "three/t 2", "three/t 3"]);
    await broker.line(/Bridge three has been idle for 1 s, disconnecting/);
    await remote.visit("patient");
    assert.equal(remote.visits("ten").length, 0);
    assert(!broker.lines.some((line) => /Bridge patient has been idle/.test(line)));
    await publishAll(broker.port, [..."456789"].map((payload) => ["ten/t", payload]));
    assert.equal(remote.visits("ten").length, 0);
    await publishAll(broker.port, [["ten/t", "10"]]);
    await remote.visit("ten");
  }));

Deno.test("local_cleansession: with it nothing is kept while the other broker is away", () =>
  withDirectory(async (directory) => {
    const port = freePort();
    await using broker = await BrokerProcess.start(directory, {
      configuration: [
        ...bridge("keeps", port),
        ...bridge("forgets", port, "local_cleansession true"),
      ],
    });
    for (const name of ["keeps", "forgets"]) await broker.line(new RegExp(`Bridge ${name} next`));
    await publishAll(broker.port, [["keeps/t", "away"], ["forgets/t", "away"]]);
    await using remote = RemoteBroker.listen(port);
    for (const name of ["keeps", "forgets"]) {
      await remote.visit(name);
      await broker.line(new RegExp(`Bridge ${name} is connected`));
    }
    await publishAll(broker.port, [["keeps/t", "there"], ["forgets/t", "there"]]);
    const last = (name: string) => remote.published(name).at(-1);
    await eventually(
      () => last("keeps") === "keeps/t there" && last("forgets") === "forgets/t there",
      () => `${last("keeps")}, ${last("forgets")}`,
    );
    assert.deepEqual(remote.published("keeps"), ["keeps/t away", "keeps/t there"]);
    assert.deepEqual(remote.published("forgets"), ["forgets/t there"]);
  }));

Deno.test("bridge_max_packet_size: what is longer is not sent", () =>
  withDirectory(async (directory) => {
    await using remote = RemoteBroker.listen();
    await using broker = await BrokerProcess.start(directory, {
      configuration: [
        ...bridge("long", remote.port, "bridge_protocol_version mqttv50"),
        ...bridge(
          "short",
          remote.port,
          "bridge_protocol_version mqttv50",
          "bridge_max_packet_size 200",
        ),
      ],
    });
    const names = ["long", "short"];
    for (const name of names) {
      await remote.visit(name);
      await broker.line(new RegExp(`Bridge ${name} is connected`));
    }
    const payloads = ["x".repeat(300), "x"];
    await publishAll(
      broker.port,
      names.flatMap((name) => payloads.map((payload) => [`${name}/t`, payload] as const))
        .map(([topic, payload]) => [topic, payload]),
    );
    const lengths = (name: string) => remote.published(name).map(({ length }) => length);
    await eventually(
      () => names.every((name) => remote.published(name).at(-1) === `${name}/t x`),
      () => `${lengths("long")}, ${lengths("short")}`,
    );
    assert.deepEqual(lengths("long"), ["long/t ".length + 300, "long/t x".length]);
    assert.deepEqual(lengths("short"), ["short/t x".length]);
  }));

Deno.test("bridge_reload_type: a change holds at once, or from the next connection on", () =>
  withDirectory(async (directory) => {
    await using remote = RemoteBroker.listen();
    const bridges = (...lines: string[]) => [
      ...bridge("lazy", remote.port, ...lines),
      ...bridge("immediate", remote.port, "bridge_reload_type immediate", ...lines),
    ];
    await using broker = await BrokerProcess.start(directory, { configuration: bridges() });
    const names = ["lazy", "immediate"];
    for (const name of names) {
      assert.equal((await remote.visit(name)).connect.keepalive, 60);
    }
    const file = `${directory}/broker.conf`;
    const [before] = Deno.readTextFileSync(file).split("connection lazy");
    Deno.writeTextFileSync(file, [before, ...bridges("keepalive_interval 33"), ""].join("\n"));
    broker.signal("SIGHUP");
    assert.equal((await remote.visit("immediate", 2)).connect.keepalive, 33);
    assert.equal(remote.visits("lazy").length, 1);
    remote.visits("lazy")[0].drop();
    assert.equal((await remote.visit("lazy", 2)).connect.keepalive, 33);
  }));

/** Writes down of whom a message is. */
const WITNESS = `
export function createPlugin(options) {
  return {
    onMessage({ client, message }) {
      const line = message.topic + " by " + client.userName + "\\n";
      Deno.writeTextFileSync(options.notes, line, { append: true });
    },
  };
}
`;

Deno.test("local_username: whom plugins are told of", () =>
  withDirectory(async (directory) => {
    await using remote = RemoteBroker.listen();
    const [module, notes] = [`${directory}/witness.js`, `${directory}/notes`];
    Deno.writeTextFileSync(module, WITNESS);
    Deno.writeTextFileSync(notes, "");
    await using broker = await BrokerProcess.start(directory, {
      configuration: [
        ...[`plugin ${module}`, `plugin_opt_notes ${notes}`],
        ...bridge("named", remote.port, "topic in/# in", "local_username joe"),
        ...bridge("nameless", remote.port, "topic in/# in"),
      ],
    });
    for (const name of ["named", "nameless"]) {
      const visit = await remote.visit(name);
      await broker.line(new RegExp(`Bridge ${name} is connected`));
      visit.publish(`in/${name}`, "x");
    }
    const noted = () => Deno.readTextFileSync(notes).split("\n");
    await eventually(() => noted().length === 3, () => noted().join("\n"));
    assert.deepEqual(noted().sort(), ["", "in/named by joe", "in/nameless by undefined"]);
  }));

Deno.test("local_password: the log says once that nobody asks for it", () =>
  withDirectory(async (directory) => {
    const notices: number[] = [];
    for (const lines of [["local_password x"], []]) {
      const configuration = bridge("b", freePort(), ...lines);
      await using broker = await BrokerProcess.start(directory, { configuration });
      notices.push(
        broker.lines.filter((line) => line.includes("Nobody asks for local_password")).length,
      );
    }
    assert.deepEqual(notices, [1, 0]);
  }));
