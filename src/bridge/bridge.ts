import type { Broker } from "../broker/broker.ts";
import { printable } from "../log.ts";
import type { Deadline, Link } from "../session/ports.ts";
import { routeUnreleased } from "../session/publishing.ts";
import { OutgoingTopicAliases } from "../session/topic_aliases.ts";
import type { ConnackPacket } from "../wire/connack_packet.ts";
import type { Qos, TopicName } from "../wire/publish.ts";
import { reasonText } from "../wire/reason.ts";
import { Backoff } from "./backoff.ts";
import { BridgeConnection, type BridgeOwner } from "./bridge_connection.ts";
import { BridgeNames } from "./bridge_names.ts";
import { refusalText } from "./connack_text.ts";
import type { BridgeStatus } from "./bridge_status.ts";
import type { Links } from "./links.ts";
import { Notifications } from "./notifications.ts";
import { Offer } from "./offer.ts";
import { addressText, type BridgeAddress, type BridgeSettings } from "./settings.ts";
import { Subscriptions } from "./subscriptions.ts";

/** What a bridge is made of besides its settings. */
export interface BridgePorts {
  readonly broker: Broker;
  readonly links: Links;
  /** A number from 0 to 1. */
  chance(): number;
}

type State =
  | { readonly name: "stopped" | "idle" }
  | { readonly name: "waiting"; readonly untilMs: number }
  | {
    readonly name: "connecting";
    readonly untilMs: number;
    giveUp(): void;
    /** Null until there is a link. */
    connection: BridgeConnection | null;
  }
  | { readonly name: "connected"; readonly connection: BridgeConnection; readonly sinceMs: number };

/** Without an answer for so long an attempt has failed. */
const CONNECT_TIMEOUT_MS = 30_000;
/** How often a lazy bridge looks whether enough waits. */
const LOOK_MS = 1000;
/** How often the first address is tried while another is in use. */
const PROBE_MS = 5000;

/**
 * A bridge: a client of a remote broker inside this one. Its session here is one like others; what the
 * session is to get goes to the remote broker, and what comes from there is published in its name.
 *
 *     stopped ─ start ─▶ connecting ─ CONNACK ─▶ connected
 *        │ lazy            │    ▲ ▲                  │
 *        ▼          failed ▼    │ └─ enough waits    │ lost
 *       idle ◀──────────  waiting ◀──────────────────┘
 */
export class Bridge implements BridgeOwner {
  #settings: BridgeSettings;
  /** To be taken with the next attempt. */
  #pending: BridgeSettings | null = null;
  readonly #ports: BridgePorts;
  readonly #broker: Broker;
  #subscriptions: Subscriptions;
  #backoff: Backoff;
  #state: State = { name: "stopped" };
  #deadline: Deadline | null = null;
  #address = 0;
  #cancelProbe: (() => void) | null = null;
  #probeAtMs = Infinity;
  #offer: Offer;
  #notifications: Notifications;
  #sent = 0;
  #received = 0;
  #dropped = 0;
  #connects = 0;
  #lastError: string | null = null;
  #hasLoggedDrop = false;
  /** How many had not found room in the queue when that was last logged. */
  #overflowLogged = 0;
  /** Messages in both directions when a lazy bridge last looked, and when they last changed. */
  #traffic = 0;
  #trafficAtMs = 0;

  constructor(settings: BridgeSettings, ports: BridgePorts) {
    this.#settings = settings;
    this.#ports = ports;
    this.#broker = ports.broker;
    this.#subscriptions = new Subscriptions(ports.broker, settings);
    this.#backoff = new Backoff(settings.backoff, ports.chance);
    this.#offer = new Offer(settings);
    this.#notifications = new Notifications(ports.broker, settings);
  }

  get name(): string {
    return this.#settings.name;
  }

  /** As last configured, in force or not yet. */
  get settings(): BridgeSettings {
    return this.#pending ?? this.#settings;
  }

