import { libc } from "./libc.ts";

const RLIMIT_NOFILE = 7;

/**
 * Raises the number of files this process may have open, sockets among them, to what it may raise it to.
 * Returns that number; null where there is no such limit to be had.
 */
export function raiseFileLimit(): number | null {
  if (Deno.build.os !== "linux") return null;
  const { getrlimit, setrlimit } = libc();
  const limit = new BigUint64Array(2), bytes = new Uint8Array(limit.buffer);
  if (getrlimit(RLIMIT_NOFILE, bytes) !== 0) return null;
  const soft = limit[0];
  limit[0] = limit[1];
  return Number(setrlimit(RLIMIT_NOFILE, bytes) === 0 ? limit[1] : soft);
}
