import assert from "node:assert/strict";
import type { ListenerSettings, Settings } from "../../src/session/ports.ts";
import type { ServerPacket } from "../support/packet_decoder.ts";
import * as packets from "../support/packets.ts";
import type { FakeClient, World } from "../support/world.ts";
import type { ChangingRights } from "./changing_rights.ts";
import { Inbox } from "./inbox.ts";
import type { Ledger } from "./ledger.ts";
import { idIn, type Message, payloadOf } from "./message.ts";
import { PendingWill } from "./pending_will.ts";
import type { PromisedSession } from "./promised_session.ts";
import { type FilterRequest, Questions } from "./questions.ts";
import { SentMessages } from "./sent_messages.ts";
import type { WireNames } from "./wire_names.ts";

export interface ConnectOptions {
  readonly clean: boolean;
  readonly expirySeconds: number;
  readonly receiveMaximum: number;
  readonly will: Message | null;
  readonly willDelaySeconds: number;
  /** Topic Aliases the broker may set; 0: none. */
  readonly topicAliasMaximum: number;
}

/** How often nothing has come until nothing is expected any more. */
const PATIENCE = 5;

/** What does not change in the life of a client. */
export interface ClientParts {
  readonly ledger: Ledger;
  readonly name: string;
  readonly version: packets.Version;
  readonly rights: ChangingRights | null;
  /** Of the broker, as they should be in force. */
  readonly settings: () => Settings;
  /** In front of all its topics; empty: nothing. */
  readonly mountPoint: string;
  /** Its Maximum Packet Size; Infinity: none. */
  readonly maximumPacketSize: number;
  /** The names of topics on one connection. */
  readonly names: (topicAliasMaximum: number) => WireNames;
  /** It may be thrown out, when memory is short. */
  readonly mayBeThrownOut: boolean;
}

/**
 * A client that keeps to the specification: resends what was not acknowledged, tells by its Packet
 * Identifier what came again at QoS 2, acknowledges in order, some time. It checks what it can see.
 */
export class HonestClient {
  readonly parts: ClientParts;
  readonly name: string;
  readonly version: packets.Version;
  readonly ledger: Ledger;
  readonly sent: SentMessages;
  state: "away" | "connecting" | "connected" = "away";
  session: PromisedSession | null = null;
  /** On the wall clock, when its connection ended. */
  awaySinceMs = 0;
  expirySeconds = 0;
  will: Message | null = null;
  /** How many CONNECTs were refused, and connections ended, for want of memory. */
  thrownOut = 0;
  #inbox: Inbox | null = null;
  #names: WireNames | null = null;
  #shortestExpirySeconds = Infinity;
  #willDelaySeconds = 0;
  readonly #pendingWill: PendingWill;
  /** It asked for a session of its own, so what is there must be new. */
  #askedClean = false;
  /** Messages the broker lets it have in flight. */
  #sendMaximum = 0;
  /** What was not acknowledged is still to be sent again. */
  #sendsAgain = false;
  #idleFor = 0;
  #packetId = 0;
  /** QoS 2 messages that were received and not released; what each was, by Packet Identifier. */
  readonly #received = new Map<number, string>();
  readonly #questions: Questions;
  #unsentAcks: { bytes: Uint8Array; frees: number }[] = [];

  constructor(parts: ClientParts) {
    this.parts = parts;
    this.ledger = parts.ledger;
    this.name = parts.name;
    this.version = parts.version;
    this.sent = new SentMessages(parts.ledger, parts.rights);
    this.#pendingWill = new PendingWill(parts.ledger);
    this.#questions = new Questions(parts.ledger, parts.name, parts.version);
  }

  get fake(): FakeClient | null {
    return this.#inbox?.fake ?? null;
  }

