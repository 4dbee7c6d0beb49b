/**
 * `deno task bench`: what a message costs in the core, then this project's broker under load and, where
 * it is installed, Mosquitto beside it, in turn on the same machine. `--host` and `--port` point it at a
 * broker that already runs.
 * @module
 */
import { measureCore } from "./core_bench.ts";
import { Authority } from "../support/certificates.ts";
import { generate, type Load, type LoadResult } from "./generator.ts";
import {
  isInstalled,
  mosquitto,
  type Peer,
  sabethes,
  startBridgedPeers,
  startPeer,
} from "./peers.ts";
import { quick, type Scenario, scenarios } from "./scenarios.ts";

const usage =
  `deno task bench [--core] [--host HOST] [--port PORT] [--scenario NAME]… [--runs N] [--quick]
                [--tls] [--ws] [--cafile FILE]

--tls and --ws (both: wss) say how brokers are reached; --cafile belongs to --host and --port

scenarios: ${scenarios.map((scenario) => scenario.name).join(", ")}`;

interface Options {
  host?: string;
  port?: number;
  names: string[];
  runs: number;
  quick: boolean;
  /** The in-process part alone. */
  core: boolean;
  tls: boolean;
  ws: boolean;
  cafile: string;
}

/** One run: what was measured, and the broker's memory at its end. */
interface Run extends LoadResult {
  readonly residentBytes?: number;
}

const plain = { core: false, tls: false, ws: false, cafile: "" };

function parse(args: readonly string[]): Options {
  const options: Options = { names: [], runs: 3, quick: false, ...plain };
  for (let index = 0; index < args.length; index++) {
    const name = args[index];
    if (name === "--quick") {
      options.quick = true;
      options.runs = 1;
      continue;
    }
    if (name === "--core" || name === "--tls" || name === "--ws") {
      options[name.slice(2) as "core" | "tls" | "ws"] = true;
      continue;
    }
    const value = args[++index];
    if (value === undefined) throw new TypeError(`what is ${name}?`);
    if (name === "--host") options.host = value;
    else if (name === "--port") options.port = wholeNumber(name, value);
    else if (name === "--cafile") options.cafile = value;
    else if (name === "--runs") options.runs = wholeNumber(name, value);
    else if (name === "--scenario" && scenarios.some((scenario) => scenario.name === value)) {
      options.names.push(value);
    } else throw new TypeError(`what is ${name} ${value}?`);
  }
  return options;
}

function wholeNumber(name: string, value: string): number {
  if (!/^[1-9]\d*$/.test(value)) throw new TypeError(`${name} needs a number, not ${value}`);
  return Number(value);
}

/** One run against a broker that is started for it, with an empty store. */
async function runAgainst(
  peer: Peer,
  { load, persistence, bridge }: Scenario,
  { tls, ws }: Options,
): Promise<Run> {
  if (bridge) return await runOverBridge(peer, load, persistence === true);
  using authority = tls ? new Authority() : null;
  const lines = [];
  if (ws) lines.push("protocol websockets");
  if (authority !== null) {
    // The broker may run as another user.
    Deno.chmodSync(authority.directory, 0o755);
    const { certfile, keyfile } = authority.issueServer();
    Deno.chmodSync(keyfile, 0o644);
    lines.push(`certfile ${certfile}`, `keyfile ${keyfile}`);
  }
  const broker = [`persistence ${persistence === true}`, "max_inflight_messages 100"];
  await using running = await startPeer(peer, { broker, listener: lines });
  return await runAt(
    { ...load, host: "127.0.0.1", port: running.port, tls, ws, cafile: authority?.cafile ?? "" },
    () => running.residentBytes(),
  );
}

/** One run against two brokers; the memory is that of the one with the bridge. */
async function runOverBridge(peer: Peer, load: Partial<Load>, persistence: boolean): Promise<Run> {
  await using running = await startBridgedPeers(peer, persistence);
  const { first, second } = running;
  return await runAt(
    { ...load, host: "127.0.0.1", port: first.port, subscribersPort: second.port },
    () => first.residentBytes(),
  );
}

/** One run against a broker that runs. */
async function runAt(load: Partial<Load>, resident: () => number | undefined): Promise<Run> {
  let residentBytes: number | undefined;
  const result = await generate(load, () => {
    residentBytes = resident();
  });
  return { ...result, residentBytes };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The figure of a run that is compared; more is better. */
function figure({ measures }: Scenario, run: Run): number {
  if (measures === "connects") return run.connectsPerSecond;
  if (measures === "latency") return run.latencyMs === undefined ? 0 : 1 / run.latencyMs.p50;
  return run.receivedPerSecond;
}

function cells(scenario: Scenario, runs: readonly Run[]): string[] {
  const value = median(runs.map((run) => figure(scenario, run)));
  const rate = scenario.measures === "latency"
    ? `p50 ${(1 / value).toFixed(2)} ms`
    : `${Math.round(value).toLocaleString("en")}${
      scenario.measures === "connects" ? " conn/s" : "/s"
    }`;
  const lost = Math.max(...runs.map((run) => run.lost + run.clients - run.ready + run.closed));
  const latencies = runs.flatMap((run) => run.latencyMs?.p99 ?? []);
  const resident = runs.flatMap((run) => run.residentBytes ?? []);
  return [
    rate,
    String(lost),
    latencies.length > 0 ? `${median(latencies).toFixed(1)} ms` : "",
    resident.length > 0 ? `${Math.round(median(resident) / 1024 / 1024)} MiB` : "",
  ];
}

function row(values: readonly string[]): string {
  return `| ${values.join(" | ")} |`;
}

async function main(options: Options): Promise<void> {
  const chosen = scenarios
    .filter(({ name }) => options.names.length === 0 || options.names.includes(name))
    .map((scenario) => options.quick ? quick(scenario) : scenario);
  const remote = options.host !== undefined || options.port !== undefined;
  const { host = "127.0.0.1", port = 1883, tls, ws, cafile } = options;
  const address = { host, port, tls, ws, cafile };
  const peers = remote ? [] : [sabethes, mosquitto].filter(isInstalled);
  const names = remote ? [`${host}:${port}`] : peers.map((peer) => peer.name);
  const compared = names.length === 2;

  if (!remote && options.names.length === 0) {
    await measureCore();
    console.log();
  }
  if (options.core) return;
  const headings = names.flatMap((name) => [name, "lost", "p99", "RSS"]);
  console.log(row(["scenario", ...headings, ...(compared ? ["ratio"] : [])]));
  console.log(row(["---", ...headings.map(() => "--:"), ...(compared ? ["--:"] : [])]));
  for (const scenario of chosen) {
    const runs: Run[][] = names.map(() => []);
    for (let round = 0; round < options.runs; round++) {
      if (remote) runs[0].push(await runAt({ ...scenario.load, ...address }, () => undefined));
      for (const [index, peer] of peers.entries()) {
        runs[index].push(await runAgainst(peer, scenario, options));
      }
    }
    // The ratio of runs that stood side by side: a machine's mood concerns both.
    const ratio = compared
      ? [
        median(
          runs[0].map((run, round) => figure(scenario, run) / figure(scenario, runs[1][round])),
        ).toFixed(1),
      ]
      : [];
    console.log(row([scenario.name, ...runs.flatMap((of) => cells(scenario, of)), ...ratio]));
  }
}

let options: Options;
try {
  options = parse(Deno.args);
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  console.error(`${error.message}\n\n${usage}`);
  Deno.exit(2);
}
await main(options);
