import assert from "node:assert/strict";
import { ServiceManager } from "../../src/system/service_manager.ts";
import { Syslog } from "../../src/system/syslog.ts";
import { LINUX, withDirectory } from "./support.ts";

/** Receives datagrams in a process of its own, line by line. Deno has no such socket without a flag. */
const RECEIVER = `
import socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1].replace("@", "\\0", 1) if sys.argv[1][0] == "@" else sys.argv[1])
print("ready", flush=True)
while True: print(repr(receiver.recv(65536).decode()), flush=True)
`;

class Receiver implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(path: string) {
    this.#child = new Deno.Command("python3", {
      args: ["-c", RECEIVER, path],
      stdout: "piped",
    }).spawn();
    this.#lines = lines(this.#child.stdout);
  }

  static async open(path: string): Promise<Receiver> {
    const receiver = new Receiver(path);
    assert.equal(await receiver.next(), "ready");
    return receiver;
  }

  async next(): Promise<string> {
    return (await this.#lines.next()).value;
  }

  async [Symbol.asyncDispose]() {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#lines.return?.();
  }
}

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}

const HEAD = /^'<(\d+)>[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d sabethes\[(\d+)\]: (.*)'$/;

Deno.test(
  { name: "lines go to syslog with facility and severity", ignore: !LINUX },
  () =>
    withDirectory(async (directory) => {
      await using receiver = await Receiver.open(`${directory}/log`);
      const rows = [
        [null, "error", 27],
        [null, "information", 30],
        [3, "warning", 156],
        [3, "notice", 157],
        [7, "debug", 191],
        [0, "subscribe", 133],
        [0, "unsubscribe", 133],
      ] as const;
      for (const [facility, type, priority] of rows) {
        const syslog = new Syslog(facility, `${directory}/log`);
        syslog.write(type, "100 %s %n ünï");
        const [, number, pid, text] = HEAD.exec(await receiver.next())!;
        assert.deepEqual(
          [Number(number), Number(pid), text],
          [priority, Deno.pid, "100 %s %n ünï"],
          `${facility} ${type}`,
        );
        syslog.close();
      }
    }),
);

Deno.test(
  { name: "a log daemon that is away loses lines, which are counted", ignore: !LINUX },
  () =>
    withDirectory(async (directory) => {
      const path = `${directory}/log`;
      const syslog = new Syslog(null, path);
      for (const line of ["a", "b", "c"]) syslog.write("notice", line);
      await using receiver = await Receiver.open(path);
      syslog.write("notice", "d");
      assert.match(await receiver.next(), /: 3 lines were lost here\.'$/);
      assert.match(await receiver.next(), /: d'$/);
      syslog.close();
    }),
);

Deno.test(
  { name: "a log daemon that hangs does not hold up whoever logs", ignore: !LINUX },
  () =>
    withDirectory(async (directory) => {
      const path = `${directory}/log`;
      const code = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("ready", flush=True)
sys.stdin.read()`;
      const child = new Deno.Command("python3", {
        args: ["-c", code, path],
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const output = child.stdout.getReader();
      await output.read();
      const syslog = new Syslog(null, path);
      // syslog(3) would wait in the twelfth or so for ever.
      for (let line = 0; line < 5000; line++) syslog.write("debug", "x".repeat(200));
      syslog.close();
      await child.stdin.close();
      await child.status;
      await output.cancel();
    }),
);

Deno.test(
  { name: "systemd is told of readiness, reloads and the end", ignore: !LINUX },
  () =>
    withDirectory(async (directory) => {
      for (const path of [`${directory}/notify`, `@sabethes-test-${Deno.pid}`]) {
        await using receiver = await Receiver.open(path);
        const service = new ServiceManager({ NOTIFY_SOCKET: path });
        service.ready();
        assert.equal(await receiver.next(), "'READY=1'");
        let reloads = 0;
        await service.reloading(() => Promise.resolve(void reloads++));
        assert.match(await receiver.next(), /^'RELOADING=1\\nMONOTONIC_USEC=\d+'$/);
        assert.equal(await receiver.next(), "'READY=1'");
        assert.equal(reloads, 1);
        service.stopping();
        assert.equal(await receiver.next(), "'STOPPING=1'");
        service.close();
      }
    }),
);

Deno.test(
  { name: "the watchdog hears of us while the event loop lives", ignore: !LINUX },
  () =>
    withDirectory(async (directory) => {
      await using receiver = await Receiver.open(`${directory}/notify`);
      const environment = { NOTIFY_SOCKET: `${directory}/notify`, WATCHDOG_USEC: "40000" };
      const other = new ServiceManager({ ...environment, WATCHDOG_PID: String(Deno.pid + 1) });
      other.ready();
      assert.equal(await receiver.next(), "'READY=1'");
      const service = new ServiceManager({ ...environment, WATCHDOG_PID: String(Deno.pid) });
      service.ready();
      assert.equal(await receiver.next(), "'READY=1'");
      for (let sign = 0; sign < 4; sign++) assert.equal(await receiver.next(), "'WATCHDOG=1'");
      service.close();
      other.close();
    }),
);

Deno.test("without systemd nothing is told and nothing runs on", async () => {
  const service = new ServiceManager({ WATCHDOG_USEC: "1000" });
  service.ready();
  await service.reloading(() => Promise.resolve());
  service.stopping();
  service.close();
});