  get isIdle(): boolean {
    return this.sent.count === 0 && (this.#inbox?.isEmpty ?? true) &&
      this.#unsentAcks.length === 0 && this.#questions.count === 0;
  }

  get hasUnfinished(): boolean {
    return this.sent.count > 0 || this.#questions.count > 0;
  }

  get hasRoom(): boolean {
    return this.state === "connected" && !this.#sendsAgain && this.sent.count < this.#sendMaximum;
  }

  connect(world: World, listener: ListenerSettings, options: ConnectOptions): void {
    const { clean, expirySeconds, will, topicAliasMaximum } = options;
    this.look(world.wallMs);
    const wasAway = this.state === "away";
    const replaced = wasAway ? null : this.will;
    const ends = clean || this.expirySeconds === 0;
    // The old connection, if there is one, is taken over; nothing more is read from it.
    if (!wasAway) this.#connectionLost(world.wallMs);
    const awayMs = world.wallMs - this.awaySinceMs;
    // After a crash the broker may know the interval of an earlier connection only.
    const mayHaveExpired = awayMs >= this.#shortestExpirySeconds * 1000;
    if (clean || expirySeconds === 0 || mayHaveExpired) this.session?.weaken(this.ledger.moment());
    if (replaced !== null && ends) this.ledger.willDue(replaced);
    else if (replaced !== null) replaced.cancelled = true;
    this.#pendingWill.clientIsBack(ends);
    if (clean) this.#forgetSession();
    if (mayHaveExpired) this.sent.unsure();
    this.#askedClean = clean;
    this.expirySeconds = expirySeconds;
    this.#shortestExpirySeconds = Math.min(this.#shortestExpirySeconds, expirySeconds);
    const { maxInflightMessages, maxInflightBytes } = this.parts.settings();
    this.#sendMaximum = maxInflightMessages;
    this.will = will;
    this.#willDelaySeconds = options.willDelaySeconds;
    this.state = "connecting";
    this.ledger.note(
      `${this.name} > connect v${this.version} clean ${clean} expiry ${expirySeconds}`,
    );
    const names = this.#names = this.parts.names(topicAliasMaximum);
    // MQTT 3 has no word for it: there the broker's own limit holds.
    const receiveMaximum = this.version === 5 ? options.receiveMaximum : Infinity;
    this.#inbox = new Inbox(world.open(this.version, listener), this.parts, names, {
      messages: Math.min(receiveMaximum, maxInflightMessages),
      bytes: maxInflightBytes || Infinity,
    });
    this.#inbox.fake.send(this.#connectPacket(options, names));
  }

  #connectPacket(options: ConnectOptions, names: WireNames): Uint8Array {
    const { Property, property } = packets;
    const { will, willDelaySeconds } = options;
    const { maximumPacketSize } = this.parts;
    const aliases = options.topicAliasMaximum;
    return packets.connect(this.version, {
      clientId: this.name,
      clean: options.clean,
      keepAliveSeconds: 0,
      properties: [
        property(Property.sessionExpiryInterval, options.expirySeconds),
        property(Property.receiveMaximum, options.receiveMaximum),
        aliases > 0 ? property(Property.topicAliasMaximum, aliases) : [],
        maximumPacketSize < Infinity ? property(Property.maximumPacketSize, maximumPacketSize) : [],
      ],
      will: will === null ? undefined : {
        topic: names.topic(will.topic),
        payload: payloadOf(will),
        qos: will.qos,
        properties: property(Property.willDelayInterval, willDelaySeconds),
      },
    });
  }

  /** Says goodbye; with `endSession` an MQTT 5 client also ends its session. */
  disconnect(world: World, endSession: boolean): void {
    const fake = this.fake!;
    if (endSession && this.version === 5) {
      this.session?.weaken(this.ledger.moment());
      fake.send(packets.disconnect({
        reason: 0,
        properties: packets.property(packets.Property.sessionExpiryInterval, 0),
      }));
    } else fake.send(packets.disconnect());
    // While the broker does not read, the goodbye does not reach it.
    const isHeard = fake.isClosed;
    if (isHeard && endSession && this.version === 5) this.expirySeconds = 0;
    if (isHeard && this.will !== null) this.will.cancelled = true;
    if (!isHeard) fake.vanish();
    this.#lost(world.wallMs, !isHeard);
  }

  /** The connection ends without a word. */
  vanish(world: World): void {
    this.fake!.vanish();
    this.#lost(world.wallMs, true);
  }

  #lost(wallMs: number, sendsWill: boolean) {
    const { will, expirySeconds } = this;
    this.#connectionLost(wallMs);
    if (will === null || !sendsWill) return;
    this.#pendingWill.begin(will, wallMs, this.#willDelaySeconds, expirySeconds);
  }

  /** The broker's process has died; `lossMs`: it may have lost what was promised so long before. */
  crashed(lossMs: number): void {
    // It may not have kept that we came back: then we are away since we left the time before.
    if (this.state !== "away") this.#connectionLost(this.awaySinceMs);
    this.#pendingWill.crashed();
    this.awaySinceMs -= lossMs;
    if (lossMs > 0) this.sent.unsure();
  }

  /** Time has passed. */
  look(wallMs: number): void {
    this.#pendingWill.look(wallMs);
  }

  #connectionLost(wallMs: number) {
    this.ledger.note(`${this.name} has no connection any more`);
    this.state = "away";
    this.#inbox = null;
    this.#sendsAgain = false;
    this.awaySinceMs = wallMs;
    this.#unsentAcks = [];
    this.#questions.clear();
    this.will = null;
    if (this.expirySeconds === 0) {
      this.session?.weaken(this.ledger.moment());
      this.#forgetSession();
    }
  }

  #forgetSession() {
    this.sent.forget();
    this.#received.clear();
  }

  /** Other settings are in force; what was said on this connection goes on to hold. */
  settingsChanged(): void {
    this.#inbox?.settingsChanged();
  }

  // What it asks for

  /** @param identifier Subscription Identifier; 0: none */
  subscribe(requests: readonly FilterRequest[], identifier: number): void {
    const packetId = this.#nextPacketId();
    const fake = this.fake!;
    const mayBeRefused = !fake.world.broker.journal.accepting || fake.isBehind;
    const question = { type: "subscribe", requests, identifier, mayBeRefused } as const;
    this.#questions.subscribe(this.session!, packetId, question);
    const filters = requests.map(({ filter, qos, noLocal }) =>
      [this.#names!.filter(filter), qos | (noLocal ? 4 : 0)] as const
    );
    this.ledger.note(`${this.name} > subscribe ${packetId} ${filters.join(" ")}`);
    const properties = identifier === 0
      ? []
      : packets.property(packets.Property.subscriptionIdentifier, identifier);
    fake.send(packets.subscribe(this.version, { packetId, filters, properties }));
  }

  unsubscribe(filter: string): void {
    const packetId = this.#nextPacketId();
    this.#questions.unsubscribe(this.session!, packetId, filter);
    this.ledger.note(`${this.name} > unsubscribe ${packetId} ${filter}`);
    const filters = [this.#names!.filter(filter)];
    this.fake!.send(packets.unsubscribe(this.version, { packetId, filters }));
  }

  publish(message: Message): void {
    const packetId = message.qos === 0 ? 0 : this.#nextPacketId();
    this.sent.publish(this.#sender, message, packetId);
  }

  get #sender() {
    return { name: this.name, version: this.version, fake: this.fake!, names: this.#names! };
  }

  #nextPacketId(): number {
    do {
      this.#packetId = this.#packetId % 0xffff + 1;
    } while (this.sent.has(this.#packetId) || this.#questions.has(this.#packetId));
    return this.#packetId;
  }

  // What it gets

  /** Looks at what has come, and at the connection. */
  drain(): void {
    if (this.#inbox === null) return;
    this.#inbox.look();
    const { fake } = this.#inbox;
    if (!fake.isClosed) return;
    const said = fake.world.log.findLast((line) => line.includes(`Client ${this.name} `)) ?? "";
    const isForMemory = this.parts.mayBeThrownOut && /memory_limit|busy/i.test(said);
    assert.ok(isForMemory, `${this.name} was thrown out: ${said}`);
    this.thrownOut++;
    // Who was not let in is away since before.
    this.#lost(this.state === "connecting" ? this.awaySinceMs : fake.world.wallMs, true);
  }

  /** Handles some of what it has taken. */
  handle(count: number): void {
    for (let left = count; left > 0; left--) {
      const packet = this.#inbox?.next();
      if (packet === undefined) break;
      this.#handle(packet);
      this.#sendAgain();
    }
    this.#sendAgain();
  }

  /** Who may be thrown out for it first takes what waits or comes soon, and so makes room. */
  #sendAgain() {
    if (!this.#sendsAgain) return;
    const isBusy = !this.#inbox?.isEmpty || this.#unsentAcks.length > 0;
    this.#idleFor = isBusy ? 0 : this.#idleFor + 1;
    if (this.parts.mayBeThrownOut && this.#idleFor < PATIENCE) return;
    this.#sendsAgain = false;
    this.sent.sendAgain(this.#sender);
  }

  /** Sends some of the acknowledgements it owes, the oldest first. */
  acknowledge(count: number): void {
    for (const { bytes, frees } of this.#unsentAcks.splice(0, count)) {
      this.#inbox!.freed(frees);
      this.ledger.note(`${this.name} > ${bytes.join(" ")}`);
      this.fake!.send(bytes);
    }
  }

  unstick(): void {
    this.#inbox?.unstick();
  }

  #handle(packet: ServerPacket) {
    const packetId = packet.packetId ?? 0;
    switch (packet.type) {
      case "connack":
        return this.#accepted(packet);
      case "publish":
        return this.#published(packet);
      case "pubrel":
        this.#received.delete(packetId);
        return void this.#unsentAcks.push({
          bytes: packets.ack("pubcomp", packetId),
          frees: packetId,
        });
      case "puback":
      case "pubcomp":
        return this.sent.finished(packetId, packet);
      case "pubrec":
        return this.sent.pubrec(this.#sender, packetId, packet, this.session!);
      case "suback":
        return this.#questions.subscribed(
          this.session!,
          packetId,
          packet.reasons!,
          this.expirySeconds > 0,
        );
      case "unsuback":
        return this.#questions.unsubscribed(this.session!, packetId);
      default: {
        // Quota exceeded: looked at when the connection is found to be closed.
        const isForMemory = packet.type === "disconnect" && packet.reason === 0x97;
        const isExpected = isForMemory && this.parts.mayBeThrownOut;
        assert.ok(isExpected, `${this.name} got ${packet.type}, reason ${packet.reason}`);
      }
    }
  }

  #accepted(packet: ServerPacket) {
    // Server busy, in the words of both versions: the connection ends.
    const isBusy = packet.reason === (this.version === 5 ? 0x89 : 3);
    if (isBusy && this.parts.mayBeThrownOut) return;
    assert.equal(packet.reason, 0, `${this.name} was refused`);
    assert.ok(!(this.#askedClean && packet.sessionPresent), `${this.name}: a clean start is not`);
    this.state = "connected";
    // MQTT 3.1 does not say whether there is a session: who asked for his own takes it to be there.
    const isPresent = this.version === 3 ? !this.#askedClean : packet.sessionPresent;
    if (!isPresent) {
      const lost = this.session !== null && this.session.acknowledged.size > 0;
      assert.ok(!lost, `${this.name} has lost its session and its subscriptions`);
      this.#forgetSession();
    }
    // A session may be there though its CONNACK was never read.
    if (!isPresent || this.session === null) {
      this.session = this.ledger.newSession(this.name);
      this.#shortestExpirySeconds = this.expirySeconds;
    }
    this.#sendsAgain = true;
  }

  #published(packet: ServerPacket) {
    const { packetId = 0, topic = "", retain = false, qos = 0, properties } = packet;
    const id = idIn(packet.payload), session = this.session!;
    const before = qos === 2 ? this.#received.get(packetId) : undefined;
    // An identifier given out anew is taken for a repetition: after a crash that may lose the last ones,
    // or by a new session whose CONNACK the client has not read.
    const message = this.ledger.message(id);
    const mayBeAnew = session.hauntedUntil > 0 || !session.isExact;
    if (before !== undefined && before !== id && mayBeAnew && message) session.excuse(message);
    // An empty message, which removes what is retained, does not say whose it is.
    if (before === undefined && id !== "") {
      const identifiers = properties.filter(([property]) =>
        property === packets.Property.subscriptionIdentifier
      ).map(([, value]) => value as number);
      this.ledger.delivered(session, { id, topic, qos, retain, identifiers });
    }
    if (qos === 1) {
      this.#unsentAcks.push({ bytes: packets.ack("puback", packetId), frees: packetId });
    } else if (qos === 2) {
      if (before === undefined) this.#received.set(packetId, id);
      this.#unsentAcks.push({ bytes: packets.ack("pubrec", packetId), frees: 0 });
    }
  }
}
