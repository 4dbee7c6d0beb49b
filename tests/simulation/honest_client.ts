import assert from "node:assert/strict";
import type { ServerPacket } from "../support/packet_decoder.ts";
import * as packets from "../support/packets.ts";
import type { FakeClient, World } from "../support/world.ts";
import type { Ledger, Message, PromisedSession } from "./ledger.ts";

/** The broker's Receive Maximum in this simulation. */
export const BROKER_RECEIVE_MAXIMUM = 20;

/** A message sent and not yet finished. */
interface Outgoing {
  readonly message: Message;
  readonly bytes: (dup: boolean) => Uint8Array;
  released: boolean;
  /** False: the broker may have ended the session in which it was sent, and answers for a new one. */
  isSure: boolean;
}

export interface ConnectOptions {
  readonly clean: boolean;
  readonly expirySeconds: number;
  readonly receiveMaximum: number;
  readonly will: Message | null;
  readonly willDelaySeconds: number;
}

/** What a client asked for and has no answer to. */
type Question =
  | {
    readonly type: "subscribe";
    readonly filters: readonly (readonly [string, number])[];
    /** The store did not work, so that the broker may say no. */
    readonly mayBeRefused: boolean;
  }
  | { readonly type: "unsubscribe"; readonly filter: string };

/**
 * A client that keeps to the specification: resends what was not acknowledged, tells by its Packet
 * Identifier what came again at QoS 2, acknowledges in order, some time. It checks what it can see.
 */
export class HonestClient {
  readonly name: string;
  readonly version: packets.Version;
  readonly ledger: Ledger;
  state: "away" | "connecting" | "connected" = "away";
  fake: FakeClient | null = null;
  session: PromisedSession | null = null;
  /** On the wall clock, when its connection ended. */
  awaySinceMs = 0;
  expirySeconds = 0;
  will: Message | null = null;
  #shortestExpirySeconds = Infinity;
  #willDelaySeconds = 0;
  /** It asked for a session of its own, so what is there must be new. */
  #askedClean = false;
  #receiveMaximum = 0;
  #packetId = 0;
  readonly #outgoing = new Map<number, Outgoing>();
  /** Identifiers of QoS 2 messages that were received and not released. */
  readonly #received = new Set<number>();
  readonly #questions = new Map<number, Question>();
  #inbox: ServerPacket[] = [];
  #unsentAcks: { bytes: Uint8Array; frees: number }[] = [];
  /** Identifiers of messages the broker has in flight to us on this connection. */
  #inFlight = new Set<number>();

  constructor(ledger: Ledger, name: string, version: packets.Version) {
    this.ledger = ledger;
    this.name = name;
    this.version = version;
  }

  get isIdle(): boolean {
    return this.#outgoing.size === 0 && this.#inbox.length === 0 &&
      this.#unsentAcks.length === 0 && this.#questions.size === 0;
  }

  get hasUnfinished(): boolean {
    return this.#outgoing.size > 0 || this.#questions.size > 0;
  }

  get hasRoom(): boolean {
    return this.#outgoing.size < BROKER_RECEIVE_MAXIMUM;
  }

