import type { Hono } from "hono";
import type { AccessHooks, Client } from "./access/hooks.ts";
import { KnownClients } from "./access/known_clients.ts";
import { createAdminApp } from "./admin/app.ts";
import type { Observer } from "./broker/ports.ts";
import { configurationFromOptions } from "./config/configuration_from_options.ts";
import { isLoopback } from "./config/loopback.ts";
import type { BrokerOptions } from "./config/options.ts";
import {
  type Message,
  messageOf,
  outgoingMessage,
  type PublishOptions,
} from "./plugins/message.ts";
import type { Match } from "./routing/subscription_tree.ts";
import { parseFilter } from "./routing/subscription_tree.ts";
import type { Topic } from "./routing/topic.ts";
import { type LogValues, type OpenedLog, openLog } from "./server/open_log.ts";
import { Server } from "./server/server.ts";
import type { Receiver } from "./session/ports.ts";
import type { Publish, Qos } from "./wire/publish.ts";
import { isTopicFilter } from "./wire/utf8.ts";

/** The events and what they carry. */
export interface BrokerEvents {
  /** A client has been let in. */
  connect: { client: Client };
  /** `reason` is undefined when the client said goodbye. */
  disconnect: { client: Client; reason: string | undefined };
  /** A subscription was granted, at that QoS. */
  subscribe: { client: Client; filter: string; qos: Qos };
  /** A client has ended a subscription. */
  unsubscribe: { client: Client; filter: string };
  /** `client` is null for what the program itself or a $SYS update publishes. */
  publish: { client: Client | null; message: Message };
  /** A message did not go to a client: its queue was full, it read too slowly, the message expired. */
  drop: { clientId: string; reason: string };
}

/** Options of `createBroker`: those of the configuration file in camel case, and hooks. */
export type CreateBrokerOptions = BrokerOptions & AccessHooks & {
  /** Takes the log's lines, each with its line end; without it nothing is logged. */
  log?: (line: string) => void;
};

/** Takes the events of a name. */
export type BrokerListener<Name extends keyof BrokerEvents> = (event: BrokerEvents[Name]) => void;

/** A subscription inside the process. Ends with `unsubscribe`, `using` or its loop. */
export interface LocalSubscription extends AsyncIterable<Message>, Disposable {
  /** Ends it; a loop over it ends, too. Idempotent. */
  unsubscribe(): void;
}

/** Messages that wait for a slow `for await` loop; the oldest are dropped beyond it. */
const LOCAL_QUEUE_MAXIMUM = 10_000;

/** A broker inside this process. Made by `createBroker`, ended by `close` or `await using`. */
export class EmbeddedBroker implements AsyncDisposable {
  readonly #server: Server;
  readonly #listeners: Map<keyof BrokerEvents, Set<BrokerListener<never>>>;
  readonly #local = new Set<LocalReceiver>();
  #app: Hono | null = null;

  private constructor(
    server: Server,
    listeners: Map<keyof BrokerEvents, Set<BrokerListener<never>>>,
  ) {
    this.#server = server;
    this.#listeners = listeners;
  }

  /**
   * Starts a broker.
   *
   * @throws {ConfigurationError} with every mistake of the options and of the files that they name,
   * {StoreError}, {ListenError}
   */
  static async start(options: CreateBrokerOptions): Promise<EmbeddedBroker> {
    const { authenticate, authorizePublish, authorizeSubscribe, authorizeReceive, log, ...rest } =
      options;
    const listeners = new Map<keyof BrokerEvents, Set<BrokerListener<never>>>();
    const emit = <Name extends keyof BrokerEvents>(name: Name, event: () => BrokerEvents[Name]) => {
      const handlers = listeners.get(name) as Set<BrokerListener<Name>> | undefined;
      if (handlers === undefined || handlers.size === 0) return;
      const value = event();
      // Not in the middle of a turn: a handler may call the broker.
      for (const handler of handlers) queueMicrotask(() => handler(value));
    };
    const configuration = configurationFromOptions(withAnonymousDefault(rest));
    const server = await Server.start({
      configuration,
      hooks: withoutUndefined({
        authenticate,
        authorizePublish,
        authorizeSubscribe,
        authorizeReceive,
      }),
      ...logFor(log, rest, configuration.global),
      load: null,
      observer: observerFor(emit, listeners),
      onFatal: (error) => {
        throw error;
      },
    });
    return new EmbeddedBroker(server, listeners);
  }

  /** The addresses and ports it listens on, in the order of the options. */
  addresses(): Deno.NetAddr[] {
    const addresses = this.#server.listeners.all.flatMap((listener) => listener.addresses);
    return addresses.filter((address) => address.transport === "tcp") as Deno.NetAddr[];
  }

  /**
   * The address of the first listener: with port 0 the one the system chose.
   *
   * @throws {Error} without a listener
   */
  address(): Deno.NetAddr {
    const [first] = this.addresses();
    if (first === undefined) throw new Error("the broker has no listener");
    return first;
  }

  /** The HTTP interface, to be mounted in another Hono app. */
  get app(): Hono {
    return this.#app ??= createAdminApp(this.#server.source);
  }

  /**
   * Publishes. Returns whether anybody subscribes to the topic.
   *
   * @throws {TypeError} for what is no Topic Name or QoS
   */
  publish(topic: string, payload: string | Uint8Array, options: PublishOptions = {}): boolean {
    return this.#server.broker.publishMessage(outgoingMessage(topic, payload, options));
  }

