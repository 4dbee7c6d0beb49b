import assert from "node:assert/strict";
import {
  BrokerProcess,
  configurationText,
  eventually,
  freePort,
  PATIENCE_MS,
  persistent,
  withDirectory,
} from "../support/broker_process.ts";
import { TcpClient } from "../support/tcp_client.ts";

const LINUX = Deno.build.os === "linux";

function write(directory: string, port: number, further: string[]): string {
  const file = `${directory}/daemon.conf`;
  Deno.writeTextFileSync(file, configurationText(port, ["user root", ...further]));
  return file;
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false; // gone
  }
}

Deno.test({
  name: "-d: whoever started it gets its prompt back when the broker is there, a process by itself",
  ignore: !LINUX,
  fn: () =>
    withDirectory(async (directory) => {
      const port = freePort();
      const file = write(directory, port, [
        ...persistent(directory),
        `pid_file ${directory}/pid`,
        `log_dest file ${directory}/log`,
        "log_dest stderr",
      ]);
      await using starter = BrokerProcess.spawn({ args: ["-d", "-c", file], port });
      assert.equal(await starter.exitStatus(), 0, starter.lines.join("\n"));
      const pid = Number(Deno.readTextFileSync(`${directory}/pid`));
      try {
        assert.notEqual(pid, starter.pid);
        const session = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1].split(" ")[3];
        assert.equal(Number(session), pid, "a session of its own");
        for (const descriptor of [0, 1, 2]) {
          assert.equal(Deno.readLinkSync(`/proc/${pid}/fd/${descriptor}`), "/dev/null");
        }
        assert.ok(
          starter.lines.some((line) => / running$/.test(line)),
          "its start is seen where it was started",
        );
        await using client = await TcpClient.connect(port, 4, { clientId: "served" });
        Deno.kill(pid, "SIGTERM");
        await client.ended();
        await eventually(() => !isAlive(pid), () => Deno.readTextFileSync(`${directory}/log`));
        assert.match(Deno.readTextFileSync(`${directory}/log`), /as served .* terminating\n/s);
        assert.throws(() => Deno.statSync(`${directory}/pid`), Deno.errors.NotFound);
      } finally {
        if (isAlive(pid)) Deno.kill(pid, "SIGKILL");
      }
    }),
});

Deno.test({
  name: "-d: a start that fails is told where it was asked for, with its status",
  ignore: !LINUX,
  fn: () =>
    withDirectory(async (directory) => {
      using taken = Deno.listen({ hostname: "127.0.0.1", port: freePort() });
      const { port } = taken.addr as Deno.NetAddr;
      {
        const file = write(directory, port, []);
        await using starter = BrokerProcess.spawn({ args: ["-d", "-c", file], port });
        assert.equal(await starter.exitStatus(), 1);
        assert.match(starter.lines.join("\n"), /^Error: .*127\.0\.0\.1/m);
      }
      const file = write(directory, port, ["nonsense 1"]);
      await using starter = BrokerProcess.spawn({ args: ["-d", "-c", file], port });
      assert.equal(await starter.exitStatus(), 3);
      assert.match(starter.lines.join("\n"), /^Error: .*nonsense/m);
    }),
});

const RECEIVER = `
import socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
print("ready", flush=True)
while True: print(receiver.recv(65536).decode().split("\\n")[0], flush=True)
`;

Deno.test({
  name: "systemd hears READY=1 when clients are served, of reloads, signs of life, and STOPPING=1",
  ignore: !LINUX,
  fn: () =>
    withDirectory(async (directory) => {
      const path = `${directory}/notify`;
      const child = new Deno.Command("python3", { args: ["-c", RECEIVER, path], stdout: "piped" })
        .spawn();
      const heard: string[] = [];
      const reading = (async () => {
        for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
          heard.push(...text.split("\n").filter((line) => line !== ""));
        }
      })();
      const hears = (line: string, times = 1) =>
        eventually(
          () => heard.filter((one) => one === line).length >= times,
          () => `${line} not in ${heard} after ${PATIENCE_MS} ms`,
        );
      try {
        await hears("ready");
        await using broker = await BrokerProcess.start(directory, {
          env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: "100000" },
        });
        await hears("READY=1");
        await using client = await TcpClient.connect(broker.port, 4);
        await hears("WATCHDOG=1", 3);
        broker.signal("SIGHUP");
        await hears("RELOADING=1");
        await hears("READY=1", 2);
        assert.equal(client.isEnded, false);
        assert.equal(await broker.end(), 0);
        await hears("STOPPING=1");
        assert.equal(heard[1], "READY=1", "nothing before it");
      } finally {
        child.kill("SIGKILL");
        await child.status;
        await reading;
      }
    }),
});

Deno.test({
  name: "SIGUSR2 prints the subscriptions as Mosquitto does",
  ignore: !LINUX,
  fn: () =>
    withDirectory(async (directory) => {
      const { subscribe } = await import("../support/packets.ts");
      await using broker = await BrokerProcess.start(directory);
      await using one = await TcpClient.connect(broker.port, 5, { clientId: "one" });
      void one.send(subscribe(5, {
        filters: [["a/b/c", 1], ["a/+", 1], ["x/#", 2], ["$share/g/a/b", 1], ["$SYS/#", 0]],
      }));
      await one.next("suback");
      await using two = await TcpClient.connect(broker.port, 5, { clientId: "two\u2028" });
      void two.send(subscribe(5, { filters: [["a/b/c", 2]] }));
      await two.next("suback");
      broker.signal("SIGUSR2");
      const expected = [
        "    ",
        "      ",
        "        a",
        "          b",
        "            c (one, 1) (two?, 2)",
        "          + (one, 1)",
        "        x",
        "          # (one, 2)",
        "    $SYS",
        "      $SYS",
        "        # (one, 0)",
        "    $share",
        "      g",
        "        a",
        "          b (one, 1)",
        "",
      ].join("\n");
      await eventually(() => broker.stdout.length >= expected.length, () => broker.stdout);
      assert.equal(broker.stdout, expected);
      assert.equal(await broker.end(), 0);
    }),
});

Deno.test({
  name: "SIGPIPE is ignored",
  ignore: !LINUX,
  fn: () =>
    withDirectory(async (directory) => {
      await using broker = await BrokerProcess.start(directory);
      broker.signal("SIGPIPE");
      await using client = await TcpClient.connect(broker.port, 4);
      assert.equal(client.isEnded, false);
      assert.equal(await broker.end(), 0);
    }),
});
