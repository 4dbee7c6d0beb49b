import type { Identity } from "../../session/ports.ts";
import type { SubscriptionRequest } from "../../wire/subscribe_packet.ts";
import { Reason } from "../../wire/reason.ts";
import { Decoys } from "../decoys.ts";
import type { PasswordVerifier } from "../password_verifier.ts";
import { type Decision, DEFER, type Policy, type Verdict } from "../policy.ts";
import { Question, RoleRules } from "./role_rules.ts";
import {
  type DefaultAccessType,
  inOrder,
  type Priorities,
  type SecurityState,
  type StoredPassword,
} from "./security_state.ts";

/** The roles in the order in which they are asked. */
type Roles = readonly RoleRules[];

/**
 * Decides as the state says. A client's own roles are asked first, then those of its groups, each by
 * priority; the first rule that fits decides, then the default access. Whoever does not stand in the
 * state is left to other policies; so is what nothing allows.
 */
export class SecurityPolicy implements Policy {
  readonly name = "dynamic-security";
  readonly publishIsRemembered = true;
  readonly #verifier: PasswordVerifier;
  #state: SecurityState;
  /** Compiled when first needed; forgotten when the state changes. */
  readonly #rules = new Map<string, RoleRules>();
  readonly #rolesOfClients = new Map<string, Roles>();
  #rolesOfAnonymous: Roles | undefined;
  #decoys: Decoys | undefined;

  constructor(state: SecurityState, verifier: PasswordVerifier) {
    this.#state = state;
    this.#verifier = verifier;
  }

  get state(): SecurityState {
    return this.#state;
  }

  /** Another state is in force from now on. */
  replace(state: SecurityState): void {
    this.#state = state;
    this.#rules.clear();
    this.#rolesOfClients.clear();
    this.#rolesOfAnonymous = undefined;
    this.#decoys = undefined;
  }

  /** Neither the answer nor the time it takes tells whether a name exists. */
  authenticate(identity: Identity, password: Uint8Array | undefined): Verdict<number> {
    const { userName, clientId } = identity;
    if (userName === undefined || password === undefined) return DEFER;
    const state = this.#state;
    const client = state.clients.get(userName);
    const verdictFor = (matches: boolean): Decision<number> => {
      if (client === undefined) return DEFER;
      const isWelcome = client.password !== undefined && !client.disabled &&
        (client.clientId === undefined || client.clientId === clientId);
      return reasonFor(isWelcome && matches);
    };
    const hash = client?.password?.hash ?? this.#decoyFor(userName);
    const matches = hash !== undefined && this.#verifier.verify(hash, password);
    if (matches === "busy") return Reason.ServerBusy;
    if (typeof matches === "boolean") return verdictFor(matches);
    return matches.then((matched) =>
      // Whoever was taken out meanwhile must not slip in behind the change.
      state === this.#state ? verdictFor(matched) : this.authenticate(identity, password)
    );
  }

  mayPublish(identity: Identity, topicName: string): Decision<boolean> {
    return this.#decide("publishClientSend", identity, topicName);
  }

  mayReceive(identity: Identity, topicName: string): Decision<boolean> {
    return this.#decide("publishClientReceive", identity, topicName);
  }

  maySubscribe(identity: Identity, request: SubscriptionRequest): Decision<number> {
    const allowed = this.#decide("subscribe", identity, request.filter);
    return allowed === DEFER ? DEFER : allowed ? request.qos : Reason.NotAuthorized;
  }

  mayUnsubscribe(identity: Identity, filter: string): Decision<number> {
    const allowed = this.#decide("unsubscribe", identity, filter);
    return allowed === DEFER ? DEFER : reasonFor(allowed);
  }

  #decoyFor(userName: string) {
    if (this.#decoys === undefined) {
      const passwords = new Map<string, StoredPassword>();
      for (const { userName, password } of this.#state.clients.values()) {
        if (password !== undefined) passwords.set(userName, password);
      }
      this.#decoys = new Decoys(passwords);
    }
    return this.#decoys.hashFor(userName);
  }

  #decide(type: DefaultAccessType, identity: Identity, topic: string): Decision<boolean> {
    const roles = identity.userName === undefined
      ? this.#anonymousRoles()
      : this.#rolesOf(identity.userName);
    if (roles === undefined) return DEFER;
    const question = new Question(topic, identity);
    for (const role of roles) {
      const allowed = role[type](question);
      if (allowed !== undefined) return allowed;
    }
    // What administers the broker is never allowed by default.
    return this.#state.defaultAccess[type] && !topic.startsWith("$CONTROL") ? true : DEFER;
  }

  /** Undefined: a client that does not stand in the state. */
  #rolesOf(userName: string): Roles | undefined {
    const known = this.#rolesOfClients.get(userName);
    if (known !== undefined) return known;
    const client = this.#state.clients.get(userName);
    if (client === undefined) return undefined;
    const roles = this.#compiled(client.roles);
    for (const [name] of inOrder(client.groups)) {
      roles.push(...this.#compiled(this.#state.groups.get(name)!.roles));
    }
    this.#rolesOfClients.set(userName, roles);
    return roles;
  }

  #anonymousRoles(): Roles {
    const { anonymousGroup, groups } = this.#state;
    return this.#rolesOfAnonymous ??= anonymousGroup === undefined
      ? []
      : this.#compiled(groups.get(anonymousGroup)!.roles);
  }

  #compiled(roles: Priorities): RoleRules[] {
    return inOrder(roles).map(([name]) => {
      let rules = this.#rules.get(name);
      if (rules === undefined) {
        rules = new RoleRules(this.#state.roles.get(name)!);
        this.#rules.set(name, rules);
      }
      return rules;
    });
  }
}

function reasonFor(allowed: boolean): number {
  return allowed ? Reason.Success : Reason.NotAuthorized;
}