  connect(world: World, options: ConnectOptions): void {
    // The old connection, if there is one, is taken over; nothing more is read from it.
    if (this.state !== "away") this.#connectionLost(world.wallMs);
    const { clean, expirySeconds, will } = options;
    const awayMs = world.wallMs - this.awaySinceMs;
    // After a crash the broker may know the interval of an earlier connection only.
    const mayHaveExpired = awayMs >= this.#shortestExpirySeconds * 1000;
    if (clean || expirySeconds === 0 || mayHaveExpired) this.session?.weaken();
    if (clean) this.#forgetSession();
    if (mayHaveExpired) { for (const outgoing of this.#outgoing.values()) outgoing.isSure = false; }
    this.#askedClean = clean;
    this.expirySeconds = expirySeconds;
    this.#shortestExpirySeconds = Math.min(this.#shortestExpirySeconds, expirySeconds);
    // MQTT 3 has no word for it: there the broker's own limit holds.
    const receiveMaximum = this.version === 5 ? options.receiveMaximum : Infinity;
    this.#receiveMaximum = Math.min(receiveMaximum, BROKER_RECEIVE_MAXIMUM);
    this.will = will;
    this.#willDelaySeconds = options.willDelaySeconds;
    this.state = "connecting";
    this.ledger.note(
      `${this.name} > connect v${this.version} clean ${clean} expiry ${expirySeconds}`,
    );
    this.fake = world.open(this.version);
    this.fake.send(packets.connect(this.version, {
      clientId: this.name,
      clean,
      keepAliveSeconds: 0,
      properties: [
        packets.property(packets.Property.sessionExpiryInterval, expirySeconds),
        packets.property(packets.Property.receiveMaximum, options.receiveMaximum),
      ],
      will: will === null ? undefined : {
        topic: will.topic,
        payload: will.id,
        qos: will.qos,
        properties: packets.property(
          packets.Property.willDelayInterval,
          options.willDelaySeconds,
        ),
      },
    }));
  }

  /** Says goodbye; with `endSession` an MQTT 5 client also ends its session. */
  disconnect(world: World, endSession: boolean): void {
    const fake = this.fake!;
    if (endSession && this.version === 5) {
      this.session?.weaken();
      this.expirySeconds = 0;
      fake.send(packets.disconnect({
        reason: 0,
        properties: packets.property(packets.Property.sessionExpiryInterval, 0),
      }));
    } else fake.send(packets.disconnect());
    // While the broker does not read, the goodbye does not reach it.
    if (fake.isClosed && this.will !== null) this.will.cancelled = true;
    if (!fake.isClosed) fake.vanish();
    this.#connectionLost(world.wallMs);
  }

  /** The connection ends without a word. */
  vanish(world: World): void {
    const { will } = this;
    if (will !== null && this.state === "connected" && this.#willDelaySeconds === 0) {
      this.ledger.willDue(will);
    }
    this.fake!.vanish();
    this.#connectionLost(world.wallMs);
  }

  /** The broker's process has died. */
  crashed(): void {
    // It may not have kept that we came back: then we are away since we left the time before.
    if (this.state !== "away") this.#connectionLost(this.awaySinceMs);
  }

  #connectionLost(wallMs: number) {
    this.ledger.note(`${this.name} has no connection any more`);
    this.state = "away";
    this.fake = null;
    this.awaySinceMs = wallMs;
    this.#inbox = [];
    this.#unsentAcks = [];
    this.#inFlight.clear();
    this.#questions.clear();
    this.will = null;
    if (this.expirySeconds === 0) {
      this.session?.weaken();
      this.#forgetSession();
    }
  }

  #forgetSession() {
    for (const { message } of this.#outgoing.values()) message.doneAt = this.ledger.moment();
    this.#outgoing.clear();
    this.#received.clear();
  }

  // What it asks for

  subscribe(filters: readonly (readonly [string, number])[]): void {
    const session = this.session!;
    for (const [filter] of filters) {
      session.acknowledged.delete(filter);
      session.asked.push({ filter, from: this.ledger.moment(), until: Infinity });
    }
    const packetId = this.#nextPacketId();
    const mayBeRefused = !this.fake!.world.broker.journal.accepting || this.fake!.isPaused;
    this.#questions.set(packetId, { type: "subscribe", filters, mayBeRefused });
    this.ledger.note(`${this.name} > subscribe ${packetId} ${filters.join(" ")}`);
    this.fake!.send(packets.subscribe(this.version, { packetId, filters }));
  }

  unsubscribe(filter: string): void {
    this.session!.acknowledged.delete(filter);
    const packetId = this.#nextPacketId();
    this.#questions.set(packetId, { type: "unsubscribe", filter });
    this.ledger.note(`${this.name} > unsubscribe ${packetId} ${filter}`);
    this.fake!.send(packets.unsubscribe(this.version, { packetId, filters: [filter] }));
  }

  publish(message: Message): void {
    const { qos } = message;
    const packetId = qos === 0 ? undefined : this.#nextPacketId();
    const bytes = (dup: boolean) =>
      packets.publish(this.version, {
        topic: message.topic,
        payload: message.empty ? "" : message.id,
        qos,
        dup,
        retain: message.retain,
        packetId,
        properties: message.expires
          ? packets.property(packets.Property.messageExpiryInterval, 2)
          : [],
      });
    if (packetId !== undefined) {
      this.#outgoing.set(packetId, { message, bytes, released: false, isSure: true });
    }
    this.#sendPublish(message, bytes(false));
    if (qos === 0 && !this.fake!.isPaused) message.doneAt = this.ledger.moment();
  }

  #sendPublish(message: Message, bytes: Uint8Array) {
    this.ledger.note(`${this.name} > publish ${message.topic} ${message.qos} ${message.id}`);
    // Without a working store the broker refuses what it cannot keep, and MQTT 3 has no word for it.
    if (!this.fake!.world.broker.journal.accepting) message.unordered = true;
    this.fake!.send(bytes);
  }