  status(): BridgeStatus {
    const connection = this.#state.name === "connected" ? this.#state.connection : null;
    return {
      name: this.name,
      state: this.#state.name,
      connected: connection !== null,
      address: addressText(this.#target()),
      queued: this.#subscriptions.waiting,
      sent: this.#sent + (connection?.outbox.published ?? 0),
      received: this.#received + (connection?.received ?? 0),
      dropped: this.#dropped + this.#subscriptions.dropped,
      connects: this.#connects,
      lastError: this.#lastError,
    };
  }

  /** Begins its work: connects at once, or when enough waits. */
  start(): void {
    const { startType, localCleanSession } = this.#settings;
    this.#notifications.tellHere("0", this.#subscriptions.session);
    if (!localCleanSession) this.#subscriptions.open();
    if (startType !== "lazy") return this.#connect();
    if (localCleanSession) {
      this.#log("warning", "is lazy and keeps nothing while it is down: it will not connect");
    }
    this.#become({ name: "idle" });
  }

  /** Disconnects, and stays so. What is to be sent waits. */
  pause(): void {
    this.#leave({ name: "stopped" });
  }

  /** Goes on after {@linkcode pause}. */
  resume(): void {
    if (this.#state.name === "stopped") this.reconnect();
  }

  /** Connects afresh and at once, as if nothing had been turned down. */
  reconnect(): void {
    this.#leave({ name: "stopped" });
    this.#adopt(this.settings);
    this.#address = 0;
    this.#connect();
  }

  /** Takes other settings: at once, or where the bridge runs and is to be left alone, when it next connects. */
  change(settings: BridgeSettings): void {
    this.#pending = settings;
    if (this.#state.name === "connected" && settings.reloadType === "lazy") return;
    this.#leave({ name: "stopped" });
    this.#adopt(settings);
    this.start();
  }

  /** Disconnects. With `forget` the bridge is gone for good, and its session with it. */
  stop(options: { forget: boolean }): void {
    this.#leave({ name: "stopped" });
    if (options.forget) this.#subscriptions.forget();
  }

  // Time

  /** Looks at the time. Returns when to look again. */
  due(nowMs: number): number {
    const state = this.#state;
    switch (state.name) {
      case "stopped":
        return Infinity;
      case "idle":
        if (!this.#isWanted) return nowMs + LOOK_MS;
        this.#connect();
        return Infinity;
      case "waiting":
        if (nowMs < state.untilMs) return state.untilMs;
        if (this.#isWanted) this.#connect();
        else this.#become({ name: "idle" });
        return Infinity;
      case "connecting":
        if (nowMs >= state.untilMs) this.#giveUp("no answer in time");
        return this.#state === state ? state.untilMs : Infinity;
      case "connected": {
        const connectionMs = state.connection.due(nowMs);
        if (this.#state !== state) return Infinity;
        const nextMs = Math.min(connectionMs, this.#lookForPrimary(nowMs));
        return Math.min(nextMs, this.#lookForTraffic(nowMs, state.connection));
      }
    }
  }

  /** Lazy bridges connect when enough waits. */
  get #isWanted(): boolean {
    const { startType, threshold } = this.#settings;
    return startType !== "lazy" || this.#subscriptions.waiting >= threshold;
  }

  #lookForTraffic(nowMs: number, connection: BridgeConnection): number {
    const { startType, idleTimeoutSeconds } = this.#settings;
    if (startType !== "lazy") return Infinity;
    const traffic = connection.received + connection.outbox.published;
    if (traffic !== this.#traffic || this.#subscriptions.waiting > 0) {
      this.#traffic = traffic;
      this.#trafficAtMs = nowMs;
    } else if (nowMs - this.#trafficAtMs >= idleTimeoutSeconds * 1000) {
      this.#log("notice", `has been idle for ${idleTimeoutSeconds} s, disconnecting`);
      this.#leave({ name: "idle" });
      return Infinity;
    }
    return nowMs + LOOK_MS;
  }

  /** [round_robin] While another address than the first is in use, the first is looked at. */
  #lookForPrimary(nowMs: number): number {
    if (this.#address === 0 || this.#settings.roundRobin) return Infinity;
    if (nowMs < this.#probeAtMs || this.#cancelProbe !== null) return this.#probeAtMs;
    this.#probeAtMs = nowMs + PROBE_MS;
    const [primary] = this.#settings.addresses;
    this.#cancelProbe = this.#ports.links.probe(primary, this.#settings, (reachable) => {
      this.#cancelProbe = null;
      if (!reachable || this.#state.name !== "connected") return;
      this.#log("notice", `goes back to ${addressText(primary)}`);
      this.#leave({ name: "stopped" });
      this.#address = 0;
      this.#connect();
    });
    return this.#probeAtMs;
  }

  // Connecting

  #connect() {
    if (this.#pending !== null) this.#adopt(this.#pending);
    const settings = this.#settings;
    // Again: somebody may have ended the session from outside.
    if (!settings.localCleanSession) this.#subscriptions.open();
    const address = this.#target();
    const where = `${printable(this.name)} (${addressText(address)})`;
    this.#broker.log("notice", `Connecting bridge ${where}`);
    const connecting: State = {
      name: "connecting",
      untilMs: this.#broker.nowMs + CONNECT_TIMEOUT_MS,
      giveUp: () => {},
      connection: null,
    };
    this.#become(connecting);
    connecting.giveUp = this.#ports.links.open(address, settings, {
      opened: (link) => connecting.connection = this.#open(link),
      failed: (text) => {
        if (this.#state === connecting) {
          this.#failed(`cannot connect to ${addressText(address)}: ${text}`);
        }
      },
    });
  }

  /** There is a link: sends the CONNECT. */
  #open(link: Link): BridgeConnection {
    const settings = this.#settings;
    const lines = this.#subscriptions.lines;
    const connection = new BridgeConnection(this.#broker, link, this, {
      version: this.#offer.version,
      keepAliveSeconds: settings.keepaliveSeconds,
      maxPacketSize: settings.maxPacketSize,
      maxTopicAlias: settings.maxTopicAlias,
      names: lines.renames ? new BridgeNames(lines, this.#broker.topics) : null,
    });
    connection.outbox.packet(this.#offer.packet(this.#broker.settings.maxInflightMessages));
    return connection;
  }

  answered(connection: BridgeConnection, connack: ConnackPacket): void {
    const state = this.#state;
    if (state.name !== "connecting" || state.connection !== connection) return;
    if (connack.reason !== 0) return this.#refused(connection, connack);
    const address = addressText(this.#target());
    this.#accepted(connection, connack);
    this.#become({ name: "connected", connection, sinceMs: this.#broker.nowMs });
    this.#connects++;
    this.#log("notice", `is connected to ${address}`);
    this.#begin(connection, connack);
  }

  /** The remote broker says no: perhaps yes to something else, then at once. */
  #refused(connection: BridgeConnection, connack: ConnackPacket) {
    const other = this.#offer.lower(connack);
    const text = `Connection Refused: ${refusalText(connack)}`;
    this.#state = { name: "stopped" };
    connection.close({ sendWill: false });
    if (other === null) return this.#failed(text);
    this.#log("notice", `${text}. Trying again ${other}`);
    this.#connect();
  }

  /** Keeps to what the remote broker says of itself. */
  #accepted(connection: BridgeConnection, connack: ConnackPacket) {
    const { outbox } = connection;
    const settings = this.#settings;
    const inflight = this.#broker.settings.maxInflightMessages || 0xffff;
    connection.sendQuota = connack.receiveMaximum > 0 ? connack.receiveMaximum : inflight;
    outbox.keepsRetain = this.#offer.retains && connack.retainAvailable;
    if (connack.maximumPacketSize > 0) {
      outbox.maximumPacketSize = Math.min(outbox.maximumPacketSize, connack.maximumPacketSize);
    }
    const aliases = Math.min(Math.max(0, connack.topicAliasMaximum), settings.maxTopicAlias);
    if (aliases > 0) outbox.aliases = new OutgoingTopicAliases(aliases);
    if (connack.serverKeepAliveSeconds >= 0) {
      connection.keepAliveSeconds = connack.serverKeepAliveSeconds;
    }
    connection.accepted();
  }

  /** The connection is up: takes up the session, and asks for what is to come in. */
  #begin(connection: BridgeConnection, connack: ConnackPacket) {
    const broker = this.#broker;
    const maximumQos = (connack.maximumQos >= 0 ? connack.maximumQos : 2) as Qos;
    const session = this.#subscriptions.open(maximumQos);
    broker.sessions.resume(session, connection);
    this.#traffic = 0;
    this.#trafficAtMs = broker.nowMs;
    this.#probeAtMs = broker.nowMs + PROBE_MS;
    // MQTT 3.1 does not tell.
    const isForgotten = connection.version === 3
      ? this.#settings.cleanSession
      : !connack.sessionPresent;
    if (isForgotten) routeUnreleased(broker, session);
    this.#notifications.tellRemote("1", connection, Math.min(1, maximumQos) as Qos);
    this.#subscriptions.askRemote(connection, maximumQos);
    this.#notifications.tellHere("1", this.#subscriptions.session);
    session.outbound.lowerQos(maximumQos);
    session.outbound.pump();
    this.#subscriptions.sendRetained(connection);
  }

  subscribed(packetId: number, reasons: readonly number[]): void {
    const filter = this.#subscriptions.answered(packetId);
    const [reason] = reasons;
    if (filter === undefined || reason === undefined || reason < 0x80) return;
    const why = reason === 0x80 ? "" : `: ${reasonText(reason)}`;
    this.#error(`the remote broker refuses the subscription to ${printable(filter)}${why}`);
  }

  refused(reason: number): void {
    this.#dropped++;
    if (!this.#hasLoggedDrop) {
      this.#error(`the remote broker refuses messages: ${reasonText(reason)}`);
    }
    this.#hasLoggedDrop = true;
  }

  dropped(topic: TopicName): void {
    this.#dropped++;
    if (!this.#hasLoggedDrop) {
      this.#error(`a message on ${printable(topic.name)} is too large for the remote broker`);
    }
    this.#hasLoggedDrop = true;
  }

  // Disconnecting

  ended(connection: BridgeConnection, text: string | undefined): void {
    this.#sent += connection.outbox.published;
    this.#received += connection.received;
    this.#hasLoggedDrop = false;
    const state = this.#state;
    if (!("connection" in state) || state.connection !== connection) return;
    const address = addressText(this.#target());
    const why = text ?? "disconnected";
    if (state.name !== "connected") {
      return this.#failed(`cannot connect to ${address}: ${why}`);
    }
    if (this.#backoff.lasted(this.#broker.nowMs - state.sinceMs)) {
      this.#log("notice", "connection was stable enough, resetting backoff");
    }
    this.#notifications.tellHere("0", this.#subscriptions.session);
    this.#failed(`connection to ${address} lost: ${why}`);
  }

  #giveUp(text: string) {
    const address = addressText(this.#target());
    this.#abandon();
    this.#failed(`cannot connect to ${address}: ${text}`);
  }

  /** An attempt has failed, or a connection is lost: tries the next address, when it is time to. */
  #failed(text: string) {
    this.#error(text);
    this.#logOverflow();
    this.#address = (this.#address + 1) % this.#settings.addresses.length;
    if (this.#settings.startType === "once") return this.#become({ name: "stopped" });
    const delayMs = this.#backoff.nextMs();
    this.#log("notice", `next backoff will be ${delayMs} ms`);
    this.#become({ name: "waiting", untilMs: this.#broker.nowMs + delayMs });
  }

  /** What is lost while the remote broker is away must not go unseen. */
  #logOverflow() {
    const { dropped } = this.#subscriptions;
    const lost = dropped - this.#overflowLogged;
    this.#overflowLogged = dropped;
    if (lost > 0) this.#log("error", `has no room in its queue, ${lost} messages were dropped`);
  }

  /** Says goodbye where there is somebody to hear it. */
  #leave(next: State) {
    const before = this.#state;
    if (before.name !== "connected") {
      this.#abandon();
      return this.#become(next);
    }
    const { connection } = before;
    // No Will comes after a DISCONNECT, so the remote broker is told before.
    this.#notifications.tellRemote("0", connection, 0);
    this.#become(next);
    connection.leave();
    this.#notifications.tellHere("0", this.#subscriptions.session);
  }

  /** Gives up an attempt that is under way. */
  #abandon() {
    const state = this.#state;
    if (state.name !== "connecting") return;
    this.#state = { name: "stopped" };
    state.giveUp();
    state.connection?.close({ sendWill: false });
  }

