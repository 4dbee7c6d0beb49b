import assert from "node:assert/strict";
import type { Attempt } from "../../src/bridge/links.ts";
import { Bridges } from "../../src/bridge/bridges.ts";
import type { BridgeSettings } from "../../src/bridge/settings.ts";
import type { Durability } from "../../src/store/journal.ts";
import { defaultBridge } from "../bridge/support.ts";
import type { World } from "../support/world.ts";
import { BridgedSide } from "./bridged_side.ts";
import { Chance } from "./chance.ts";
import { wire, type WireEnd } from "./fake_wire.ts";

export interface BridgeSimulationOptions {
  readonly bridge?: Partial<BridgeSettings>;
  readonly durability?: Durability;
  /** Breaks the broker the bridge connects to. */
  readonly defect?: (remote: World) => void;
}

/** Two brokers that may crash, a bridge, and a wire that is cut at any step, by chance of one seed. */
export class BridgeSimulation {
  cuts = 0;
  crashes = 0;
  /** Messages that were acknowledged and came to both sides. */
  complete = 0;
  readonly #chance: Chance;
  readonly #here: BridgedSide;
  readonly #there: BridgedSide;
  readonly #settings: BridgeSettings;
  readonly #options: BridgeSimulationOptions;
  #bridges: Bridges;
  #attempts: Attempt[] = [];
  #wire: [WireEnd, WireEnd] | null = null;
  /** Ends of earlier wires that have not yet learnt that they are cut. */
  #lost: WireEnd[] = [];

  constructor(seed: number, options: BridgeSimulationOptions = {}) {
    const chance = this.#chance = new Chance(seed);
    const messages = new Map(), { durability = "sync" } = options;
    this.#here = new BridgedSide("here", messages, durability);
    this.#there = new BridgedSide("there", messages, durability);
    options.defect?.(this.#there.world);
    this.#options = options;
    this.#settings = {
      ...defaultBridge,
      protocolVersion: chance.pick([4, 5]),
      sessionExpirySeconds: 0xffff_ffff,
      maxTopicAlias: chance.pick([0, 2]),
      receiveMaximum: chance.pick([0, 1, 3]),
      ...options.bridge,
    };
    this.#bridges = this.#startBridges();
  }

  #startBridges(): Bridges {
    const bridges = new Bridges({
      broker: this.#here.world.broker,
      links: {
        open: (_address, _settings, attempt) => {
          this.#attempts.push(attempt);
          return () => void (this.#attempts = this.#attempts.filter((one) => one !== attempt));
        },
        probe: () => () => {},
      },
      chance: () => this.#chance.below(1000) / 1000,
    });
    bridges.apply([this.#settings]);
    this.#here.world.run();
    return bridges;
  }

  async run(steps: number): Promise<void> {
    const chance = this.#chance;
    // Until the bridge has subscribed there, nobody owes it anything.
    await this.#becomeQuiet();
    for (let step = 0; step < steps; step++) {
      const side = chance.pick([this.#here, this.#there]);
      const act = chance.weighted<() => void | Promise<void>>([
        [30, () => side.publish(chance)],
        [60, () => this.#carry()],
        [8, () => this.#answer(chance.percent(80))],
        [4, () => this.#cut()],
        [4, () => void this.#lost.shift()?.lose()],
        [30, () => void side.store.settle()],
        [2, () => this.#stick()],
        [1, () => this.#bridges.all[0].reconnect()],
        [1, () => this.#crash(side)],
        [10, () => this.#unstick()],
        [12, () => this.#timePasses(chance.weighted([[6, 50], [3, 1000], [1, 6000]]))],
      ]);
      await act();
      await this.#settle();
    }
    await this.#becomeQuiet();
    this.complete += this.#here.assertComplete() + this.#there.assertComplete();
    const [{ queued, dropped }] = this.#bridges.all.map((bridge) => bridge.status());
    assert.deepEqual([queued, dropped], [0, 0], "nothing waits, and nothing was dropped");
  }

  async #settle() {
    for (const side of [this.#here, this.#there]) {
      await side.world.settle();
      side.look();
    }
  }

  #carry() {
    for (const end of this.#wire ?? []) {
      const count = this.#chance.below(4);
      for (let index = 0; index < count; index++) {
        end.deliver(this.#chance.percent(20) ? 1 + this.#chance.below(20) : 0);
      }
    }
  }

  /** The other broker can be reached, or not. */
  #answer(isReached: boolean) {
    const attempt = this.#attempts.shift();
    if (attempt === undefined) return;
    if (!isReached) return attempt.failed("Connection refused");
    if (this.#wire !== null) this.#lost.push(this.#wire[1]);
    const [here, there] = this.#wire = wire();
    const { world } = this.#there;
    there.endpoint = world.broker.accept(there, world.listener);
    here.endpoint = attempt.opened(here);
  }

  /** What is under way is lost; the two sides learn it now or later. */
  #cut() {
    if (this.#wire === null) return;
    this.cuts++;
    const [here, there] = this.#wire;
    this.#wire = null;
    here.lose();
    if (this.#chance.percent(50)) there.lose();
    else this.#lost.push(there);
  }

  /** The process of one of the brokers dies and is started again. */
  #crash(side: BridgedSide) {
    this.crashes++;
    const [here, there] = this.#wire ?? [];
    this.#wire = null;
    side.crash(this.#chance.pick(["written", "lost"]));
    if (side === this.#there) {
      this.#lost = [];
      this.#options.defect?.(side.world);
      here?.lose();
      return;
    }
    this.#attempts = [];
    if (there !== undefined) this.#lost.push(there);
    this.#bridges = this.#startBridges();
  }

  #stick() {
    if (this.#wire !== null) this.#chance.pick(this.#wire).isStuck = true;
  }

  #unstick() {
    for (const end of this.#wire ?? []) {
      end.isStuck = false;
      end.flush();
    }
  }

  async #timePasses(ms: number) {
    // A commit that never ends would end the process.
    for (const { store } of [this.#here, this.#there]) store.settle();
    await this.#settle();
    this.#here.world.advanceMs(ms);
    this.#there.world.advanceMs(ms);
  }

  async #becomeQuiet() {
    let quietFor = 0;
    for (let round = 0; round < 2000 && quietFor < 30; round++) {
      this.#answer(true);
      this.#unstick();
      for (const end of this.#wire ?? []) for (let count = 0; count < 20; count++) end.deliver(0);
      for (const end of this.#lost.splice(0)) end.lose();
      await this.#settle();
      const settled = [this.#here.store.settle(), this.#there.store.settle()].includes(true);
      await this.#timePasses(300);
      await this.#settle();
      const isBusy = settled || !this.#bridges.all[0].status().connected ||
        this.#wire === null || this.#wire.some((end) => !end.isQuiet || end.isClosed) ||
        !this.#here.isIdle || !this.#there.isIdle;
      quietFor = isBusy ? 0 : quietFor + 1;
    }
    assert.ok(quietFor > 0, "the world does not become quiet");
  }
}
