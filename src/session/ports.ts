import type { LogDetails, LogType } from "../log.ts";
import type { Match, Subscriber } from "../routing/subscription_tree.ts";
import type { StoredMessage } from "../routing/stored_message.ts";
import type { Topic } from "../routing/topic.ts";
import type { TopicTable } from "../routing/topic_table.ts";
import type { Journal } from "../store/journal.ts";
import type { ConnectPacket } from "../wire/connect_packet.ts";
import type { FrameReader } from "../wire/frame_reader.ts";
import type { OutboxHost } from "../wire/outbox.ts";
import type { Publish, Qos } from "../wire/publish.ts";
import type { SubscriptionRequest } from "../wire/subscribe_packet.ts";
import type { Backlog } from "./backlog.ts";
import type { Connection } from "./connection.ts";
import type { Entry } from "./entry.ts";
import type { Rate } from "./rate_limit.ts";
import type { Session } from "./session.ts";

/** What the protocol core is told once. 0 means no limit unless said otherwise. */
export interface Settings {
  readonly maxInflightMessages: number;
  readonly maxInflightBytes: number;
  readonly maxQueuedMessages: number;
  readonly maxQueuedBytes: number;
  /** From how much on, in the queue of one connected client, publishers wait; Infinity: they do not. */
  readonly longQueue: { readonly messages: number; readonly bytes: number };
  readonly queueQos0Messages: boolean;
  readonly upgradeOutgoingQos: boolean;
  readonly allowDuplicateMessages: boolean;
  readonly maxPacketSize: number;
  /** Seconds. */
  readonly maxKeepalive: number;
  readonly messageSizeLimit: number;
  readonly retainAvailable: boolean;
  /** Bytes that may wait unsent for one client before QoS 0 messages to it are dropped. */
  readonly maxUnsentBytes: number;
  /** Bytes of QoS 2 messages kept for one client until it releases them. */
  readonly maxUnreleasedBytes: number;
  readonly strictReceiveMaximum: boolean;
  readonly maxSubscriptionsPerClient: number;
  readonly maxRetainedMessages: number;
  /** Seconds; 0: sessions expire only as the client said. */
  readonly persistentClientExpiration: number;
  readonly connectTimeoutSeconds: number;
  readonly globalMaxClients: number;
  /** Bytes that may be held for clients. */
  readonly memoryLimit: number;
  /** What every Client Identifier must begin with; empty: nothing. */
  readonly clientidPrefix: string;
  /** Retained messages are withheld when their publisher may no longer publish. */
  readonly checkRetainSource: boolean;
  /** What one client may publish, and all clients of one user together. */
  readonly clientRate: Rate;
  readonly userRate: Rate;
  /** CONNECTs of one address and user name that may be refused a minute before further ones wait. */
  readonly loginFailuresPerMinute: number;
  /** Log who connects and disconnects. */
  readonly connectionMessages: boolean;
  /** Seconds between updates of $SYS; 0: none. */
  readonly sysInterval: number;
  /** Seconds between scans for expired retained messages; 0: only when touched. */
  readonly retainExpiryInterval: number;
}

/** What a listener says to its clients. */
export interface ListenerSettings {
  /** Its place in the configuration, counted from 0: by it `Access` knows the listener. */
  readonly number: number;
  /** For the log: the port, or 0. */
  readonly port: number;
  readonly maxQos: Qos;
  /** Topic Aliases a client may set. */
  readonly maxTopicAlias: number;
  /** Topic Aliases the broker sets towards one client. */
  readonly maxTopicAliasBroker: number;
  readonly acceptProtocolVersions: readonly number[];
  readonly allowZeroLengthClientid: boolean;
  readonly autoIdPrefix: string;
  /** Where user names come from: CONNECT, or the certificate or key that the handshake has proven. */
  readonly userNameFrom: "connect" | "identity" | "subject";
  /** The user name takes the place of the Client Identifier. */
  readonly useUsernameAsClientid: boolean;
  /** In front of all topics of its clients, who do not see it; empty: nothing. */
  readonly mountPoint: string;
  /** What its clients together may publish. */
  readonly rate: Rate;
}

