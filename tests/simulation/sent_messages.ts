import assert from "node:assert/strict";
import type { ServerPacket } from "../support/packet_decoder.ts";
import * as packets from "../support/packets.ts";
import type { FakeClient } from "../support/world.ts";
import type { ChangingRights } from "./changing_rights.ts";
import type { Ledger } from "./ledger.ts";
import { type Message, payloadOf } from "./message.ts";
import type { PromisedSession } from "./promised_session.ts";
import type { WireNames } from "./wire_names.ts";

/** A message sent and not yet finished. */
interface Outgoing {
  readonly message: Message;
  released: boolean;
  /** False: the broker may have ended the session in which it was sent, or may have refused it. */
  isSure: boolean;
}

/** The connection on which messages are sent. */
export interface Sender {
  readonly name: string;
  readonly version: packets.Version;
  readonly fake: FakeClient;
  readonly names: WireNames;
}

/** What a client publishes, until the broker has taken it; sent again on each new connection. */
export class SentMessages {
  readonly #ledger: Ledger;
  readonly #rights: ChangingRights | null;
  readonly #outgoing = new Map<number, Outgoing>();

  constructor(ledger: Ledger, rights: ChangingRights | null) {
    this.#ledger = ledger;
    this.#rights = rights;
  }

  get count(): number {
    return this.#outgoing.size;
  }

  has(packetId: number): boolean {
    return this.#outgoing.has(packetId);
  }

  publish(sender: Sender, message: Message, packetId: number): void {
    const outgoing = { message, released: false, isSure: true };
    if (message.qos > 0) this.#outgoing.set(packetId, outgoing);
    this.#send(sender, outgoing, packetId, false);
    if (message.qos === 0 && !sender.fake.isBehind) message.doneAt = this.#ledger.moment();
  }

  /** A new connection to the same session. */
  sendAgain(sender: Sender): void {
    for (const [packetId, outgoing] of this.#outgoing) {
      if (outgoing.released) sender.fake.send(packets.ack("pubrel", packetId));
      else this.#send(sender, outgoing, packetId, true);
    }
  }

  #send(sender: Sender, outgoing: Outgoing, packetId: number, dup: boolean) {
    const { fake, name, version } = sender;
    const { message } = outgoing;
    const { qos, retain, expirySeconds } = message;
    this.#ledger.note(`${name} > publish ${message.topic} ${qos} ${message.id}`);
    // Without a working store the broker refuses what it cannot keep: now, or when it reads on. MQTT 3
    // has no word for it.
    if (!fake.world.broker.journal.accepting || fake.isBehind) message.unordered = true;
    const isAllowed = this.#rights?.mayWrite(name, message.topic) ?? true;
    if (isAllowed || fake.isBehind) message.wasAllowed = true;
    if (!isAllowed) message.unordered = true;
    outgoing.isSure &&= isAllowed;
    const { wallMs } = fake.world;
    message.firstSentMs = Math.min(message.firstSentMs, wallMs);
    message.lastSentMs = fake.isBehind ? Infinity : wallMs;
    const { topic, properties } = sender.names.outgoing(message.topic);
    if (expirySeconds > 0) {
      properties.push(packets.property(packets.Property.messageExpiryInterval, expirySeconds));
    }
    fake.send(packets.publish(version, {
      topic,
      payload: payloadOf(message),
      qos,
      dup: dup && qos > 0,
      retain,
      packetId: qos > 0 ? packetId : undefined,
      properties,
    }));
    // What is left unread is handled nobody knows when.
    if (fake.isBehind) message.lastSentMs = Infinity;
  }

  /** What the client may write has changed: what is not read yet may be taken, or not. */
  rightsChanged(isBehind: boolean): void {
    for (const outgoing of this.#outgoing.values()) {
      outgoing.isSure = false;
      outgoing.message.unordered = true;
      if (isBehind) outgoing.message.wasAllowed = true;
    }
  }

  /** The session may have ended, or has gone back in time. */
  unsure(): void {
    for (const outgoing of this.#outgoing.values()) outgoing.isSure = false;
  }

  /** The session is given up. */
  forget(): void {
    for (const { message } of this.#outgoing.values()) message.doneAt = this.#ledger.moment();
    this.#outgoing.clear();
  }

  /** PUBACK or PUBCOMP. */
  finished(packetId: number, packet: ServerPacket): void {
    const outgoing = this.#outgoing.get(packetId);
    if (outgoing === undefined) return;
    const { message, released, isSure } = outgoing;
    const expected = message.qos === 1 ? "puback" : "pubcomp";
    assert.ok(packet.type === expected && released === (message.qos === 2), "out of turn");
    this.#outgoing.delete(packetId);
    if ((packet.reason ?? 0) < 0x80 && isSure) this.#ledger.acknowledged(message);
    else message.doneAt = this.#ledger.moment();
  }

  pubrec(sender: Sender, packetId: number, packet: ServerPacket, session: PromisedSession): void {
    const outgoing = this.#outgoing.get(packetId);
    assert.ok(outgoing?.message.qos === 2, `${sender.name} got PUBREC ${packetId} out of turn`);
    const { message } = outgoing;
    if ((packet.reason ?? 0) >= 0x80) {
      this.#outgoing.delete(packetId);
      message.doneAt = this.#ledger.moment();
      session.hasRefused = true;
      return;
    }
    outgoing.released = true;
    message.routedFrom = Math.min(message.routedFrom, this.#ledger.moment());
    if (!sender.fake.world.broker.journal.accepting) message.unordered = true;
    sender.fake.send(packets.ack("pubrel", packetId));
  }
}
