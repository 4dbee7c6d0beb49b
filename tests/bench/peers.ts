import { LastingClient } from "../support/lasting_client.ts";

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

/** Lines that a broker gets besides those that all get. */
export interface PeerLines {
  readonly broker?: readonly string[];
  /** Below its listener. */
  readonly listener?: readonly string[];
}

/** Starts a broker with an empty store on a free port and waits until it listens. */
export async function startPeer(
  peer: Peer,
  { broker = [], listener = [] }: PeerLines = {},
): Promise<RunningPeer> {
  const directory = await Deno.makeTempDir({ prefix: "sabethes-bench-" });
  const port = freePort();
  const configuration = `${directory}/broker.conf`;
  await Deno.writeTextFile(
    configuration,
    [
      `listener ${port} 127.0.0.1`,
      ...listener,
      // Mosquitto 2.0 does not start when all of its listeners speak WebSocket.
      ...listener.length > 0 ? [`listener ${freePort()} 127.0.0.1`] : [],
      "allow_anonymous true",
      `persistence_location ${directory}/`,
      "max_queued_messages 1000000",
      "log_dest none",
      ...peer.lines,
      ...broker,
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

/** Two brokers of a kind, the first with a bridge that takes everything to the second at QoS 1. */
export interface BridgedPeers extends AsyncDisposable {
  readonly first: RunningPeer;
  readonly second: RunningPeer;
}

/** Starts both, and waits until the bridge is connected. All but the addresses is left as it is by default. */
export async function startBridgedPeers(peer: Peer, persistence: boolean): Promise<BridgedPeers> {
  const lines = persistence ? ["persistence true"] : [];
  await using stack = new AsyncDisposableStack();
  const second = stack.use(await startPeer(peer, { broker: lines }));
  const bridge = ["connection bench", `address 127.0.0.1:${second.port}`, "topic # out 1"];
  const state = "bench/state";
  const first = stack.use(
    await startPeer(peer, { broker: [...lines, ...bridge, `notification_topic ${state}`] }),
  );
  await using client = new LastingClient(4, "bench-state");
  await client.connect(second.port);
  await new Promise<void>((resolve) => {
    client.onTaken = ({ text }) => text === "1" && resolve();
    client.subscribe(state, 1);
  });
  const running = stack.move();
  return { first, second, [Symbol.asyncDispose]: () => running.disposeAsync() };
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
