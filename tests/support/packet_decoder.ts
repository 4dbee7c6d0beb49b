import { propertyKinds, type PropertyValue, type Version } from "./packets.ts";

/** The packets a server sends. */
export type ServerPacketType =
  | "connack"
  | "publish"
  | "puback"
  | "pubrec"
  | "pubrel"
  | "pubcomp"
  | "suback"
  | "unsuback"
  | "pingresp"
  | "disconnect"
  | "auth";

/** A packet from a server; which fields there are depends on its type. */
export interface ServerPacket {
  readonly type: ServerPacketType;
  /** The low four bits of the first byte. */
  readonly flags: number;
  /** The whole packet. */
  readonly raw: Uint8Array;
  /** In the order they came; empty for MQTT 3. */
  readonly properties: readonly (readonly [id: number, value: PropertyValue])[];
  readonly sessionPresent?: boolean;
  /** Reason code or return code; 0 where MQTT 5 lets it be left out. */
  readonly reason?: number;
  /** Of SUBACK and UNSUBACK. */
  readonly reasons?: readonly number[];
  readonly packetId?: number;
  readonly topic?: string;
  readonly payload?: Uint8Array;
  readonly qos?: number;
  readonly dup?: boolean;
  readonly retain?: boolean;
}

const types: readonly (ServerPacketType | undefined)[] = [
  undefined,
  undefined,
  "connack",
  "publish",
  "puback",
  "pubrec",
  "pubrel",
  "pubcomp",
  undefined,
  "suback",
  undefined,
  "unsuback",
  undefined,
  "pingresp",
  "disconnect",
  "auth",
];

/** Takes the complete packets off the front of `bytes`; a server's malformed packet throws. */
export function decodePackets(
  bytes: Uint8Array,
  version: Version,
): { packets: ServerPacket[]; rest: Uint8Array } {
  const packets: ServerPacket[] = [];
  let start = 0;
  while (true) {
    const end = packetEnd(bytes, start);
    if (end === undefined) return { packets, rest: bytes.slice(start) };
    packets.push(decodePacket(bytes.slice(start, end), version));
    start = end;
  }
}

/** Where the packet that begins at `start` ends, or undefined if it is not complete. */
function packetEnd(bytes: Uint8Array, start: number): number | undefined {
  let length = 0;
  for (let index = 1; index <= 4; index++) {
    if (start + index >= bytes.length) return undefined;
    const byte = bytes[start + index];
    length += (byte & 0x7f) * 128 ** (index - 1);
    if (byte < 0x80) {
      const end = start + index + 1 + length;
      return end <= bytes.length ? end : undefined;
    }
  }
  throw new SyntaxError("a Remaining Length of more than four bytes");
}

function decodePacket(raw: Uint8Array, version: Version): ServerPacket {
  const type = types[raw[0] >> 4];
  if (type === undefined) throw new SyntaxError(`a server does not send type ${raw[0] >> 4}`);
  const flags = raw[0] & 0x0f;
  const reader = new Reader(raw, raw.findIndex((byte, index) => index > 0 && byte < 0x80) + 1);
  const properties = () => version === 5 && !reader.done ? reader.properties() : [];
  const common = { type, flags, raw };
  switch (type) {
    case "connack":
      return {
        ...common,
        sessionPresent: reader.byte() === 1,
        reason: reader.byte(),
        // A version that is not spoken here is refused in the form of MQTT 5, whatever was asked.
        properties: reader.done ? [] : reader.properties(),
      };
    case "publish": {
      const qos = flags >> 1 & 3;
      return {
        ...common,
        qos,
        dup: (flags & 8) !== 0,
        retain: (flags & 1) !== 0,
        topic: reader.string(),
        packetId: qos > 0 ? reader.u16() : undefined,
        properties: version === 5 ? reader.properties() : [],
        payload: reader.remaining(),
      };
    }
    case "puback":
    case "pubrec":
    case "pubrel":
    case "pubcomp":
      return {
        ...common,
        packetId: reader.u16(),
        reason: reader.done ? 0 : reader.byte(),
        properties: properties(),
      };
    case "suback":
    case "unsuback":
      return {
        ...common,
        packetId: reader.u16(),
        properties: properties(),
        reasons: [...reader.remaining()],
      };
    case "pingresp":
      return { ...common, properties: [] };
    case "disconnect":
    case "auth":
      return { ...common, reason: reader.done ? 0 : reader.byte(), properties: properties() };
  }
}

/** Reads fields from `position` on; past the end it throws. */
class Reader {
  readonly #bytes: Uint8Array;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #position: number;

  constructor(bytes: Uint8Array, position: number) {
    this.#bytes = bytes;
    this.#position = position;
  }

  get done(): boolean {
    return this.#position === this.#bytes.length;
  }

  byte(): number {
    return this.#take(1)[0];
  }

  u16(): number {
    return this.byte() << 8 | this.byte();
  }

  u32(): number {
    return this.u16() * 0x10000 + this.u16();
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new SyntaxError("a variable byte integer of more than four bytes");
  }

  binary(): Uint8Array {
    return this.#take(this.u16());
  }

  string(): string {
    return this.#decoder.decode(this.binary());
  }

  remaining(): Uint8Array {
    return this.#take(this.#bytes.length - this.#position);
  }

  properties(): [number, PropertyValue][] {
    const end = this.varint() + this.#position;
    const found: [number, PropertyValue][] = [];
    while (this.#position < end) {
      const id = this.varint();
      found.push([id, this.#propertyValue(id)]);
    }
    if (this.#position !== end) throw new SyntaxError("a property reaches past Property Length");
    return found;
  }

  #propertyValue(id: number): PropertyValue {
    const kind = propertyKinds.get(id);
    if (kind === undefined) throw new SyntaxError(`property 0x${id.toString(16)} is unknown`);
    return kind === "pair" ? [this.string(), this.string()] : this[kind]();
  }

  #take(length: number): Uint8Array {
    const end = this.#position + length;
    if (end > this.#bytes.length) throw new SyntaxError("a packet ends within a field");
    const taken = this.#bytes.slice(this.#position, end);
    this.#position = end;
    return taken;
  }
}
