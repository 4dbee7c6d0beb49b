import assert from "node:assert/strict";
import { BrokerProcess, eventually, withDirectory } from "../support/broker_process.ts";
import { connect, pingreq, publish, subscribe, unsubscribe } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";

const LINUX = Deno.build.os === "linux";

/** Connects and leaves. */
async function visit(broker: BrokerProcess, clientId: string): Promise<void> {
  await using _client = await TcpClient.connect(broker.port, 4, { clientId });
}

/** Waits until the file has such a line. */
function fileHas(path: string, pattern: RegExp): Promise<void> {
  const read = () => {
    try {
      return Deno.readTextFileSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "";
      throw error;
    }
  };
  return eventually(() => pattern.test(read()), () => `no ${pattern} in ${path}:\n${read()}`);
}

function kill(signal: string, pid: number) {
  assert.ok(new Deno.Command("kill", { args: [`-${signal}`, String(pid)] }).outputSync().success);
}

Deno.test("log_dest: lines go to all places that are named, and to no other", () =>
  withDirectory(async (directory) => {
    const log = `${directory}/a log`;
    await using broker = await BrokerProcess.start(directory, {
      configuration: ["log_dest stdout", "log_dest stderr", `log_dest file ${log}`],
    });
    await visit(broker, "seen");
    await broker.line(/Client seen \[/);
    assert.equal(await broker.end(), 0);
    assert.equal(Deno.readTextFileSync(log), broker.lines.map((line) => `${line}\n`).join(""));
    assert.equal(broker.stdout, Deno.readTextFileSync(log));
  }));

Deno.test("log_dest none and -q: not a line, and log_dest file alone: none on stderr", () =>
  withDirectory(async (directory) => {
    for (const dest of ["none", `file ${directory}/log`]) {
      const port = await silently(directory, [`log_dest ${dest}`]);
      assert.ok(port > 0);
    }
    // The client may be told of the end before the broker has seen it go.
    assert.match(Deno.readTextFileSync(`${directory}/log`), /running\n.*terminating\n/s);
  }));

/** Runs a broker that says nothing, until it listens. Returns its port. */
async function silently(directory: string, configuration: string[]): Promise<number> {
  const file = `${directory}/silent.conf`;
  const { freePort, configurationText } = await import("../support/broker_process.ts");
  const port = freePort();
  Deno.writeTextFileSync(file, configurationText(port, ["user root", ...configuration]));
  // What root is warned of has been said above; everything else would be said by the log.
  await using broker = BrokerProcess.spawn({ args: ["-c", file], port });
  await eventually(async () => {
    const client = await TcpClient.connect(port, 4).catch(() => null);
    await client?.[Symbol.asyncDispose]();
    return client !== null;
  }, () => broker.lines.join("\n"));
  assert.equal(await broker.end(), 0);
  assert.deepEqual([broker.lines, broker.stdout], [[], ""]);
  return port;
}

Deno.test("log_dest dlt is refused with its reason", () =>
  withDirectory(async (directory) => {
    const file = `${directory}/dlt.conf`;
    Deno.writeTextFileSync(file, "log_dest dlt\n");
    await using broker = BrokerProcess.spawn({ args: ["-c", file], port: 0 });
    assert.equal(await broker.exitStatus(), 3);
    assert.match(broker.lines.join("\n"), /'dlt' needs/);
  }));

Deno.test(
  { name: "SIGHUP and SIGRTMIN open the log file again", ignore: !LINUX },
  () =>
    withDirectory(async (directory) => {
      const log = `${directory}/log`;
      await using broker = await BrokerProcess.start(directory, {
        configuration: ["log_dest stderr", `log_dest file ${log}`, "user root"],
      });
      for (const [signal, name] of [["HUP", "first"], ["34", "second"]]) {
        Deno.renameSync(log, `${log}.${signal}`);
        kill(signal, broker.pid);
        await eventually(
          () => [...Deno.readDirSync(directory)].some((file) => file.name === "log"),
          () => `no new log after ${signal}`,
        );
        await visit(broker, name);
        await fileHas(log, new RegExp(`Client ${name} \\[.*disconnected`));
        assert.doesNotMatch(Deno.readTextFileSync(`${log}.${signal}`), new RegExp(name));
      }
      assert.equal(await broker.end(), 0);
    }),
);

Deno.test("a log file that cannot be opened is told of on stderr, the broker runs", () =>
  withDirectory(async (directory) => {
    await using broker = await BrokerProcess.start(directory, {
      configuration: ["log_dest stderr", "log_dest file /nonexistent/log"],
    });
    await broker.line(/^Error: Unable to open log file \/nonexistent\/log for writing/);
    await visit(broker, "served");
    assert.equal(await broker.end(), 0);
  }));

Deno.test(
  { name: "a full disk under the log neither ends nor stalls the broker", ignore: !LINUX },
  () =>
    withDirectory(async (directory) => {
      await using broker = await BrokerProcess.start(directory, {
        configuration: ["log_dest stderr", "log_dest file /dev/full", "log_type all"],
      });
      await visit(broker, "served");
      await broker.line(/Client served \[.*disconnected/);
      broker.assertNoDefect();
      assert.equal(await broker.end(), 0);
    }),
);

Deno.test(
  { name: "a pipe that nobody reads does not stall the broker", ignore: !LINUX },
  () =>
    withDirectory(async (directory) => {
      const fifo = `${directory}/fifo`;
      new Deno.Command("mkfifo", { args: [fifo] }).outputSync();
      await using broker = await BrokerProcess.start(directory, {
        configuration: ["log_dest stdout", "log_dest stderr", "log_type all"],
        // Open at both ends, and never read.
        through: ["sh", "-c", `exec "$0" "$@" 1<>${fifo}`],
      });
      await using client = await TcpClient.connect(broker.port, 4, { clientId: "busy" });
      // Some 100 KB of lines; a pipe takes 64.
      for (let ping = 0; ping < 2000; ping++) {
        void client.send(pingreq());
        await client.next("pingresp");
      }
      await broker.line(/busy/);
      assert.equal(await broker.end(), 0);
    }),
);

Deno.test("log_dest topic: lines are messages of $SYS/broker/log/#", () =>
  withDirectory(async (directory) => {
    await using broker = await BrokerProcess.start(directory, {
      configuration: ["log_dest topic", "log_dest stderr", "log_type all", "log_timestamp false"],
    });
    await using client = await TcpClient.connect(broker.port, 5, { clientId: "watching" });
    void client.send(subscribe(5, { filters: [["$SYS/broker/log/#", 1]] }));
    await using other = await TcpClient.connect(broker.port, 5, { clientId: "other" });
    void other.send(subscribe(5, { filters: [["a/+", 1]] }));
    await other.next("suback");
    void other.send(unsubscribe(5, { filters: ["a/+"] }));
    await other.next("unsuback");
    const texts = new Map<string, { qos?: number; retain?: boolean }>();
    const wanted = [
      /^\$SYS\/broker\/log\/N New client connected from .* as other \(p5, c1, k60\)\.$/,
      /^\$SYS\/broker\/log\/M\/subscribe other 1 a\/\+$/,
      /^\$SYS\/broker\/log\/M\/unsubscribe other a\/\+$/,
    ];
    while (!wanted.every((pattern) => [...texts.keys()].some((text) => pattern.test(text)))) {
      const packet = await client.next();
      if (packet.type !== "publish") continue;
      const { topic, payload, qos, retain } = packet;
      texts.set(`${topic} ${new TextDecoder().decode(payload)}`, { qos, retain });
    }
    for (const [text, { qos, retain }] of texts) {
      assert.deepEqual([qos, retain], [1, false], text);
      assert.doesNotMatch(text, /^\S+ (Received|Sending)/, "debug lines are not published");
    }
    assert.equal(await broker.end(), 0);
  }));

Deno.test("without log_dest topic nothing is published of the log", () =>
  withDirectory(async (directory) => {
    await using broker = await BrokerProcess.start(directory);
    await using client = await TcpClient.connect(broker.port, 5, { clientId: "watching" });
    void client.send(subscribe(5, { filters: [["$SYS/broker/log/#", 1], ["end", 1]] }));
    await client.next("suback");
    await visit(broker, "other");
    await broker.line(/Client other \[.*disconnected/);
    void client.send(publish(5, { topic: "end" }));
    assert.equal((await client.next("publish")).topic, "end");
  }));

Deno.test("log_timestamp and log_timestamp_format say what stands before a line", () =>
  withDirectory(async (directory) => {
    const rows: [string[], RegExp][] = [
      [[], /^\d{10}: \S/],
      [["log_timestamp false"], /^(sabethes|Warning|Opening|Persist|Config|Up to) ?/],
      [["log_timestamp_format %Y-%m-%dT%H:%M:%S %Z"], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d XYZ: \S/],
    ];
    for (const [configuration, pattern] of rows) {
      await using broker = await BrokerProcess.start(directory, {
        configuration,
        env: { TZ: "XYZ-5" },
      });
      assert.equal(await broker.end(), 0);
      for (const line of broker.lines) assert.match(line, pattern);
    }
  }));

Deno.test("log_format json: whom a line tells of", () =>
  withDirectory(async (directory) => {
    await using broker = await BrokerProcess.start(directory, {
      configuration: ["log_format json", "log_type all"],
    });
    {
      await using client = await TcpClient.connect(broker.port, 4, {
        clientId: "i",
        userName: "u",
      });
      void client.send(subscribe(4, { filters: [["a", 0]] }));
      await client.next("suback");
    }
    await broker.line(/"kind":"disconnected"/);
    assert.equal(await broker.end(), 0);
    const objects = broker.lines.map((line) => JSON.parse(line));
    for (const { time, level, message } of objects) {
      assert.deepEqual([typeof time, typeof level, typeof message], ["string", "string", "string"]);
      assert.ok(!Number.isNaN(Date.parse(time)));
    }
    for (const kind of ["connected", "subscribed", "disconnected"]) {
      const { clientId, userName, address } = objects.find((object) => object.kind === kind);
      assert.deepEqual([clientId, userName], ["i", "u"], kind);
      assert.match(address, /^127\.0\.0\.1:\d+$/);
    }
  }));

Deno.test("connection_messages false: no line of who comes and goes", () =>
  withDirectory(async (directory) => {
    await using broker = await BrokerProcess.start(directory, {
      configuration: ["connection_messages false", "log_type all"],
    });
    await visit(broker, "quiet");
    await broker.line(/quiet/);
    assert.equal(await broker.end(), 0);
    const log = broker.lines.join("\n");
    assert.doesNotMatch(log, /New connection|New client|disconnected/);
  }));

Deno.test("log_type: only lines of the types asked for", () =>
  withDirectory(async (directory) => {
    await using broker = await BrokerProcess.start(directory, {
      configuration: ["log_type information", "log_type subscribe"],
    });
    await using client = await TcpClient.connect(broker.port, 4, { clientId: "i" });
    void client.send(subscribe(4, { filters: [["a/b", 2]] }));
    await client.next("suback");
    await broker.line(/^\d+: i 2 a\/b$/);
    assert.equal(await broker.end(), 0);
    assert.doesNotMatch(broker.lines.join("\n"), /New client|Received/);
  }));

Deno.test("passwords and payloads never stand in the log", () =>
  withDirectory(async (directory) => {
    const secret = "correct-horse-battery";
    for (const version of [3, 4, 5] as const) {
      await using broker = await BrokerProcess.start(directory, {
        configuration: ["log_type all", "log_dest stderr", "log_dest topic"],
      });
      {
        await using client = await TcpClient.connect(broker.port, version, {
          clientId: "i",
          userName: "u",
          password: secret,
          will: { topic: "will", payload: secret },
        });
        void client.send(subscribe(version, { filters: [["a", 1]] }));
        await client.next("suback");
        void client.send(publish(version, { topic: "a", payload: secret, qos: 1 }));
        await client.next();
        // A second CONNECT is a mistake that is logged.
        void client.send(connect(version, { clientId: "i", userName: "u", password: secret }));
        await client.ended();
      }
      await broker.line(/Client i \[.*disconnected/);
      assert.equal(await broker.end(), 0);
      assert.ok(!broker.lines.join("\n").includes(secret));
    }
  }));
