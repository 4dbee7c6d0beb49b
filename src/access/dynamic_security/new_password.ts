import { randomBytes, randomInt } from "node:crypto";
import type { PasswordHash } from "../password_hash.ts";
import { derive } from "../password_verifier.ts";

/** As Mosquitto 2.1. */
const ITERATIONS = 1000;
/** What Mosquitto 2.0 and 2.1 both read. */
const SALT_BYTES = 12;
const LENGTH = 20;
const ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789-_+=.,";

/** Hashes a password in a thread of the runtime. */
export async function hashPassword(password: string): Promise<PasswordHash> {
  const salt = new Uint8Array(randomBytes(SALT_BYTES));
  const hash = await derive(new TextEncoder().encode(password), salt, ITERATIONS);
  return { scheme: "sha512-pbkdf2", iterations: ITERATIONS, salt, hash };
}

/** Nearly 120 bits of chance, without characters that look alike. */
export function randomPassword(): string {
  return Array.from({ length: LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
}
