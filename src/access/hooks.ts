import type { Identity } from "../session/ports.ts";
import type { Qos } from "../wire/publish.ts";
import { Reason } from "../wire/reason.ts";
import type { SubscriptionRequest } from "../wire/subscribe_packet.ts";
import { type Decision, DEFER, type Policy, type Verdict } from "./policy.ts";

/** What a hook answers, at once or later. Undefined: no opinion; whatever else is configured decides. */
export type HookAnswer<T> = T | undefined | Promise<T | undefined>;

/** A client, as hooks see it. */
export interface Client {
  /** The Client Identifier, also where the broker has chosen it. */
  readonly clientId: string;
  /** Undefined: it gave none. */
  readonly userName: string | undefined;
  /** `address:port`. */
  readonly remoteAddress: string;
  /** Of MQTT: 3 is 3.1, 4 is 3.1.1, 5 is 5.0. */
  readonly protocolVersion: 3 | 4 | 5;
}

/** A message that a client wants to publish. */
export interface PublishRequest {
  /** The Topic Name. */
  readonly topic: string;
  /** The QoS asked for. */
  readonly qos: Qos;
  /** Whether it is to be kept as the topic's retained message. */
  readonly retain: boolean;
  /** Borrowed: to be copied if it is kept beyond the call. */
  readonly payload: Uint8Array;
}

/**
 * Decisions of an embedding program or a plugin. A hook that throws or rejects is a refusal, and is
 * logged. While a promise is open the client is read no further; nobody else waits.
 */
export interface AccessHooks {
  /** True lets the client in; false refuses it with "not authorized", a number with that reason. */
  authenticate?(
    client: Client,
    password: Uint8Array | undefined,
  ): HookAnswer<boolean | number>;
  /** Asked for each message. False: the message is not taken. */
  authorizePublish?(client: Client, message: PublishRequest): HookAnswer<boolean>;
  /** True grants what was asked for, a QoS at most that, false refuses. */
  authorizeSubscribe?(client: Client, subscription: SubscriptionRequest): HookAnswer<boolean | Qos>;
  /**
   * Asked once for each client and topic before a message is sent to it, and again after a reload.
   * False: the client does not get it. Answered at once.
   */
  authorizeReceive?(client: Client, topic: string): boolean | undefined;
}

/**
 * The hooks as a policy: what is not hooked has no opinion.
 *
 * @param failed takes what a hook throws, which is no defect of the broker, and the hook's name
 */
export function hookPolicy(
  hooks: AccessHooks,
  name: string,
  failed: (error: unknown, hook: string) => void,
): Policy {
  const { authenticate, authorizePublish, authorizeSubscribe, authorizeReceive } = hooks;
  const policy: { -readonly [Member in keyof Policy]: Policy[Member] } = {
    name,
    publishIsRemembered: false,
    failed,
  };
  if (authenticate !== undefined) {
    policy.authenticate = (identity, password) =>
      verdict(
        authenticate.call(hooks, clientOf(identity), password),
        (decided) =>
          typeof decided === "number"
            ? decided
            : decided === true
            ? Reason.Success
            : Reason.NotAuthorized,
      );
  }
  if (authorizePublish !== undefined) {
    policy.mayPublish = (identity, topic, publish) => {
      const { qos, retain } = publish;
      const message = { topic, qos, retain, payload: publish.payload() };
      return verdict(
        authorizePublish.call(hooks, clientOf(identity), message),
        (decided) => decided === true,
      );
    };
  }
  if (authorizeSubscribe !== undefined) {
    policy.maySubscribe = (identity, request) =>
      verdict(
        authorizeSubscribe.call(hooks, clientOf(identity), request),
        (decided) =>
          decided === true ? request.qos : isQos(decided) ? decided : Reason.NotAuthorized,
      );
  }
  if (authorizeReceive !== undefined) {
    policy.mayReceive = (identity, topicName) => {
      const decided: unknown = authorizeReceive.call(hooks, clientOf(identity), topicName);
      // A promise must not pass for true.
      if (decided instanceof Promise) {
        decided.catch((error) => failed(error, "authorizeReceive"));
        throw new TypeError("authorizeReceive has to answer at once, not by a promise");
      }
      return decided === undefined ? DEFER : decided === true;
    };
  }
  return policy;
}

function verdict<A, T>(answer: HookAnswer<A>, read: (decided: A) => T): Verdict<T> {
  const decision = (decided: A | undefined): Decision<T> =>
    decided === undefined ? DEFER : read(decided);
  return answer instanceof Promise ? answer.then(decision) : decision(answer);
}

function isQos(decided: unknown): decided is Qos {
  return decided === 0 || decided === 1 || decided === 2;
}

/** A client that has connected. */
export function clientOf(identity: Identity): Client {
  return {
    clientId: identity.clientId,
    userName: identity.userName,
    remoteAddress: identity.remoteAddress,
    protocolVersion: identity.version,
  };
}