/** What a handshake has told of the peer before its first MQTT byte. */
export interface Peer {
  /** Common Name of the verified client certificate. */
  readonly certificateName?: string;
  /** Subject of the verified client certificate, as RFC 2253 writes it. */
  readonly certificateSubject?: string;
  readonly pskIdentity?: string;
  /** Of our own TLS, not that of a proxy: such as `TLSv1.3`. Together with the cipher. */
  readonly tlsVersion?: string;
  readonly cipher?: string;
  readonly viaWebSocket?: boolean;
}

/** The socket as the core sees it. Implemented in `transport`. */
export interface Link {
  /** `address:port` of the peer. */
  readonly remoteAddress: string;
  /** Null: there was no handshake. */
  readonly peer: Peer | null;
  /** Start writing what waits in the outbox, if no write is in flight. */
  flush(): void;
  /** Write what waits, then close; the peer may still be sending. */
  end(): void;
  /** Close at once. */
  destroy(): void;
  /** Read no further until {@linkcode resume}. */
  pause(): void;
  resume(): void;
}

/** Who a client is, as far as access is concerned. */
export interface Identity {
  readonly clientId: string;
  readonly userName: string | undefined;
  /** The handshake has proven the user name; no password was asked for. */
  readonly isCertified: boolean;
  readonly remoteAddress: string;
  readonly version: 3 | 4 | 5;
  /** By which it came, or last came. */
  readonly listener: ListenerSettings;
}

/** An answer that is there at once, or comes later by the callback that was handed over. */
export type Decision<T> = T | undefined;

/**
 * Who may do what. Each question is answered by the returned value, or, when that is undefined, by
 * one later call of `answer`; until then the connection is read no further.
 */
export interface Access {
  /** False: `mayPublish` need not be asked. */
  readonly checksPublish: boolean;
  /** `mayPublish` answers at once, by client and topic alone: remembered for a {@linkcode generation}. */
  readonly publishIsRemembered: boolean;
  /** False: `mayReceive` need not be asked. */
  readonly checksReceive: boolean;
  /** Changes whenever a remembered answer may have. */
  readonly generation: number;
  /** A Reason Code: Success, or why the CONNECT is refused. */
  authenticate(
    identity: Identity,
    password: Uint8Array | undefined,
    answer: (reason: number) => void,
  ): Decision<number>;
  mayPublish(
    identity: Identity,
    topicName: string,
    publish: Publish,
    answer: (allowed: boolean) => void,
  ): Decision<boolean>;
  /** The granted QoS, or a Reason Code ≥ 0x80. */
  maySubscribe(
    identity: Identity,
    request: SubscriptionRequest,
    answer: (reason: number) => void,
  ): Decision<number>;
  /** Asked before a message goes to a client. Remembered for a {@linkcode generation}. */
  mayReceive(identity: Identity, topicName: string): boolean;
  /** A Reason Code: Success, or why the UNSUBSCRIBE is refused. */
  mayUnsubscribe(identity: Identity, filter: string): number;
}

/** Whoever gets messages: a session, or a subscriber inside this process. */
export interface Receiver extends Subscriber {
  deliver(publish: Publish, topic: Topic, match: Match<Receiver>): void;
}

/** Something that is to be looked at at a time. */
export interface Deadline {
  readonly atMs: number;
}

/** Counters since start. */
export interface Counters {
  bytesReceived: number;
  bytesSent: number;
  /** By packet type, but for PUBLISH. */
  readonly packetsReceived: Float64Array;
  publishesReceived: number;
  publishBytesReceived: number;
  dropped: number;
  connects: number;
  sockets: number;
  expiredSessions: number;
  protocolErrors: number;
  faults: number;
}

/**
 * Takes what a client publishes to a topic below `$CONTROL/`, and answers once, at once or later.
 * `payload` is borrowed until the call returns.
 */
export type ControlHandler = (
  payload: Uint8Array,
  from: Identity,
  answer: (payload: string) => void,
) => void;

/** What the session layer sees of the broker. */
export interface Host extends OutboxHost {
  readonly settings: Settings;
  readonly topics: TopicTable;
  readonly journal: Journal;
  readonly access: Access;
  readonly counters: Counters;
  /** Read into again and again while packets are handled. */
  readonly reader: FrameReader;
  readonly publish: Publish;
  /** Monotonic milliseconds, the same for the whole turn. */
  readonly nowMs: number;
  /** Wall clock minus monotonic clock. */
  readonly wallOffsetMs: number;

