import { createHmac, randomBytes } from "node:crypto";
import type { PasswordHash } from "./password_hash.ts";

/**
 * What the passwords of unknown users are compared with, so that the time until the refusal does not
 * tell whether a name exists. Each unknown name costs what some entry costs, always the same one, and
 * in the same proportions as the entries: in a file of several schemes no time stands for "unknown".
 */
export class Decoys {
  readonly #key = randomBytes(32);
  readonly #hashes: readonly PasswordHash[];

  constructor(entries: { values(): Iterable<{ readonly hash: PasswordHash }> }) {
    this.#hashes = Array.from(entries.values(), ({ hash }) => hash);
  }

  /** A hash that no password has; undefined without entries, when there is no name to hide. */
  hashFor(userName: string): PasswordHash | undefined {
    if (this.#hashes.length === 0) return undefined;
    const drawn = createHmac("sha256", this.#key).update(userName).digest();
    const like = this.#hashes[drawn.readUInt32BE(0) % this.#hashes.length];
    return { ...like, hash: new Uint8Array(like.hash.length), salt: like.salt };
  }
}
