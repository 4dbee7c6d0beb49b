import type { Identity } from "../session/ports.ts";
import { Reason } from "../wire/reason.ts";
import { Decoys } from "./decoys.ts";
import type { PasswordEntries } from "./password_file.ts";
import type { PasswordVerifier } from "./password_verifier.ts";
import { DEFER, type Policy, type Verdict } from "./policy.ts";

/**
 * Lets in whoever stands in the `password_file` and has the password. A client without a user name is
 * not its business: `allow_anonymous` decides.
 */
export class PasswordPolicy implements Policy {
  readonly name = "password_file";
  readonly publishIsRemembered = true;
  readonly #entries: PasswordEntries;
  readonly #verifier: PasswordVerifier;
  readonly #decoys: Decoys;

  constructor(entries: PasswordEntries, verifier: PasswordVerifier) {
    this.#entries = entries;
    this.#verifier = verifier;
    this.#decoys = new Decoys(entries);
  }

  /** Unknown user, no password and wrong password are told apart neither by the answer nor by time. */
  authenticate({ userName }: Identity, password: Uint8Array | undefined): Verdict<number> {
    if (userName === undefined) return DEFER;
    // Known and unknown names alike: nothing is looked up.
    if (password === undefined || password.length === 0) return Reason.NotAuthorized;
    const decoy = this.#decoys.hashFor(userName);
    if (decoy === undefined) return Reason.NotAuthorized;
    const entry = this.#entries.get(userName);
    const matches = this.#verifier.verify(entry?.hash ?? decoy, password);
    if (matches === "busy") return Reason.ServerBusy;
    const reasonFor = (matches: boolean) =>
      matches && entry !== undefined ? Reason.Success : Reason.NotAuthorized;
    return typeof matches === "boolean" ? reasonFor(matches) : matches.then(reasonFor);
  }

  /**
   * Whether a client that `before` let in under that name may stay: its entry is still the same.
   * Passwords are not kept, so that a changed entry, be it of the same password, is not.
   */
  stillKnows(userName: string, before: PasswordPolicy): boolean {
    const entry = this.#entries.get(userName);
    return entry !== undefined && entry.encoded === before.#entries.get(userName)?.encoded;
  }
}
