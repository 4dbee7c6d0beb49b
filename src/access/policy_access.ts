import type { Access, Decision as Answered, Identity } from "../session/ports.ts";
import type { Publish } from "../wire/publish.ts";
import { Reason } from "../wire/reason.ts";
import type { SubscriptionRequest } from "../wire/subscribe_packet.ts";
import { DEFER, type Policy, type Verdict } from "./policy.ts";

/** Who decides about the clients of a listener. */
export interface Security {
  /** What holds for a client that no policy has an opinion about. */
  readonly allowAnonymous: boolean;
  /** Asked in this order. */
  readonly policies: readonly Policy[];
}

/**
 * The core's access port, over policies. One that decides ends the question. Where all defer, a client
 * without a user name is let in by `allowAnonymous` and everything else is denied; where there is none,
 * `allowAnonymous` decides about all clients and everything else is allowed.
 */
export class PolicyAccess implements Access {
  checksPublish = false;
  publishIsRemembered = true;
  checksReceive = false;
  generation = 0;
  readonly #fault: (error: unknown, doing: string) => void;
  #securities: readonly Security[] = [];

  /** @param securities by the number of the listener; the last one holds for all others */
  constructor(
    securities: readonly Security[],
    fault: (error: unknown, doing: string) => void,
  ) {
    this.#fault = fault;
    this.replace(securities);
  }

  get securities(): readonly Security[] {
    return this.#securities;
  }

  /** Other policies are in force from now on. */
  replace(securities: readonly Security[]): void {
    this.#securities = securities;
    const policies = securities.flatMap((security) => security.policies);
    const publishing = policies.filter(({ mayPublish }) => mayPublish !== undefined);
    this.checksPublish = publishing.length > 0;
    this.publishIsRemembered = publishing.every((policy) => policy.publishIsRemembered);
    this.checksReceive = policies.some(({ mayReceive }) => mayReceive !== undefined);
    this.changed();
  }

  /** A policy would answer otherwise than before. */
  changed(): void {
    this.generation++;
  }

  authenticate(
    identity: Identity,
    password: Uint8Array | undefined,
    answer: (reason: number) => void,
  ): Answered<number> {
    const { allowAnonymous, policies } = this.#securityOf(identity);
    const isAsked = anyDecides(policies, "authenticate");
    // Without anything that knows users, a user name proves nothing: it is anonymous all the same.
    const admitted = allowAnonymous && (!isAsked || identity.userName === undefined);
    return this.#ask(
      policies,
      "authenticate",
      (policy) => policy.authenticate?.(identity, password),
      admitted ? Reason.Success : Reason.NotAuthorized,
      Reason.ServerUnavailable,
      answer,
    );
  }

  mayPublish(
    identity: Identity,
    topicName: string,
    publish: Publish,
    answer: (allowed: boolean) => void,
  ): Answered<boolean> {
    const { policies } = this.#securityOf(identity);
    return this.#ask(
      policies,
      "authorizePublish",
      (policy) => policy.mayPublish?.(identity, topicName, publish),
      !anyDecides(policies, "mayPublish"),
      false,
      answer,
    );
  }

  mayReceive(identity: Identity, topicName: string): boolean {
    const { policies } = this.#securityOf(identity);
    for (const policy of policies) {
      if (policy.mayReceive === undefined) continue;
      try {
        const decided = policy.mayReceive(identity, topicName);
        if (decided !== DEFER) return decided;
      } catch (error) {
        this.#failed(policy, "authorizeReceive", error);
        return false;
      }
    }
    return !anyDecides(policies, "mayReceive");
  }

  maySubscribe(
    identity: Identity,
    request: SubscriptionRequest,
    answer: (reason: number) => void,
  ): Answered<number> {
    const { policies } = this.#securityOf(identity);
    const isAsked = anyDecides(policies, "maySubscribe");
    return this.#ask(
      policies,
      "authorizeSubscribe",
      (policy) => policy.maySubscribe?.(identity, request),
      isAsked ? Reason.NotAuthorized : request.qos,
      Reason.UnspecifiedError,
      answer,
    );
  }

  mayUnsubscribe(identity: Identity, filter: string): number {
    const { policies } = this.#securityOf(identity);
    for (const policy of policies) {
      if (policy.mayUnsubscribe === undefined) continue;
      const decided = policy.mayUnsubscribe(identity, filter);
      if (decided !== DEFER) return decided;
    }
    return anyDecides(policies, "mayUnsubscribe") ? Reason.NotAuthorized : Reason.Success;
  }

  #securityOf({ listener }: Identity): Security {
    return this.#securities[listener.number] ?? this.#securities[this.#securities.length - 1];
  }

  /** Asks one policy after the other, from `first` on. */
  #ask<T>(
    policies: readonly Policy[],
    doing: string,
    ask: (policy: Policy) => Verdict<T> | undefined,
    otherwise: T,
    onFailure: T,
    answer: (decided: T) => void,
    first = 0,
  ): Answered<T> {
    for (let index = first; index < policies.length; index++) {
      const policy = policies[index];
      try {
        const verdict = ask(policy);
        if (verdict === undefined || verdict === DEFER) continue;
        if (!(verdict instanceof Promise)) return verdict;
        verdict.then(
          (decided) => {
            const known = decided === DEFER
              ? this.#ask(policies, doing, ask, otherwise, onFailure, answer, index + 1)
              : decided;
            if (known !== undefined) answer(known);
          },
          (error) => {
            this.#failed(policy, doing, error);
            answer(onFailure);
          },
        );
        return undefined;
      } catch (error) {
        this.#failed(policy, doing, error);
        return onFailure;
      }
    }
    return otherwise;
  }

  #failed(policy: Policy, doing: string, error: unknown) {
    if (policy.failed !== undefined) policy.failed(error, doing);
    else this.#fault(error, `in ${doing} of ${policy.name}`);
  }
}

/** Whether where all defer one was asked that could have allowed it. */
function anyDecides(
  policies: readonly Policy[],
  question: "authenticate" | "mayPublish" | "mayReceive" | "maySubscribe" | "mayUnsubscribe",
): boolean {
  return policies.some((policy) => policy[question] !== undefined && !policy.onlyRefuses);
}
