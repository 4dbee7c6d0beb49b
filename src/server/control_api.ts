import {
  BROKER_CONTROL_TOPIC,
  BrokerControl,
  type ListenerDescription,
} from "../access/control/broker_control.ts";
import type { Broker } from "../broker/broker.ts";
import type { Configuration } from "../config/configuration.ts";
import type { ListenerValues } from "../config/options.ts";
import type { Log } from "../log.ts";
import type { Plugins } from "../plugins/plugins.ts";

/** Answers on `$CONTROL/broker/v1`, or no longer, as `enable_control_api` says. */
export function applyControlApi(
  broker: Broker,
  { global, listeners }: Configuration,
  plugins: Plugins,
  log: Log,
): void {
  if (!global.enableControlApi) return broker.onControl(BROKER_CONTROL_TOPIC, null);
  const control = new BrokerControl(
    () => ({ plugins: plugins.describe(), listeners: listeners.map(describe) }),
    (type, text) => log.log(type, text),
  );
  broker.onControl(
    BROKER_CONTROL_TOPIC,
    (payload, from, answer) => answer(control.handle(payload, from)),
  );
}

function describe(listener: ListenerValues): ListenerDescription {
  const { port, protocol, address, unixPath, certfile, keyfile, pskHint } = listener;
  return {
    port,
    protocol: protocol === "mqtt"
      ? "mqtt"
      : protocol === "websockets"
      ? "mqtt+websockets"
      : undefined,
    bindAddress: address ?? undefined,
    socketPath: unixPath ?? undefined,
    tls: certfile !== "" && keyfile !== "" || pskHint !== "",
  };
}
