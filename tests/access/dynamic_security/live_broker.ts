import assert from "node:assert/strict";
import { BROKER_CONTROL_TOPIC, BrokerControl } from "../../../src/access/control/broker_control.ts";
import {
  DynamicSecurity,
  SECURITY_CONTROL_TOPIC,
} from "../../../src/access/dynamic_security/dynamic_security.ts";
import { PasswordVerifier } from "../../../src/access/password_verifier.ts";
import { PolicyAccess } from "../../../src/access/policy_access.ts";
import { Broker } from "../../../src/broker/broker.ts";
import { MemoryStore } from "../../../src/store/memory_store.ts";
import { Listener } from "../../../src/transport/listener.ts";
import { Reason } from "../../../src/wire/reason.ts";
import { defaultSettings } from "../../support/world.ts";
import { listenerOptions } from "../../transport/listener_options.ts";

/** A broker of this process, on a port, whose clients are judged by dynamic security. */
export class LiveBroker implements AsyncDisposable {
  readonly broker: Broker;
  readonly faults: unknown[] = [];
  readonly security: DynamicSecurity;
  #listener: Listener | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  private constructor(security: DynamicSecurity, access: PolicyAccess) {
    this.security = security;
    this.broker = new Broker(defaultSettings, {
      clock: { monotonicMs: () => Math.floor(performance.now()), wallMs: () => Date.now() },
      store: new MemoryStore(),
      journal: {
        durability: "none",
        autosaveIntervalSeconds: 0,
        autosaveOnChanges: false,
        onFatal: (error) => void this.faults.push(error),
        log: () => {},
      },
      access,
      endOfTurn: (run) => queueMicrotask(run),
      nextTurn: (run) => void setTimeout(run, 0),
      wakeAt: (atMs) => this.#wakeAt(atMs),
      heapBytes: () => 0,
      random: () => crypto.getRandomValues(new Int32Array(1))[0],
      randomUuid: () => crypto.randomUUID(),
      log: (type, text) => void (type === "error" && this.faults.push(text)),
      logs: (type) => type === "error",
      observer: null,
      version: "test",
    });
  }

  static async start(file: string): Promise<LiveBroker> {
    const scene: { live?: LiveBroker; access?: PolicyAccess } = {};
    const { security, mistakes, warnings } = await DynamicSecurity.open({
      file,
      passwordInitFile: undefined,
      environmentPassword: undefined,
      verifier: new PasswordVerifier(),
      log: () => {},
      changed: () => scene.access!.changed(),
      disconnect: ({ userNames, anonymous }) =>
        void scene.live!.broker.disconnectClients(
          ({ userName }) => userName === undefined ? anonymous : userNames.has(userName),
          Reason.AdministrativeAction,
          { sendWill: false },
        ),
      connectionsOf: (name) => scene.live!.#connectionsOf(name),
    });
    assert.deepEqual([mistakes, warnings], [[], []]);
    const access = scene.access = new PolicyAccess(
      [{ allowAnonymous: true, policies: [security!.policy] }],
      (error) => scene.live!.faults.push(error),
    );
    const live = scene.live = new LiveBroker(security!, access);
    live.broker.onControl(SECURITY_CONTROL_TOPIC, (...request) => security!.handle(...request));
    const control = new BrokerControl(() => ({
      plugins: [{ name: "dynamic-security", controlEndpoints: [SECURITY_CONTROL_TOPIC] }],
      listeners: [{ port: live.port, protocol: "mqtt", tls: false }],
    }), () => {});
    live.broker.onControl(
      BROKER_CONTROL_TOPIC,
      (payload, from, answer) => answer(control.handle(payload, from)),
    );
    live.broker.start();
    live.#listener = await Listener.open(listenerOptions(), () => {});
    live.#listener.start(live.broker);
    return live;
  }

  get port(): number {
    return this.#listener!.port;
  }

  *#connectionsOf(name: string) {
    for (const { identity } of this.broker.connections) {
      if (identity?.userName !== name) continue;
      const address = identity.remoteAddress.replace(/:[0-9]+$/, "");
      yield { clientId: identity.clientId, address };
    }
  }

  #wakeAt(atMs: number) {
    clearTimeout(this.#timer);
    if (atMs === Infinity) return;
    const delay = Math.max(0, Math.min(atMs - performance.now(), 1e9));
    this.#timer = setTimeout(() => this.broker.wake(), delay);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener!.close();
    await this.security.idle();
    this.broker.stop();
    await this.#listener!.drain(0);
    await this.broker.journal.close();
    clearTimeout(this.#timer);
    assert.deepEqual(this.faults, []);
  }
}
