import type { Place } from "../mistake.ts";
import type { Qos } from "../wire/publish.ts";

/** Where a remote broker is. */
export interface BridgeAddress {
  readonly host: string;
  readonly port: number;
  /** MQTT over WebSocket, by its URL; otherwise host and port speak MQTT. */
  readonly url?: string;
}

/** One `topic` line: the local topic is `localPrefix + pattern`, the remote one `remotePrefix + pattern`. */
export interface BridgeTopic {
  /** A Topic Filter, or empty: the prefixes are the two names of one topic. */
  readonly pattern: string;
  readonly direction: "out" | "in" | "both";
  readonly qos: Qos;
  readonly localPrefix: string;
  readonly remotePrefix: string;
}

/** How long a bridge waits before it connects again: a constant time if base and cap are equal. */
export interface BridgeBackoff {
  readonly baseSeconds: number;
  readonly capSeconds: number;
  /** A connection that has lasted this long begins with the base again. */
  readonly stableSeconds: number;
}

/** How the remote broker is known, and how the bridge makes itself known to it. */
export interface BridgeTls {
  readonly caFile: string;
  readonly caPath: string;
  readonly useOsCertificates: boolean;
  readonly certFile: string;
  readonly keyFile: string;
  /** The host name is not compared with the certificate. */
  readonly insecure: boolean;
  readonly alpn: string;
  readonly minimumVersion: "tlsv1.1" | "tlsv1.2" | "tlsv1.3";
  readonly ciphers: string;
  readonly ciphersTls13: string;
  readonly requireOcsp: boolean;
  /** A pre-shared key in place of certificates. */
  readonly psk: { readonly identity: string; readonly key: Uint8Array } | null;
}

/** One bridge as it was configured; empty strings stand for what was not given. */
export interface BridgeSettings {
  readonly name: string;
  /** Its `connection` line. */
  readonly place: Place;
  /** At least one; the first is the preferred one. */
  readonly addresses: readonly BridgeAddress[];
  /** At least one. */
  readonly topics: readonly BridgeTopic[];
  readonly remoteClientId: string;
  readonly localClientId: string;
  readonly remoteUsername: string;
  /** Sent with a user name only. */
  readonly remotePassword: string;
  readonly localUsername: string;
  readonly cleanSession: boolean;
  readonly localCleanSession: boolean;
  readonly keepaliveSeconds: number;
  readonly notifications: boolean;
  readonly notificationsLocalOnly: boolean;
  readonly notificationTopic: string;
  readonly startType: "automatic" | "lazy" | "once";
  readonly idleTimeoutSeconds: number;
  /** Messages that make a lazy bridge connect. */
  readonly threshold: number;
  readonly backoff: BridgeBackoff;
  readonly roundRobin: boolean;
  readonly tryPrivate: boolean;
  readonly protocolVersion: 3 | 4 | 5;
  readonly attemptUnsubscribe: boolean;
  readonly outgoingRetain: boolean;
  /** Bytes; 0: no limit. */
  readonly maxPacketSize: number;
  readonly maxTopicAlias: number;
  /**
   * Messages in flight, while all are of QoS 1, to a remote broker that does not say how many; null: as to
   * any client.
   */
  readonly qos1Inflight: number | null;
  /** 0: as many as the broker has in flight to one client. */
  readonly receiveMaximum: number;
  /** Seconds; 0: not sent. */
  readonly sessionExpirySeconds: number;
  /** Empty: any. */
  readonly bindAddress: string;
  /** Null: the system's. */
  readonly tcpKeepalive: {
    readonly idleSeconds: number;
    readonly intervalSeconds: number;
    readonly probes: number;
  } | null;
  /** Milliseconds; −1: the system's. */
  readonly tcpUserTimeoutMs: number;
  readonly reloadType: "lazy" | "immediate";
  /** Null: no TLS. */
  readonly tls: BridgeTls | null;
}

export function addressText({ host, port, url }: BridgeAddress): string {
  return url ?? `${host}:${port}`;
}
