import assert from "node:assert/strict";
import {
  BrokerProcess,
  configurationText,
  eventually,
  freePort,
  withDirectory,
} from "../support/broker_process.ts";
import { publish, subscribe } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";

const IS_ROOT = Deno.build.os === "linux" && Deno.uid() === 0;
const NOBODY = 65_534;

/** Ids and capabilities of every thread. */
function rightsOf(
  { pid }: BrokerProcess,
): { uids: Set<string>; gids: Set<string>; caps: Set<string> } {
  const found = { uids: new Set<string>(), gids: new Set<string>(), caps: new Set<string>() };
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    const status = Deno.readTextFileSync(`/proc/${pid}/task/${name}/status`);
    const value = (key: string) => new RegExp(`^${key}:[ \\t]*(.*)$`, "m").exec(status)![1];
    found.uids.add(value("Uid"));
    found.gids.add(`${value("Gid")} groups ${value("Groups").trim()}`);
    found.caps.add(value("CapEff"));
  }
  return found;
}

function assertIsNobody(broker: BrokerProcess) {
  const four = [NOBODY, NOBODY, NOBODY, NOBODY].join("\t");
  assert.deepEqual(rightsOf(broker), {
    uids: new Set([four]),
    gids: new Set([`${four} groups ${NOBODY}`]),
    caps: new Set(["0000000000000000"]),
  });
}

function assertIsRoot(broker: BrokerProcess) {
  assert.deepEqual(rightsOf(broker).uids, new Set(["0\t0\t0\t0"]));
}

/** Runs with a directory that other accounts may look into, which temporary ones forbid. */
function inOpenDirectory(run: (directory: string) => Promise<void>) {
  return withDirectory((directory) => {
    Deno.chmodSync(directory, 0o755);
    return run(directory);
  });
}

async function retain(port: number, topic: string): Promise<void> {
  await using client = await TcpClient.connect(port, 4, { clientId: "retainer" });
  void client.send(publish(4, { topic, payload: "kept", qos: 1, retain: true }));
  await client.next("puback");
}

async function hasRetained(port: number, topic: string): Promise<boolean> {
  await using client = await TcpClient.connect(port, 4, { clientId: "reader" });
  void client.send(subscribe(4, { filters: [[topic, 0], ["marker", 0]] }));
  await client.next("suback");
  void client.send(publish(4, { topic: "marker" }));
  return (await client.next("publish")).topic === topic;
}

function fails(directory: string, configuration: string[], env: Record<string, string> = {}) {
  const file = `${directory}/failing.conf`;
  const port = freePort();
  Deno.writeTextFileSync(file, configurationText(port, configuration));
  return BrokerProcess.spawn({ args: ["-c", file], port, env });
}

Deno.test({
  name: "user: a first start as root serves as that account alone, and the store is its own",
  ignore: !IS_ROOT,
  fn: () =>
    inOpenDirectory(async (directory) => {
      Deno.mkdirSync(`${directory}/logs`);
      Deno.chownSync(`${directory}/logs`, NOBODY, NOBODY);
      const configuration = [
        "user nobody",
        "persistence true",
        `persistence_location ${directory}/new/deep`,
        "persistence_file store",
        "log_dest stderr",
        `log_dest file ${directory}/logs/log`,
        `pid_file ${directory}/pid`,
      ];
      const store = `${directory}/new/deep/store`;
      for (const topic of ["first", "second"]) {
        await using broker = await BrokerProcess.start(directory, { configuration });
        assertIsNobody(broker);
        assert.equal(Deno.readTextFileSync(`${directory}/pid`), String(broker.pid));
        assert.equal(await hasRetained(broker.port, "first"), topic === "second");
        await retain(broker.port, topic);
        for (const name of ["", "/data.mdb", "/lock.mdb", "/state", "/broker.lock"]) {
          assert.equal(Deno.statSync(`${store}${name}`).uid, NOBODY, name);
        }
        assert.equal(Deno.statSync(`${directory}/logs/log`).uid, NOBODY);
        assert.equal(await broker.end(), 0);
        assert.equal(Deno.readTextFileSync(`${store}/state`).trim(), "clean");
        broker.assertNoDefect();
        // root's directory: the account cannot remove what lies in it.
        assert.ok(broker.lines.some((line) => /Warning: the pid file stays/.test(line)));
      }
    }),
});