  #nextPacketId(): number {
    do {
      this.#packetId = this.#packetId % 0xffff + 1;
    } while (this.#outgoing.has(this.#packetId) || this.#questions.has(this.#packetId));
    return this.#packetId;
  }

  // What it gets

  /** Takes what has come from the socket, and checks what is in flight. */
  drain(): void {
    if (this.fake === null) return;
    for (const packet of this.fake.receive()) {
      this.#inbox.push(packet);
      this.#note("<", packet);
      if (packet.type !== "publish" || packet.qos === 0) continue;
      const { packetId } = packet;
      assert.ok(packetId, `${this.name} got Packet Identifier 0 [MQTT-2.2.1-3]`);
      assert.ok(!this.#inFlight.has(packetId), `${this.name}: ${packetId} is in flight twice`);
      this.#inFlight.add(packetId);
      const count = this.#inFlight.size;
      assert.ok(
        count <= this.#receiveMaximum,
        `${this.name}: ${count} in flight, Receive Maximum ${this.#receiveMaximum}`,
      );
    }
    assert.ok(!this.fake.isClosed, `${this.name} was thrown out: ${this.fake.world.log.at(-1)}`);
  }

  /** Handles some of what it has taken. */
  handle(count: number): void {
    for (let left = count; left > 0 && this.#inbox.length > 0; left--) {
      this.#handle(this.#inbox.shift()!);
    }
  }

  /** Sends some of the acknowledgements it owes, the oldest first. */
  acknowledge(count: number): void {
    for (const { bytes, frees } of this.#unsentAcks.splice(0, count)) {
      this.#inFlight.delete(frees);
      this.ledger.note(`${this.name} > ${bytes.join(" ")}`);
      this.fake!.send(bytes);
    }
  }

  #note(direction: string, packet: ServerPacket) {
    const { type, packetId, topic, qos, payload, sessionPresent, reason } = packet;
    const text = payload === undefined ? undefined : new TextDecoder().decode(payload);
    const fields = [packetId, topic, qos, text, sessionPresent, reason];
    const said = fields.filter((field) => field !== undefined).join(" ");
    this.ledger.note(`${this.name} ${direction} ${type} ${said}`);
  }

