/** Pairs of address and user name remembered; beyond that those are forgotten that failed longest ago. */
const REMEMBERED_MAXIMUM = 10_000;
/** UTF-16 units of a user name that count: it may have 65,535 bytes. */
const NAME_MAXIMUM = 256;

/** Who tries to come in. */
export interface LoginIdentity {
  readonly remoteAddress: string;
  readonly userName: string | undefined;
}

interface Failures {
  /** Attempts that are still free of a wait. */
  left: number;
  countedAtMs: number;
  /** When the next attempt may be looked at. */
  nextAtMs: number;
}

/**
 * Who guesses a password is slowed down: an address may fail so often a minute under one user name;
 * beyond that its further attempts under that name, right or wrong, are looked at one after the other,
 * as slowly as failures are forgiven. Others at the same address, behind a proxy say, do not wait.
 */
export class LoginFailures {
  readonly #failures = new Map<string, Failures>();

  get size(): number {
    return this.#failures.size;
  }

  /**
   * How long an attempt from this peer has to wait, in milliseconds. Of those that wait at a time only
   * so many are put in line as are looked at within the longest wait: the rest waits no shorter, but
   * makes the line no longer.
   *
   * @param perMinute failures that are forgiven; 0: no attempt waits
   * @param longestMs that anybody is let wait
   */
  delayOf(
    identity: LoginIdentity,
    perMinute: number,
    nowMs: number,
    longestMs = Infinity,
  ): number {
    if (perMinute === 0) return 0;
    const failures = this.#failures.get(keyOf(identity));
    if (failures === undefined) return 0;
    forgive(failures, perMinute, nowMs);
    if (failures.left >= 1) return 0;
    const atMs = Math.max(nowMs, failures.nextAtMs);
    if (atMs - nowMs <= longestMs) failures.nextAtMs = atMs + 60_000 / perMinute;
    return atMs - nowMs;
  }

  failed(identity: LoginIdentity, perMinute: number, nowMs: number): void {
    if (perMinute === 0) return;
    const key = keyOf(identity);
    const failures = this.#failures.get(key) ??
      { left: perMinute, countedAtMs: nowMs, nextAtMs: 0 };
    forgive(failures, perMinute, nowMs);
    // What has failed while it was slowed down needs no further forgiving.
    failures.left = Math.max(0, failures.left - 1);
    // The latest stands last.
    this.#failures.delete(key);
    this.#failures.set(key, failures);
    if (this.#failures.size > REMEMBERED_MAXIMUM) {
      const [oldest] = this.#failures.keys();
      this.#failures.delete(oldest);
    }
  }
}

function forgive(failures: Failures, perMinute: number, nowMs: number) {
  const forgiven = (nowMs - failures.countedAtMs) / 60_000 * perMinute;
  failures.left = Math.min(perMinute, failures.left + forgiven);
  failures.countedAtMs = nowMs;
}

function keyOf({ remoteAddress, userName }: LoginIdentity): string {
  return `${networkOf(remoteAddress)} ${(userName ?? "").slice(0, NAME_MAXIMUM)}`;
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