Deno.test({
  name: "user: a store that root has used before is handed over, nothing else in it",
  ignore: !IS_ROOT,
  fn: () =>
    inOpenDirectory(async (directory) => {
      const lines = [
        "persistence true",
        `persistence_location ${directory}`,
        "persistence_file store",
      ];
      {
        await using broker = await BrokerProcess.start(directory, {
          configuration: [...lines, "user root"],
        });
        assertIsRoot(broker);
        assert.ok(broker.lines.some((line) => /should not be run as root/.test(line)));
        await retain(broker.port, "kept");
        assert.equal(await broker.end(), 0);
      }
      // What a trap would look like: root's files under names in the store.
      Deno.writeTextFileSync(`${directory}/precious`, "");
      Deno.symlinkSync(`${directory}/precious`, `${directory}/store/link`);
      Deno.writeTextFileSync(`${directory}/shared`, "");
      Deno.linkSync(`${directory}/shared`, `${directory}/store/second-name`);
      await using broker = await BrokerProcess.start(directory, {
        configuration: [...lines, "user nobody"],
      });
      assertIsNobody(broker);
      assert.ok(await hasRetained(broker.port, "kept"));
      assert.equal(Deno.statSync(`${directory}/store/data.mdb`).uid, NOBODY);
      assert.equal(Deno.statSync(`${directory}/precious`).uid, 0);
      assert.equal(Deno.statSync(`${directory}/shared`).uid, 0);
      await retain(broker.port, "more");
      assert.equal(await broker.end(), 0);
    }),
});

Deno.test({
  name: "user: an account that is closed out of the store ends the start, which changes nothing",
  ignore: !IS_ROOT,
  fn: () =>
    withDirectory(async (directory) => {
      await using broker = fails(directory, [
        "user nobody",
        "persistence true",
        `persistence_location ${directory}`,
      ]);
      assert.equal(await broker.exitStatus(), 1);
      assert.match(
        broker.lines.join("\n"),
        /^Error: .*closed to the account 'nobody'; give it to that account, or set 'user root'/m,
      );
      const left = [...Deno.readDirSync(directory)].map(({ name }) => name);
      assert.deepEqual(left, ["failing.conf"]);
    }),
});

Deno.test({
  name:
    "user not given: what is closed to the default account keeps the broker root, which it says",
  ignore: !IS_ROOT,
  fn: () =>
    withDirectory(async (directory) => {
      const configuration = ["persistence true", `persistence_location ${directory}`];
      await using broker = await BrokerProcess.start(directory, { configuration });
      assertIsRoot(broker);
      assert.ok(broker.lines.some((line) => /Warning: the broker runs as root, for/.test(line)));
      await retain(broker.port, "a");
      assert.equal(await broker.end(), 0);
    }),
});

Deno.test({
  name: "user not given: a password file closed to the default account keeps the broker root",
  ignore: !IS_ROOT,
  fn: () =>
    inOpenDirectory(async (directory) => {
      const path = `${directory}/passwords`;
      Deno.writeTextFileSync(path, "", { mode: 0o600 });
      const configuration = [`password_file ${path}`];
      await using broker = await BrokerProcess.start(directory, { configuration });
      assertIsRoot(broker);
      assert.ok(broker.lines.some((line) => line.includes(`runs as root, for ${path} is closed`)));
      assert.equal(await broker.end(), 0);
      await using nobody = await BrokerProcess.start(directory, {
        configuration: [...configuration, "user nobody"],
      });
      assertIsNobody(nobody);
      assert.ok(nobody.lines.some((line) => line.includes(`Warning: ${path} is closed`)));
      assert.equal(await nobody.end(), 0);
    }),
});

Deno.test({
  name: "user not given: mosquitto, or nobody where there is no such account",
  ignore: !IS_ROOT,
  fn: () =>
    inOpenDirectory(async (directory) => {
      const { stdout } = new Deno.Command("getent", { args: ["passwd", "mosquitto"] }).outputSync();
      const line = new TextDecoder().decode(stdout);
      const uid = line === "" ? NOBODY : Number(line.split(":")[2]);
      await using broker = await BrokerProcess.start(directory);
      const { uids, caps } = rightsOf(broker);
      assert.deepEqual(uids, new Set([[uid, uid, uid, uid].join("\t")]));
      assert.deepEqual(caps, new Set(["0000000000000000"]));
      await retain(broker.port, "a");
      assert.equal(await broker.end(), 0);
    }),
});

Deno.test({
  name: "user: an unknown account ends with status 3",
  ignore: !IS_ROOT,
  fn: () =>
    withDirectory(async (directory) => {
      await using broker = fails(directory, ["user no-such-account"]);
      assert.equal(await broker.exitStatus(), 3);
      assert.match(broker.lines.join("\n"), /^Error: Invalid user 'no-such-account'\.$/m);
    }),
});

