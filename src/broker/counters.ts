import type { Counters } from "../session/ports.ts";
import type { SentCounters } from "../wire/outbox.ts";
import { PacketType } from "../wire/packet_type.ts";
import type { Broker } from "./broker.ts";
import type { Messages } from "./messages.ts";

/** Everything counted since start, at zero. */
export function newCounters(): Counters {
  return {
    bytesReceived: 0,
    bytesSent: 0,
    packetsReceived: new Float64Array(16),
    publishesReceived: 0,
    publishBytesReceived: 0,
    dropped: 0,
    connects: 0,
    sockets: 0,
    expiredSessions: 0,
    protocolErrors: 0,
    faults: 0,
  };
}

export function newSentCounters(): SentCounters {
  return { packets: new Float64Array(16), publishes: 0, publishBytes: 0 };
}

/** Packets of each type, by their name in lower case. */
export interface PacketStatistics {
  readonly received: Readonly<Record<string, number>>;
  readonly sent: Readonly<Record<string, number>>;
}

const TYPES = Object.entries(PacketType).map(([name, type]) => [name.toLowerCase(), type] as const);

export function packetStatistics(counters: Counters, sent: SentCounters): PacketStatistics {
  const byName = (counts: Float64Array) =>
    Object.fromEntries(TYPES.map(([name, type]) => [name, counts[type]]));
  const { packets, publishes } = sent;
  return {
    received: { ...byName(counters.packetsReceived), publish: counters.publishesReceived },
    sent: { ...byName(packets), publish: publishes },
  };
}

function total(counts: Float64Array): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The state of a broker in numbers; the names are those of $SYS where it has the number. */
export interface Statistics {
  uptimeSeconds: number;
  clientsTotal: number;
  clientsConnected: number;
  clientsDisconnected: number;
  clientsMaximum: number;
  clientsExpired: number;
  socketsAccepted: number;
  connectsReceived: number;
  messagesReceived: number;
  messagesSent: number;
  bytesReceived: number;
  bytesSent: number;
  publishMessagesReceived: number;
  publishMessagesSent: number;
  publishMessagesDropped: number;
  publishBytesReceived: number;
  publishBytesSent: number;
  subscriptions: number;
  sharedSubscriptions: number;
  retainedMessages: number;
  storeMessages: number;
  storeBytes: number;
  /** What waits to be sent, over all connections. */
  packetsWaiting: number;
  packetBytesWaiting: number;
  /** Connections whose publishing waits for receivers or for a rate. */
  heldBack: number;
  /** Bytes of memory in use, and the most there were at an update. */
  heapCurrent: number;
  heapMaximum: number;
  protocolErrors: number;
  faults: number;
}

/** The numbers of a broker: those it counts, and those that are counted now. */
export function statisticsOf(
  broker: Pick<
    Broker,
    "counters" | "sent" | "sessions" | "connections" | "tree" | "retained"
  >,
  messages: Messages,
  measured: Pick<Statistics, "uptimeSeconds" | "heapCurrent" | "heapMaximum">,
): Statistics {
  const { counters, sent, sessions, tree } = broker;
  let packetsWaiting = 0, packetBytesWaiting = 0, heldBack = 0;
  for (const connection of broker.connections) {
    packetsWaiting += connection.outbox.waitingPackets;
    packetBytesWaiting += connection.outbox.waiting;
    if (connection.isHeldBack) heldBack++;
  }
  return {
    ...measured,
    clientsTotal: sessions.count,
    clientsConnected: sessions.connected,
    clientsDisconnected: sessions.count - sessions.connected,
    clientsMaximum: sessions.maximum,
    clientsExpired: counters.expiredSessions,
    socketsAccepted: counters.sockets,
    connectsReceived: counters.connects,
    messagesReceived: total(counters.packetsReceived) + counters.publishesReceived,
    messagesSent: total(sent.packets) + sent.publishes,
    bytesReceived: counters.bytesReceived,
    bytesSent: counters.bytesSent,
    publishMessagesReceived: counters.publishesReceived,
    publishMessagesSent: sent.publishes,
    publishMessagesDropped: counters.dropped,
    publishBytesReceived: counters.publishBytesReceived,
    publishBytesSent: sent.publishBytes,
    subscriptions: tree.count,
    sharedSubscriptions: tree.sharedCount,
    retainedMessages: broker.retained.count,
    storeMessages: messages.keptCount,
    storeBytes: messages.keptBytes,
    packetsWaiting,
    packetBytesWaiting,
    heldBack,
    protocolErrors: counters.protocolErrors,
    faults: counters.faults,
  };
}
