import { assert } from "../assert.ts";

/** Where an outgoing message stands. */
export const InFlight = {
  None: 0,
  /** QoS 1, sent. */
  AwaitsPuback: 1,
  /** QoS 2, sent, or about to be sent once it is safe. */
  AwaitsPubrec: 2,
  /** QoS 2, released. */
  AwaitsPubcomp: 3,
} as const;

const FIRST_CAPACITY = 16, CAPACITY_MAXIMUM = 65_536;

/**
 * The Packet Identifiers in flight, each with its state and, where it has to be sent again, the
 * entry. Identifiers are given out in ascending order, so their low bits are a perfect hash until
 * one lags behind; then the ring doubles. Cost: O(1), no allocation.
 */
export class PacketWindow<E> {
  #ids = new Uint16Array(FIRST_CAPACITY);
  #states = new Uint8Array(FIRST_CAPACITY);
  #entries: (E | null)[] = new Array(FIRST_CAPACITY).fill(null);
  #mask = FIRST_CAPACITY - 1;
  #count = 0;
  #qos2Count = 0;

  get count(): number {
    return this.#count;
  }

  /** Those of QoS 2. */
  get qos2Count(): number {
    return this.#qos2Count;
  }

  state(packetId: number): number {
    const slot = packetId & this.#mask;
    return this.#ids[slot] === packetId ? this.#states[slot] : InFlight.None;
  }

  entry(packetId: number): E | null {
    const slot = packetId & this.#mask;
    return this.#ids[slot] === packetId ? this.#entries[slot] : null;
  }

  set(packetId: number, state: number, entry: E | null): void {
    let slot = packetId & this.#mask;
    while (this.#states[slot] !== InFlight.None && this.#ids[slot] !== packetId) {
      this.#grow();
      slot = packetId & this.#mask;
    }
    if (this.#states[slot] === InFlight.None) {
      this.#count++;
      if (state !== InFlight.AwaitsPuback) this.#qos2Count++;
    }
    this.#ids[slot] = packetId;
    this.#states[slot] = state;
    this.#entries[slot] = entry;
  }

  delete(packetId: number): void {
    const slot = packetId & this.#mask;
    const state = this.#states[slot];
    if (this.#ids[slot] !== packetId || state === InFlight.None) return;
    if (state !== InFlight.AwaitsPuback) this.#qos2Count--;
    this.#states[slot] = InFlight.None;
    this.#entries[slot] = null;
    this.#count--;
  }

  /** The entries in the order in which their identifiers were given out, `last` being the newest. */
  inOrder(last: number): E[] {
    const found: [age: number, entry: E][] = [];
    for (let slot = 0; slot <= this.#mask; slot++) {
      const entry = this.#entries[slot];
      if (this.#states[slot] === InFlight.None || entry === null) continue;
      found.push([last - this.#ids[slot] & 0xffff, entry]);
    }
    return found.sort((a, b) => b[0] - a[0]).map(([, entry]) => entry);
  }

  #grow() {
    const capacity = (this.#mask + 1) * 2;
    assert(capacity <= CAPACITY_MAXIMUM, "an identifier has a slot of its own at full size");
    const ids = this.#ids, states = this.#states, entries = this.#entries;
    this.#ids = new Uint16Array(capacity);
    this.#states = new Uint8Array(capacity);
    this.#entries = new Array(capacity).fill(null);
    this.#mask = capacity - 1;
    for (let slot = 0; slot < ids.length; slot++) {
      if (states[slot] === InFlight.None) continue;
      const target = ids[slot] & this.#mask;
      this.#ids[target] = ids[slot];
      this.#states[target] = states[slot];
      this.#entries[target] = entries[slot];
    }
  }
}
