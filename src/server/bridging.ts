import { Bridges } from "../bridge/bridges.ts";
import { NetworkLinks } from "../bridge/network_links.ts";
import type { Broker } from "../broker/broker.ts";
import { bridgeSettings } from "../config/bridge_settings.ts";
import type { Configuration } from "../config/configuration.ts";
import { setTcpOptions } from "../system/socket_options.ts";

/**
 * Messages in flight to a remote broker where no option says how many, while all of them are of QoS 1:
 * twice the 20 of a client, so that one half is on its way while the other half is handled. More would
 * only move the queue to the other side. Where one of QoS 2 is among them Mosquitto 2.0 never hands on
 * what exceeds its own `max_inflight_messages`.
 */
const QOS1_INFLIGHT = 40;

/** The bridges of a server, and their connections over the network. */
export class Bridging {
  readonly bridges: Bridges;
  readonly #links: NetworkLinks;

  constructor(broker: Broker) {
    this.#links = new NetworkLinks(broker, setTcpOptions);
    this.bridges = new Bridges({ broker, links: this.#links, chance: Math.random });
  }

  /** Makes the bridges be those of a configuration. */
  apply({ bridges, origins }: Configuration): void {
    if (bridges.length === 0 && this.bridges.all.length === 0) return;
    const hostName = nameOfHost();
    const isLeftToUs = origins.get("max_inflight_messages") === "default";
    const qos1Inflight = isLeftToUs ? QOS1_INFLIGHT : null;
    this.bridges.apply(bridges.map((bridge) => bridgeSettings(bridge, hostName, qos1Inflight)));
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
