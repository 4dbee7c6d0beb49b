import { createHmac, randomBytes } from "node:crypto";
import { assert } from "../assert.ts";
import type { PasswordHash } from "./password_hash.ts";

/**
 * Which passwords were found right lately, so that a thousand devices that reconnect at once need not
 * be hashed again. No password is kept: only a digest of it under a key that is drawn at start and
 * never leaves the process. Whoever could read that key from memory would as well read the passwords
 * that come in. The digest covers the stored hash, salt included: an entry that has changed is not
 * found, and a reload needs to forget nothing for the sake of safety.
 */
export class RememberedPasswords {
  readonly #key = randomBytes(32);
  readonly #digests = new Set<string>();
  readonly #maximum: number;

  /** @param maximum about 100 bytes each */
  constructor(maximum: number) {
    assert(maximum >= 1, "something is remembered");
    this.#maximum = maximum;
  }

  digest(hash: PasswordHash, password: Uint8Array): string {
    return createHmac("sha256", this.#key)
      .update(`${hash.salt.length} ${hash.hash.length} `).update(hash.salt).update(hash.hash)
      .update(password).digest("base64");
  }

  has(digest: string): boolean {
    if (!this.#digests.delete(digest)) return false;
    this.#digests.add(digest); // the last one used is forgotten last
    return true;
  }

  add(digest: string): void {
    if (this.#digests.size >= this.#maximum) {
      const [oldest] = this.#digests;
      this.#digests.delete(oldest);
    }
    this.#digests.add(digest);
  }

  clear(): void {
    this.#digests.clear();
  }
}
