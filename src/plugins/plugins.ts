import { basename } from "node:path";
import type { PluginDescription } from "../access/control/broker_control.ts";
import {
  type Concerned,
  DynamicSecurity,
  SECURITY_CONTROL_TOPIC,
} from "../access/dynamic_security/dynamic_security.ts";
import { KnownClients } from "../access/known_clients.ts";
import type { PasswordVerifier } from "../access/password_verifier.ts";
import type { Policy } from "../access/policy.ts";
import { SparkplugPolicy } from "../access/sparkplug.ts";
import type { Broker } from "../broker/broker.ts";
import type { Observer } from "../broker/ports.ts";
import type { Configuration } from "../config/configuration.ts";
import type { PluginSection } from "../config/options.ts";
import {
  type PluginKind,
  pluginKind,
  pluginMistakes,
  pluginOption,
} from "../config/plugin_kind.ts";
import { errorText } from "../error_text.ts";
import type { Log } from "../log.ts";
import { ConfigurationError, type Mistake, warningText } from "../mistake.ts";
import type { Identity } from "../session/ports.ts";
import { BirthCertificates } from "./birth_certificates.ts";
import { messageOf } from "./message.ts";
import { PluginModule } from "./plugin_module.ts";
import { Reason } from "../wire/reason.ts";

/** A plugin of the configuration cannot be had. */
export class PluginError extends ConfigurationError {
  override readonly name = "PluginError";
}

/** What plugins need of the program around them. */
export interface PluginServices {
  readonly verifier: PasswordVerifier;
  /** Other answers hold from now on than those given before. */
  changed(): void;
}

/** A plugin of the configuration, and what answers for it once it is open. */
interface Plugin {
  readonly section: PluginSection;
  readonly kind: PluginKind;
  /** Null as well where the policy is read with the access files. */
  policy: Policy | null;
  security: DynamicSecurity | null;
  module: PluginModule | null;
}

const TICK_MS = 1000;
const NOBODY = '{"error": "endpoint not available"}';

/** The plugins of a configuration. They stay as long as the broker does. */
export class Plugins {
  readonly #configuration: Configuration;
  readonly #log: Log;
  readonly #all: readonly Plugin[];
  /** By the listener's number, and last for all others: in the order in which they are asked. */
  readonly #byListener: readonly (readonly Plugin[])[];
  readonly #clients = new KnownClients();
  #observer: Observer | null = null;
  #broker: Broker | null = null;
  #ticking: ReturnType<typeof setInterval> | undefined;

