import type { Broker } from "../broker/broker.ts";
import { type LogType, printable } from "../log.ts";
import { Reason } from "../wire/reason.ts";
import { outgoingMessage, type PublishOptions } from "./message.ts";

/** What a plugin may do to the broker. */
export interface PluginHost {
  /**
   * Publishes, when what is being handled now is done; before the broker serves clients, when it does.
   *
   * @throws {TypeError} for what is no Topic Name or QoS
   * @throws {RangeError} when 10,000 wait already
   */
  publish(topic: string, payload: string | Uint8Array, options?: PublishOptions): void;
  /** Adds a line to the log. */
  log(type: LogType, text: string): void;
  /** Ends the connection of a client with 0x98 (administrative action); its Will is sent. */
  disconnect(clientId: string): void;
}

const WAITING_MAXIMUM = 10_000;
const LOG_TYPES: ReadonlySet<string> = new Set<LogType>([
  "error",
  "warning",
  "notice",
  "information",
  "debug",
]);

/**
 * Hands what a plugin asks for to the broker, never in the middle of a turn: a hook is called while a
 * message is on its way to its receivers.
 */
export class DeferringHost implements PluginHost {
  readonly #write: (type: LogType, text: string) => void;
  /** Null before the broker serves clients. */
  #broker: Broker | null = null;
  #isClosed = false;
  #waiting: ((broker: Broker) => void)[] = [];

  constructor(write: (type: LogType, text: string) => void) {
    this.#write = write;
  }

  publish(topic: string, payload: string | Uint8Array, options: PublishOptions = {}): void {
    const message = outgoingMessage(topic, payload, options);
    const copied = { ...message, payload: message.payload.slice() };
    this.#later((broker) => broker.publishMessage(copied));
  }

  disconnect(clientId: string): void {
    this.#later((broker) =>
      broker.disconnectClients(
        (identity) => identity.clientId === clientId,
        Reason.AdministrativeAction,
      )
    );
  }

  log(type: LogType, text: string): void {
    this.#write(LOG_TYPES.has(type) ? type : "information", printable(String(text)));
  }

  /** Clients are served from now on. */
  attach(broker: Broker): void {
    this.#broker = broker;
    this.#run();
  }

  /** What was asked for is done, and nothing more. */
  close(): void {
    this.#run();
    this.#isClosed = true;
  }

  #later(act: (broker: Broker) => void) {
    if (this.#isClosed) return;
    if (this.#waiting.length >= WAITING_MAXIMUM) {
      throw new RangeError(`${WAITING_MAXIMUM} requests of the plugin wait already`);
    }
    if (this.#waiting.push(act) === 1) queueMicrotask(() => this.#run());
  }

  #run() {
    if (this.#broker === null) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const act of waiting) act(this.#broker);
  }
}