  #become(state: State) {
    this.#state = state;
    this.#broker.unschedule(this.#deadline);
    this.#deadline = null;
    if (state.name !== "connected") {
      this.#cancelProbe?.();
      this.#cancelProbe = null;
    }
    if (state.name === "stopped") return;
    const now = this.#broker.nowMs;
    const firstMs = "untilMs" in state ? state.untilMs : now + LOOK_MS;
    this.#deadline = this.#broker.schedule(firstMs, this);
  }

  #adopt(settings: BridgeSettings) {
    this.#pending = null;
    const before = this.#settings;
    const isOtherSession = settings.localClientId !== before.localClientId ||
      settings.localCleanSession !== before.localCleanSession;
    if (isOtherSession) this.#subscriptions.forget();
    this.#settings = settings;
    this.#subscriptions = this.#subscriptions.changed(settings);
    this.#backoff = new Backoff(settings.backoff, this.#ports.chance);
    this.#offer = new Offer(settings);
    this.#notifications = new Notifications(this.#broker, settings);
    this.#address = Math.min(this.#address, settings.addresses.length - 1);
  }

  // Log

  #error(text: string) {
    this.#lastError = text;
    this.#log("error", text);
  }

  #log(type: "error" | "warning" | "notice", text: string) {
    const prefix = type === "error" ? "Error: " : type === "warning" ? "Warning: " : "";
    this.#broker.log(type, `${prefix}Bridge ${printable(this.name)} ${text}`);
  }

  #target(): BridgeAddress {
    return this.#settings.addresses[this.#address];
  }
}
