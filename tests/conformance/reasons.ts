const noMethod = "no authentication method is offered, so the server sends no AUTH";

/** Why a statement that binds servers has no test of its own: identifier → reason. */
export const reasons: ReadonlyMap<string, string> = new Map([
  ["MQTT-3.15.2-1", noMethod],
  ["MQTT-3.15.2-2", noMethod],
  ["MQTT-3.15.2-3", noMethod],
  ["MQTT-4.12.0-2", noMethod],
  ["MQTT-4.12.0-5", noMethod],
  ["MQTT-4.12.1-2", noMethod],
  ["MQTT-3.8.3-2 v3", "filters with wildcards are always supported"],
  ["MQTT-7.0.0-1 v3", "what a bridge sends and takes as a client is shown in tests/bridge"],
]);
