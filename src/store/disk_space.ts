import { statfsSync } from "node:fs";
import { errorText } from "../error_text.ts";
import type { StoreHealth } from "./store.ts";

const LOOK_AGAIN_AFTER_MS = 1000;
const FLOOR_BYTES = 256 * 1024 * 1024;
const FLOOR_SHARE = 0.05;
/** Writable again at this multiple of the floor, so that the answer does not flutter. */
const RECOVERY_FACTOR = 1.5;

/**
 * Watches the free space of the file system that holds the store, so that the broker stops accepting
 * before LMDB hits the wall. Looks at most once a second; between that, asking costs a clock reading.
 */
export class DiskSpace {
  readonly #directory: string;
  readonly #minimumFreeBytes: number | undefined;
  #lookedAtMs = -Infinity;
  #health: StoreHealth = { writable: true, reason: "", bytes: 0 };

  /** `minimumFreeBytes`: the floor; by default 256 MiB, or 5 % of a small file system. */
  constructor(directory: string, minimumFreeBytes: number | undefined) {
    this.#directory = directory;
    this.#minimumFreeBytes = minimumFreeBytes;
  }

  health(): StoreHealth {
    if (performance.now() - this.#lookedAtMs >= LOOK_AGAIN_AFTER_MS) this.look();
    return this.#health;
  }

  /** Looks now. */
  look(): StoreHealth {
    this.#lookedAtMs = performance.now();
    try {
      this.#health = this.#measure();
    } catch (error) {
      // The directory went away under us: no reason to die, but nothing more can be promised.
      const reason = errorText(error);
      this.#health = { writable: false, reason, bytes: 0 };
    }
    return this.#health;
  }

  #measure(): StoreHealth {
    const { free, floor } = spaceOf(this.#directory, this.#minimumFreeBytes);
    const writable = free >= (this.#health.writable ? floor : floor * RECOVERY_FACTOR);
    const reason = writable
      ? ""
      : `${megabytes(free)} free for ${this.#directory}, ${megabytes(floor)} are the minimum`;
    return { writable, reason, bytes: Deno.statSync(`${this.#directory}/data.mdb`).size };
  }
}

/**
 * Why `bytes` more in `directory` would leave less than the floor of free space, or null if they fit.
 * Throws if the directory cannot be looked at.
 */
export function roomProblem(
  directory: string,
  bytes: number,
  minimumFreeBytes: number | undefined,
): string | null {
  const { free, floor } = spaceOf(directory, minimumFreeBytes);
  if (free - bytes >= floor) return null;
  return `${megabytes(bytes)} are needed, ${megabytes(free)} are free for ${directory}, of which ` +
    `${megabytes(floor)} have to stay free`;
}

function spaceOf(directory: string, minimumFreeBytes: number | undefined) {
  const { bavail, bsize, blocks } = statfsSync(directory);
  const floor = minimumFreeBytes ?? Math.min(FLOOR_BYTES, blocks * bsize * FLOOR_SHARE);
  return { free: bavail * bsize, floor };
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MiB`;
}
