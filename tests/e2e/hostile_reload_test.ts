import assert from "node:assert/strict";
import { BY_MOSQUITTO, PASSWORD } from "../access/password_entries.ts";
import { BrokerProcess, eventually, freePort, withDirectory } from "../support/broker_process.ts";
import { concat, connect, pingreq, publish, subscribe } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";

const PRLIMIT = "/usr/bin/prlimit";
const hasPrlimit = (() => {
  try {
    return Deno.statSync(PRLIMIT).isFile;
  } catch {
    return false;
  }
})();

/** A broker that lets alice in and nobody without a name. */
async function withRules(
  configuration: readonly string[],
  test: (broker: BrokerProcess) => Promise<void>,
): Promise<void> {
  await withDirectory(async (directory) => {
    const passwords = `${directory}/passwords`, rules = `${directory}/rules`;
    Deno.writeTextFileSync(passwords, `${BY_MOSQUITTO[0][1]}\n`, { mode: 0o600 });
    Deno.writeTextFileSync(rules, "user alice\ntopic readwrite a/#\n", { mode: 0o600 });
    const file = `${directory}/sabethes.conf`;
    const port = freePort();
    const lines = [
      `listener ${port} 127.0.0.1`,
      "user root",
      `password_file ${passwords}`,
      `acl_file ${rules}`,
      ...configuration,
    ];
    Deno.writeTextFileSync(file, lines.join("\n"));
    await using broker = await BrokerProcess.start(directory, { port, args: ["-c", file] });
    await test(broker);
    broker.assertNoDefect();
    assert.equal(await broker.end(), 0);
  });
}

const alice = {
  userName: "alice",
  password: new TextDecoder().decode(PASSWORD),
};

/** The answer to a CONNECT without a name. */
async function nameless(broker: BrokerProcess): Promise<number | undefined> {
  await using client = await TcpClient.open(broker.port, 4);
  void client.send(connect(4, { clientId: "nameless" }));
  return (await client.next("connack")).reason;
}

Deno.test({
  name: "where no file can be opened any more a reload changes nothing, and nobody else is let in",
  ignore: Deno.build.os !== "linux" || !hasPrlimit,
  fn: () =>
    withRules([], async (broker) => {
      await using client = await TcpClient.connect(broker.port, 5, { clientId: "c", ...alice });
      const { success } = new Deno.Command(PRLIMIT, {
        args: ["--pid", `${broker.pid}`, "--nofile=3:20000"],
      }).outputSync();
      assert.ok(success);
      const from = broker.lines.length;
      broker.signal("SIGHUP");
      await broker.line(/Nothing is reloaded/, from);
      void client.send(concat(
        subscribe(5, { filters: [["#", 0]] }),
        publish(5, { topic: "b", payload: "denied" }),
        publish(5, { topic: "a/b", payload: "allowed" }),
      ));
      await client.next("suback");
      assert.equal(new TextDecoder().decode((await client.next("publish")).payload), "allowed");
      new Deno.Command(PRLIMIT, {
        args: ["--pid", `${broker.pid}`, "--nofile=20000:20000"],
      }).outputSync();
      assert.equal(await nameless(broker), 5);
    }),
});

Deno.test({
  name:
    "reload upon reload while clients come, wait for their answer and leave: the others notice nothing",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withRules(["login_failures_per_minute 2", "connect_timeout 3"], async (broker) => {
      await using faithful = await TcpClient.connect(broker.port, 4, { clientId: "f", ...alice });
      const before = Deno.build.os === "linux" ? broker.fileDescriptors() : 0;
      const waiting: TcpClient[] = [];
      for (let round = 0; round < 30; round++) {
        broker.signal("SIGHUP");
        const client = await TcpClient.open(broker.port, 4);
        waiting.push(client);
        void client.send(connect(4, { clientId: `w${round}`, ...alice, password: "wrong" }));
        // Some leave before there is an answer.
        if (round % 3 === 0) client.close();
        void faithful.send(pingreq());
        await faithful.next("pingresp");
      }
      for (const client of waiting) {
        const [connack] = client.isEnded ? [] : await client.ended();
        assert.ok(connack === undefined || connack.reason === 5);
        await client[Symbol.asyncDispose]();
      }
      assert.equal(await nameless(broker), 5);
      assert.equal(faithful.isEnded, false);
      if (Deno.build.os !== "linux") return;
      await eventually(
        () => broker.fileDescriptors() <= before,
        () => `${broker.fileDescriptors()} descriptors are open, ${before} were before`,
      );
    }),
});
