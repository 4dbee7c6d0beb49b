import assert from "node:assert/strict";
import {
  BrokerProcess,
  eventually,
  freePort,
  withDirectory,
  within,
} from "../support/broker_process.ts";
import { connect, hex } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";
import { TcpWrappers } from "../../src/transport/tcp_wrappers.ts";
import { RemoteBroker } from "./remote_broker.ts";
import { answer, withAndWithout } from "./with_and_without.ts";

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const STRACE = "/usr/bin/strace";

Deno.test({
  name: "set_tcp_nodelay: on unless switched off, as the system is told",
  ignore: !isThere(STRACE),
  fn: () =>
    withDirectory(async (directory) => {
      for (const [configuration, isSet] of [[[], true], [["set_tcp_nodelay false"], false]]) {
        const trace = `${directory}/trace`;
        await using broker = await BrokerProcess.start(directory, {
          configuration: configuration as string[],
          // -D: the broker, not strace, is the process that gets the signals.
          through: [STRACE, "-D", "-f", "-qq", "-e", "trace=setsockopt", "-o", trace],
        });
        assert.equal((await answer(broker.port, 4))?.reason, 0);
        await broker.end("SIGTERM");
        const last = Deno.readTextFileSync(trace).split("\n")
          .filter((line) => line.includes("TCP_NODELAY")).at(-1) ?? "TCP_NODELAY, [0]";
        assert.equal(last.includes("TCP_NODELAY, [1]"), isSet, last);
      }
    }),
});

Deno.test({
  name: "bridge_tcp_user_timeout: told to the system for that bridge",
  ignore: !isThere(STRACE),
  fn: () =>
    withDirectory(async (directory) => {
      await using remote = RemoteBroker.listen();
      const bridge = (name: string, ...lines: string[]) => [
        ...[`connection ${name}`, `address 127.0.0.1:${remote.port}`, "topic a out", ...lines],
      ];
      const trace = `${directory}/trace`;
      await using broker = await BrokerProcess.start(directory, {
        configuration: [...bridge("timed", "bridge_tcp_user_timeout 5000"), ...bridge("plain")],
        through: [STRACE, "-D", "-f", "-qq", "-e", "trace=setsockopt", "-o", trace],
      });
      for (const name of ["timed", "plain"]) {
        await broker.line(new RegExp(`Bridge ${name} is connected`));
      }
      await broker.end();
      const told = Deno.readTextFileSync(trace).match(/TCP_USER_TIMEOUT, \[\d+\]/g);
      assert.deepEqual(told, ["TCP_USER_TIMEOUT, [5000]"]);
    }),
});

