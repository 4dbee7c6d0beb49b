import type { ByteStream } from "../../../src/transport/stream_link.ts";

/** Bytes that a write does not wait for. */
const CAPACITY_BYTES = 32_768;

/** Two ends of a connection that exists in memory only. */
export function memoryStreams(): [MemoryStream, MemoryStream] {
  const there = new Pipe(), back = new Pipe();
  return [new MemoryStream(there, back), new MemoryStream(back, there)];
}

/** One end. */
export class MemoryStream implements ByteStream {
  readonly #incoming: Pipe;
  readonly #outgoing: Pipe;
  /** Lengths of the buffers that were offered to read into. */
  readonly readSizes: number[] = [];
  /** Changes what is sent, for a test of what the other side makes of it. */
  onWrite: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes;
  halfCloses = 0;
  isClosed = false;

  constructor(incoming: Pipe, outgoing: Pipe) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  /** Bytes that this end has written and the other has not read. */
  get unread(): number {
    return this.#outgoing.length;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    this.readSizes.push(buffer.length);
    return this.#incoming.read(buffer);
  }

  async write(bytes: Uint8Array): Promise<number> {
    await this.#outgoing.write(this.onWrite(bytes));
    return bytes.length;
  }

  closeWrite(): Promise<void> {
    this.halfCloses++;
    this.#outgoing.end();
    return Promise.resolve();
  }

  close(): void {
    if (this.isClosed) throw new Deno.errors.BadResource("closed before");
    this.isClosed = true;
    this.#outgoing.end();
    this.#incoming.break();
  }
}

class Pipe {
  readonly #chunks: { bytes: Uint8Array; taken: () => void; broken: (error: Error) => void }[] = [];
  #reader: { resolve: () => void } | null = null;
  #isEnded = false;
  #isBroken = false;
  length = 0;

  async read(buffer: Uint8Array): Promise<number | null> {
    while (!this.#isBroken && this.#chunks.length === 0 && !this.#isEnded) {
      await new Promise<void>((resolve) => this.#reader = { resolve });
    }
    if (this.#isBroken) throw new Deno.errors.BadResource("closed");
    const chunk = this.#chunks[0];
    if (chunk === undefined) return null;
    const count = Math.min(chunk.bytes.length, buffer.length);
    buffer.set(chunk.bytes.subarray(0, count));
    chunk.bytes = chunk.bytes.subarray(count);
    this.length -= count;
    if (chunk.bytes.length === 0) {
      this.#chunks.shift();
      chunk.taken();
    }
    return count;
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#isBroken || this.#isEnded) {
      return Promise.reject(new Deno.errors.BrokenPipe("nobody reads"));
    }
    if (bytes.length === 0) return Promise.resolve();
    return new Promise((taken, broken) => {
      // The writer may use its buffer again once this is over, not before.
      this.#chunks.push({ bytes: bytes.slice(), taken, broken });
      this.length += bytes.length;
      if (this.length <= CAPACITY_BYTES) taken();
      this.#wake();
    });
  }

  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  break(): void {
    this.#isBroken = true;
    for (const { broken } of this.#chunks.splice(0)) broken(new Deno.errors.BrokenPipe("gone"));
    this.#wake();
  }

  #wake() {
    this.#reader?.resolve();
    this.#reader = null;
  }
}
