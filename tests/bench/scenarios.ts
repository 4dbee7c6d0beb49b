import type { Load } from "./generator.ts";

/** A row of the benchmark's table. */
export interface Scenario {
  readonly name: string;
  readonly load: Partial<Load>;
  /** The broker keeps its state on disk. */
  readonly persistence?: true;
  /** Two brokers of a kind, joined by a bridge at QoS 1: publishers at the first, subscribers at the second. */
  readonly bridge?: true;
  /** What the row tells: deliveries a second, connects a second, or the delay of deliveries. */
  readonly measures?: "connects" | "latency";
}

/** What is measured; names are what `--scenario` takes. */
export const scenarios: readonly Scenario[] = [
  { name: "qos0-1-1", load: { messages: 400_000 } },
  { name: "qos0-4-4", load: { publishers: 4, subscribers: 4, messages: 100_000 } },
  { name: "fan-in-20-1", load: { publishers: 20, fanIn: true, messages: 15_000 } },
  { name: "fan-out-1-50", load: { subscribers: 50, fanOut: true, messages: 10_000 } },
  { name: "fan-out-1-1000", load: { subscribers: 1000, fanOut: true, messages: 500 } },
  {
    name: "payload-1k",
    load: { publishers: 4, subscribers: 4, messages: 50_000, payloadBytes: 1024 },
  },
  { name: "payload-64k", load: { messages: 10_000, payloadBytes: 65_536 } },
  {
    name: "topics-10000",
    load: { publishers: 10, subscribers: 10, topics: 1000, messages: 30_000 },
  },
  { name: "qos1-4-4", load: { publishers: 4, subscribers: 4, qos: 1, messages: 50_000 } },
  { name: "qos2-4-4", load: { publishers: 4, subscribers: 4, qos: 2, messages: 20_000 } },
  {
    name: "qos1-4-4-mqtt5",
    load: { publishers: 4, subscribers: 4, qos: 1, version: 5, messages: 50_000 },
  },
  {
    name: "qos1-50-50",
    load: { publishers: 50, subscribers: 50, qos: 1, window: 20, messages: 4000 },
  },
  {
    name: "qos1-lasting",
    load: { publishers: 4, subscribers: 4, qos: 1, lasting: true, messages: 30_000 },
    persistence: true,
  },
  // Long enough that the runtime's first half second, in which it compiles, does not count.
  { name: "bridge-qos1", load: { qos: 1, messages: 1_000_000 }, bridge: true },
  {
    name: "bridge-qos1-kept",
    load: { qos: 1, messages: 100_000 },
    bridge: true,
    persistence: true,
  },
  {
    name: "latency-2000",
    load: { publishers: 10, subscribers: 10, qos: 1, messages: 800, messagesPerSecond: 2000 },
    measures: "latency",
  },
  {
    name: "connections",
    load: { publishers: 0, subscribers: 0, idleClients: 19_000, holdSeconds: 5 },
    measures: "connects",
  },
];

/** The same with a tenth of the messages and of the idle clients, to see that everything works. */
export function quick(scenario: Scenario): Scenario {
  const { messages, idleClients, holdSeconds } = scenario.load;
  return {
    ...scenario,
    load: {
      ...scenario.load,
      ...(messages === undefined ? {} : { messages: Math.ceil(messages / 10) }),
      ...(idleClients === undefined ? {} : { idleClients: Math.ceil(idleClients / 10) }),
      ...(holdSeconds === undefined ? {} : { holdSeconds: Math.min(1, holdSeconds) }),
    },
  };
}
