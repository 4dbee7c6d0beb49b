import type { LogType } from "../../log.ts";
import type { Identity } from "../../session/ports.ts";
import {
  administrator,
  type ControlCommand,
  type ControlResponse,
  formatResponses,
  readRequest,
} from "./control_request.ts";

/** Where the broker itself is asked. */
export const BROKER_CONTROL_TOPIC = "$CONTROL/broker/v1";

/** A plugin as `listPlugins` tells of it. */
export interface PluginDescription {
  readonly name: string;
  readonly version?: string;
  /** Of the listener it belongs to; undefined: it belongs to all. */
  readonly port?: number;
  /** Topics on which it takes commands. */
  readonly controlEndpoints: readonly string[];
}

/** A listener as `listListeners` tells of it. */
export interface ListenerDescription {
  /** 0 for a socket in the file system. */
  readonly port: number;
  /** Undefined: it does not speak MQTT. */
  readonly protocol: "mqtt" | "mqtt+websockets" | undefined;
  readonly bindAddress?: string;
  readonly socketPath?: string;
  readonly tls: boolean;
}

/** What there is to tell. */
export interface BrokerDescription {
  readonly plugins: readonly PluginDescription[];
  readonly listeners: readonly ListenerDescription[];
}

/** Answers `$CONTROL/broker/v1`, which `enable_control_api` opens. It tells, and changes nothing. */
export class BrokerControl {
  readonly #describe: () => BrokerDescription;
  readonly #log: (type: LogType, text: string) => void;

  constructor(describe: () => BrokerDescription, log: (type: LogType, text: string) => void) {
    this.#describe = describe;
    this.#log = log;
  }

  /** The answer's payload. */
  handle(payload: Uint8Array, from: Identity): string {
    const { commands, failure } = readRequest(payload);
    const responses = commands.map((command) => this.#answer(command, from));
    if (failure !== undefined) responses.push(failure);
    return formatResponses(responses);
  }

  #answer({ name, correlationData }: ControlCommand, from: Identity): ControlResponse {
    const told = (command: string, data: unknown) => {
      this.#log("information", `Broker: ${administrator(from)} | ${command}`);
      return { command, data, correlationData };
    };
    switch (name.toLowerCase()) {
      case "listplugins":
        return told("listPlugins", { plugins: this.#describe().plugins.map(pluginMembers) });
      case "listlisteners":
        return told("listListeners", {
          listeners: this.#describe().listeners.map(listenerMembers),
        });
      default:
        return { command: name, error: "Unknown command", correlationData };
    }
  }
}

function pluginMembers({ name, version, port, controlEndpoints }: PluginDescription) {
  return { name, version, port, "control-endpoints": controlEndpoints };
}

function listenerMembers(listener: ListenerDescription) {
  const { port, protocol, bindAddress, socketPath, tls } = listener;
  return { port, protocol, "bind-address": bindAddress, "socket-path": socketPath, tls };
}
