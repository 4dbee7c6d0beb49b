/** How a WebSocket frame is cut: RFC 6455, section 5.2. */
import { utf8Text } from "../wire/utf8.ts";

/** What a frame is. */
export const Opcode = {
  Continuation: 0,
  Text: 1,
  Binary: 2,
  Close: 8,
  Ping: 9,
  Pong: 10,
} as const;

/** Status codes of a Close frame that a broker sends: RFC 6455, section 7.4.1. */
export const CloseCode = {
  Normal: 1000,
  ProtocolError: 1002,
  Unacceptable: 1003,
  /** What an empty Close frame stands for; never sent. */
  None: 1005,
  InvalidText: 1007,
  TooLarge: 1009,
} as const;

/** Why nothing more is decoded. */
export interface Ending {
  /** For our Close frame. */
  readonly code: number;
  /** Null: the peer has closed, as it may. */
  readonly mistake: string | null;
}

const CONTROL_PAYLOAD_MAXIMUM = 125;
const HEADER_MAXIMUM = 14;
/** From here on unmasking by words pays for looking at the alignment. */
const WORDS_FROM = 64;

/**
 * Takes the frames of a client apart. Payload is a stream of bytes: where frames and messages begin
 * means nothing to MQTT [MQTT-6.0.0-2], so they are not gathered, whatever length they announce.
 */
export class FrameDecoder {
  /** Payload of the Ping that came last and is not answered yet. Taken and set to null by the caller. */
  ping: Uint8Array | null = null;
  ending: Ending | null = null;

  /** A header that was cut by the end of a chunk. */
  #header: Uint8Array | null = null;
  #headerLength = 0;
  #opcode = 0;
  /** Payload bytes that are still to come; −1: a header comes. */
  #left = -1;
  /** Rotated so that its lowest byte is the next one's. */
  #mask = 0;
  /** Between the first and the last fragment of a message. */
  #isFragmented = false;
  #control: Uint8Array | null = null;
  #controlLength = 0;

