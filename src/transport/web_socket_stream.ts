import { borrowBuffer, LARGEST_BUFFER, returnBuffer } from "../wire/buffer_pool.ts";
import { copyBytes } from "../wire/bytes.ts";
import { writeAll } from "./handshake.ts";
import { type ByteStream, isNetworkError, TransportError } from "./stream_link.ts";
import {
  CloseCode,
  type Ending,
  FrameDecoder,
  frameHeaderLength,
  Opcode,
  writeFrameHeader,
} from "./web_socket_frames.ts";

/** Payload of a frame; what is longer goes out in several, which means nothing to MQTT. */
const FRAME_MAXIMUM = LARGEST_BUFFER - 4;
/** How long the peer gets to take our Close frame, and what it was sent before. */
const CLOSE_MS = 2000;

/**
 * The server's end of a WebSocket over any byte stream: what is written goes out in binary frames,
 * what is read is the payload of those that come. Control frames are answered on the way; of Pings
 * that come faster than they can be answered the last one is, as RFC 6455 allows (5.5.3).
 */
export class WebSocketStream implements ByteStream {
  filled = false;
  readonly #stream: ByteStream;
  readonly #decoder = new FrameDecoder();
  /** A data frame is being written; it is followed by what the fields below ask for. */
  #isWriting = false;
  /** Control frames are being written. Never rejects. */
  #control: Promise<void> | null = null;
  #pong: Uint8Array | null = null;
  /** The code of the Close frame to be sent; 0: none. */
  #closeCode = 0;
  #closeIsSent = false;

  /** @param stream after the upgrade */
  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  /** @throws {TransportError} when the peer breaks the rules of RFC 6455 */
  async read(buffer: Uint8Array): Promise<number | null> {
    for (;;) {
      const { ending } = this.#decoder;
      if (ending !== null) return await this.#end(ending, buffer);
      const length = await this.#stream.read(buffer);
      if (length === null) return null;
      const payload = this.#decoder.decode(buffer, length);
      if (this.#decoder.ping !== null) {
        this.#pong = this.#decoder.ping;
        this.#decoder.ping = null;
        this.#sendControl();
      }
      if (payload === 0) continue;
      this.filled = length === buffer.length;
      return payload;
    }
  }

  /** Writes one frame. What comes after our Close frame nobody wants: it is thrown away. */
  async write(bytes: Uint8Array): Promise<number> {
    while (this.#control !== null) await this.#control;
    if (this.#closeIsSent) return bytes.length;
    this.#isWriting = true;
    try {
      const length = await this.#writeFrame(bytes);
      await this.#flushControl();
      return length;
    } finally {
      this.#isWriting = false;
    }
  }

  /** Sends a Close frame and half-closes the stream below. */
  async closeWrite(): Promise<void> {
    await this.#sendClose(CloseCode.Normal);
    await this.#stream.closeWrite();
  }

  close(): void {
    this.#stream.close();
  }

  /** The peer has closed, or must be told why it is closed. */
  async #end({ code, mistake }: Ending, buffer: Uint8Array): Promise<null> {
    if (mistake === null) {
      await this.#sendClose(code);
      return null;
    }
    const drained = async () => {
      await this.#sendClose(code);
      await this.#stream.closeWrite();
      // Closing with unread bytes would reset the connection and lose the Close frame.
      while (await this.#stream.read(buffer) !== null);
    };
    await inTime(
      drained().catch((error) => {
        // Gone before: then there is nobody to be told.
        if (!isNetworkError(error)) throw error;
      }),
    );
    throw new TransportError(mistake);
  }

  /** Sends one Close frame, the first. Ends when it is sent or cannot be, or takes too long. */
  async #sendClose(code: number): Promise<void> {
    if (this.#closeCode === 0) this.#closeCode = code;
    // A data frame that is under way brings it along.
    if (this.#isWriting) return;
    this.#sendControl();
    if (this.#control !== null) await inTime(this.#control);
  }

  #sendControl() {
    if (this.#isWriting || this.#control !== null) return;
    // What fails here fails for the reader, too.
    this.#control = this.#flushControl().catch(() => {}).finally(() => this.#control = null);
  }

  async #flushControl(): Promise<void> {
    for (;;) {
      if (this.#closeIsSent) return;
      if (this.#pong !== null) {
        const pong = this.#pong;
        this.#pong = null;
        await writeAll(this.#stream, controlFrame(Opcode.Pong, pong));
      } else if (this.#closeCode !== 0) {
        this.#closeIsSent = true;
        const code = this.#closeCode;
        const payload = code === CloseCode.None
          ? new Uint8Array()
          : Uint8Array.of(code >> 8, code & 0xff);
        await writeAll(this.#stream, controlFrame(Opcode.Close, payload));
      } else return;
    }
  }

  /** Sends a frame of as much as fits into one; returns how much that is. */
  async #writeFrame(bytes: Uint8Array): Promise<number> {
    const length = Math.min(bytes.length, FRAME_MAXIMUM);
    const headerLength = frameHeaderLength(length);
    // The copy costs less than a write of its own for the header would, after which, besides, Nagle's
    // algorithm holds back the payload until the header is acknowledged.
    const buffer = borrowBuffer(headerLength + length);
    writeFrameHeader(buffer, Opcode.Binary, length);
    copyBytes(buffer, headerLength, bytes, 0, length);
    await writeAll(this.#stream, buffer.subarray(0, headerLength + length));
    // Not after a failure: the system may still be reading it.
    returnBuffer(buffer);
    return length;
  }
}

function controlFrame(opcode: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(2 + payload.length);
  writeFrameHeader(frame, opcode, payload.length);
  frame.set(payload, 2);
  return frame;
}

async function inTime(promise: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => timer = setTimeout(resolve, CLOSE_MS));
  await Promise.race([promise, late]);
  clearTimeout(timer);
}
