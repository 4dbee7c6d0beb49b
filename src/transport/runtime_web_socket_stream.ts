import { type ByteStream, TransportError } from "./stream_link.ts";

/** Bytes that wait to be read; a peer that sends more while it is not read is cut off. */
const WAITING_MAXIMUM = 4_194_304;
/** What a message weighs at least. */
const MESSAGE_BYTES = 256;
/** Bytes the runtime may hold unsent before a write waits. */
const UNSENT_MAXIMUM = 262_144;
/** The runtime does not tell when it has sent something. */
const LOOK_MS = 5;
const NORMAL = 1000, UNACCEPTABLE = 1003, TOO_LARGE = 1009;

/**
 * A WebSocket that the runtime has opened, as a stream of bytes. The runtime cannot be told to read no
 * further, so that only a listener of its own has true backpressure.
 */
export class RuntimeWebSocketStream implements ByteStream {
  readonly #socket: WebSocket;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #isEnded = false;
  #failure: Error | null = null;
  /** To be closed with as soon as it is open. */
  #closeCode: number | null = null;
  #wakeReader: (() => void) | null = null;
  readonly #opened: Promise<void>;
  #wakeOpened: () => void = () => {};

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    this.#opened = new Promise((resolve) => this.#wakeOpened = resolve);
    socket.onopen = () => {
      this.#wakeOpened();
      if (this.#closeCode !== null) socket.close(this.#closeCode);
    };
    socket.onmessage = ({ data }) => this.#take(data);
    // `onclose` follows.
    socket.onerror = () => {};
    socket.onclose = () => this.#end();
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#waiting.length === 0) {
      if (this.#failure !== null) throw this.#failure;
      if (this.#isEnded) return null;
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
      this.#wakeReader = null;
    }
    const [first] = this.#waiting;
    const length = Math.min(first.length, buffer.length);
    buffer.set(first.subarray(0, length));
    this.#waitingBytes -= weightOf(first);
    if (length === first.length) this.#waiting.shift();
    else {
      this.#waiting[0] = first.subarray(length);
      this.#waitingBytes += weightOf(this.#waiting[0]);
    }
    return length;
  }

  async write(bytes: Uint8Array): Promise<number> {
    await this.#opened;
    while (!this.#isEnded && this.#socket.bufferedAmount > UNSENT_MAXIMUM) {
      await new Promise<void>((resolve) => setTimeout(resolve, LOOK_MS));
    }
    if (this.#isEnded) throw new Deno.errors.BrokenPipe("the WebSocket is closed");
    // After our Close frame nobody wants it.
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(bytes.slice());
    return bytes.length;
  }

  closeWrite(): Promise<void> {
    this.#close(NORMAL);
    return Promise.resolve();
  }

  close(): void {
    this.#close(NORMAL);
    this.#end();
  }

  #take(message: unknown) {
    if (this.#isEnded || this.#failure !== null) return;
    if (!(message instanceof ArrayBuffer)) {
      return this.#fail(UNACCEPTABLE, "WebSocket protocol error: a text frame");
    }
    if (this.#waitingBytes > WAITING_MAXIMUM) {
      return this.#fail(TOO_LARGE, "sends faster than it can be read");
    }
    if (message.byteLength === 0) return;
    this.#waiting.push(new Uint8Array(message));
    this.#waitingBytes += weightOf(message);
    this.#wakeReader?.();
  }

  #fail(code: number, text: string) {
    this.#failure = new TransportError(text);
    this.#close(code);
    this.#wakeReader?.();
  }

  #close(code: number) {
    const { readyState } = this.#socket;
    if (readyState === WebSocket.OPEN) this.#socket.close(code);
    // The runtime would forget it, and leave the connection open.
    else if (readyState === WebSocket.CONNECTING) this.#closeCode ??= code;
  }

  #end() {
    this.#isEnded = true;
    this.#wakeOpened();
    this.#wakeReader?.();
  }
}

function weightOf({ byteLength }: { readonly byteLength: number }): number {
  return Math.max(byteLength, MESSAGE_BYTES);
}
