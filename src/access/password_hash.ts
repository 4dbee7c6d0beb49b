import { Buffer } from "node:buffer";

/** A password as Mosquitto's files keep it. */
export type PasswordHash =
  | {
    /** `$6$`: SHA-512 over password and salt, one round. Of Mosquitto 1.x. */
    readonly scheme: "sha512";
    readonly salt: Uint8Array;
    readonly hash: Uint8Array;
  }
  | {
    /** `$7$`: PBKDF2 with HMAC-SHA-512. */
    readonly scheme: "sha512-pbkdf2";
    readonly iterations: number;
    readonly salt: Uint8Array;
    readonly hash: Uint8Array;
  }
  | {
    readonly scheme: "argon2id";
    readonly version: 0x10 | 0x13;
    readonly memoryKiB: number;
    readonly passes: number;
    readonly lanes: number;
    readonly salt: Uint8Array;
    readonly hash: Uint8Array;
  };

const SHA512_BYTES = 64;
/** Mosquitto 2.0 and older write the one, 2.1 the other; both read nothing else. */
const SALT_BYTES = [12, 64];
const ITERATIONS_MAXIMUM = 2_147_483_647;
/** 1 GiB. A file is trusted, but a slip in it must not take all the memory. */
const ARGON2_MEMORY_KIB_MAXIMUM = 1_048_576;
const ARGON2_PASSES_MAXIMUM = 1_000;
const ARGON2_LANES_MAXIMUM = 255;

/** The hash, or what is wrong with its text. */
export function parsePasswordHash(text: string): PasswordHash | string {
  const parts = text.split("$");
  if (parts[0] !== "") return "it is no hash";
  switch (parts[1]) {
    case "6":
      return parts.length === 4 ? sha512(parts[2], parts[3]) : "$6$ takes a salt and a hash";
    case "7":
      return parts.length === 5
        ? pbkdf2(parts[2], parts[3], parts[4])
        : "$7$ takes iterations, a salt and a hash";
    case "argon2id":
      return argon2id(parts.slice(2));
    default:
      return "known are $6$, $7$ and $argon2id$";
  }
}

/** As {@linkcode parsePasswordHash} reads it. */
export function formatPasswordHash(hash: PasswordHash): string {
  switch (hash.scheme) {
    case "sha512":
      return `$6$${base64(hash.salt)}$${base64(hash.hash)}`;
    case "sha512-pbkdf2":
      return `$7$${hash.iterations}$${base64(hash.salt)}$${base64(hash.hash)}`;
    case "argon2id": {
      const parameters = `m=${hash.memoryKiB},t=${hash.passes},p=${hash.lanes}`;
      const encoded = [hash.salt, hash.hash].map((bytes) => base64(bytes).replace(/=+$/, ""));
      return `$argon2id$v=${hash.version}$${parameters}$${encoded.join("$")}`;
    }
  }
}

function sha512(saltText: string, hashText: string): PasswordHash | string {
  const salt = decodeSalt(saltText), hash = decodeSha512(hashText);
  if (typeof salt === "string") return salt;
  if (typeof hash === "string") return hash;
  return { scheme: "sha512", salt, hash };
}

function pbkdf2(count: string, saltText: string, hashText: string): PasswordHash | string {
  const iterations = /^[0-9]{1,10}$/.test(count) ? Number(count) : 0;
  if (iterations < 1 || iterations > ITERATIONS_MAXIMUM) {
    return `iterations are 1 to ${ITERATIONS_MAXIMUM}`;
  }
  const salt = decodeSalt(saltText), hash = decodeSha512(hashText);
  if (typeof salt === "string") return salt;
  if (typeof hash === "string") return hash;
  return { scheme: "sha512-pbkdf2", iterations, salt, hash };
}

/** `v=19$m=47104,t=1,p=1$salt$hash`; without `v`, it is the older version 16. */
function argon2id(parts: string[]): PasswordHash | string {
  const version = parts.length === 4 ? parts.shift() : "v=16";
  if (parts.length !== 3) return "$argon2id$ takes a version, parameters, a salt and a hash";
  if (version !== "v=16" && version !== "v=19") return "the version of argon2id is 16 or 19";
  const found = /^m=([0-9]{1,10}),t=([0-9]{1,10}),p=([0-9]{1,8})$/.exec(parts[0]);
  if (found === null) return "argon2id takes m=…,t=…,p=…";
  const [memoryKiB, passes, lanes] = found.slice(1).map(Number);
  if (lanes < 1 || lanes > ARGON2_LANES_MAXIMUM) return `p is 1 to ${ARGON2_LANES_MAXIMUM}`;
  if (passes < 1 || passes > ARGON2_PASSES_MAXIMUM) return `t is 1 to ${ARGON2_PASSES_MAXIMUM}`;
  if (memoryKiB < 8 * lanes || memoryKiB > ARGON2_MEMORY_KIB_MAXIMUM) {
    return `m is 8 times p to ${ARGON2_MEMORY_KIB_MAXIMUM} KiB`;
  }
  const salt = decodeBase64(parts[1], false), hash = decodeBase64(parts[2], false);
  if (salt === null || hash === null) return "salt and hash are base64 without padding";
  if (salt.length < 8) return "the salt has less than 8 bytes";
  if (hash.length < 4) return "the hash has less than 4 bytes";
  return {
    scheme: "argon2id",
    version: version === "v=19" ? 0x13 : 0x10,
    ...{ memoryKiB, passes, lanes, salt, hash },
  };
}

function decodeSalt(text: string): Uint8Array | string {
  const salt = decodeBase64(text, true);
  if (salt === null) return "the salt is not base64";
  return SALT_BYTES.includes(salt.length) ? salt : "the salt has neither 12 nor 64 bytes";
}

function decodeSha512(text: string): Uint8Array | string {
  const hash = decodeBase64(text, true);
  if (hash === null) return "the hash is not base64";
  return hash.length === SHA512_BYTES ? hash : `the hash has not ${SHA512_BYTES} bytes`;
}

/** Buffer's own decoder takes whatever it is given. */
function decodeBase64(text: string, padded: boolean): Uint8Array | null {
  if (padded && text.length % 4 !== 0 || text.length % 4 === 1) return null;
  const alphabet = padded ? /^[A-Za-z0-9+/]*={0,2}$/ : /^[A-Za-z0-9+/]*$/;
  return alphabet.test(text) ? new Uint8Array(Buffer.from(text, "base64")) : null;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
