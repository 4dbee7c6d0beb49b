import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type AccessHooks, type Client, hookPolicy } from "../access/hooks.ts";
import type { Policy } from "../access/policy.ts";
import { denySpecialCharacters } from "../access/special_characters.ts";
import type { Broker } from "../broker/broker.ts";
import type { PluginSection } from "../config/options.ts";
import { errorTrace } from "../error_text.ts";
import type { LogType } from "../log.ts";
import type { Message } from "./message.ts";
import { DeferringHost, type PluginHost } from "./plugin_host.ts";

/** The `plugin_opt_` lines by what follows that; of several of one name the last. */
export type PluginOptions = Readonly<Record<string, string>>;

/** What a plugin may export, or `createPlugin` return. One that throws is logged. */
export interface PluginHooks extends AccessHooks {
  /** Told of each message that a client has published and that was taken, after it was routed. */
  onMessage?(event: { readonly client: Client; readonly message: Message }): unknown;
  /** Called about once a second, one call after the other. Milliseconds since 1970. */
  tick?(nowMs: number): unknown;
  /** The configuration was read anew. The plugin stays, with the options that it had. */
  reload?(options: PluginOptions): unknown;
  /** The broker ends, a second later at most. */
  close?(): unknown;
}

/** A module may make its hooks for each line that names it. */
type CreatePlugin = (
  options: PluginOptions,
  host: PluginHost,
) => PluginHooks | Promise<PluginHooks>;

const HOOKS = [
  "authenticate",
  "authorizePublish",
  "authorizeSubscribe",
  "authorizeReceive",
  "onMessage",
  "tick",
  "reload",
  "close",
] as const satisfies readonly (keyof PluginHooks)[];

/** How long `close` may take. */
const CLOSE_MS = 1000;

/** A plugin in TypeScript or JavaScript that is loaded. What it throws is logged, whatever it is. */
export class PluginModule {
  readonly policy: Policy;
  readonly #name: string;
  readonly #hooks: PluginHooks;
  readonly #options: PluginOptions;
  readonly #host: DeferringHost;
  readonly #log: (type: LogType, text: string) => void;
  #isTicking = false;

  private constructor(
    section: PluginSection,
    hooks: PluginHooks,
    options: PluginOptions,
    host: DeferringHost,
    log: (type: LogType, text: string) => void,
  ) {
    this.#name = section.path;
    this.#hooks = hooks;
    this.#options = options;
    this.#host = host;
    this.#log = log;
    const policy = hookPolicy(
      hooks,
      `plugin ${section.path}`,
      (error, doing) => this.#failed(error, doing),
    );
    this.policy = section.denySpecialChars ? denySpecialCharacters(policy) : policy;
  }

  /**
   * Imports the module of a `plugin` line, whose path is relative to the working directory.
   *
   * @throws whatever the module throws, or {TypeError} when it is no plugin
   */
  static async load(
    section: PluginSection,
    log: (type: LogType, text: string) => void,
  ): Promise<PluginModule> {
    const options = Object.fromEntries(section.options);
    const host = new DeferringHost((type, text) => log(type, `plugin ${section.path}: ${text}`));
    const module: object = await import(pathToFileURL(resolve(section.path)).href);
    const create = "createPlugin" in module ? module.createPlugin : undefined;
    if (create === undefined) {
      return new PluginModule(section, hooksOf(module, "exports"), options, host, log);
    }
    if (typeof create !== "function") throw new TypeError("its 'createPlugin' is no function");
    const made = await (create as CreatePlugin)(options, host);
    const hooks = hooksOf(made, "returns from 'createPlugin'");
    return new PluginModule(section, hooks, options, host, log);
  }

  get wantsMessages(): boolean {
    return this.#hooks.onMessage !== undefined;
  }

  get wantsTicks(): boolean {
    return this.#hooks.tick !== undefined;
  }

  /** Clients are served from now on. */
  attach(broker: Broker): void {
    this.#host.attach(broker);
  }

  /** To be called when the turn is over. */
  message(client: Client, message: Message): void {
    void this.#call("onMessage", () => this.#hooks.onMessage?.({ client, message }));
  }

  /** One that takes longer than a second misses the next. */
  async tick(): Promise<void> {
    if (this.#isTicking) return;
    this.#isTicking = true;
    await this.#call("tick", () => this.#hooks.tick?.(Date.now()));
    this.#isTicking = false;
  }

  reload(): void {
    void this.#call("reload", () => this.#hooks.reload?.(this.#options));
  }

  async close(): Promise<void> {
    const closing = this.#call("close", () => this.#hooks.close?.());
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, CLOSE_MS));
    await Promise.race([closing, late]);
    clearTimeout(timer);
    this.#host.close();
  }

  async #call(name: string, hook: () => unknown): Promise<void> {
    try {
      await hook();
    } catch (error) {
      this.#failed(error, name);
    }
  }

  #failed(error: unknown, doing: string) {
    this.#log("error", `Error: plugin ${this.#name}, in ${doing}: ${errorTrace(error)}`);
  }
}

/** @throws {TypeError} if there is no hook among the members, or one that is no function */
function hooksOf(members: unknown, how: string): PluginHooks {
  const found = typeof members === "object" && members !== null
    ? members as Partial<Record<keyof PluginHooks, unknown>>
    : {};
  const hooks = HOOKS.filter((name) => found[name] !== undefined);
  if (hooks.length === 0) throw new TypeError(`it ${how} none of ${HOOKS.join(", ")}`);
  const wrong = hooks.find((name) => typeof found[name] !== "function");
  if (wrong !== undefined) throw new TypeError(`what it ${how} as '${wrong}' is no function`);
  return found as PluginHooks;
}