  /**
   * Decodes a chunk in place: the payload of data frames is moved to the front of the buffer.
   *
   * @returns its length
   */
  decode(buffer: Uint8Array, length: number): number {
    let at = 0, payload = 0;
    while (this.ending === null) {
      if (this.#left < 0) {
        if (at === length) break;
        at = this.#readHeader(buffer, at, length);
        if (this.#left < 0) continue;
      }
      const count = Math.min(this.#left, length - at);
      if (this.#opcode >= Opcode.Close) this.#takeControl(buffer, at, count);
      else {
        this.#unmask(buffer, at, payload, count);
        payload += count;
      }
      at += count;
      this.#left -= count;
      if (this.#left > 0) break;
      this.#left = -1;
      if (this.#opcode >= Opcode.Close) this.#endControl();
    }
    return payload;
  }

  /** Returns where the payload begins. Without the whole header all is taken and `#left` stays −1. */
  #readHeader(buffer: Uint8Array, at: number, end: number): number {
    if (this.#headerLength === 0 && end - at >= 2) {
      const length = headerLength(buffer[at + 1]);
      if (end - at >= length) {
        this.#begin(buffer, at);
        return at + length;
      }
    }
    const header = this.#header ??= new Uint8Array(HEADER_MAXIMUM);
    while (at < end) {
      header[this.#headerLength++] = buffer[at++];
      if (this.#headerLength >= 2 && this.#headerLength === headerLength(header[1])) {
        this.#headerLength = 0;
        this.#begin(header, 0);
        break;
      }
    }
    return at;
  }

  /** Looks at a whole header. */
  #begin(bytes: Uint8Array, at: number) {
    const first = bytes[at], second = bytes[at + 1];
    const opcode = first & 0x0f;
    const isLast = (first & 0x80) !== 0;
    if ((first & 0x70) !== 0) return this.#refuse("reserved bits are set");
    if ((second & 0x80) === 0) return this.#refuse("a frame is not masked");
    let length = second & 0x7f;
    at += 2;
    if (length === 126) {
      length = bytes[at] << 8 | bytes[at + 1];
      at += 2;
    } else if (length === 127) {
      if ((bytes[at] & 0x80) !== 0) return this.#refuse("a length has 64 bits");
      length = (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) *
          0x1_0000_0000 +
        ((bytes[at + 4] << 24 | bytes[at + 5] << 16 | bytes[at + 6] << 8 | bytes[at + 7]) >>> 0);
      if (length > Number.MAX_SAFE_INTEGER) {
        return this.#refuse("a frame is too large", CloseCode.TooLarge);
      }
      at += 8;
    }
    if (opcode >= Opcode.Close) {
      if (opcode > Opcode.Pong) return this.#refuse(`opcode ${opcode} is reserved`);
      if (!isLast) return this.#refuse("a control frame is fragmented");
      if (length > CONTROL_PAYLOAD_MAXIMUM) return this.#refuse("a control frame is too long");
      this.#control ??= new Uint8Array(CONTROL_PAYLOAD_MAXIMUM);
      this.#controlLength = 0;
    } else if (opcode === Opcode.Text) {
      // [MQTT-6.0.0-1]
      return this.#refuse("a text frame", CloseCode.Unacceptable);
    } else if (opcode > Opcode.Binary) {
      return this.#refuse(`opcode ${opcode} is reserved`);
    } else {
      if ((opcode === Opcode.Continuation) !== this.#isFragmented) {
        return this.#refuse("fragments of a message are out of order");
      }
      this.#isFragmented = !isLast;
    }
    this.#opcode = opcode;
    this.#left = length;
    this.#mask = bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24;
  }

  #takeControl(buffer: Uint8Array, at: number, count: number) {
    const control = this.#control!;
    this.#unmask(buffer, at, at, count);
    for (let index = 0; index < count; index++) control[this.#controlLength++] = buffer[at + index];
  }

  #endControl() {
    const payload = this.#control!.slice(0, this.#controlLength);
    if (this.#opcode === Opcode.Ping) this.ping = payload;
    else if (this.#opcode === Opcode.Close) this.ending = endingOf(payload);
  }

  /** Unmasks `count` bytes at `from` and puts them at `to`, which is not behind. */
  #unmask(buffer: Uint8Array, from: number, to: number, count: number) {
    const mask = this.#mask;
    if (count >= WORDS_FROM) unmaskWords(buffer, from, to, count, mask);
    else {
      for (let index = 0; index < count; index++) {
        buffer[to + index] = buffer[from + index] ^ mask >> ((index & 3) << 3);
      }
    }
    this.#mask = rotated(mask, count);
  }

  #refuse(what: string, code: number = CloseCode.ProtocolError) {
    this.ending = { code, mistake: `WebSocket protocol error: ${what}` };
  }
}

/** Bytes of a masked frame's header, told by its second byte. */
function headerLength(second: number): number {
  const length = second & 0x7f;
  const mask = (second & 0x80) === 0 ? 0 : 4;
  return mask + (length < 126 ? 2 : length === 126 ? 4 : 10);
}

/** The mask for what comes after `count` bytes. */
function rotated(mask: number, count: number): number {
  const bits = (count & 3) << 3;
  return bits === 0 ? mask : mask >>> bits | mask << 32 - bits;
}

/** Moves, then unmasks four bytes at a time. Words are little endian on every machine Deno runs on. */
function unmaskWords(buffer: Uint8Array, from: number, to: number, count: number, mask: number) {
  buffer.copyWithin(to, from, from + count);
  const end = to + count;
  while ((buffer.byteOffset + to & 3) !== 0) {
    buffer[to++] ^= mask;
    mask = rotated(mask, 1);
  }
  const words = new Int32Array(buffer.buffer, buffer.byteOffset + to, end - to >> 2);
  for (let index = 0; index < words.length; index++) words[index] ^= mask;
  for (to += words.length * 4; to < end; to++) {
    buffer[to] ^= mask;
    mask = rotated(mask, 1);
  }
}

/** What a Close frame says: RFC 6455, sections 5.5.1 and 7.4. */
function endingOf(payload: Uint8Array): Ending {
  const refuse = (what: string, code: number = CloseCode.ProtocolError): Ending => ({
    code,
    mistake: `WebSocket protocol error: ${what}`,
  });
  if (payload.length === 0) return { code: CloseCode.None, mistake: null };
  if (payload.length === 1) return refuse("half a close code");
  const code = payload[0] << 8 | payload[1];
  if (!mayBeSent(code)) return refuse(`close code ${code}`);
  if (utf8Text(payload.subarray(2)) === null) {
    return refuse("a close reason that is not UTF-8", CloseCode.InvalidText);
  }
  return { code, mistake: null };
}

function mayBeSent(code: number): boolean {
  if (code >= 3000) return code < 5000;
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006;
}

/** Bytes of the header of an unmasked frame of less than 64 KiB. */
export function frameHeaderLength(length: number): number {
  return length < 126 ? 2 : 4;
}

/** Writes the header of an unmasked frame that is a whole message to the front of `bytes`. */
export function writeFrameHeader(bytes: Uint8Array, opcode: number, length: number): void {
  bytes[0] = 0x80 | opcode;
  if (length < 126) bytes[1] = length;
  else {
    bytes[1] = 126;
    bytes[2] = length >> 8;
    bytes[3] = length;
  }
}
