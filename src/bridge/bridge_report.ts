import { type LogType, printable } from "../log.ts";
import type { TopicName } from "../wire/publish.ts";
import { reasonText } from "../wire/reason.ts";
import type { BridgeConnection } from "./bridge_connection.ts";

/** Where the lines go. */
interface ReportLog {
  log(type: LogType, text: string): void;
}

/** What a bridge tells of itself: its lines in the log, and its counters since the start. */
export class BridgeReport {
  readonly name: string;
  lastError: string | null = null;
  /** Connections made. */
  connects = 0;
  /** Messages that the remote broker could not take. */
  dropped = 0;
  readonly #log: ReportLog;
  /** Of the connections that have ended. */
  #sent = 0;
  #received = 0;
  #hasLoggedDrop = false;
  #overflow = 0;

  constructor(name: string, log: ReportLog) {
    this.name = name;
    this.#log = log;
  }

  sent(connection: BridgeConnection | null): number {
    return this.#sent + (connection?.outbox.published ?? 0);
  }

  received(connection: BridgeConnection | null): number {
    return this.#received + (connection?.received ?? 0);
  }

  connecting(address: string): void {
    this.#log.log("notice", `Connecting bridge ${printable(this.name)} (${address})`);
  }

  connected(address: string): void {
    this.connects++;
    this.notice(`is connected to ${address}`);
  }

  ended(connection: BridgeConnection): void {
    this.#sent += connection.outbox.published;
    this.#received += connection.received;
    this.#hasLoggedDrop = false;
  }

  notice(text: string): void {
    this.#write("notice", text);
  }

  warning(text: string): void {
    this.#write("warning", text);
  }

  error(text: string): void {
    this.lastError = text;
    this.#write("error", text);
  }

  subscriptionRefused(filter: string, reason: number): void {
    // MQTT 3 gives no reason.
    const why = reason === 0x80 ? "" : `: ${reasonText(reason)}`;
    this.error(`the remote broker refuses the subscription to ${printable(filter)}${why}`);
  }

  /** The remote broker has refused a message, which is gone. */
  messageRefused(reason: number): void {
    this.#drop(`the remote broker refuses messages: ${reasonText(reason)}`);
  }

  /** A message could not be sent, and is gone. */
  messageTooLarge(topic: TopicName): void {
    this.#drop(`a message on ${printable(topic.name)} is too large for the remote broker`);
  }

  /** So many messages have found no room in the queue by now; what came to it is logged. */
  overflown(total: number): void {
    const lost = total - this.#overflow;
    this.#overflow = total;
    if (lost > 0) {
      this.#write("error", `has no room in its queue, ${lost} messages were dropped`);
    }
  }

  #drop(text: string) {
    this.dropped++;
    if (!this.#hasLoggedDrop) this.error(text);
    this.#hasLoggedDrop = true;
  }

  #write(type: "error" | "warning" | "notice", text: string) {
    const prefix = type === "error" ? "Error: " : type === "warning" ? "Warning: " : "";
    this.#log.log(type, `${prefix}Bridge ${printable(this.name)} ${text}`);
  }
}
