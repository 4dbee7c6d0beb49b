import { Bridge, type BridgePorts } from "./bridge.ts";
import type { BridgeSettings } from "./settings.ts";

/** All bridges of a broker, by name. */
export class Bridges {
  readonly #ports: BridgePorts;
  readonly #bridges = new Map<string, Bridge>();

  constructor(ports: BridgePorts) {
    this.#ports = ports;
  }

  /**
   * Makes the bridges be those of the list: new ones start, others stop and are forgotten, changed ones
   * take their settings according to `reloadType`. The rest is not touched.
   */
  apply(list: readonly BridgeSettings[]): void {
    const wanted = new Set(list.map(({ name }) => name));
    for (const [name, bridge] of this.#bridges) {
      if (wanted.has(name)) continue;
      this.#bridges.delete(name);
      bridge.stop({ forget: true });
    }
    for (const settings of list) {
      const bridge = this.#bridges.get(settings.name);
      if (bridge === undefined) {
        const started = new Bridge(settings, this.#ports);
        this.#bridges.set(settings.name, started);
        started.start();
      } else if (!isSame(bridge.settings, settings)) bridge.change(settings);
    }
  }

  get(name: string): Bridge | undefined {
    return this.#bridges.get(name);
  }

  /** In the order in which they came. */
  get all(): Bridge[] {
    return [...this.#bridges.values()];
  }

  /** The broker ends: all disconnect; what waits is kept. */
  stop(): void {
    for (const bridge of this.#bridges.values()) bridge.stop({ forget: false });
  }
}

/** But for where they stand in the file. */
function isSame(one: BridgeSettings, other: BridgeSettings): boolean {
  return JSON.stringify({ ...one, place: null }) === JSON.stringify({ ...other, place: null });
}
