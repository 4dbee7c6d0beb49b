import assert from "node:assert/strict";
import type { ByteStream } from "../../src/transport/stream_link.ts";
import { concat } from "../support/packets.ts";

/** A read or a write that the link waits for. */
interface Pending<T> {
  readonly bytes: Uint8Array;
  resolve(value: T): void;
  reject(error: Error): void;
}

/** A byte stream in which nothing happens by itself: each read and write ends when the test says so. */
export class FakeStream implements ByteStream {
  /** The buffer of each read, in order. */
  readonly buffers: Uint8Array[] = [];
  /** Calls of `write`. */
  writes = 0;
  halfCloses = 0;
  closes = 0;
  /** What `closeWrite` and `close` fail with. */
  failure: Error | null = null;
  reading: Pending<number | null> | null = null;
  writing: Pending<number> | null = null;
  readonly #written: Uint8Array[] = [];

  get written(): string {
    return new TextDecoder().decode(concat(...this.#written));
  }

  read(buffer: Uint8Array): Promise<number | null> {
    assert.equal(this.reading, null, "one read at a time");
    this.buffers.push(buffer);
    if (this.closes > 0) return Promise.reject(new Deno.errors.BadResource("closed"));
    return new Promise((resolve, reject) => this.reading = { bytes: buffer, resolve, reject });
  }

  write(bytes: Uint8Array): Promise<number> {
    this.writes++;
    assert.equal(this.writing, null, "one write at a time");
    assert.equal(this.halfCloses, 0, "nothing is written after the half-close");
    if (this.closes > 0) return Promise.reject(new Deno.errors.BadResource("closed"));
    return new Promise((resolve, reject) => this.writing = { bytes, resolve, reject });
  }

  closeWrite(): Promise<void> {
    this.halfCloses++;
    return this.failure === null ? Promise.resolve() : Promise.reject(this.failure);
  }

  close(): void {
    this.closes++;
    if (this.failure !== null) throw this.failure;
    // As a socket: what is under way fails.
    this.#take("reading")?.reject(new Deno.errors.Interrupted("closed"));
    this.#take("writing")?.reject(new Deno.errors.Interrupted("closed"));
  }

  /** The peer sends these bytes; as many as the read has room for are returned. */
  async give(bytes: Uint8Array): Promise<number> {
    const read = this.#take("reading");
    assert.ok(read, "the link reads");
    const length = Math.min(bytes.length, read.bytes.length);
    read.bytes.set(bytes.subarray(0, length));
    read.resolve(length);
    await turn();
    return length;
  }

  /** The peer sends nothing more. */
  async giveEnd(): Promise<void> {
    this.#take("reading")!.resolve(null);
    await turn();
  }

  async failRead(error: Error): Promise<void> {
    this.#take("reading")!.reject(error);
    await turn();
  }

  /** The write under way takes so many bytes. */
  async take(length = Infinity): Promise<void> {
    const write = this.#take("writing");
    assert.ok(write, "the link writes");
    const taken = write.bytes.slice(0, length);
    this.#written.push(taken);
    write.resolve(taken.length);
    await turn();
  }

  async failWrite(error: Error): Promise<void> {
    this.#take("writing")!.reject(error);
    await turn();
  }

  #take(what: "reading"): Pending<number | null> | null;
  #take(what: "writing"): Pending<number> | null;
  #take(what: "reading" | "writing") {
    const pending = this[what];
    this[what] = null;
    return pending;
  }
}

/** Lets promises that are settled have their effects. */
export async function turn(): Promise<void> {
  for (let round = 0; round < 20; round++) await Promise.resolve();
}
