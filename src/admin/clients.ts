import type { Hono } from "hono";
import type { Broker } from "../broker/broker.ts";
import { answer, json } from "./answers.ts";
import { changeSafely } from "./changes.ts";
import type { Listings } from "./listings.ts";
import { brokerOf, changeableBrokerOf, nameInPath, notFound, readQuery } from "./requests.ts";
import { route } from "./route.ts";
import type { AdminSource } from "./source.ts";

type Connection = Broker["connections"] extends Set<infer C> ? C : never;

/** Reason Code of a DISCONNECT [MQTT 5.0, 3.14.2.1]. */
const ADMINISTRATIVE_ACTION = 0x98;
/** Versions as they are called; the protocol counts 3, 4, 5. */
const VERSION_NAMES = { 3: "3.1", 4: "3.1.1", 5: "5.0" } as const;

/** `/clients`: who is connected. */
export function addClients(app: Hono, source: AdminSource, listings: Listings): void {
  route(app, "/api/v1/clients", {
    GET: (c) => {
      const query = readQuery(c, ["limit", "cursor", "prefix"]);
      const broker = brokerOf(source);
      const prefix = query.get("prefix") ?? "";
      return listings.page(c, "clients", query, () => ({
        entries: () => broker.connections.values(),
        view: (connection) =>
          connection.session?.clientId.startsWith(prefix) ? clientView(broker, connection) : null,
      }));
    },
  });
  route(app, "/api/v1/clients/:clientId", {
    GET: (c) => {
      readQuery(c, []);
      const broker = brokerOf(source);
      return json(clientView(broker, find(broker, nameInPath(c, "/api/v1/clients/"))));
    },
    DELETE: async (c) => {
      readQuery(c, []);
      const broker = changeableBrokerOf(source);
      const connection = find(broker, nameInPath(c, "/api/v1/clients/"));
      await changeSafely(broker, () => disconnect(connection));
      return answer(null, null, 204);
    },
  });
}

/** Ends a connection from outside. The Will is sent, for the client did not say goodbye. */
export function disconnect(connection: Connection): void {
  connection.disconnect(ADMINISTRATIVE_ACTION);
}

export function versionName(version: 3 | 4 | 5): string {
  return VERSION_NAMES[version];
}

function find(broker: Broker, clientId: string): Connection {
  const connection = broker.sessions.get(clientId)?.connection ?? null;
  if (connection === null) throw notFound("no client of this identifier is connected");
  return connection;
}

function clientView(broker: Broker, connection: Connection) {
  const session = connection.session!;
  const { outbound } = session;
  return {
    clientId: session.clientId,
    userName: connection.identity?.userName ?? null,
    address: connection.link.remoteAddress,
    listenerPort: connection.listener.port,
    protocolVersion: versionName(session.version),
    keepAliveSeconds: connection.keepAliveMs / 1000,
    sessionExpirySeconds: session.sessionExpirySeconds,
    idleSeconds: Math.max(0, Math.round((broker.nowMs - connection.lastPacketAtMs) / 1000)),
    subscriptions: session.subscriptions?.size ?? 0,
    inFlight: outbound.inFlight,
    queued: outbound.queued,
    queuedBytes: outbound.queuedBytes,
    unsentBytes: connection.outbox.waiting,
    heldBack: connection.isHeldBack,
  };
}
