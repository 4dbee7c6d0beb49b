import type { AclQuestion } from "../access/acl_explanation.ts";
import { AclPolicy } from "../access/acl_policy.ts";
import { SecurityPolicy } from "../access/dynamic_security/security_policy.ts";
import { PasswordPolicy } from "../access/password_policy.ts";
import { PasswordVerifier } from "../access/password_verifier.ts";
import { PolicyAccess, type Security } from "../access/policy_access.ts";
import type { PskKeys } from "../access/psk_file.ts";
import type { AclAnswer } from "../admin/source.ts";
import type { Configuration } from "../config/configuration.ts";
import { printable } from "../log.ts";
import type { Identity } from "../session/ports.ts";
import {
  AccessFileError,
  type AccessFiles,
  type AccessMistakes,
  type FirstPolicies,
  readAccessFiles,
  securitiesOf,
} from "./access_files.ts";
import { listenerName } from "./settings.ts";

/** What access control needs of the program around it. */
export interface AccessControlOptions {
  readonly first: FirstPolicies;
  warn(text: string): void;
  notice(text: string): void;
}

/** Access files that were read anew and are not in force yet. */
export interface PreparedAccess {
  readonly warnings: readonly string[];
  /** Puts them in force. Returns who, of those connected, may no longer be. */
  apply(): (identity: Identity) => boolean;
}

/** Who may do what, by the files and hooks of a configuration, and how that changes at a reload. */
export class AccessControl {
  readonly access: PolicyAccess;
  /** A hook or a policy has failed; set by whoever counts that. */
  onFault: (error: unknown, doing: string) => void = () => {};
  readonly #options: AccessControlOptions;
  #pskKeys: readonly PskKeys[] = [];
  /** For plugins as well: there is one of it. */
  readonly verifier = new PasswordVerifier();
  #inForce: { readonly configuration: Configuration; readonly files: AccessFiles } | null = null;

  private constructor(options: AccessControlOptions) {
    this.#options = options;
    this.access = new PolicyAccess([], (error, doing) => this.onFault(error, doing));
  }

  /** @throws {AccessFileError} with every mistake of every file */
  static open(configuration: Configuration, options: AccessControlOptions): AccessControl {
    const control = new AccessControl(options);
    const prepared = control.prepare(configuration);
    if ("mistakes" in prepared) throw new AccessFileError(prepared);
    for (const warning of prepared.warnings) options.warn(warning);
    prepared.apply();
    return control;
  }

  /** Reads the files anew; nothing is in force before `apply`. */
  prepare(
    configuration: Configuration,
  ): PreparedAccess | AccessMistakes {
    const files = readAccessFiles(configuration, {
      verifier: this.verifier,
      notice: (text) => this.#options.notice(printable(text)),
    });
    if ("mistakes" in files) return files;
    const securities = securitiesOf(configuration, files, this.#options.first);
    return {
      warnings: files.warnings,
      apply: () => {
        const before = this.access.securities;
        this.access.replace(securities);
        this.#inForce = { configuration, files };
        this.#pskKeys = files.pskKeys;
        this.verifier.forget();
        return ({ listener: { number }, userName, isCertified }) =>
          isCertified ||
          mayStay(securityOf(before, number), securityOf(securities, number), userName);
      },
    };
  }

  /** Asks anew which policies come first: there are others now. */
  renew(): void {
    const { configuration, files } = this.#inForce!;
    this.access.replace(securitiesOf(configuration, files, this.#options.first));
  }

  /** The key of an identity at a listener; null: it has none. */
  pskKey(listener: number, identity: string): Uint8Array | null {
    return this.#pskKeys[listener]?.get(identity) ?? null;
  }

  /**
   * What the ACL files say to a question: one answer where all listeners have the same, else one for
   * each.
   */
  explain(question: AclQuestion): AclAnswer[] {
    const { listeners } = this.#inForce!.configuration;
    const answers = this.access.securities.slice(0, Math.max(1, listeners.length))
      .map(({ policies }) => {
        const policy = policies.find((policy) => policy instanceof AclPolicy);
        return policy?.explain(question) ??
          { allowed: true, file: null, because: "no acl_file is set" };
      });
    const isShared = !listeners.some(({ hasOwnAccess }) => hasOwnAccess);
    if (isShared) return answers.slice(0, 1);
    return answers.map((answer, number) => ({
      listener: listenerName(listeners[number]),
      ...answer,
    }));
  }

  close(): void {
    this.verifier.close();
  }
}

function securityOf(securities: readonly Security[], number: number): Security {
  return securities[number] ?? securities[securities.length - 1];
}

/**
 * Whether a client that was let in may stay: who gave no name where the nameless are let in, who gave
 * one where the password file still has the same entry, or dynamic security knows it. What hooks have
 * let in stays.
 */
function mayStay(before: Security, now: Security, userName: string | undefined): boolean {
  const passwords = now.policies.find((policy) => policy instanceof PasswordPolicy);
  const securities = now.policies.filter((policy) => policy instanceof SecurityPolicy);
  const hooks = now.policies.some((policy) =>
    policy.authenticate !== undefined && !(policy instanceof PasswordPolicy) &&
    !(policy instanceof SecurityPolicy)
  );
  if (hooks) return true;
  // What dynamic security changes, it has itself ended the connections of.
  if (userName !== undefined && securities.some(({ state }) => state.clients.has(userName))) {
    return true;
  }
  if (userName === undefined || passwords === undefined) return now.allowAnonymous;
  const known = before.policies.find((policy) => policy instanceof PasswordPolicy);
  return known !== undefined && passwords.stillKnows(userName, known);
}