  /**
   * Subscribes inside the process: with a callback, or as an async iterator.
   *
   *     for await (const message of broker.subscribe("sensors/#")) console.log(message.text());
   *
   * @throws {TypeError} for what is no Topic Filter
   */
  subscribe(filter: string, callback?: (message: Message) => void): LocalSubscription {
    const parsed = isTopicFilter(filter) ? parseFilter(filter) : null;
    if (parsed === null) throw new TypeError(`not a Topic Filter: ${filter}`);
    const { tree, retained } = this.#server.broker;
    const receiver = new LocalReceiver(callback, () => {
      tree.unsubscribe(parsed.filter, receiver, parsed.group);
      this.#local.delete(receiver);
    });
    tree.subscribe(parsed.filter, {
      subscriber: receiver,
      qos: 2,
      noLocal: false,
      retainAsPublished: false,
      identifier: 0,
    }, parsed.group);
    this.#local.add(receiver);
    if (parsed.group === null) {
      for (const message of retained.matching(parsed.filter)) {
        receiver.take(messageOf(message.publish, message.topic.name, true));
      }
    }
    return receiver;
  }

  /** Has a function called at each event of that name, after the turn in which it happened. */
  on<Name extends keyof BrokerEvents>(name: Name, listener: BrokerListener<Name>): this {
    let handlers = this.#listeners.get(name);
    if (handlers === undefined) this.#listeners.set(name, handlers = new Set());
    handlers.add(listener as BrokerListener<never>);
    return this;
  }

  /** Has a function called no more. */
  off<Name extends keyof BrokerEvents>(name: Name, listener: BrokerListener<Name>): this {
    this.#listeners.get(name)?.delete(listener as BrokerListener<never>);
    return this;
  }

  /** Writes to disk what is not there yet. */
  save(): void {
    this.#server.save();
  }

  /** Ends in order: clients told, Wills sent, everything saved. */
  async close(): Promise<void> {
    for (const receiver of this.#local) receiver.unsubscribe();
    await this.#server.stop();
  }

  /** As {@linkcode close}, at the end of `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Gives the messages of one local subscription to a callback or to loops. */
class LocalReceiver implements Receiver, LocalSubscription {
  readonly isReady = true;
  readonly mayReceive = () => true;
  readonly #callback: ((message: Message) => void) | undefined;
  readonly #onEnd: () => void;
  #queue: Message[] = [];
  #wake: (() => void) | null = null;
  #ended = false;

  constructor(callback: ((message: Message) => void) | undefined, onEnd: () => void) {
    this.#callback = callback;
    this.#onEnd = onEnd;
  }

  deliver(publish: Publish, topic: Topic, match: Match<Receiver>): void {
    this.take(messageOf(publish, topic.name, publish.retain && match.retainAsPublished));
  }

  take(message: Message): void {
    const callback = this.#callback;
    if (callback !== undefined) return queueMicrotask(() => callback(message));
    if (this.#queue.push(message) > LOCAL_QUEUE_MAXIMUM) this.#queue.shift();
    this.#wake?.();
  }

  unsubscribe(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd();
    this.#wake?.();
  }

  [Symbol.dispose](): void {
    this.unsubscribe();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void, void> {
    try {
      while (!this.#ended) {
        const queue = this.#queue;
        this.#queue = [];
        yield* queue;
        if (this.#queue.length > 0 || this.#ended) continue;
        await new Promise<void>((resolve) => this.#wake = resolve);
        this.#wake = null;
      }
    } finally {
      this.unsubscribe();
    }
  }
}

function observerFor(
  emit: <Name extends keyof BrokerEvents>(name: Name, event: () => BrokerEvents[Name]) => void,
  listeners: Map<keyof BrokerEvents, Set<BrokerListener<never>>>,
): Observer {
  const clients = new KnownClients();
  return {
    connected: (session) => {
      const client = clients.of(session);
      emit("connect", () => ({ client }));
    },
    disconnected: (session, reason) =>
      emit("disconnect", () => ({ client: clients.of(session), reason })),
    subscribed: (session, { filter, qos }) =>
      emit("subscribe", () => ({ client: clients.of(session), filter, qos })),
    unsubscribed: (session, filter) =>
      emit("unsubscribe", () => ({ client: clients.of(session), filter })),
    dropped: ({ clientId }, reason) => emit("drop", () => ({ clientId, reason })),
    published: (publish, topic, publisher) => {
      if (!listeners.get("publish")?.size) return;
      const client = publisher === null ? null : clients.of(publisher);
      const message = messageOf(publish, topic.name, publish.retain);
      emit("publish", () => ({ client, message }));
    },
  };
}

/** What only this machine can reach may be used without a name, unless the options say otherwise. */
function withAnonymousDefault(options: BrokerOptions): BrokerOptions {
  if (options.allowAnonymous !== undefined) return options;
  const isLocal = (options.listeners ?? []).every(({ address, unixPath }) =>
    typeof unixPath === "string" || typeof address === "string" && isLoopback(address)
  );
  // With a token the path /mqtt of the HTTP interface is open to other machines.
  const isOpen = options.adminMqtt === true && (options.adminToken ?? "") !== "";
  return { ...options, allowAnonymous: isLocal && !isOpen };
}

/** The lines go to whoever asked for them, and where `logDest` sends them. */
function logFor(
  write: ((line: string) => void) | undefined,
  { logDest }: BrokerOptions,
  values: LogValues,
): OpenedLog {
  return openLog({ ...values, logDest: logDest ?? [] }, {
    further: write === undefined ? [] : [{ write: (_type, line) => write(`${line}\n`) }],
    tell: (text) => write?.(`${text}\n`),
  });
}

function withoutUndefined(hooks: AccessHooks): AccessHooks {
  return Object.fromEntries(Object.entries(hooks).filter(([, hook]) => hook !== undefined));
}