  /** @throws {PluginError} with every plugin that is no such, or lacks a setting */
  constructor(configuration: Configuration, log: Log) {
    const mistakes = pluginMistakes(configuration.plugins);
    if (mistakes.length > 0) throw new PluginError(mistakes);
    this.#configuration = configuration;
    this.#log = log;
    this.#all = configuration.plugins.map((section) => {
      const kind = pluginKind(section.path)!;
      const policy = kind === "sparkplug-aware" ? new SparkplugPolicy() : null;
      return { section, kind, policy, security: null, module: null };
    });
    const shared = this.#all.filter(isShared);
    const numbers = [...configuration.listeners.keys()];
    this.#byListener = [...numbers.map((number) => [...shared, ...this.#own(number)]), shared];
  }

  /** Loads modules and reads the files of dynamic security. @throws {PluginError} with every mistake */
  async open(services: PluginServices): Promise<void> {
    const mistakes: Mistake[] = [];
    const securities = new Map<string, DynamicSecurity>();
    for (const plugin of this.#all) {
      const { section, kind } = plugin;
      this.#log.log("information", `Loading plugin: ${section.path}`);
      if (kind === "module") mistakes.push(...await this.#openModule(plugin));
      if (kind !== "dynamic-security") continue;
      // Two lines about one file are one administration.
      const file = pluginOption(section, "config_file")!;
      const known = securities.get(file);
      if (known === undefined) mistakes.push(...await this.#openSecurity(plugin, file, services));
      else plugin.security = known;
      if (plugin.security !== null) securities.set(file, plugin.security);
      plugin.policy = plugin.security?.policy ?? null;
    }
    if (mistakes.length > 0) throw new PluginError(mistakes);
  }

  /**
   * Who is asked about the clients of a listener, in this order.
   *
   * @param ofFile the policy of a plugin whose file is read with the access files
   */
  policies(
    listener: number,
    ofFile: (section: PluginSection) => Policy | undefined,
  ): Policy[] {
    return this.#of(listener).flatMap(({ section, policy }) => policy ?? ofFile(section) ?? []);
  }

  /** The observer that the broker gets; without plugins the given one. */
  observer(inner: Observer | null): Observer | null {
    if (this.#all.length === 0) return inner;
    return this.#observer = {
      connected: (session) => {
        this.#clients.of(session);
        inner?.connected(session);
      },
      disconnected: (session, text) => inner?.disconnected(session, text),
      subscribed: (session, request) => inner?.subscribed(session, request),
      unsubscribed: (session, filter) => inner?.unsubscribed(session, filter),
      published: inner?.published ?? null,
      dropped: (session, reason) => inner?.dropped(session, reason),
    };
  }

  /** The broker is about to serve clients. */
  attach(broker: Broker): void {
    if (this.#all.length === 0) return;
    this.#broker = broker;
    this.#watchMessages(broker);
    for (const { module } of this.#all) module?.attach(broker);
    if (this.#all.some(({ security }) => security !== null)) {
      broker.onControl(SECURITY_CONTROL_TOPIC, (payload, from, answer) => {
        const { security } = this.#of(from.listener.number).find((one) => one.security) ?? {};
        if (security) security.handle(payload, from, answer);
        else answer(NOBODY);
      });
    }
    const ticking = this.#all.filter(({ module }) => module?.wantsTicks);
    if (ticking.length === 0) return;
    this.#ticking = setInterval(() => {
      for (const { module } of ticking) void module?.tick();
    }, TICK_MS);
  }

  /** The configuration was read anew. */
  reload(): void {
    for (const { module } of this.#all) module?.reload();
  }

  async close(): Promise<void> {
    clearInterval(this.#ticking);
    for (const { security } of this.#all) await security?.idle();
    await Promise.all(this.#all.map(({ module }) => module?.close()));
  }

  /** For `listPlugins`: those of all listeners, then each listener's own. */
  describe(): PluginDescription[] {
    const describe = ({ section, kind, security }: Plugin, port?: number) => ({
      name: kind === "module" ? basename(section.path).replace(/\.[^.]*$/, "") : kind,
      port,
      controlEndpoints: security === null ? [] : [SECURITY_CONTROL_TOPIC],
    });
    return [
      ...this.#all.filter(isShared).map((plugin) => describe(plugin)),
      ...this.#configuration.listeners.flatMap(({ port }, listener) =>
        this.#own(listener).map((plugin) => describe(plugin, port))
      ),
    ];
  }

  #of(listener: number): readonly Plugin[] {
    return atListener(this.#byListener, listener);
  }

  #own(listener: number): Plugin[] {
    const used = this.#configuration.listeners[listener]?.pluginUse ?? [];
    return [
      ...this.#all.filter(({ section }) => section.listener === listener),
      ...used.map((name) => this.#all.find(({ section }) => section.name === name)!),
    ];
  }

  async #openModule(plugin: Plugin): Promise<Mistake[]> {
    const { section } = plugin;
    try {
      plugin.module = await PluginModule.load(section, (type, text) => this.#log.log(type, text));
      plugin.policy = plugin.module.policy;
      return [];
    } catch (error) {
      const hint = errorText(error);
      return [{ ...section.place, message: `Unable to load plugin "${section.path}".`, hint }];
    }
  }

  async #openSecurity(
    plugin: Plugin,
    file: string,
    { verifier, changed }: PluginServices,
  ): Promise<readonly Mistake[]> {
    const concerns = (identity: Identity) =>
      this.#of(identity.listener.number).some(({ security }) => security === plugin.security);
    const { security, mistakes, warnings } = await DynamicSecurity.open({
      file,
      passwordInitFile: pluginOption(plugin.section, "password_init_file"),
      environmentPassword: Deno.env.get("MOSQUITTO_DYNSEC_PASSWORD"),
      verifier,
      log: (type, text) => this.#log.log(type, text),
      changed,
      disconnect: (concerned) =>
        void this.#broker!.disconnectClients(
          (identity) => concerns(identity) && isConcerned(identity, concerned),
          Reason.AdministrativeAction,
          { sendWill: false },
        ),
      connectionsOf: (userName) => this.#connectionsOf(userName, concerns),
    });
    for (const warning of warnings) this.#log.log("warning", warningText(warning));
    plugin.security = security ?? null;
    return mistakes;
  }

  *#connectionsOf(userName: string, concerns: (identity: Identity) => boolean) {
    for (const { identity } of this.#broker!.connections) {
      if (identity?.userName !== userName || !concerns(identity)) continue;
      const address = identity.remoteAddress.replace(/:[0-9]+$/, "");
      yield { clientId: identity.clientId, address };
    }
  }

  /** Has plugins told of messages, if there are any that want it. */
  #watchMessages(broker: Broker) {
    const isAware = this.#byListener.map((plugins) =>
      plugins.some(({ kind }) => kind === "sparkplug-aware")
    );
    const told = this.#byListener.map((plugins) =>
      plugins.map(({ module }) => module).filter((module) => module?.wantsMessages)
    );
    const observer = this.#observer!;
    const inner = observer.published;
    if (!isAware.includes(true) && told.every((modules) => modules.length === 0)) return;
    const births = new BirthCertificates(broker);
    observer.published = (publish, topic, publisher) => {
      inner?.(publish, topic, publisher);
      // Of what plugins publish they are not told, or they would go on for ever.
      if (publisher === null) return;
      // Of a client that has not come since the start, nobody knows the listener.
      const listener = publisher.identity?.listener.number ?? -1;
      if (atListener(isAware, listener)) births.published(publish, topic, publisher);
      const modules = atListener(told, listener);
      if (modules.length === 0) return;
      const client = this.#clients.of(publisher);
      const message = messageOf(publish, topic.name, publish.retain);
      queueMicrotask(() => {
        for (const module of modules) module?.message(client, message);
      });
    };
  }
}

/** What holds for a listener; one that stands in no configuration has what comes last. */
function atListener<T>(byListener: readonly T[], listener: number): T {
  return byListener[listener] ?? byListener[byListener.length - 1];
}

function isShared({ section }: Plugin): boolean {
  return section.kind !== "plugin_load" && section.listener === null;
}

function isConcerned({ userName }: Identity, { userNames, anonymous }: Concerned): boolean {
  return userName === undefined ? anonymous : userNames.has(userName);
}
