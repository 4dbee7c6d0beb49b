import assert from "node:assert/strict";
import type { ServerPacket } from "../support/packet_decoder.ts";
import { Property } from "../support/packets.ts";
import type { FakeClient } from "../support/world.ts";
import type { ClientParts } from "./honest_client.ts";
import { idIn, type Message } from "./message.ts";
import type { WireNames } from "./wire_names.ts";

/** How much the broker may have in flight to a client. */
export interface InFlightLimits {
  readonly messages: number;
  readonly bytes: number;
}

/** What a connection has brought and its client has not handled; looked at when it comes. */
export class Inbox {
  readonly fake: FakeClient;
  readonly #parts: ClientParts;
  readonly #names: WireNames;
  readonly #limits: InFlightLimits;
  readonly #packets: ServerPacket[] = [];
  /** Payload sizes of messages in flight, by Packet Identifier. */
  readonly #inFlight = new Map<number, number>();
  /** What comes now was written before. */
  #isLate = false;
  #countsBytes = true;

  constructor(fake: FakeClient, parts: ClientParts, names: WireNames, limits: InFlightLimits) {
    this.fake = fake;
    this.#parts = parts;
    this.#names = names;
    this.#limits = limits;
    const flush = fake.flush.bind(fake);
    fake.flush = () => {
      flush();
      this.look();
    };
  }

  get isEmpty(): boolean {
    return this.#packets.length === 0;
  }

  next(): ServerPacket | undefined {
    const packet = this.#packets.shift();
    if (packet !== undefined) this.#note("reads", packet);
    return packet;
  }

  /** The client has acknowledged the message; 0: none. */
  freed(packetId: number): void {
    this.#inFlight.delete(packetId);
  }

  /** The client reads again what has been waiting. */
  unstick(): void {
    this.#isLate = true;
    this.fake.unstick();
    this.#isLate = false;
  }

  settingsChanged(): void {
    this.#countsBytes = false;
  }

  /** Takes what has come from the socket. */
  look(): void {
    for (const packet of this.fake.receive()) {
      this.#note("<", packet);
      const { name, maximumPacketSize } = this.#parts;
      const { length } = packet.raw;
      assert.ok(
        length <= maximumPacketSize,
        `${name} got ${length} bytes, its Maximum Packet Size is ${maximumPacketSize}`,
      );
      this.#packets.push(packet.type === "publish" ? this.#published(packet) : packet);
    }
  }

  #published(packet: ServerPacket): ServerPacket {
    const { name, rights, ledger } = this.#parts;
    const topic = this.#names.incoming(packet);
    const message = ledger.message(idIn(packet.payload));
    if (message !== undefined) this.#assertInTime(packet, message);
    const isReadable = this.#isLate || (rights?.mayRead(name, topic) ?? true);
    assert.ok(isReadable, `${name} got a message of ${topic}, which it may not read`);
    if (packet.qos !== 0) this.#assertQuota(packet);
    return { ...packet, topic };
  }

  /** [MQTT-3.3.2-5], [MQTT-3.3.2-6]: what has expired is not sent, and the rest is told what is left. */
  #assertInTime({ properties, dup, retain }: ServerPacket, message: Message) {
    const left = properties.find(([id]) => id === Property.messageExpiryInterval)?.[1];
    const { expirySeconds, firstSentMs, lastSentMs } = message;
    const who = `${this.#parts.name} got "${message.id}"`;
    if (left !== undefined) assert.ok(expirySeconds > 0, `${who} with an interval of its own`);
    // A Will's time begins nobody knows when.
    if (expirySeconds === 0 || this.#isLate || firstSentMs === Infinity) return;
    const { wallMs } = this.fake.world;
    const passed = (sentMs: number) => Math.ceil(expirySeconds - (wallMs - sentMs) / 1000);
    const most = Math.min(expirySeconds, passed(lastSentMs === Infinity ? wallMs : lastSentMs));
    // What was sent before is sent again, expired or not.
    const isLate = most <= 0 && !dup;
    assert.ok(!isLate, `${who} after it had expired${retain ? ", retained" : ""}`);
    if (this.#parts.version !== 5) return;
    const least = Math.max(dup ? 0 : 1, passed(firstSentMs));
    const isRight = typeof left === "number" && left >= least && left <= Math.max(most, 0);
    assert.ok(isRight, `${who}, Message Expiry Interval ${left} of ${least} to ${most}`);
  }

  #assertQuota({ packetId, payload }: ServerPacket) {
    const { name } = this.#parts;
    assert.ok(packetId, `${name} got Packet Identifier 0 [MQTT-2.2.1-3]`);
    assert.ok(!this.#inFlight.has(packetId), `${name}: ${packetId} is in flight twice`);
    this.#inFlight.set(packetId, payload!.length);
    const count = this.#inFlight.size, { messages, bytes } = this.#limits;
    assert.ok(count <= messages, `${name}: ${count} in flight, Receive Maximum ${messages}`);
    if (count === 1 || !this.#countsBytes) return;
    const sum = [...this.#inFlight.values()].reduce((one, other) => one + other);
    assert.ok(sum <= bytes, `${name}: ${sum} bytes in flight, max_inflight_bytes ${bytes}`);
  }

  #note(direction: string, packet: ServerPacket) {
    const { type, packetId, topic, qos, payload, sessionPresent, reason } = packet;
    const text = payload === undefined ? undefined : idIn(payload);
    const fields = [packetId, topic, qos, text, sessionPresent, reason];
    const said = fields.filter((field) => field !== undefined).join(" ");
    this.#parts.ledger.note(`${this.#parts.name} ${direction} ${type} ${said}`);
  }
}