  #handle(packet: ServerPacket) {
    this.#note("reads", packet);
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
        return this.#finished(packetId, packet);
      case "pubrec":
        return this.#pubrec(packetId, packet);
      case "suback":
        return this.#subscribed(packetId, packet);
      case "unsuback":
        return this.#unsubscribed(packetId);
      default:
        assert.fail(`${this.name} got ${packet.type}, reason ${packet.reason}`);
    }
  }

  #accepted(packet: ServerPacket) {
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
    for (const [id, { message, bytes, released }] of this.#outgoing) {
      if (released) this.fake!.send(packets.ack("pubrel", id));
      else this.#sendPublish(message, bytes(true));
    }
  }

  #published(packet: ServerPacket) {
    const { packetId = 0, topic = "", retain = false, qos = 0 } = packet;
    const id = new TextDecoder().decode(packet.payload);
    const isRepeated = qos === 2 && this.#received.has(packetId);
    // An empty message, which removes what is retained, does not say whose it is.
    if (!isRepeated && id !== "") {
      this.ledger.delivered(this.session!, { id, topic, qos, retain });
    }
    if (qos === 1) {
      this.#unsentAcks.push({ bytes: packets.ack("puback", packetId), frees: packetId });
    } else if (qos === 2) {
      this.#received.add(packetId);
      this.#unsentAcks.push({ bytes: packets.ack("pubrec", packetId), frees: 0 });
    }
  }

  #finished(packetId: number, packet: ServerPacket) {
    const outgoing = this.#outgoing.get(packetId);
    if (outgoing === undefined) return;
    const { message, released, isSure } = outgoing;
    const expected = message.qos === 1 ? "puback" : "pubcomp";
    assert.ok(packet.type === expected && released === (message.qos === 2), "out of turn");
    this.#outgoing.delete(packetId);
    if ((packet.reason ?? 0) < 0x80 && isSure) this.ledger.acknowledged(message);
    else message.doneAt = this.ledger.moment();
  }

  #pubrec(packetId: number, packet: ServerPacket) {
    const outgoing = this.#outgoing.get(packetId);
    assert.ok(outgoing?.message.qos === 2, `${this.name} got PUBREC ${packetId} out of turn`);
    if ((packet.reason ?? 0) >= 0x80) {
      this.#outgoing.delete(packetId);
      outgoing.message.doneAt = this.ledger.moment();
      this.session!.hasRefused = true;
      return;
    }
    outgoing.released = true;
    outgoing.message.routedFrom = Math.min(outgoing.message.routedFrom, this.ledger.moment());
    if (!this.fake!.world.broker.journal.accepting) outgoing.message.unordered = true;
    this.fake!.send(packets.ack("pubrel", packetId));
  }

  #subscribed(packetId: number, packet: ServerPacket) {
    const question = this.#answered(packetId, "subscribe");
    question.filters.forEach(([filter], index) => {
      const qos = packet.reasons![index];
      if (qos === (this.version === 5 ? 0x97 : 0x80) && question.mayBeRefused) return;
      assert.ok(qos <= 2, `${this.name} may not subscribe to ${filter}: ${qos}`);
      // Asked for again meanwhile, or a session that ends with its connection: nothing is promised.
      const isLast = ![...this.#questions.values()].some((later) => concerns(later, filter));
      if (!isLast || this.expirySeconds === 0) return;
      this.session!.acknowledged.set(filter, { qos, at: this.ledger.moment() });
    });
  }

  #unsubscribed(packetId: number) {
    const { filter } = this.#answered(packetId, "unsubscribe");
    if ([...this.#questions.values()].some((later) => concerns(later, filter))) return;
    for (const asked of this.session!.asked) {
      if (asked.filter === filter) asked.until = Math.min(asked.until, this.ledger.moment());
    }
  }

  #answered<T extends Question["type"]>(packetId: number, type: T): Question & { type: T } {
    const question = this.#questions.get(packetId);
    assert.ok(question?.type === type, `${this.name} got an answer to nothing: ${packetId}`);
    this.#questions.delete(packetId);
    return question as Question & { type: T };
  }
}

function concerns(question: Question, filter: string): boolean {
  return question.type === "unsubscribe"
    ? question.filter === filter
    : question.filters.some(([one]) => one === filter);
}
