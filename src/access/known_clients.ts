import type { Session } from "../session/session.ts";
import { type Client, clientOf } from "./hooks.ts";

/** The clients of sessions, also when they are gone: their Wills and queues outlive them. */
export class KnownClients {
  readonly #clients = new WeakMap<Session, Client>();

  /** To be called at each connect, so that the last connection is known. */
  of(session: Session): Client {
    const identity = session.connection?.identity;
    if (identity) this.#clients.set(session, clientOf(identity));
    return this.#clients.get(session) ?? {
      clientId: session.clientId,
      userName: session.userName || undefined,
      remoteAddress: "",
      protocolVersion: session.version,
    };
  }
}
