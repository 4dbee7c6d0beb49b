import { hash as hashOf, pbkdf2, timingSafeEqual } from "node:crypto";
import { Argon2Thread } from "./argon2_thread.ts";
import type { PasswordHash } from "./password_hash.ts";
import { RememberedPasswords } from "./remembered_passwords.ts";
import { VerificationQueue } from "./verification_queue.ts";

export interface PasswordVerifierSettings {
  /** Hashes computed at the same time; default: the machine's processors but one, at least 2. */
  readonly concurrent?: number;
  /** PBKDF2 iterations that may wait; a byte of a password counts as one. Default 10 million: 5 s. */
  readonly iterationsWaitingMaximum?: number;
  /** KiB times passes of argon2id that may wait. Default 5 million: a hundred of Mosquitto's, some 6 s. */
  readonly memoryWaitingMaximum?: number;
  /** Passwords found right that need not be hashed again. Default 10,000. */
  readonly rememberedMaximum?: number;
}

/** What a verification weighs at least: the objects that wait for it. */
const ITERATIONS_MINIMUM = 1_000;

/**
 * Compares passwords with hashes without holding up the event loop: PBKDF2 runs in the runtime's
 * threads, argon2id in a worker. One for the whole process, whatever the number of files.
 */
export class PasswordVerifier {
  readonly #derivations: VerificationQueue;
  readonly #argon2Derivations: VerificationQueue;
  readonly #argon2 = new Argon2Thread();
  readonly #remembered: RememberedPasswords;

  constructor(settings: PasswordVerifierSettings = {}) {
    const {
      concurrent = Math.max(2, navigator.hardwareConcurrency - 1),
      iterationsWaitingMaximum = 10_000_000,
      memoryWaitingMaximum = 5_000_000,
      rememberedMaximum = 10_000,
    } = settings;
    this.#derivations = new VerificationQueue(concurrent, iterationsWaitingMaximum);
    this.#argon2Derivations = new VerificationQueue(1, memoryWaitingMaximum);
    this.#remembered = new RememberedPasswords(rememberedMaximum);
  }

  /**
   * Whether the password belongs to the hash, at once where that is cheap. "busy": too many wait. An
   * empty password belongs to none. The password must not be changed before the answer.
   */
  verify(hash: PasswordHash, password: Uint8Array): boolean | Promise<boolean> | "busy" {
    if (password.length === 0) return false;
    if (hash.scheme === "sha512") return timingSafeEqual(sha512(password, hash.salt), hash.hash);
    const digest = this.#remembered.digest(hash, password);
    if (this.#remembered.has(digest)) return true;
    const remember = (matches: boolean): boolean => {
      if (matches) this.#remembered.add(digest);
      return matches;
    };
    if (hash.scheme === "sha512-pbkdf2") {
      const weight = Math.max(ITERATIONS_MINIMUM, hash.iterations) + password.length;
      const verdict = this.#derivations.add(weight, async () =>
        remember(
          timingSafeEqual(await derive(password, hash.salt, hash.iterations), hash.hash),
        ));
      return verdict ?? "busy";
    }
    const weight = Math.max(ITERATIONS_MINIMUM, hash.memoryKiB * hash.passes) + password.length;
    const verdict = this.#argon2Derivations.add(weight, async () => {
      const tag = await this.#argon2.derive(password, { ...hash, bytes: hash.hash.length });
      return tag !== null && remember(timingSafeEqual(tag, hash.hash));
    });
    return verdict ?? "busy";
  }

  /** After a reload: what was found right under the old files is no longer remembered. */
  forget(): void {
    this.#remembered.clear();
  }

  /** Answers what waits with a refusal and ends the worker. */
  close(): void {
    this.#derivations.close();
    this.#argon2Derivations.close();
    this.#argon2.close();
  }
}

/** Of `$6$`. */
export function sha512(password: Uint8Array, salt: Uint8Array): Uint8Array {
  const joined = new Uint8Array(password.length + salt.length);
  joined.set(password);
  joined.set(salt, password.length);
  return new Uint8Array(hashOf("sha512", joined, "buffer"));
}

/**
 * Of `$7$`. Computed in a thread of the runtime. That NUL bytes at the end of a password of up to 128
 * bytes make no difference is a property of PBKDF2: HMAC fills short keys up with them.
 */
export function derive(
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) =>
    pbkdf2(password, salt, iterations, 64, "sha512", (error, key) => {
      if (error) reject(error);
      else resolve(new Uint8Array(key));
    })
  );
}