/** What starts a program for which this file stands in the place of hosts.deny. */
const withHostsDeny = (file: string) => [
  ...["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts.deny && exec "$@"', file],
];

/** The library is there, and this system lets us put a file in the place of another. */
function canReplaceHostsDeny(): boolean {
  if (!isThere("/etc/hosts.deny")) return false;
  try {
    const [program, ...args] = [...withHostsDeny("/etc/hosts.deny"), "true"];
    TcpWrappers.load().close();
    return new Deno.Command(program, { args, stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

Deno.test({
  name: "tcp_wrappers: who stands in hosts.deny is closed, and a line says so",
  ignore: !canReplaceHostsDeny(),
  fn: () =>
    withDirectory(async (directory) => {
      const file = `${directory}/hosts.deny`;
      Deno.writeTextFileSync(file, "mosquitto: 127.0.0.1\n");
      for (const isAsked of [true, false]) {
        await using broker = await BrokerProcess.start(directory, {
          configuration: [`tcp_wrappers ${isAsked}`],
          through: withHostsDeny(file),
        });
        assert.equal((await answer(broker.port, 4))?.reason, isAsked ? undefined : 0);
        const line = "Client connection from 127.0.0.1 denied access by tcpd.";
        assert.equal(broker.lines.some((text) => text.includes(line)), isAsked);
      }
    }),
});

/** A log daemon in a process of its own: Deno has no such socket without a flag. */
const LOG_DAEMON = `
import socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind("/dev/log")
print("ready", flush=True)
while True: print(receiver.recv(65536).decode(), flush=True)
`;

/** The system's log, where there is none otherwise. */
class LogDaemon implements AsyncDisposable {
  readonly #child = new Deno.Command("python3", { args: ["-c", LOG_DAEMON], stdout: "piped" })
    .spawn();
  readonly #reading: Promise<void>;
  text = "";

  constructor() {
    this.#reading = this.#read();
  }

  /** Waits for a line. */
  async line(pattern: RegExp): Promise<void> {
    await eventually(() => pattern.test(this.text), () => `no ${pattern}:\n${this.text}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#reading;
    Deno.removeSync("/dev/log");
  }

  async #read(): Promise<void> {
    for await (const part of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      this.text += part;
    }
  }
}

Deno.test({
  name: "log_facility: the facility of what the system's log gets, daemon without it",
  ignore: Deno.build.os !== "linux" || Deno.uid() !== 0 || isThere("/dev/log") ||
    !isThere("/usr/bin/python3"),
  fn: () =>
    withDirectory(async (directory) => {
      await using daemon = new LogDaemon();
      await daemon.line(/^ready$/m);
      // Severity 6 is information; facility 3 is daemon, 16 + 5 is local5.
      for (
        const [lines, priority] of [[[], 3 * 8 + 6], [["log_facility 5"], 21 * 8 + 6]] as const
      ) {
        const configuration = ["log_dest syslog", "log_dest stderr", ...lines];
        await using broker = await BrokerProcess.start(directory, { configuration });
        await daemon.line(new RegExp(`^<${priority}>.*\\[${broker.pid}\\]: .* running$`, "m"));
      }
    }),
});

Deno.test({
  name: "socket_domain: ipv4 opens no port of IPv6",
  ignore: !hasIpv6(),
  fn: async () => {
    const port = freePort();
    const canConnect = (hostname: string) =>
      Deno.connect({ hostname, port }).then(
        (connection) => (connection.close(), true),
        () => false,
      );
    const reached: boolean[][] = [];
    for (const domain of [["socket_domain ipv4"], []]) {
      await withDirectory(async (directory) => {
        const configuration = [`listener ${port}`, ...domain];
        await using _broker = await BrokerProcess.start(directory, { configuration });
        reached.push([await canConnect("127.0.0.1"), await canConnect("::1")]);
      });
    }
    assert.deepEqual(reached, [[true, false], [true, true]]);
  },
});

function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrNotAvailable) return false;
    throw error;
  }
}

Deno.test("persistent_client_expiration: ends a session that would last", () =>
  withAndWithout(() => ["persistent_client_expiration 1s"], async ({ set, plain }) => {
    const fields = { clientId: "away", clean: false };
    for (const broker of [set, plain]) {
      assert.equal((await answer(broker.port, 4, fields))?.sessionPresent, false);
    }
    await set.line(/Expiring client away due to timeout\.$/);
    assert.equal((await answer(set.port, 4, fields))?.sessionPresent, false);
    assert.equal((await answer(plain.port, 4, fields))?.sessionPresent, true);
  }));

Deno.test("proxy_protocol_v2_require_tls: who came to the proxy without TLS is closed", () =>
  withDirectory(async (directory) => {
    const [strict, lax] = [freePort(), freePort()];
    await using broker = await BrokerProcess.start(directory, {
      configuration: [
        ...[`listener ${lax} 127.0.0.1`, "enable_proxy_protocol 2"],
        ...[`listener ${strict} 127.0.0.1`, "enable_proxy_protocol 2"],
        "proxy_protocol_v2_require_tls true",
      ],
    });
    // PROXY over TCP from 192.0.2.1:1 to 192.0.2.2:2, without the part that tells of TLS.
    const header = hex(
      "0d0a0d0a000d0a515549540a 21 11 000c c0000201 c0000202 0001 0002",
    );
    await using taken = await TcpClient.open(lax);
    void taken.send(header);
    void taken.send(connect(4));
    assert.equal((await taken.next("connack")).reason, 0);
    await using refused = await TcpClient.open(strict);
    void refused.send(header);
    void refused.send(connect(4));
    assert.deepEqual(await within(refused.ended(), () => "it is not closed"), []);
    broker.assertNoDefect();
  }));
