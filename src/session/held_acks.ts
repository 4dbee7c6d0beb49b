import type { Entry } from "./entry.ts";

/** What is done when the commit has come. */
export interface HeldOutput {
  sendAcknowledgement(type: number, packetId: number, reason: number): void;
  /** A SUBACK or UNSUBACK, and what follows it. */
  answer(packet: Uint8Array, after: (() => void) | null): void;
  transmit(entry: Entry): void;
}

/** Bits of the packed acknowledgement: type, reason, Packet Identifier. */
const REASON_SHIFT = 16, TYPE_SHIFT = 24;

/**
 * Acknowledgements of one connection that wait for what they acknowledge to be safe, in the order
 * they were due [MQTT-4.6.0-2]. One that waits for nothing still waits for those before it.
 */
export class HeldAcks {
  /** Journal positions, ascending. */
  #positions: number[] = [];
  /** A packed acknowledgement, or what else is to be sent. */
  #items: (number | Entry | { packet: Uint8Array; after: (() => void) | null })[] = [];
  #head = 0;
  #transmissions = 0;

  get isEmpty(): boolean {
    return this.#head === this.#positions.length;
  }

  get size(): number {
    return this.#positions.length - this.#head;
  }

  /** Messages among what is held: later ones must not overtake them [MQTT-4.6.0-1]. */
  get transmissions(): number {
    return this.#transmissions;
  }

  addAcknowledgement(position: number, type: number, packetId: number, reason: number): void {
    this.#add(position, type << TYPE_SHIFT | reason << REASON_SHIFT | packetId);
  }

  addAnswer(position: number, packet: Uint8Array, after: (() => void) | null): void {
    this.#add(position, { packet, after });
  }

  addTransmission(position: number, entry: Entry): void {
    this.#transmissions++;
    this.#add(position, entry);
  }

  /** Sends what waits for positions up to `committed`. */
  release(committed: number, output: HeldOutput): void {
    const positions = this.#positions, items = this.#items;
    let head = this.#head;
    while (head < positions.length && positions[head] <= committed) {
      const item = items[head++];
      this.#head = head;
      if (typeof item === "number") {
        output.sendAcknowledgement(
          item >>> TYPE_SHIFT,
          item & 0xffff,
          item >>> REASON_SHIFT & 0xff,
        );
      } else if ("packet" in item) output.answer(item.packet, item.after);
      else {
        this.#transmissions--;
        output.transmit(item);
      }
    }
    if (this.#head === positions.length) {
      this.#positions = [];
      this.#items = [];
      this.#head = 0;
    } else if (this.#head > 1024) {
      this.#positions = positions.slice(this.#head);
      this.#items = items.slice(this.#head);
      this.#head = 0;
    }
  }

  #add(
    position: number,
    item: number | Entry | { packet: Uint8Array; after: (() => void) | null },
  ) {
    const last = this.isEmpty ? 0 : this.#positions[this.#positions.length - 1];
    this.#positions.push(Math.max(position, last));
    this.#items.push(item);
  }
}
