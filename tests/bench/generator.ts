/**
 * A light load generator: raw sockets, packets encoded once, everything in one process. Run by itself
 * it takes the fields of `Load` as options and prints one line of JSON:
 *
 * `deno run -A tests/bench/generator.ts --port 1883 --publishers 4 --subscribers 4 --qos 1`
 * @module
 */
import { connect, Property, property, subscribe, type Version } from "../support/packets.ts";
import { LoadClient, Tally } from "./load_client.ts";

/** What a run does. */
export interface Load {
  readonly host: string;
  readonly port: number;
  /** Where subscribers connect; 0 is where the others do. */
  readonly subscribersPort: number;
  readonly tls: boolean;
  /** MQTT over WebSocket. */
  readonly ws: boolean;
  /** With TLS: a file of certificates that are trusted. */
  readonly cafile: string;
  /** 4 is MQTT 3.1.1. */
  readonly version: number;
  readonly publishers: number;
  readonly subscribers: number;
  /** Clients that connect and say nothing more. */
  readonly idleClients: number;
  /** How long the idle clients are held. */
  readonly holdSeconds: number;
  /** For each publisher. */
  readonly messages: number;
  /** From 8 on each message carries the time, and latencies are measured. */
  readonly payloadBytes: number;
  readonly qos: number;
  /** Unacknowledged messages of a publisher at most, above QoS 0. */
  readonly window: number;
  /** Of all publishers together; 0 is as fast as it goes. */
  readonly messagesPerSecond: number;
  /** Topics of each publisher; 0 and 1 are one. */
  readonly topics: number;
  /** One topic for all: every subscriber gets every message. */
  readonly fanOut: boolean;
  /** Every subscriber takes the topics of all publishers by a wildcard. */
  readonly fanIn: boolean;
  /** Sessions that outlive their connections. */
  readonly lasting: boolean;
  /** Of topics and Client Identifiers. */
  readonly prefix: string;
  /** A run ends when nothing has come for so long: the rest is lost. */
  readonly patienceSeconds: number;
}

/** What a run measured. */
export interface LoadResult {
  readonly clients: number;
  readonly ready: number;
  readonly connectSeconds: number;
  readonly connectsPerSecond: number;
  readonly sent: number;
  readonly acknowledged: number;
  readonly received: number;
  readonly expected: number;
  readonly lost: number;
  readonly elapsedSeconds: number;
  readonly sentPerSecond: number;
  readonly receivedPerSecond: number;
  /** Connections that the broker ended. */
  readonly closed: number;
  readonly latencyMs?: { p50: number; p99: number; p999: number; max: number };
}

/** The values of the fields that are not given. */
const defaultLoad: Load = {
  host: "127.0.0.1",
  port: 1883,
  subscribersPort: 0,
  tls: false,
  ws: false,
  cafile: "",
  version: 4,
  publishers: 1,
  subscribers: 1,
  idleClients: 0,
  holdSeconds: 0,
  messages: 100_000,
  payloadBytes: 64,
  qos: 0,
  window: 100,
  messagesPerSecond: 0,
  topics: 0,
  fanOut: false,
  fanIn: false,
  lasting: false,
  prefix: "bench",
  patienceSeconds: 3,
};

/** Connections that are being opened at the same time, at most. */
const openingMaximum = 100;

/** Connects, publishes, receives, counts. `whileHeld` is called when all are connected and done. */
export async function generate(
  fields: Partial<Load>,
  whileHeld?: () => Promise<void> | void,
): Promise<LoadResult> {
  const load = { ...defaultLoad, ...fields };
  const tally = new Tally();
  const clients: LoadClient[] = [];
  try {
    const connectStart = performance.now();
    await openAll(load, tally, rolesOf(load), clients);
    const connectSeconds = (performance.now() - connectStart) / 1000;

    const publishers = clients.slice(load.subscribers, load.subscribers + load.publishers);
    const expected = load.fanOut || load.fanIn
      ? load.publishers * load.messages * load.subscribers
      : Math.min(load.publishers, load.subscribers) * load.messages;
    const start = performance.now();
    tally.lastArrivalMs = start;
    if (publishers.length > 0 && load.messages > 0) await run(load, tally, publishers, expected);
    const elapsedSeconds = Math.max(tally.lastArrivalMs - start, 1e-3) / 1000;
    if (load.holdSeconds > 0) await delay(load.holdSeconds * 1000);
    await whileHeld?.();
    return {
      clients: clients.length,
      ready: tally.ready,
      connectSeconds,
      connectsPerSecond: clients.length / connectSeconds,
      sent: tally.sent,
      acknowledged: tally.acknowledged,
      received: tally.received,
      expected,
      lost: expected - tally.received,
      elapsedSeconds,
      sentPerSecond: tally.sent / elapsedSeconds,
      receivedPerSecond: tally.received / elapsedSeconds,
      closed: tally.closed,
      latencyMs: percentiles(tally),
    };
  } finally {
    await closeAll(clients);
    if (load.lasting) await discardSessions(load, clients.length);
  }
}

async function closeAll(clients: readonly LoadClient[]): Promise<void> {
  for (const client of clients) client.close();
  await Promise.all(clients.map((client) => client.done));
}

/** Leaves no session behind in a broker that goes on running: a clean connection ends each. */
async function discardSessions(load: Load, count: number): Promise<void> {
  const clients: LoadClient[] = [];
  try {
    const roles = rolesOf(load).slice(0, count);
    await openAll({ ...load, lasting: false }, new Tally(), roles, clients);
  } finally {
    await closeAll(clients);
  }
}

