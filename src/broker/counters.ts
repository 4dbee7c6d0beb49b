import type { Counters } from "../session/ports.ts";
import type { SentCounters } from "../wire/outbox.ts";

/** Everything counted since start, at zero. */
export function newCounters(): Counters {
  return {
    bytesReceived: 0,
    bytesSent: 0,
    packetsReceived: 0,
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
  return { packets: 0, publishes: 0, publishBytes: 0 };
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
  protocolErrors: number;
  faults: number;
}
