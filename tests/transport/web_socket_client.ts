import assert from "node:assert/strict";
import type { ByteStream } from "../../src/transport/stream_link.ts";
import { concat } from "../support/packets.ts";

export const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
/** Of that key: RFC 6455, section 1.3. */
export const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** The request of a client that speaks MQTT; `changes` sets headers, or with null leaves them out. */
export function upgradeRequest(
  changes: Record<string, string | null> = {},
  path = "/mqtt",
): string {
  const headers: Record<string, string | null> = {
    Host: "localhost",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "mqtt",
    ...changes,
  };
  const lines = Object.entries(headers).filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}: ${value}`);
  return [`GET ${path} HTTP/1.1`, ...lines, "", ""].join("\r\n");
}

export interface FrameFields {
  opcode?: number;
  /** The last fragment of its message; true unless told. */
  fin?: boolean;
  /** RSV1 to RSV3 as bits 0x40 to 0x10. */
  reserved?: number;
  masked?: boolean;
  /** Bytes of the length's field: 1, 3 or 9; as short as possible unless told. */
  lengthBytes?: 1 | 3 | 9;
  /** What the header says in place of the payload's length. */
  length?: number;
  mask?: readonly [number, number, number, number];
}

/** A client's frame. */
export function frame(payload: Uint8Array, fields: FrameFields = {}): Uint8Array {
  const { opcode = 2, fin = true, reserved = 0, masked = true, length = payload.length } = fields;
  const lengthBytes = fields.lengthBytes ?? (length < 126 ? 1 : length < 65_536 ? 3 : 9);
  const header = new Uint8Array(1 + lengthBytes);
  const view = new DataView(header.buffer);
  header[0] = (fin ? 0x80 : 0) | reserved | opcode;
  if (lengthBytes === 1) header[1] = length;
  else if (lengthBytes === 3) {
    header[1] = 126;
    view.setUint16(2, length);
  } else {
    header[1] = 127;
    view.setBigUint64(2, BigInt(length));
  }
  if (!masked) return concat(header, payload);
  header[1] |= 0x80;
  const mask = Uint8Array.from(fields.mask ?? [0x37, 0xfa, 0x21, 0x3d]);
  return concat(header, mask, payload.map((byte, at) => byte ^ mask[at & 3]));
}

/** A frame of the server. */
export interface ServerFrame {
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** The client's end of a WebSocket, as a stream of the payload; every frame that came is kept. */
export class WebSocketClient implements ByteStream {
  readonly frames: ServerFrame[] = [];
  /** The server's answer to the upgrade. */
  answer = "";
  readonly #stream: ByteStream;
  #bytes: Uint8Array = new Uint8Array();
  #payload: Uint8Array = new Uint8Array();
  #isClosed = false;

  private constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  /** Upgrades a connection. */
  static async open(stream: ByteStream, request = upgradeRequest()): Promise<WebSocketClient> {
    const client = new WebSocketClient(stream);
    await client.sendRaw(new TextEncoder().encode(request));
    let end = -1;
    while (end < 0) {
      assert.ok(await client.#readMore(), "an answer to the upgrade");
      end = new TextDecoder("latin1").decode(client.#bytes).indexOf("\r\n\r\n");
    }
    client.answer = new TextDecoder().decode(client.#bytes.subarray(0, end + 4));
    client.#bytes = client.#bytes.slice(end + 4);
    return client;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#payload.length === 0) {
      const frame = this.#isClosed ? null : await this.readFrame();
      if (frame === null) return null;
      if (frame.opcode === 8) this.#isClosed = true;
      else if (frame.opcode === 2) this.#payload = frame.payload;
    }
    const length = Math.min(buffer.length, this.#payload.length);
    buffer.set(this.#payload.subarray(0, length));
    this.#payload = this.#payload.subarray(length);
    return length;
  }

  /** The next frame of the server; null: it has ended without one. */
  async readFrame(): Promise<ServerFrame | null> {
    for (;;) {
      const { at, length } = frameIn(this.#bytes);
      if (at > 0 && this.#bytes.length >= at + length) {
        const [first, second] = this.#bytes;
        assert.equal(first & 0xf0, 0x80, "a whole message without reserved bits");
        assert.equal(second & 0x80, 0, "a server does not mask");
        const frame = { opcode: first & 15, payload: this.#bytes.slice(at, at + length) };
        this.#bytes = this.#bytes.subarray(at + length);
        this.frames.push(frame);
        return frame;
      }
      if (!await this.#readMore()) return null;
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    // Frames of a size that no buffer has.
    const taken = bytes.subarray(0, 70_001);
    await this.sendRaw(frame(taken));
    return taken.length;
  }

  async sendRaw(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#stream.write(bytes.subarray(at));
  }

  closeWrite(): Promise<void> {
    return this.#stream.closeWrite();
  }

  close(): void {
    this.#stream.close();
  }

  async #readMore(): Promise<boolean> {
    const chunk = new Uint8Array(65_536);
    const count = await this.#stream.read(chunk);
    if (count === null) return false;
    this.#bytes = concat(this.#bytes, chunk.subarray(0, count));
    return true;
  }
}

/** Where the payload of the first frame begins, and its length; 0: not all of the header is there. */
function frameIn(bytes: Uint8Array): { at: number; length: number } {
  if (bytes.length < 2) return { at: 0, length: 0 };
  const length = bytes[1] & 127;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (length < 126) return { at: 2, length };
  if (length === 126) {
    return bytes.length < 4 ? { at: 0, length } : { at: 4, length: view.getUint16(2) };
  }
  if (bytes.length < 10) return { at: 0, length };
  return { at: 10, length: Number(view.getBigUint64(2)) };
}
