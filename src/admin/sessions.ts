import type { Hono } from "hono";
import type { Broker } from "../broker/broker.ts";
import { answer, json } from "./answers.ts";
import { changeSafely } from "./changes.ts";
import { disconnect, versionName } from "./clients.ts";
import type { Listings } from "./listings.ts";
import { brokerOf, changeableBrokerOf, nameInPath, notFound, readQuery } from "./requests.ts";
import { route } from "./route.ts";
import type { AdminSource } from "./source.ts";

type Session = NonNullable<ReturnType<Broker["sessions"]["get"]>>;
type Subscription = NonNullable<Session["subscriptions"]> extends Map<string, infer S> ? S : never;

/** Session Expiry Interval of a session that never expires [MQTT 5.0, 3.1.2.11.2]. */
const NEVER = 0xffff_ffff;
const PATH = "/api/v1/sessions/";
const SUBSCRIPTIONS = "/subscriptions";

/** `/sessions`: what the broker keeps of clients, connected or not. */
export function addSessions(app: Hono, source: AdminSource, listings: Listings): void {
  route(app, "/api/v1/sessions", {
    GET: (c) => {
      const query = readQuery(c, ["limit", "cursor", "prefix"]);
      const broker = brokerOf(source);
      const prefix = query.get("prefix") ?? "";
      return listings.page(c, "sessions", query, () => ({
        entries: () => broker.sessions[Symbol.iterator](),
        view: (session) =>
          session.clientId.startsWith(prefix) ? sessionView(broker, session) : null,
      }));
    },
  });
  route(app, `${PATH}:clientId`, {
    GET: (c) => {
      readQuery(c, []);
      const broker = brokerOf(source);
      const session = find(broker, nameInPath(c, PATH));
      return json({ ...sessionView(broker, session), will: willView(session) });
    },
    DELETE: async (c) => {
      readQuery(c, []);
      const broker = changeableBrokerOf(source);
      const session = find(broker, nameInPath(c, PATH));
      await changeSafely(broker, () => {
        if (session.connection !== null) disconnect(session.connection);
        broker.sessions.end(session);
      });
      return answer(null, null, 204);
    },
  });
  route(app, `${PATH}:clientId${SUBSCRIPTIONS}`, {
    GET: (c) => {
      const query = readQuery(c, ["limit", "cursor"]);
      const session = find(brokerOf(source), nameInPath(c, PATH, SUBSCRIPTIONS));
      return listings.page(c, "subscriptions", query, () => ({
        entries: () => (session.subscriptions ?? new Map<string, Subscription>()).values(),
        view: subscriptionView,
      }));
    },
  });
}

function find(broker: Broker, clientId: string): Session {
  const session = broker.sessions.get(clientId);
  if (session === undefined) throw notFound("there is no session of this client identifier");
  return session;
}

function sessionView(broker: Broker, session: Session) {
  const { outbound, disconnectedAtMs } = session;
  const expirySeconds = broker.sessions.expirySeconds(session);
  const isAway = session.connection === null;
  return {
    clientId: session.clientId,
    userName: session.userName === "" ? null : session.userName,
    protocolVersion: versionName(session.version),
    connected: !isAway,
    sessionExpirySeconds: session.sessionExpirySeconds,
    disconnectedAt: isAway ? dateText(broker, disconnectedAtMs) : null,
    expiresAt: isAway && expirySeconds !== NEVER
      ? dateText(broker, disconnectedAtMs + expirySeconds * 1000)
      : null,
    subscriptions: session.subscriptions?.size ?? 0,
    inFlight: outbound.inFlight,
    queued: outbound.queued,
    queuedBytes: outbound.queuedBytes,
    unreleased: session.inbound?.count ?? 0,
  };
}

function willView({ will }: Session) {
  if (will === null) return null;
  const { message, topicName, delaySeconds } = will;
  return {
    topic: topicName,
    qos: message.qos,
    retain: message.retain,
    payloadBytes: message.payloadLength,
    delaySeconds,
  };
}

function subscriptionView(subscription: Subscription) {
  const { filter, qos, noLocal, retainAsPublished, identifier } = subscription;
  return { filter, qos, noLocal, retainAsPublished, identifier: identifier || null };
}

function dateText(broker: Broker, monotonicMs: number): string {
  return new Date(monotonicMs + broker.wallOffsetMs).toISOString();
}
