/** Addresses remembered; beyond that those are forgotten that failed longest ago. */
const ADDRESSES_MAXIMUM = 10_000;

interface Failures {
  /** Attempts that are still free of a wait. */
  left: number;
  countedAtMs: number;
  /** When the next attempt may be looked at. */
  nextAtMs: number;
}

/**
 * Who guesses passwords is slowed down: an address may fail so often a minute; beyond that its further
 * attempts, right or wrong, are looked at one after the other, as slowly as failures are forgiven.
 */
export class LoginFailures {
  readonly #addresses = new Map<string, Failures>();

  get size(): number {
    return this.#addresses.size;
  }

  /**
   * How long an attempt from this peer has to wait, in milliseconds.
   *
   * @param perMinute failures that are forgiven; 0: no attempt waits
   */
  delayOf(remoteAddress: string, perMinute: number, nowMs: number): number {
    if (perMinute === 0) return 0;
    const failures = this.#addresses.get(networkOf(remoteAddress));
    if (failures === undefined) return 0;
    forgive(failures, perMinute, nowMs);
    if (failures.left >= 1) return 0;
    const atMs = Math.max(nowMs, failures.nextAtMs);
    failures.nextAtMs = atMs + 60_000 / perMinute;
    return atMs - nowMs;
  }

  failed(remoteAddress: string, perMinute: number, nowMs: number): void {
    if (perMinute === 0) return;
    const network = networkOf(remoteAddress);
    const failures = this.#addresses.get(network) ??
      { left: perMinute, countedAtMs: nowMs, nextAtMs: 0 };
    forgive(failures, perMinute, nowMs);
    // What has failed while it was slowed down needs no further forgiving.
    failures.left = Math.max(0, failures.left - 1);
    // The latest stands last.
    this.#addresses.delete(network);
    this.#addresses.set(network, failures);
    if (this.#addresses.size > ADDRESSES_MAXIMUM) {
      const [oldest] = this.#addresses.keys();
      this.#addresses.delete(oldest);
    }
  }
}

function forgive(failures: Failures, perMinute: number, nowMs: number) {
  const forgiven = (nowMs - failures.countedAtMs) / 60_000 * perMinute;
  failures.left = Math.min(perMinute, failures.left + forgiven);
  failures.countedAtMs = nowMs;
}

/** The address without its port; of IPv6 the network of one customer, the first 64 bits. */
function networkOf(remoteAddress: string): string {
  const address = remoteAddress.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  if (!address.includes(":")) return address;
  const [head, tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const behind = tail === "" ? 0 : tail.split(":").length;
    while (groups.length + behind < 8) groups.push("0");
  }
  return groups.slice(0, 4).join(":");
}
