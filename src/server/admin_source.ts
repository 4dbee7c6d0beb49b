import type { AdminSource } from "../admin/source.ts";
import type { Configuration } from "../config/configuration.ts";
import { configurationEntries } from "../config/entries.ts";
import { VERSION } from "../version.ts";
import type { Server } from "./server.ts";

/** What the HTTP interface sees; there is no server while it is starting. */
export function adminSource(
  configuration: Configuration,
  server: () => Server | null,
): AdminSource {
  const { global } = configuration;
  const inForce = () => server()?.configuration ?? configuration;
  return {
    broker: () => server()?.broker ?? null,
    readiness: () => server()?.readiness() ?? { ready: false, reason: "the broker is starting" },
    configuration: () =>
      configurationEntries(inForce()).map(({ name, value, origin }) => ({ name, value, origin })),
    version: VERSION,
    get token() {
      return inForce().global.adminToken || null;
    },
    certificates: () => server()?.listeners.certificates ?? [],
    bridges: () => server()?.bridging.bridges.all ?? [],
    explainAcl: (question) => server()?.accessControl.explain(question) ?? [],
    reload: () => server()?.reload() ?? null,
    webSocket: global.adminMqtt
      ? (socket, remoteAddress) => {
        const entrance = server()?.webSockets;
        if (entrance === undefined) socket.close();
        else entrance.take(socket, remoteAddress);
      }
      : null,
  };
}
