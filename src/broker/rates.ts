import type { Connection } from "../session/connection.ts";
import type { ListenerSettings, Settings } from "../session/ports.ts";
import { isLimited, type Rate, RateLimit } from "../session/rate_limit.ts";

interface Shared {
  readonly limit: RateLimit;
  connections: number;
}

/** Which rates hold for whom: each client has one of its own, and shares its user's and listener's. */
export class Rates {
  readonly #users = new Map<string, Shared>();
  readonly #listeners = new Map<number, { readonly rate: Rate; readonly limit: RateLimit }>();
  /** By connection, the user whose limit it shares. */
  readonly #sharing = new Map<Connection, string>();

  /** The limits for a client whose CONNECT was accepted; null: none. */
  of(connection: Connection, settings: Settings): readonly RateLimit[] | null {
    const limits: RateLimit[] = [];
    if (isLimited(settings.clientRate)) limits.push(new RateLimit(settings.clientRate));
    const userName = connection.identity?.userName;
    if (userName !== undefined && isLimited(settings.userRate)) {
      limits.push(this.#ofUser(connection, userName, settings.userRate));
    }
    if (isLimited(connection.listener.rate)) limits.push(this.#ofListener(connection.listener));
    return limits.length > 0 ? limits : null;
  }

  ended(connection: Connection): void {
    const userName = this.#sharing.get(connection);
    if (userName === undefined) return;
    this.#sharing.delete(connection);
    const shared = this.#users.get(userName)!;
    if (--shared.connections === 0) this.#users.delete(userName);
  }

  #ofUser(connection: Connection, userName: string, rate: Rate): RateLimit {
    let shared = this.#users.get(userName);
    if (shared === undefined) {
      this.#users.set(userName, shared = { limit: new RateLimit(rate), connections: 0 });
    }
    shared.connections++;
    this.#sharing.set(connection, userName);
    return shared.limit;
  }

  #ofListener({ number, rate }: ListenerSettings): RateLimit {
    const known = this.#listeners.get(number);
    if (known?.rate.messages === rate.messages && known.rate.bytes === rate.bytes) {
      return known.limit;
    }
    const limit = new RateLimit(rate);
    this.#listeners.set(number, { rate, limit });
    return limit;
  }
}
