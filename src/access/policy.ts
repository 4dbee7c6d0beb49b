import type { Identity } from "../session/ports.ts";
import type { Publish } from "../wire/publish.ts";
import type { SubscriptionRequest } from "../wire/subscribe_packet.ts";

/** A policy has nothing to say: the next one is asked. */
export const DEFER = "defer";

/** What a policy says at once. */
export type Decision<T> = T | typeof DEFER;

/** What a policy says, at once or later. */
export type Verdict<T> = Decision<T> | Promise<Decision<T>>;

/**
 * One source of decisions: a password file, an ACL file, dynamic security, hooks. Policies are asked
 * in order until one does not defer. What a policy does not define it has no opinion about. One that
 * throws or rejects refuses; that is logged.
 */
export interface Policy {
  /** For the log. */
  readonly name: string;
  /**
   * True: `mayPublish` depends on the client and the topic alone, so that its answer may be remembered
   * until the policies change. It must then be answered at once.
   */
  readonly publishIsRemembered: boolean;
  /** True: it refuses some things and leaves all others as if it were not there. */
  readonly onlyRefuses?: true;
  /** Takes what it throws, if that is no defect of the broker. */
  failed?(error: unknown, doing: string): void;
  /** A Reason Code: Success, or why the CONNECT is refused. */
  authenticate?(identity: Identity, password: Uint8Array | undefined): Verdict<number>;
  /** `publish` is borrowed: valid during the call, or until the promise is settled. */
  mayPublish?(identity: Identity, topicName: string, publish: Publish): Verdict<boolean>;
  /** Asked before a message goes to a client: live, retained or queued. Depends on nothing else. */
  mayReceive?(identity: Identity, topicName: string): Decision<boolean>;
  /** The granted QoS, or a Reason Code ≥ 0x80. */
  maySubscribe?(identity: Identity, request: SubscriptionRequest): Verdict<number>;
  /** A Reason Code: Success, or why the UNSUBSCRIBE is refused. */
  mayUnsubscribe?(identity: Identity, filter: string): Decision<number>;
}
