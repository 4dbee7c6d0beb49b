import type { PacketStatistics, Statistics } from "./counters.ts";

const PREFIX = "$SYS/broker/";

/** Topics that are published when their value has changed, and what they show. */
const VALUES: readonly [topic: string, value: keyof Statistics][] = [
  ["clients/total", "clientsTotal"],
  ["clients/connected", "clientsConnected"],
  ["clients/active", "clientsConnected"],
  ["clients/disconnected", "clientsDisconnected"],
  ["clients/inactive", "clientsDisconnected"],
  ["clients/maximum", "clientsMaximum"],
  ["clients/expired", "clientsExpired"],
  ["connections/socket/count", "socketsAccepted"],
  ["messages/received", "messagesReceived"],
  ["messages/sent", "messagesSent"],
  ["messages/stored", "storeMessages"],
  ["store/messages/count", "storeMessages"],
  ["store/messages/bytes", "storeBytes"],
  ["subscriptions/count", "subscriptions"],
  ["shared_subscriptions/count", "sharedSubscriptions"],
  ["retained messages/count", "retainedMessages"],
  ["bytes/received", "bytesReceived"],
  ["bytes/sent", "bytesSent"],
  ["publish/messages/received", "publishMessagesReceived"],
  ["publish/messages/sent", "publishMessagesSent"],
  ["publish/messages/dropped", "publishMessagesDropped"],
  ["publish/bytes/received", "publishBytesReceived"],
  ["publish/bytes/sent", "publishBytesSent"],
  ["packet/out/count", "packetsWaiting"],
  ["packet/out/bytes", "packetBytesWaiting"],
  ["heap/current", "heapCurrent"],
  ["heap/maximum", "heapMaximum"],
  // In Mosquitto's manual, as the counts by type are, though its broker does not send them.
  ["mqtt/publish/dropped", "publishMessagesDropped"],
];

/** Load averages: what a counter grows by in a minute, over 1, 5 and 15 minutes. */
const LOADS: readonly [topic: string, counter: keyof Statistics][] = [
  ["load/messages/received", "messagesReceived"],
  ["load/messages/sent", "messagesSent"],
  ["load/publish/dropped", "publishMessagesDropped"],
  ["load/publish/received", "publishMessagesReceived"],
  ["load/publish/sent", "publishMessagesSent"],
  ["load/bytes/received", "bytesReceived"],
  ["load/bytes/sent", "bytesSent"],
  ["load/sockets", "socketsAccepted"],
  ["load/connections", "connectsReceived"],
];
const WINDOWS: readonly [name: string, seconds: number][] = [
  ["1min", 60],
  ["5min", 300],
  ["15min", 900],
];
/** A load that moved by less is not published again. */
const LOAD_STEP = 0.01;

/** The $SYS tree: what changed since the last update. */
export class SysTopics {
  readonly #publish: (topic: string, value: string) => void;
  readonly #version: string;
  readonly #published = new Map<string, number>();
  readonly #loads = new Map<string, number>();
  readonly #counters = new Map<keyof Statistics, number>();
  #updatedAtSeconds = -1;

  constructor(version: string, publish: (topic: string, value: string) => void) {
    this.#version = version;
    this.#publish = publish;
  }

  /** Publishes what changed; the first time everything. */
  update(statistics: Statistics, packets: PacketStatistics): void {
    const first = this.#updatedAtSeconds < 0;
    if (first) this.#publish(`${PREFIX}version`, this.#version);
    const uptime = statistics.uptimeSeconds;
    this.#publish(`${PREFIX}uptime`, `${Math.floor(uptime)} seconds`);
    for (const [topic, name] of VALUES) {
      const value = statistics[name];
      // A maximum of one client tells nothing: it appears when it exceeds that.
      if (name === "clientsMaximum" && value <= 1 && !this.#published.has(topic)) continue;
      this.#value(topic, value);
    }
    for (const direction of ["received", "sent"] as const) {
      for (const [type, count] of Object.entries(packets[direction])) {
        this.#value(`mqtt/${type}/${direction}`, count);
      }
    }
    const elapsed = first ? 0 : uptime - this.#updatedAtSeconds;
    for (const [topic, name] of LOADS) {
      const increase = statistics[name] - (this.#counters.get(name) ?? 0);
      for (const [window, seconds] of WINDOWS) {
        this.#updateLoad(`${PREFIX}${topic}/${window}`, increase, elapsed, seconds);
      }
    }
    for (const [, name] of LOADS) this.#counters.set(name, statistics[name]);
    this.#updatedAtSeconds = uptime;
  }

  #value(topic: string, value: number) {
    if (this.#published.get(topic) === value) return;
    this.#published.set(topic, value);
    this.#publish(PREFIX + topic, String(value));
  }

  #updateLoad(topic: string, increase: number, elapsed: number, windowSeconds: number) {
    const before = this.#loads.get(topic) ?? 0;
    const rate = elapsed > 0 ? increase * 60 / elapsed : 0;
    const load = elapsed > 0 ? rate + Math.exp(-elapsed / windowSeconds) * (before - rate) : before;
    this.#loads.set(topic, load);
    const published = this.#published.get(topic);
    if (published !== undefined && Math.abs(load - published) < LOAD_STEP) return;
    this.#published.set(topic, load);
    this.#publish(topic, load.toFixed(2));
  }
}
