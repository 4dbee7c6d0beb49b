import { type AccessHooks, hookPolicy } from "../access/hooks.ts";
import type { AdminServer } from "../admin/server.ts";
import type { AdminSource } from "../admin/source.ts";
import { Broker } from "../broker/broker.ts";
import type { Observer } from "../broker/ports.ts";
import type { Configuration } from "../config/configuration.ts";
import type { Loaded } from "../config/load_configuration.ts";
import { errorTrace } from "../error_text.ts";
import type { Log } from "../log.ts";
import { Plugins } from "../plugins/plugins.ts";
import { MemoryStore } from "../store/memory_store.ts";
import type { Store } from "../store/store.ts";
import { WebSocketEntrance } from "../transport/web_socket_entrance.ts";
import { VERSION } from "../version.ts";
import { Reason } from "../wire/reason.ts";
import { AccessControl } from "./access_control.ts";
import { adminSource } from "./admin_source.ts";
import { Bridging } from "./bridging.ts";
import { applyControlApi } from "./control_api.ts";
import { ListenError } from "./listen_error.ts";
import { Listeners, webSocketSettingsOf } from "./listeners.ts";
import type { LogTopics } from "./log_topics.ts";
import { type LogValues, logValuesOf, type OpenedLog } from "./open_log.ts";
import { lockStore, openAdmin, openStore } from "./opening.ts";
import { type Prepare, reload, type ReloadResult } from "./reload.ts";
import { settingsOf } from "./settings.ts";
import { reportStart } from "./start_report.ts";
import { WakeTimer } from "./wake_timer.ts";

/** What a server is made of. */
export interface ServerOptions {
  readonly configuration: Configuration;
  readonly hooks: AccessHooks;
  readonly log: Log;
  /** Publishes lines of the log, where it is asked to. */
  readonly logTopics: LogTopics | null;
  readonly observer: Observer | null;
  /** Reads the configuration anew; null: it stands in no file. */
  readonly load: (() => Loaded) | null;
  /** Takes lines of the TLS key log. */
  readonly keylog?: ((line: string) => void) | null;
  /** Opens a log as options of it say that have changed. */
  openLog?(values: LogValues): OpenedLog;
  /**
   * Locked is the store, which is untouched, and the ports are open: a place for what a start may fail
   * of, by throwing, without having changed anything.
   *
   * @param storeDirectory null without persistence
   */
  portsOpened?(storeDirectory: string | null): void;
  /** The store is open as well, nobody is served yet: privileges can be dropped. It may throw. */
  opened?(storeDirectory: string | null): void;
  /** Nothing more can be kept: whoever runs the process ends it. */
  onFatal(error: Error): void;
}

/** How long clients get to take their DISCONNECT at a stop. */
const DRAIN_MS = 1000;

/**
 * The broker with its sockets, its disk and its clock. Starting goes: lock the store, open the ports,
 * open the store, restore, accept; so a start that fails has changed nothing.
 */
export class Server {
  /** In force now. */
  configuration: Configuration;
  readonly broker: Broker;
  readonly listeners: Listeners;
  readonly bridging: Bridging;
  /** Who may do what. */
  readonly accessControl: AccessControl;
  /** For clients whose WebSockets the HTTP interface has opened. */
  readonly webSockets: WebSocketEntrance;
  readonly #store: Store;
  readonly #log: Log;
  readonly #options: ServerOptions;
  #logTopics: LogTopics | null;
  #reloading: Promise<unknown> = Promise.resolve();
  readonly #timer = new WakeTimer(() => this.broker.wake());
  #isStopped = false;
  readonly #admin: AdminServer | null;
  readonly #plugins: Plugins;
  /** What the HTTP interface sees of this server. */
  readonly source: AdminSource;

