import { Bridges } from "../bridge/bridges.ts";
import { NetworkLinks } from "../bridge/network_links.ts";
import type { Broker } from "../broker/broker.ts";
import { bridgeSettings } from "../config/bridge_settings.ts";
import type { Configuration } from "../config/configuration.ts";
import { setTcpOptions } from "../system/socket_options.ts";

/** The bridges of a server, and their connections over the network. */
export class Bridging {
  readonly bridges: Bridges;
  readonly #links: NetworkLinks;

  constructor(broker: Broker) {
    this.#links = new NetworkLinks(broker, setTcpOptions);
    this.bridges = new Bridges({ broker, links: this.#links, chance: Math.random });
  }

  /** Makes the bridges be those of a configuration. */
  apply({ bridges }: Configuration): void {
    if (bridges.length === 0 && this.bridges.all.length === 0) return;
    const hostName = nameOfHost();
    this.bridges.apply(bridges.map((bridge) => bridgeSettings(bridge, hostName)));
  }

  /** Says goodbye to the remote brokers. What waits for them is kept. */
  close(): void {
    this.bridges.stop();
  }

  /** Waits until all connections have ended, and cuts off those that have not in time. */
  drain(patienceMs: number): Promise<void> {
    return this.#links.drain(patienceMs);
  }
}

/** A program may run the broker without the right to ask. */
function nameOfHost(): string {
  try {
    return Deno.hostname();
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return "localhost";
    throw error;
  }
}
