import { randomBytes } from "node:crypto";
import { argon2id } from "./argon2id.ts";
import { formatPasswordHash, type PasswordHash } from "./password_hash.ts";
import { derive, sha512 } from "./password_verifier.ts";

/** How a new hash is made. */
export interface PasswordMaking {
  readonly scheme: PasswordHash["scheme"];
  /** Of PBKDF2. */
  readonly iterations: number;
  readonly saltBytes: 12 | 64;
}

/** As Mosquitto 2.1 does: salts of 64 bytes, which 2.0 does not read. */
export const PBKDF2_ITERATIONS = 1_000;
/** As Mosquitto 2.0 and 1.6. */
export const PBKDF2_ITERATIONS_2_0 = 101;
/** As Mosquitto 2.1. */
const ARGON2 = { version: 0x13, memoryKiB: 47_104, passes: 1, lanes: 1 } as const;

/** The text for a password file, with a salt of its own. argon2id blocks for a moment. */
export async function makePasswordHash(
  password: Uint8Array,
  { scheme, iterations, saltBytes }: PasswordMaking,
): Promise<string> {
  const salt = new Uint8Array(randomBytes(saltBytes));
  switch (scheme) {
    case "sha512":
      return formatPasswordHash({ scheme, salt, hash: sha512(password, salt) });
    case "sha512-pbkdf2": {
      const hash = await derive(password, salt, iterations);
      return formatPasswordHash({ scheme, iterations, salt, hash });
    }
    case "argon2id": {
      const hash = argon2id(password, { ...ARGON2, salt, bytes: 64 });
      return formatPasswordHash({ scheme, ...ARGON2, salt, hash });
    }
  }
}