  private constructor(
    options: ServerOptions,
    store: Store,
    listeners: Listeners,
    source: AdminSource,
    admin: AdminServer | null,
    control: AccessControl,
    plugins: Plugins,
  ) {
    const { configuration, log } = options;
    const { global } = configuration;
    this.configuration = configuration;
    this.listeners = listeners;
    this.#store = store;
    this.#log = log;
    this.#options = options;
    this.#logTopics = options.logTopics;
    this.accessControl = control;
    this.#plugins = plugins;
    control.onFault = (error, doing) => this.broker.fault(error, doing);
    this.source = source;
    this.#admin = admin;
    this.broker = new Broker(settingsOf(configuration), {
      // Whole milliseconds: V8 keeps small integers in place, and fractions in objects of their own.
      clock: { monotonicMs: () => Math.floor(performance.now()), wallMs: () => Date.now() },
      store,
      journal: {
        durability: global.persistence ? global.durability : "none",
        autosaveIntervalSeconds: global.autosaveInterval,
        autosaveOnChanges: global.autosaveOnChanges,
        onFatal: options.onFatal,
        log: (line) => log.log("error", `Error: ${line}`),
      },
      access: control.access,
      endOfTurn: (run) => queueMicrotask(run),
      nextTurn: (run) => void setTimeout(run, 0),
      wakeAt: (atMs) => this.#timer.wakeAt(atMs),
      random: () => crypto.getRandomValues(new Int32Array(1))[0],
      randomUuid: () => crypto.randomUUID(),
      heapBytes: () => Deno.memoryUsage().rss,
      log: (type, text, details) => log.log(type, text, details),
      logs: (type) => log.logs(type),
      observer: plugins.observer(options.observer),
      version: `sabethes version ${VERSION}`,
    });
    this.bridging = new Bridging(this.broker);
    this.webSockets = new WebSocketEntrance(
      this.broker,
      webSocketSettingsOf(configuration),
      () => Math.max(0, this.configuration.global.globalMaxConnections),
    );
  }

