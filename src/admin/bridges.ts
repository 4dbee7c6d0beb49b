import type { Hono } from "hono";
import type { BridgeStatus } from "../bridge/bridge_status.ts";
import { json } from "./answers.ts";
import { metric } from "./metric.ts";
import { changeableBrokerOf, nameInPath, notFound, readQuery } from "./requests.ts";
import { route } from "./route.ts";
import type { AdminSource, BridgeControl } from "./source.ts";

const ACTIONS = ["pause", "resume", "reconnect"] as const;
const PATH = "/api/v1/bridges";

/** `/bridges`: how they are, and what can be done to them until the next start or reload. */
export function addBridges(app: Hono, source: AdminSource): void {
  route(app, PATH, {
    GET: (c) => {
      readQuery(c, []);
      return json({ bridges: source.bridges().map((bridge) => bridge.status()) });
    },
  });
  route(app, `${PATH}/:name`, {
    GET: (c) => {
      readQuery(c, []);
      return json(find(source, nameInPath(c, `${PATH}/`)).status());
    },
  });
  for (const action of ACTIONS) {
    route(app, `${PATH}/:name/${action}`, {
      POST: (c) => {
        readQuery(c, []);
        changeableBrokerOf(source);
        const bridge = find(source, nameInPath(c, `${PATH}/`, `/${action}`));
        bridge[action]();
        return json(bridge.status());
      },
    });
  }
}

function find(source: AdminSource, name: string): BridgeControl {
  const bridge = source.bridges().find((bridge) => bridge.status().name === name);
  if (bridge === undefined) throw notFound("there is no bridge of this name");
  return bridge;
}

/** The numbers of all bridges, in Prometheus' text format. */
export function bridgeMetrics(bridges: readonly BridgeControl[]): string[] {
  const statuses = bridges.map((bridge) => bridge.status());
  const ofEach = (
    name: string,
    type: "counter" | "gauge",
    help: string,
    valueOf: (status: BridgeStatus) => number,
    labelsOf: (status: BridgeStatus) => Record<string, string> = () => ({}),
  ) =>
    metric(
      `sabethes_bridge_${name}`,
      type,
      help,
      statuses.map((status) => ({
        value: valueOf(status),
        labels: { bridge: status.name, ...labelsOf(status) },
      })),
    );
  return [
    ...ofEach("connected", "gauge", "1 while it is up.", ({ connected }) => Number(connected)),
    ...ofEach("queued_messages", "gauge", "Messages that wait for it.", ({ queued }) => queued),
    ...ofEach("sent_total", "counter", "Messages sent.", ({ sent }) => sent),
    ...ofEach("received_total", "counter", "Messages received.", ({ received }) => received),
    ...ofEach(
      "dropped_total",
      "counter",
      "Messages that the other broker could not take, or that had no room to wait.",
      ({ dropped }) => dropped,
    ),
    ...ofEach("connects_total", "counter", "Connections made.", ({ connects }) => connects),
    ...ofEach(
      "last_error_info",
      "gauge",
      "1 if anything has gone wrong, with what it was last.",
      ({ lastError }) => lastError === null ? 0 : 1,
      ({ lastError }) => ({ error: lastError ?? "" }),
    ),
  ];
}
