import type { Broker } from "../broker/broker.ts";
import { bridgeMetrics } from "./bridges.ts";
import { metric, type Sample } from "./metric.ts";
import type { AdminSource } from "./source.ts";

type Statistics = ReturnType<Broker["statistics"]>;
type Meaning = readonly [type: "counter" | "gauge", name: string, help: string];

/** The name behind `sabethes_` and the meaning of each number; none can be forgotten. */
const METRICS: Readonly<Record<keyof Statistics, Meaning>> = {
  uptimeSeconds: ["gauge", "uptime_seconds", "Seconds since the broker started."],
  clientsTotal: ["gauge", "clients_total", "Sessions, connected or not."],
  clientsConnected: ["gauge", "clients_connected", "Clients connected now."],
  clientsDisconnected: [
    "gauge",
    "clients_disconnected",
    "Lasting sessions whose client is away.",
  ],
  clientsMaximum: ["gauge", "clients_maximum", "Most sessions there were at a time."],
  clientsExpired: ["counter", "clients_expired_total", "Sessions ended by their expiry."],
  socketsAccepted: ["counter", "sockets_accepted_total", "Network connections accepted."],
  connectsReceived: ["counter", "connects_received_total", "CONNECT packets received."],
  messagesReceived: ["counter", "packets_received_total", "MQTT packets of any type received."],
  messagesSent: ["counter", "packets_sent_total", "MQTT packets of any type sent."],
  bytesReceived: ["counter", "received_bytes_total", "Bytes received from clients."],
  bytesSent: ["counter", "sent_bytes_total", "Bytes sent to clients."],
  publishMessagesReceived: ["counter", "publish_received_total", "PUBLISH packets received."],
  publishMessagesSent: ["counter", "publish_sent_total", "PUBLISH packets sent."],
  publishMessagesDropped: [
    "counter",
    "publish_dropped_total",
    "Messages dropped on their way to a client: a full queue, a slow reader, an expiry.",
  ],
  publishBytesReceived: [
    "counter",
    "publish_received_bytes_total",
    "Payload bytes of PUBLISH packets received.",
  ],
  publishBytesSent: [
    "counter",
    "publish_sent_bytes_total",
    "Payload bytes of PUBLISH packets sent.",
  ],
  subscriptions: ["gauge", "subscriptions", "Subscriptions, shared ones apart."],
  sharedSubscriptions: ["gauge", "shared_subscriptions", "Shared subscriptions."],
  retainedMessages: ["gauge", "retained_messages", "Retained messages, those of $SYS included."],
  storeMessages: ["gauge", "stored_messages", "Messages kept for lasting sessions or retained."],
  storeBytes: ["gauge", "stored_payload_bytes", "Payload bytes of the messages kept."],
  packetsWaiting: ["gauge", "packets_waiting", "Packets that wait to be sent."],
  packetBytesWaiting: ["gauge", "waiting_bytes", "Bytes that wait to be sent."],
  heldBack: ["gauge", "held_back", "Clients whose publishing waits for receivers or a rate."],
  heapCurrent: ["gauge", "memory_bytes", "Memory in use, as $SYS/broker/heap/current says."],
  heapMaximum: ["gauge", "memory_maximum_bytes", "The most memory in use at an update."],
  protocolErrors: [
    "counter",
    "protocol_errors_total",
    "Connections ended because the client broke the protocol.",
  ],
  faults: ["counter", "faults_total", "Defects of the broker that were caught and logged."],
};

/** Prometheus' text format 0.0.4. */
export const METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** All numbers of the broker and those of its process. */
export function metricsText(
  broker: Broker,
  { version, certificates, bridges }: Pick<AdminSource, "version" | "certificates" | "bridges">,
  ready: boolean,
): string {
  const statistics = broker.statistics();
  const health = broker.storeHealth();
  const memory = Deno.memoryUsage();
  const lines: string[] = [];
  const add = (name: string, type: "counter" | "gauge", help: string, ...samples: Sample[]) =>
    lines.push(...metric(name, type, help, samples));
  for (const [key, [type, name, help]] of Object.entries(METRICS)) {
    add(`sabethes_${name}`, type, help, { value: statistics[key as keyof Statistics] });
  }
  const build = { value: 1, labels: { version } };
  add("sabethes_build_info", "gauge", "The version that runs; always 1.", build);
  const readiness = { value: Number(ready) };
  add("sabethes_ready", "gauge", "1 while clients are served, as /readyz says.", readiness);
  add("sabethes_store_bytes", "gauge", "Bytes of the store on disk.", { value: health.bytes });
  add(
    "sabethes_store_writable",
    "gauge",
    "1 while the store takes what has to be kept.",
    { value: Number(health.writable) },
  );
  add(
    "sabethes_commits_total",
    "counter",
    "Batches that have been written to the store.",
    { value: broker.journal.committed },
  );
  add(
    "sabethes_tls_certificate_expiry_seconds",
    "gauge",
    "When a listener's certificate expires, in seconds since 1970.",
    ...certificates().map(({ listener, expiresAtMs }) => ({
      value: Math.floor(expiresAtMs / 1000),
      labels: { listener },
    })),
  );
  lines.push(...bridgeMetrics(bridges()));
  add("process_resident_memory_bytes", "gauge", "Resident memory.", { value: memory.rss });
  add("sabethes_heap_used_bytes", "gauge", "JavaScript heap in use.", { value: memory.heapUsed });
  return `${lines.join("\n")}\n`;
}
