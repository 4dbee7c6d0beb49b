import assert from "node:assert/strict";
import type { Durability } from "../../src/store/journal.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import * as packets from "../support/packets.ts";
import { type FakeClient, World } from "../support/world.ts";
import type { Chance } from "./chance.ts";

/** A message that was published at one of two brokers. */
export interface BridgedMessage {
  readonly id: string;
  readonly from: string;
  readonly topic: string;
  readonly qos: number;
  readonly sequence: number;
  acknowledged: boolean;
}

const TOPICS = ["x/1", "x/2", "y"];

/** One of two brokers: a client that publishes there, and one that gets everything. */
export class BridgedSide {
  readonly name: string;
  store = new FaultyStore();
  world: World;
  readonly messages: Map<string, BridgedMessage>;
  readonly #durability: Durability;
  #publisher: FakeClient;
  #subscriber: FakeClient;
  readonly #copies = new Map<string, number>();
  readonly #newest = new Map<string, number>();
  /** Sent and not acknowledged, by Packet Identifier. */
  readonly #unacknowledged = new Map<number, { message: BridgedMessage; isReleased: boolean }>();
  /** Packet Identifiers of QoS 2 messages that were received and not released. */
  readonly #received = new Set<number>();
  #sequence = 0;
  #crashes = 0;

  /** @param messages of both sides, by their payload */
  constructor(name: string, messages: Map<string, BridgedMessage>, durability: Durability) {
    this.name = name;
    this.#durability = durability;
    this.messages = messages;
    this.world = this.#newWorld(Date.UTC(2026, 0, 1));
    this.#subscriber = this.#connect("subscriber");
    this.#subscriber.send(packets.subscribe(5, { filters: [["#", 2]] }));
    this.#publisher = this.#connect("publisher");
  }

  #newWorld(wallMs: number): World {
    const settings = { maxQueuedMessages: 0, maxUnsentBytes: 3000 };
    return new World({ store: this.store, durability: this.#durability, settings, wallMs });
  }

  #connect(clientId: string): FakeClient {
    const properties = packets.property(packets.Property.sessionExpiryInterval, 0xffff_ffff);
    const fields = { clientId, clean: false, keepAliveSeconds: 0, properties };
    return this.world.open(5).send(packets.connect(5, fields));
  }

  /** The process dies and is started again; both clients come back and send again. */
  crash(outcome: "written" | "lost"): void {
    this.#crashes++;
    this.store = this.store.crash(outcome);
    this.world = this.#newWorld(this.world.wallMs);
    this.#subscriber = this.#connect("subscriber");
    this.#publisher = this.#connect("publisher");
    for (const [packetId, { message, isReleased }] of this.#unacknowledged) {
      const { topic, id: payload, qos } = message;
      if (isReleased) this.#publisher.send(packets.ack("pubrel", packetId));
      else this.#publisher.publish({ topic, payload, qos, packetId, dup: true });
    }
  }

  get isIdle(): boolean {
    return this.#unacknowledged.size === 0 && !this.world.broker.journal.isWriting;
  }

  publish(chance: Chance): void {
    if (this.#unacknowledged.size >= 20) return;
    const sequence = ++this.#sequence, qos = chance.below(3);
    const id = `${this.name} ${sequence}`, topic = chance.pick(TOPICS);
    const message = { id, from: this.name, topic, qos, sequence, acknowledged: false };
    this.messages.set(id, message);
    if (qos > 0) this.#unacknowledged.set(sequence, { message, isReleased: false });
    const packetId = qos > 0 ? sequence : undefined;
    this.#publisher.publish({ topic, payload: id, qos, packetId });
  }

  /** Reads what has come, and answers it. */
  look(): void {
    const { broker } = this.world;
    const defect = this.world.log.find((line) => line.includes("a defect"));
    assert.equal(broker.counters.faults, 0, defect ?? "a defect");
    assert.deepEqual(this.world.fatal, []);
    assert.ok(!this.#publisher.isClosed && !this.#subscriber.isClosed, "a client was thrown out");
    for (const { type, packetId = 0 } of this.#publisher.receive()) {
      if (type === "pubrec") {
        this.#unacknowledged.get(packetId)!.isReleased = true;
        this.#publisher.send(packets.ack("pubrel", packetId));
      } else if (type === "puback" || type === "pubcomp") {
        this.#unacknowledged.get(packetId)!.message.acknowledged = true;
        this.#unacknowledged.delete(packetId);
      }
    }
    for (const { type, packetId = 0, qos, payload, topic } of this.#subscriber.receive()) {
      if (type === "pubrel") {
        this.#received.delete(packetId);
        this.#subscriber.send(packets.ack("pubcomp", packetId));
      }
      if (type !== "publish") continue;
      const isRepeated = qos === 2 && this.#received.has(packetId);
      if (!isRepeated) this.#delivered(new TextDecoder().decode(payload), topic!);
      if (qos === 1) this.#subscriber.send(packets.ack("puback", packetId));
      else if (qos === 2) {
        this.#received.add(packetId);
        this.#subscriber.send(packets.ack("pubrec", packetId));
      }
    }
  }

  #delivered(id: string, topic: string) {
    const message = this.messages.get(id);
    assert.ok(message, `${this.name} got "${id}", which nobody published`);
    assert.equal(topic, message.topic, `"${id}" came under another topic`);
    const copies = (this.#copies.get(id) ?? 0) + 1;
    this.#copies.set(id, copies);
    if (copies > 1) {
      // At QoS 1 it may come again from here, after a crash.
      const isForeign = message.from !== this.name || this.#crashes > 0 && message.qos === 1;
      assert.ok(isForeign, `"${id}" came back to where it was published`);
      assert.equal(message.qos, 1, `${this.name} got "${id}" twice at QoS ${message.qos}`);
      return;
    }
    const stream = `${message.from} ${topic} ${message.qos}`;
    const newest = this.#newest.get(stream) ?? 0;
    assert.ok(message.sequence > newest, `${this.name} got "${id}" of ${topic} after ${newest}`);
    this.#newest.set(stream, message.sequence);
  }

  /** Everything that was acknowledged anywhere has come here. Returns how much. */
  assertComplete(): number {
    let count = 0;
    for (const { id, acknowledged, topic, qos } of this.messages.values()) {
      if (!acknowledged) continue;
      assert.ok(this.#copies.has(id), `${this.name} never got "${id}" of ${topic}, QoS ${qos}`);
      count++;
    }
    return count;
  }
}