  log(type: LogType, text: string, details?: LogDetails): void;
  /** True when the type is logged: saves building the text. */
  logs(type: LogType): boolean;
  /** A bug: logged with its stack and counted. */
  fault(error: unknown, doing: string): void;

  /** A Client Identifier of the broker's own, with this prefix. */
  newClientId(prefix: string): string;
  /** Takes over, resumes or makes the session of an accepted CONNECT. */
  openSession(connection: Connection, connect: ConnectPacket, clientId: string): boolean;
  /** The journal's position at which the end of the client's last session is safe; 0: it is. */
  endSafeAt(clientId: string): number;
  /** The reason why no session can be opened for that client now, or Success. */
  admits(clientId: string): number;
  /** The connection is gone. `sendWill` false after a DISCONNECT that says so. */
  connectionEnded(connection: Connection, sendWill: boolean, text: string | undefined): void;
  /**
   * Something took its time: a unit stands for some 100 ns. When a chunk has cost too much its other
   * packets wait for a later turn.
   */
  spent(units: number): void;
  /** Everything of a connection's input has been handled. */
  inputHandled(connection: Connection): void;
  /** Handle this connection again at the end of the turn. */
  continueLater(connection: Connection): void;
  /** The connection waits for a commit. */
  holds(connection: Connection): void;
  /** A receiver cannot keep up: whoever publishes now has to wait for it. */
  congested(receiver: Connection): void;
  /** Counts the turns. */
  readonly turn: number;
  /** The longest of the backlogs that messages went to since it was set to null; null: they went to none. */
  backlog: Backlog | null;
  backlogBegins(backlog: Backlog): void;
  backlogEnds(backlog: Backlog): void;
  /** The message that is routed now went to a backlog that publishers wait for. */
  backlogged(backlog: Backlog): void;
  connectionStarted(connection: Connection): void;
  /** Milliseconds that this CONNECT has to wait: too many like it were refused. */
  loginDelayMs(identity: Identity): number;
  loginFailed(identity: Identity): void;
  /** Goes on with a suspended connection after a time. */
  resumeAfter(connection: Connection, delayMs: number, act: () => void): void;

  /**
   * Retains and routes. True: somebody subscribed.
   *
   * @param message the same message in a lasting copy, when there is one
   */
  route(
    publish: Publish,
    topic: Topic,
    publisher: Session | null,
    message?: StoredMessage,
  ): boolean;
  /** Hands over what a client has published below `$CONTROL/`. */
  control(publish: Publish, topic: Topic, publisher: Session): void;
  /** More is held for clients than `memory_limit` allows. */
  readonly isOutOfMemory: boolean;
  /** True: the message removes what is retained. */
  makesRoom(publish: Publish, topic: Topic): boolean;
  /** False: the message would have to be kept, and there is no room for it. */
  hasRoomFor(publish: Publish, topic: Topic, publisher: Session): boolean;
  /** A lasting copy of a message. */
  store(publish: Publish, topic: Topic, publisher: Session | null): StoredMessage;
  /** The same of the message that is routed now; made once, however often it is asked for. */
  stored(publish: Publish, topic: Topic): StoredMessage;
  /** One more record refers to the message: it is kept. */
  keep(message: StoredMessage): void;
  /** One less. `leavesTrace`: the record that referred to it may still be written as it was. */
  release(message: StoredMessage, leavesTrace: boolean): void;
  /** A kept message was sent at once: if its acknowledgement comes soon, it need not be written. */
  expectAcknowledgement(entry: Entry): void;
  acknowledgementCame(entry: Entry): void;
  /** A number for a new record. */
  nextNumber(): number;

  subscribe(session: Session, request: SubscriptionRequest, identifier: number): number;
  unsubscribe(session: Session, filter: string): number;
  /** The session's expiry has changed, so that it is kept or forgotten. */
  lastingChanged(session: Session): void;
  /** Begins to send the retained messages of a filter just subscribed to. */
  retainedFor(session: Session, request: SubscriptionRequest, identifier: number): void;
  dropped(session: Session, reason: string): void;
}
