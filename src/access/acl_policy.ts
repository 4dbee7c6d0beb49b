import { setImmediate } from "node:timers";
import type { Identity } from "../session/ports.ts";
import { Reason } from "../wire/reason.ts";
import type { SubscriptionRequest } from "../wire/subscribe_packet.ts";
import type { Acl } from "./acl.ts";
import { type AclExplanation, type AclQuestion, explainAcl } from "./acl_explanation.ts";
import type { AclAction } from "./acl_rule.ts";
import type { Decision, Policy, Verdict } from "./policy.ts";

/**
 * Milliseconds that looking for hopeless subscriptions may take before everything else gets its turn: it
 * costs the square of the number of rules, and one SUBSCRIBE may hold twenty thousand filters.
 */
const SLICE_MS = 20;

export interface AclPolicySettings {
  /** Where the rules stand. */
  readonly file: string;
  /** `acl_refuse_hopeless_subscriptions`: refuse a SUBSCRIBE under which nothing can be read. */
  readonly refuseHopelessSubscriptions: boolean;
  /** Takes a line for the log; once per client. */
  readonly notice: (text: string) => void;
}

/** What an `acl_file` says. It has the last word: what no rule allows is denied. */
export class AclPolicy implements Policy {
  readonly name = "acl_file";
  readonly publishIsRemembered = true;
  readonly #acl: Acl;
  readonly #settings: AclPolicySettings;
  readonly #noticed = new WeakSet<Identity>();
  /** Of the slice that is under way. */
  #sliceMs = 0;

  constructor(acl: Acl, settings: AclPolicySettings) {
    this.#acl = acl;
    this.#settings = settings;
  }

  mayPublish(identity: Identity, topicName: string): boolean {
    return this.#allows(identity, topicName, "write");
  }

  mayReceive(identity: Identity, topicName: string): boolean {
    return this.#allows(identity, topicName, "read");
  }

  /** Granted, as in Mosquitto: what may not be read is left out when it is delivered. */
  maySubscribe(identity: Identity, request: SubscriptionRequest): Verdict<number> {
    if (!this.#settings.refuseHopelessSubscriptions) return request.qos;
    if (this.#sliceMs < SLICE_MS) return this.#grants(identity, request);
    return new Promise((resolve, reject) =>
      setImmediate(() => {
        this.#sliceMs = 0;
        try {
          resolve(this.#grants(identity, request));
        } catch (error) {
          reject(error);
        }
      })
    );
  }

  #grants(identity: Identity, { filter, qos }: SubscriptionRequest): Decision<number> {
    const beginMs = performance.now();
    const shared = /^\$share\/[^/]*\/(.*)$/s.exec(filter);
    const hopeful = this.#acl.mayEverRead(identity, shared?.[1] ?? filter);
    this.#sliceMs += performance.now() - beginMs;
    return hopeful ? qos : Reason.NotAuthorized;
  }

  /** An UNSUBSCRIBE is no message: granted, as in Mosquitto. */
  mayUnsubscribe(): number {
    return Reason.Success;
  }

  /** The answer to a question with the rule that gives it. */
  explain(question: AclQuestion): AclExplanation {
    return explainAcl(this.#acl, this.#settings.file, question);
  }

  #allows(identity: Identity, topicName: string, action: AclAction): boolean {
    const decision = this.#acl.decide(identity, topicName, action);
    if (typeof decision === "object") return decision.access !== "deny";
    if (decision === "dangerous client id" && !this.#noticed.has(identity)) {
      this.#noticed.add(identity);
      const { clientId } = identity;
      this.#settings.notice(
        `ACL denying access to client with dangerous client id "${clientId}"`,
      );
    }
    return false;
  }
}