type ClientRole = readonly [role: "sub" | "pub" | "idle", index: number];

/** All clients of a run, subscribers first. */
function rolesOf(load: Load): ClientRole[] {
  const many = (count: number, role: ClientRole[0]) =>
    Array.from({ length: count }, (_, index): ClientRole => [role, index]);
  return [
    ...many(load.subscribers, "sub"),
    ...many(load.publishers, "pub"),
    ...many(load.idleClients, "idle"),
  ];
}

/** Opens all clients, in their order, and waits until each is ready or was turned away. */
async function openAll(
  load: Load,
  tally: Tally,
  roles: readonly ClientRole[],
  clients: LoadClient[],
): Promise<void> {
  const version = load.version as Version;
  const caCerts = load.tls && load.cafile !== "" ? [await Deno.readTextFile(load.cafile)] : [];
  const address = { ...load, caCerts };
  const subscribersAddress = { ...address, port: load.subscribersPort || load.port };
  for (let first = 0; first < roles.length; first += openingMaximum) {
    const opening = roles.slice(first, first + openingMaximum).map(([role, index]) =>
      LoadClient.open(role === "sub" ? subscribersAddress : address, version, tally, {
        connect: connect(version, {
          clientId: `${load.prefix}-${role}-${index}`,
          clean: !load.lasting,
          properties: load.lasting ? property(Property.sessionExpiryInterval, 3600) : [],
        }),
        subscribe: role === "sub"
          ? subscribe(version, { filters: [[filterOf(load, index), load.qos]] })
          : undefined,
      })
    );
    // All are waited for, so that none is left open when one fails.
    const opened = await Promise.allSettled(opening);
    for (const result of opened) if (result.status === "fulfilled") clients.push(result.value);
    for (const result of opened) if (result.status === "rejected") throw result.reason;
    await Promise.all(clients.slice(first).map((client) => client.ready));
  }
}

function topicOf(load: Load, publisher: number): string {
  return load.fanOut ? `${load.prefix}/all` : `${load.prefix}/${publisher}/data`;
}

function filterOf(load: Load, subscriber: number): string {
  if (load.fanIn) return `${load.prefix}/#`;
  return topicOf(load, subscriber) + (load.topics > 1 ? "/#" : "");
}

/** Publishes everything and waits until it has arrived or nothing comes any more. */
async function run(
  load: Load,
  tally: Tally,
  publishers: LoadClient[],
  expected: number,
): Promise<void> {
  publishers.forEach((publisher, index) =>
    publisher.prepare({
      topic: topicOf(load, index),
      messages: load.messages,
      payloadBytes: load.payloadBytes,
      qos: load.qos,
      window: load.window,
      topics: load.topics > 1 ? load.topics : 0,
    })
  );
  const total = load.publishers * load.messages;
  let stop = false;
  const publishing = load.messagesPerSecond > 0
    ? publishAtRate(load, tally, publishers, total, () => stop)
    : Promise.all(publishers.map((publisher) => publisher.publishAll()));
  let seen = -1;
  let lastProgressMs = performance.now();
  while (true) {
    const progress = tally.received + tally.acknowledged + tally.sent;
    const now = performance.now();
    if (progress !== seen) [seen, lastProgressMs] = [progress, now];
    const complete = tally.sent >= total && tally.received >= expected &&
      (load.qos === 0 || tally.acknowledged >= total);
    if (complete || now - lastProgressMs > load.patienceSeconds * 1000) break;
    await delay(5);
  }
  stop = true;
  if (tally.sent < total) { for (const publisher of publishers) publisher.close(); }
  await publishing;
}

/** Publishes in turn what is due; a publisher whose window is full lets the others wait. */
async function publishAtRate(
  load: Load,
  tally: Tally,
  publishers: LoadClient[],
  total: number,
  stopped: () => boolean,
): Promise<void> {
  const start = performance.now();
  while (tally.sent < total && !stopped()) {
    const due = Math.min(total, (performance.now() - start) / 1000 * load.messagesPerSecond);
    while (tally.sent < due) {
      const publisher = publishers[tally.sent % publishers.length];
      if (!publisher.publishOne()) break;
      publisher.flush();
    }
    await delay(1);
  }
}

function percentiles(tally: Tally): LoadResult["latencyMs"] {
  const sorted = tally.sortedLatenciesMs();
  if (sorted.length === 0) return undefined;
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: sorted[sorted.length - 1] };
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The fields of `Load` from options like `--publishers 4 --fan-out`. */
export function loadFromArguments(args: readonly string[]): Partial<Load> {
  const load: Record<string, string | number | boolean> = {};
  for (let index = 0; index < args.length; index++) {
    const name = args[index].replace(/^--/, "").replace(
      /-([a-z])/g,
      (_, letter) => letter.toUpperCase(),
    );
    const usual = args[index].startsWith("--") && Object.hasOwn(defaultLoad, name)
      ? defaultLoad[name as keyof Load]
      : undefined;
    if (usual === undefined) throw new TypeError(`unknown option ${args[index]}`);
    if (typeof usual === "boolean") {
      load[name] = true;
      continue;
    }
    const value = args[++index];
    if (value === undefined || (typeof usual === "number" && !/^\d+(\.\d+)?$/.test(value))) {
      throw new TypeError(`--${name} needs ${typeof usual === "number" ? "a number" : "a value"}`);
    }
    load[name] = typeof usual === "number" ? Number(value) : value;
  }
  return load;
}

if (import.meta.main) {
  console.log(JSON.stringify(await generate(loadFromArguments(Deno.args))));
}
