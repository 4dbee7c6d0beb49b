import type { Policy } from "../../src/access/policy.ts";
import { PolicyAccess } from "../../src/access/policy_access.ts";

/** Who may write and read what; changes while the broker runs. What is not denied is allowed. */
export class ChangingRights {
  /** Answers come later, by a promise. */
  readonly #later: boolean;
  readonly #remembered: boolean;
  readonly #unwritable = new Set<string>();
  /** Since the beginning until that moment; Infinity: still. */
  readonly #unreadableUntil = new Map<string, number>();
  #access: PolicyAccess | null = null;

  constructor(answers: "remembered" | "each time" | "later") {
    this.#later = answers === "later";
    this.#remembered = answers === "remembered";
  }

  mayWrite(client: string, topic: string): boolean {
    return !this.#unwritable.has(`${client} ${topic}`);
  }

  mayRead(client: string, topic: string): boolean {
    return this.unreadableUntil(client, topic) < Infinity;
  }

  /** Up to which moment it was denied; 0: it never was. */
  unreadableUntil(client: string, topic: string): number {
    return this.#unreadableUntil.get(`${client} ${topic}`) ?? 0;
  }

  /** From now on. */
  set(
    right: "write" | "read",
    client: string,
    topic: string,
    allowed: boolean,
    moment: number,
  ): void {
    const key = `${client} ${topic}`;
    if (right === "read") this.#unreadableUntil.set(key, allowed ? moment : Infinity);
    else if (allowed) this.#unwritable.delete(key);
    else this.#unwritable.add(key);
    this.#access?.changed();
  }

  /** What a broker asks. */
  access(): PolicyAccess {
    const policy: Policy = {
      name: "rights",
      publishIsRemembered: this.#remembered,
      mayPublish: ({ clientId }, topic) => {
        const allowed = this.mayWrite(clientId, topic);
        return this.#later ? Promise.resolve(allowed) : allowed;
      },
      mayReceive: ({ clientId }, topic) => this.mayRead(clientId, topic),
    };
    const security = { allowAnonymous: true, policies: [policy] };
    return this.#access = new PolicyAccess([security], (error) => {
      throw error;
    });
  }
}