  /** @throws {PluginError}, {AccessFileError}, {StoreError} or {ListenError}; then nothing is open */
  static async start(options: ServerOptions): Promise<Server> {
    const { configuration, log } = options;
    log.log("information", `sabethes version ${VERSION} starting`);
    for (const notice of configuration.notices) log.log("warning", notice);
    const hooks = hookPolicy(options.hooks, "the program", (error, hook) => {
      log.log("error", `Error: the program's hook ${hook}: ${errorTrace(error)}`);
    });
    const plugins = new Plugins(configuration, log);
    // What is open when a later step fails is closed, the last first.
    await using opened = new AsyncDisposableStack();
    const control = AccessControl.open(configuration, {
      first: (listener, ofFile) => [hooks, ...plugins.policies(listener, ofFile)],
      warn: (text) => log.log("warning", text),
      notice: (text) => log.log("notice", text),
    });
    opened.defer(() => control.close());
    const lock = configuration.global.persistence ? lockStore(configuration, log) : null;
    const abandoning = opened.use(new DisposableStack());
    abandoning.defer(() => lock?.abandon());
    let server: Server | null = null;
    const source = adminSource(configuration, () => server);
    const listeners = await Listeners.open(configuration, {
      source,
      log,
      psk: (listener, identity) => control.pskKey(listener, identity),
      keylog: options.keylog ?? null,
    });
    opened.defer(() => listeners.close());
    const admin = await openAdmin(configuration, source, log);
    opened.defer(() => admin?.close());
    options.portsOpened?.(lock?.directory ?? null);
    const store = lock === null ? new MemoryStore() : await openStore(configuration, lock, log);
    // From now on the lock is the store's.
    abandoning.move();
    opened.defer(() => store.close());
    opened.defer(() => plugins.close());
    const starting = new Server(options, store, listeners, source, admin, control, plugins);
    opened.defer(() => starting.#timer.close());
    const startedAtMs = performance.now();
    const restored = starting.broker.restore();
    const tookMs = performance.now() - startedAtMs;
    reportStart(log, configuration, lock?.directory ?? null, restored, tookMs);
    options.opened?.(lock?.directory ?? null);
    // What others have written runs without the rights of root.
    await plugins.open({ verifier: control.verifier, changed: () => control.access.changed() });
    control.renew();
    opened.move();
    server = starting;
    server.broker.start();
    plugins.attach(server.broker);
    applyControlApi(server.broker, configuration, plugins, log);
    options.logTopics?.attach(server.broker);
    listeners.start(server.broker);
    server.bridging.apply(configuration);
    return server;
  }

  /** Whether clients are served and what they send can be kept. */
  readiness(): { ready: boolean; reason: string } {
    if (this.#isStopped) return { ready: false, reason: "the broker is stopping" };
    const health = this.#store.health();
    if (!health.writable) return { ready: false, reason: health.reason };
    if (!this.broker.journal.accepting) return { ready: false, reason: "the store takes nothing" };
    return { ready: true, reason: "" };
  }

  /** Writes to disk what is not there yet. */
  save(): void {
    if (!this.configuration.global.persistence) return;
    this.#log.log("information", "Saving to disk.");
    this.broker.journal.save();
  }

  /** Reads the configuration anew; one reload after the other. Null: it stands in no file. */
  reload(): Promise<ReloadResult> | null {
    const { load } = this.#options;
    if (load === null) return null;
    const reloading = this.#reloading.then(async () => {
      const parts = [
        this.#prepareLog,
        this.#prepareListeners,
        this.#prepareAccess,
        this.#prepareSettings,
        this.#prepareBridges,
        this.#preparePlugins,
      ];
      const { effective, ...result } = await reload(this.configuration, load, parts, this.#log);
      this.configuration = effective;
      return result;
    });
    // One that fails by a defect is the affair of whoever asked for it, not of the next.
    this.#reloading = reloading.catch(() => {});
    return reloading;
  }

  readonly #prepareLog: Prepare = (effective) => ({
    warnings: [],
    apply: () => {
      const { openLog } = this.#options;
      const before = JSON.stringify(logValuesOf(this.configuration.global));
      const values = logValuesOf(effective.global);
      if (openLog === undefined || JSON.stringify(values) === before) return this.#log.reopen();
      const { log, logTopics } = openLog(values);
      this.#log.become(log);
      this.#logTopics = logTopics;
      logTopics?.attach(this.broker);
    },
  });

  readonly #prepareListeners: Prepare = async (effective) => {
    try {
      return await this.listeners.prepare(effective);
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      return { mistakes: [{ file: "", line: 0, message: error.message }] };
    }
  };

  readonly #prepareAccess: Prepare = (effective) => {
    const prepared = this.accessControl.prepare(effective);
    if ("mistakes" in prepared) return prepared;
    const apply = () => {
      const mayStay = prepared.apply();
      this.broker.disconnectClients((client) => !mayStay(client), Reason.NotAuthorized);
    };
    return { warnings: prepared.warnings, apply };
  };

  readonly #prepareSettings: Prepare = (effective) => ({
    warnings: [],
    apply: () => {
      const { global } = effective;
      this.broker.configure(settingsOf(effective));
      this.broker.journal.configure({
        autosaveIntervalSeconds: global.autosaveInterval,
        autosaveOnChanges: global.autosaveOnChanges,
      });
    },
  });

  readonly #prepareBridges: Prepare = (effective) => ({
    warnings: [],
    apply: () => this.bridging.apply(effective),
  });

  readonly #preparePlugins: Prepare = (effective) => ({
    warnings: [],
    apply: () => {
      applyControlApi(this.broker, effective, this.#plugins, this.#log);
      this.#plugins.reload();
    },
  });

  /** Ends in order: no new client, clients told, Wills sent, everything saved. Idempotent. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#log.log("information", `sabethes version ${VERSION} terminating`);
    await Promise.all([this.listeners, this.webSockets].map((entrance) => entrance.close()));
    this.#logTopics?.detach();
    this.bridging.close();
    this.broker.stop();
    await Promise.all(
      [this.listeners, this.webSockets, this.bridging].map((entrance) => entrance.drain(DRAIN_MS)),
    );
    await this.#admin?.close();
    await this.#plugins.close();
    // Time goes on until the last commit: the journal watches it.
    await this.broker.journal.close();
    this.accessControl.close();
    this.#timer.close();
  }
}
