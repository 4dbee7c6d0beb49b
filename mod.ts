/**
 * Sabethes, an MQTT broker.
 *
 *     import { createBroker } from "./mod.ts";
 *     await using broker = await createBroker({ listeners: [{ port: 1883, address: "127.0.0.1" }] });
 *
 * Run as a program it takes Mosquitto's command line; `deno serve mod.ts` serves its HTTP interface.
 *
 * @module
 */
import type { CreateBrokerOptions, EmbeddedBroker } from "./src/embedding.ts";

export type {
  BrokerEvents,
  BrokerListener,
  CreateBrokerOptions,
  EmbeddedBroker as Broker,
  LocalSubscription,
} from "./src/embedding.ts";
export type { Message, PublishOptions } from "./src/plugins/message.ts";
export type { MessageProperties } from "./src/wire/property_list.ts";
export type { Qos } from "./src/wire/publish.ts";
export type { SubscriptionRequest } from "./src/wire/subscribe_packet.ts";
export type { AccessHooks, Client, HookAnswer, PublishRequest } from "./src/access/hooks.ts";
export type { PluginHooks, PluginOptions } from "./src/plugins/plugin_module.ts";
export type { PluginHost } from "./src/plugins/plugin_host.ts";
export type { LogType } from "./src/log.ts";
export type { BridgeOptions, BrokerOptions, ListenerOptions } from "./src/config/options.ts";
export { ConfigurationError, type Mistake, type Place } from "./src/mistake.ts";
export { ListenError } from "./src/server/listen_error.ts";
export { StoreError, type StoreErrorReason } from "./src/store/store.ts";

/**
 * Starts a broker in this process: no listener unless one is given, nothing on disk unless
 * `persistence` is asked for. On loopback addresses clients need no name, unless `allowAnonymous` or
 * a hook `authenticate` says otherwise.
 *
 * @throws {ConfigurationError} with every mistake of the options and of the files that they name
 * @throws {StoreError} when the store is held by another broker or damaged
 * @throws {ListenError} when a port cannot be opened
 */
export async function createBroker(options: CreateBrokerOptions = {}): Promise<EmbeddedBroker> {
  // Read only when it is wanted: the command line answers faster without it.
  const { EmbeddedBroker } = await import("./src/embedding.ts");
  return await EmbeddedBroker.start(options);
}

let served: Promise<EmbeddedBroker> | undefined;

/** What `deno serve` calls. */
export interface FetchHandler {
  /** Answers a request; the first starts the broker. */
  fetch(request: Request, info?: Deno.ServeHandlerInfo): Promise<Response>;
}

/**
 * For `deno serve mod.ts`: a broker without ports of its own behind this HTTP server, with MQTT over
 * WebSocket on the path `/mqtt`, for programs of this machine.
 */
const handler: FetchHandler = {
  async fetch(request, info) {
    served ??= createBroker({ adminMqtt: true });
    // With the peer's address, so that what is meant for this machine alone stays with it.
    return await (await served).app.fetch(request, info);
  },
};
export default handler;

/**
 * `deno serve` makes this the main module, too; only the command line of the process tells. Without the
 * right to look at it there is nothing a broker of its own could do either.
 */
function isServed(): boolean {
  if (Deno.build.os !== "linux") return false;
  const path = "/proc/self/cmdline";
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") {
    return Deno.args.length === 0;
  }
  try {
    const words = Deno.readTextFileSync(path).split("\0").slice(1);
    return words.find((word) => !word.startsWith("-")) === "serve";
  } catch (error) {
    // Whatever may be read: what lies in /proc is for those alone who may do everything.
    if (error instanceof Deno.errors.NotCapable) return Deno.args.length === 0;
    throw error;
  }
}

if (import.meta.main && !isServed()) {
  const { main } = await import("./src/main.ts");
  Deno.exit(await main(Deno.args));
}
