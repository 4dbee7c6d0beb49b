import type { Access, Decision, Identity } from "../session/ports.ts";
import type { ConnectPacket } from "../wire/connect_packet.ts";
import type { Publish, Qos } from "../wire/publish.ts";
import { Reason } from "../wire/reason.ts";
import type { SubscriptionRequest } from "../wire/subscribe_packet.ts";

type Answer<T> = T | Promise<T>;

/** A client, as hooks see it. */
export interface Client {
  readonly clientId: string;
  readonly userName: string | undefined;
  /** `address:port`. */
  readonly remoteAddress: string;
  readonly protocolVersion: 3 | 4 | 5;
}

/** A message that a client wants to publish. */
export interface PublishRequest {
  readonly topic: string;
  readonly qos: Qos;
  readonly retain: boolean;
  /** Borrowed: to be copied if it is kept beyond the call. */
  readonly payload: Uint8Array;
}

/**
 * Decisions of an embedding program. A hook that throws or rejects is a refusal, and is logged. While
 * a promise is open the client is read no further; nobody else waits.
 */
export interface AccessHooks {
  /** True lets the client in; false refuses it with "not authorized", a number with that reason. */
  authenticate?(
    client: Client,
    password: Uint8Array | undefined,
  ): Answer<boolean | number>;
  /** Asked for each message. False: the message is not taken. */
  authorizePublish?(client: Client, message: PublishRequest): Answer<boolean>;
  /** True grants what was asked for, a QoS at most that, false refuses. */
  authorizeSubscribe?(client: Client, subscription: SubscriptionRequest): Answer<boolean | Qos>;
}

/** Anonymous or not, and then what the hooks say. */
export class HookAccess implements Access {
  readonly checksPublish: boolean;
  readonly #hooks: AccessHooks;
  readonly #allowAnonymous: boolean;
  readonly #fault: (error: unknown, doing: string) => void;

  constructor(
    hooks: AccessHooks,
    allowAnonymous: boolean,
    fault: (error: unknown, doing: string) => void,
  ) {
    this.#hooks = hooks;
    this.#allowAnonymous = allowAnonymous;
    this.#fault = fault;
    this.checksPublish = hooks.authorizePublish !== undefined;
  }

  authenticate(
    identity: Identity,
    connect: ConnectPacket,
    answer: (reason: number) => void,
  ): Decision<number> {
    const { authenticate } = this.#hooks;
    if (authenticate === undefined) {
      // Without a password file a user name proves nothing: it is anonymous all the same.
      return this.#allowAnonymous ? Reason.Success : Reason.NotAuthorized;
    }
    return this.#decide(
      () => authenticate.call(this.#hooks, clientOf(identity), connect.password),
      (decided) =>
        typeof decided === "number" ? decided : decided ? Reason.Success : Reason.NotAuthorized,
      Reason.ServerUnavailable,
      answer,
      "authenticate",
    );
  }

  mayPublish(
    identity: Identity,
    topicName: string,
    publish: Publish,
    answer: (allowed: boolean) => void,
  ): Decision<boolean> {
    const message: PublishRequest = {
      topic: topicName,
      qos: publish.qos,
      retain: publish.retain,
      payload: publish.payload(),
    };
    return this.#decide(
      () => this.#hooks.authorizePublish!(clientOf(identity), message),
      (decided) => decided,
      false,
      answer,
      "authorizePublish",
    );
  }

  maySubscribe(
    identity: Identity,
    request: SubscriptionRequest,
    answer: (reason: number) => void,
  ): Decision<number> {
    if (this.#hooks.authorizeSubscribe === undefined) return request.qos;
    return this.#decide(
      () => this.#hooks.authorizeSubscribe!(clientOf(identity), request),
      (decided) =>
        decided === true ? request.qos : decided === false ? Reason.NotAuthorized : decided,
      Reason.UnspecifiedError,
      answer,
      "authorizeSubscribe",
    );
  }

  #decide<A, T>(
    ask: () => Answer<A>,
    read: (decided: A) => T,
    onFailure: T,
    answer: (decided: T) => void,
    name: string,
  ): Decision<T> {
    try {
      const asked = ask();
      if (!(asked instanceof Promise)) return read(asked);
      asked.then(read, (error) => {
        this.#fault(error, `in the hook ${name}`);
        return onFailure;
      }).then(answer);
      return undefined;
    } catch (error) {
      this.#fault(error, `in the hook ${name}`);
      return onFailure;
    }
  }
}

function clientOf(identity: Identity): Client {
  return {
    clientId: identity.clientId,
    userName: identity.userName,
    remoteAddress: identity.remoteAddress,
    protocolVersion: identity.version,
  };
}
