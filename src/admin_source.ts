import type { AdminSource } from "./admin/source.ts";
import type { Configuration } from "./config/configuration.ts";
import { camelCase } from "./config/option_row.ts";
import { findOption } from "./config/options.ts";
import type { Server } from "./server.ts";
import { VERSION } from "./version.ts";

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
    configuration: () => {
      const { global, listeners, origins } = inForce();
      return [...origins].map(([name, origin]) => ({
        name,
        value: isSecret(name) ? "(secret)" : valueOf(name, global, listeners),
        origin,
      }));
    },
    version: VERSION,
    get token() {
      return inForce().global.adminToken || null;
    },
    explainAcl: (question) => server()?.explainAcl(question) ?? [],
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

/** Of `option` or `listener[0].option`. */
function isSecret(name: string): boolean {
  return findOption(name.replace(/^listener\[\d+\]\./, ""))?.secret === true;
}

/** The value of `option` or `listener[0].option`. */
function valueOf(
  name: string,
  global: Configuration["global"],
  listeners: Configuration["listeners"],
): unknown {
  const [, index, option] = /^listener\[(\d+)\]\.(.*)$/.exec(name) ?? [];
  const values = index === undefined ? global : listeners[Number(index)];
  return (values as unknown as Record<string, unknown>)[camelCase(option ?? name)];
}