Deno.test({
  name: "PUID and PGID win over user; UMASK_SET is the mode of new files",
  ignore: !IS_ROOT,
  fn: () =>
    inOpenDirectory(async (directory) => {
      await using broker = await BrokerProcess.start(directory, {
        configuration: ["user root", `pid_file ${directory}/pid`],
        env: { PUID: "12345", PGID: "23456", UMASK_SET: "077" },
      });
      assert.deepEqual(rightsOf(broker), {
        uids: new Set([Array(4).fill(12_345).join("\t")]),
        gids: new Set([`${Array(4).fill(23_456).join("\t")} groups `]),
        caps: new Set(["0000000000000000"]),
      });
      assert.equal(Deno.statSync(`${directory}/pid`).mode! & 0o777, 0o600);
      assert.equal(await broker.end(), 0);
      for (const [name, value] of [["PUID", "x"], ["PGID", "-1"], ["UMASK_SET", "9"]]) {
        await using refused = fails(directory, [], { [name]: value });
        assert.equal(await refused.exitStatus(), name === "UMASK_SET" ? 1 : 3);
        assert.match(refused.lines.join("\n"), /^Error: Invalid (PUID|PGID|UMASK_SET) \(/m);
      }
    }),
});

Deno.test({
  name: "after the drop the log file is opened again by the account, SIGUSR1 saves",
  ignore: !IS_ROOT,
  fn: () =>
    inOpenDirectory(async (directory) => {
      Deno.mkdirSync(`${directory}/logs`);
      Deno.chownSync(`${directory}/logs`, NOBODY, NOBODY);
      const log = `${directory}/logs/log`;
      await using broker = await BrokerProcess.start(directory, {
        configuration: [
          "user nobody",
          "log_dest stderr",
          `log_dest file ${log}`,
          "persistence true",
          `persistence_location ${directory}`,
          "persistence_file store",
          "durability autosave",
        ],
      });
      Deno.renameSync(log, `${log}.1`);
      broker.signal("SIGHUP");
      const exists = () => [...Deno.readDirSync(`${directory}/logs`)].length === 2;
      await eventually(exists, () => "no new log");
      assert.equal(Deno.statSync(log).uid, NOBODY);
      await retain(broker.port, "a");
      broker.signal("SIGUSR1");
      await broker.line(/Saving to disk/);
      assert.equal(await broker.end(), 0);
      broker.assertNoDefect();
    }),
});

Deno.test("pid_file: there while the broker runs, gone after a clean end", () =>
  withDirectory(async (directory) => {
    const path = `${directory}/pid`;
    Deno.writeTextFileSync(path, "1234567890 from a crash");
    await using broker = await BrokerProcess.start(directory, {
      configuration: ["user root", `pid_file ${path}`],
    });
    assert.equal(Deno.readTextFileSync(path), String(broker.pid));
    assert.equal(await broker.end(), 0);
    assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
  }));

Deno.test("pid_file: one that cannot be written ends with status 1 and leaves the store as it was", () =>
  withDirectory(async (directory) => {
    Deno.writeTextFileSync(`${directory}/other`, "precious");
    Deno.symlinkSync(`${directory}/other`, `${directory}/link`);
    for (const path of ["/nonexistent/pid", `${directory}/link`]) {
      await using broker = fails(directory, [
        "user root",
        `pid_file ${path}`,
        "persistence true",
        `persistence_location ${directory}/store`,
      ]);
      assert.equal(await broker.exitStatus(), 1);
      assert.match(broker.lines.join("\n"), /^Error: Unable to write pid file /m);
    }
    assert.equal(Deno.readTextFileSync(`${directory}/other`), "precious");
    assert.throws(() => Deno.statSync(`${directory}/store`), Deno.errors.NotFound);
  }));

Deno.test({
  name: "files that may be open are raised to the hard limit, which the log names",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withDirectory(async (directory) => {
      await using broker = await BrokerProcess.start(directory, {
        through: ["prlimit", "--nofile=300:700"],
      });
      assert.ok(broker.lines.some((line) => /Up to 700 files and connections/.test(line)));
      const limits = Deno.readTextFileSync(`/proc/${broker.pid}/limits`);
      assert.match(limits, /^Max open files +700 +700 /m);
      assert.equal(await broker.end(), 0);
    }),
});
