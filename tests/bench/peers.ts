/** A broker that a benchmark starts for itself. */
export interface Peer {
  readonly name: string;
  /** The command line, given the path of a configuration. */
  readonly command: (configuration: string) => [program: string, ...args: string[]];
  /** Lines of its configuration beyond those that all get. */
  readonly lines: readonly string[];
}

/** One that runs. */
export interface RunningPeer extends AsyncDisposable {
  readonly port: number;
  /** Its resident memory in bytes now, or undefined where the system does not tell. */
  residentBytes(): number | undefined;
}

const project = new URL("../../", import.meta.url);

/** This project's broker. */
export const sabethes: Peer = {
  name: "Sabethes",
  command: (configuration) => [
    Deno.execPath(),
    "run",
    "-A",
    "--v8-flags=--max-semi-space-size=4",
    decodeURIComponent(new URL("mod.ts", project).pathname),
    "-c",
    configuration,
  ],
  lines: [],
};

/** Mosquitto, where its package is installed; it would leave the rights of root, and the directory. */
export const mosquitto: Peer = {
  name: "Mosquitto",
  command: (configuration) => ["/usr/sbin/mosquitto", "-c", configuration],
  lines: Deno.uid() === 0 ? ["user root"] : [],
};

/** Whether the program of a peer is on this machine. */
export function isInstalled(peer: Peer): boolean {
  try {
    return Deno.statSync(peer.command("")[0]).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** How long a broker may take until it listens. */
const startMaximumMs = 10_000;

/** Starts a broker with an empty store on a free port and waits until it listens. */
export async function startPeer(
  peer: Peer,
  persistence: boolean,
  /** Lines for its listener. */
  listenerLines: readonly string[] = [],
): Promise<RunningPeer> {
  const directory = await Deno.makeTempDir({ prefix: "sabethes-bench-" });
  const port = freePort();
  const configuration = `${directory}/broker.conf`;
  await Deno.writeTextFile(
    configuration,
    [
      `listener ${port} 127.0.0.1`,
      ...listenerLines,
      // Mosquitto 2.0 does not start when all of its listeners speak WebSocket.
      ...listenerLines.length > 0 ? [`listener ${freePort()} 127.0.0.1`] : [],
      "allow_anonymous true",
      `persistence ${persistence}`,
      `persistence_location ${directory}/`,
      "max_inflight_messages 100",
      "max_queued_messages 1000000",
      "log_dest none",
      ...peer.lines,
      "",
    ].join("\n"),
  );
  const [program, ...args] = peer.command(configuration);
  const child = new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  })
    .spawn();
  let exited = false;
  const exit = child.status.then((status) => {
    exited = true;
    return status;
  });
  const running: RunningPeer = {
    port,
    residentBytes: () => residentBytes(child.pid),
    async [Symbol.asyncDispose]() {
      if (!exited) child.kill("SIGTERM");
      await exit;
      await Deno.remove(directory, { recursive: true });
    },
  };
  try {
    const deadline = performance.now() + startMaximumMs;
    while (!await listens(port)) {
      if (exited) throw new Error(`${peer.name} ended with status ${(await exit).code}`);
      if (performance.now() > deadline) throw new Error(`${peer.name} does not listen`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  } catch (error) {
    await running[Symbol.asyncDispose]();
    throw error;
  }
  return running;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

async function listens(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
}

function residentBytes(pid: number): number | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(status.match(/^VmRSS:\s+(\d+) kB/m)?.[1]) * 1024;
}
