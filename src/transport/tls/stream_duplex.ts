import { Duplex } from "node:stream";
import { LARGEST_BUFFER } from "../../wire/buffer_pool.ts";
import { type ByteStream, closeStream } from "../stream_link.ts";

/** A byte stream as Node.js wants it. */
export class StreamDuplex extends Duplex {
  readonly #stream: ByteStream;

  constructor(stream: ByteStream) {
    // Whether the peer has ended says nothing of what is still to be sent.
    super({ allowHalfOpen: true });
    this.#stream = stream;
  }

  override _read(): void {
    // What is pushed belongs to the reader: no buffer can be used again.
    const buffer = new Uint8Array(LARGEST_BUFFER / 4);
    this.#stream.read(buffer).then(
      (count) => this.push(count === null ? null : buffer.subarray(0, count)),
      (error) => this.destroy(error),
    );
  }

  override _write(bytes: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    this.#writeAll(bytes).then(() => done(), done);
  }

  override _final(done: (error?: Error) => void): void {
    this.#stream.closeWrite().then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    closeStream(this.#stream);
    done(error);
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    let written = await this.#stream.write(bytes);
    while (written < bytes.length) written += await this.#stream.write(bytes.subarray(written));
  }
}
