import type { Broker } from "../broker/broker.ts";
import type { Deadline, Link } from "../session/ports.ts";
import { routeUnreleased } from "../session/publishing.ts";
import type { ConnackPacket } from "../wire/connack_packet.ts";
import type { Qos } from "../wire/publish.ts";
import { Backoff } from "./backoff.ts";
import { BridgeConnection, type BridgeOwner } from "./bridge_connection.ts";
import { BridgeNames } from "./bridge_names.ts";
import { refusalText } from "./connack_text.ts";
import { BridgeReport } from "./bridge_report.ts";
import type { BridgeStatus } from "./bridge_status.ts";
import type { Links } from "./links.ts";
import { Notifications } from "./notifications.ts";
import { Offer } from "./offer.ts";
import { PrimaryProbe } from "./primary_probe.ts";
import { keepToLimits, maximumQosOf } from "./remote_limits.ts";
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
  readonly report: BridgeReport;
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
  readonly #probe: PrimaryProbe;
  #offer: Offer;
  #notifications: Notifications;
  /** Messages in both directions when a lazy bridge last looked, and when they last changed. */
  #traffic = 0;
  #trafficAtMs = 0;

  constructor(settings: BridgeSettings, ports: BridgePorts) {
    this.report = new BridgeReport(settings.name, ports.broker);
    this.#settings = settings;
    this.#ports = ports;
    this.#probe = new PrimaryProbe(ports.links);
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
    const { report } = this;
    const connection = this.#state.name === "connected" ? this.#state.connection : null;
    return {
      name: this.name,
      state: this.#state.name,
      connected: connection !== null,
      address: addressText(this.#target()),
      queued: this.#subscriptions.waiting,
      sent: report.sent(connection),
      received: report.received(connection),
      dropped: report.dropped + this.#subscriptions.dropped,
      connects: report.connects,
      lastError: report.lastError,
    };
  }

  /** Begins its work: connects at once, or when enough waits. */
  start(): void {
    const { startType, localCleanSession } = this.#settings;
    this.#notifications.tellHere("0", this.#subscriptions.session);
    if (!localCleanSession) this.#subscriptions.open();
    if (startType !== "lazy") return this.#connect();
    if (localCleanSession) {
      this.report.warning("is lazy and keeps nothing while it is down: it will not connect");
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
      this.report.notice(`has been idle for ${idleTimeoutSeconds} s, disconnecting`);
      this.#leave({ name: "idle" });
      return Infinity;
    }
    return nowMs + LOOK_MS;
  }

  /** [round_robin] While another address than the first is in use, the first is looked at. */
  #lookForPrimary(nowMs: number): number {
    if (this.#address === 0 || this.#settings.roundRobin) return Infinity;
    return this.#probe.look(nowMs, this.#settings, () => {
      const [primary] = this.#settings.addresses;
      this.report.notice(`goes back to ${addressText(primary)}`);
      this.#leave({ name: "stopped" });
      this.#address = 0;
      this.#connect();
    });
  }

  // Connecting

  #connect() {
    if (this.#pending !== null) this.#adopt(this.#pending);
    const settings = this.#settings;
    // Again: somebody may have ended the session from outside.
    if (!settings.localCleanSession) this.#subscriptions.open();
    const address = this.#target();
    this.report.connecting(addressText(address));
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
    keepToLimits(connection, connack, {
      inflight: this.#broker.settings.maxInflightMessages,
      qos1Inflight: this.#settings.qos1Inflight,
      maxTopicAlias: this.#settings.maxTopicAlias,
      retains: this.#offer.retains,
    });
    connection.accepted();
    this.#become({ name: "connected", connection, sinceMs: this.#broker.nowMs });
    this.report.connected(addressText(this.#target()));
    this.#begin(connection, connack);
  }

  /** The remote broker says no: perhaps yes to something else, then at once. */
  #refused(connection: BridgeConnection, connack: ConnackPacket) {
    const other = this.#offer.lower(connack);
    const text = `Connection Refused: ${refusalText(connack)}`;
    this.#state = { name: "stopped" };
    connection.close({ sendWill: false });
    if (other === null) return this.#failed(text);
    this.report.notice(`${text}. Trying again ${other}`);
    this.#connect();
  }

  /** The connection is up: takes up the session, and asks for what is to come in. */
  #begin(connection: BridgeConnection, connack: ConnackPacket) {
    const broker = this.#broker;
    const maximumQos = maximumQosOf(connack);
    const session = this.#subscriptions.open(maximumQos);
    broker.sessions.resume(session, connection);
    this.#traffic = 0;
    this.#trafficAtMs = broker.nowMs;
    this.#probe.begin(broker.nowMs);
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
    this.report.subscriptionRefused(filter, reason);
  }

  // Disconnecting

  ended(connection: BridgeConnection, text: string | undefined): void {
    this.report.ended(connection);
    const state = this.#state;
    if (!("connection" in state) || state.connection !== connection) return;
    const address = addressText(this.#target());
    const why = text ?? "disconnected";
    if (state.name !== "connected") {
      return this.#failed(`cannot connect to ${address}: ${why}`);
    }
    if (this.#backoff.lasted(this.#broker.nowMs - state.sinceMs)) {
      this.report.notice("connection was stable enough, resetting backoff");
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
    this.report.error(text);
    this.report.overflown(this.#subscriptions.dropped);
    this.#address = (this.#address + 1) % this.#settings.addresses.length;
    if (this.#settings.startType === "once") return this.#become({ name: "stopped" });
    const delayMs = this.#backoff.nextMs();
    this.report.notice(`next backoff will be ${delayMs} ms`);
    this.#become({ name: "waiting", untilMs: this.#broker.nowMs + delayMs });
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
    if (state.name !== "connected") this.#probe.end();
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

  #target(): BridgeAddress {
    return this.#settings.addresses[this.#address];
  }
}
