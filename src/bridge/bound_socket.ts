import net from "node:net";
import type { ByteStream } from "../transport/stream_link.ts";

/** From where and where to. */
export interface BoundConnection {
  readonly host: string;
  readonly port: number;
  readonly localAddress: string;
}

/** A TCP connection from an address of one's choice, which `Deno.connect` does not let choose. */
export class BoundSocket implements ByteStream {
  readonly #socket: net.Socket;
  #isEnded = false;
  #error: Error | null = null;
  #wake: (() => void) | null = null;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.on("readable", () => this.#look());
    socket.on("end", () => this.#end(null));
    socket.on("error", (error) => this.#end(error));
    socket.on("close", () => this.#end(null));
  }

  /** @throws {Error} what the system says */
  static connect(options: BoundConnection, signal: AbortSignal): Promise<BoundSocket> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(options);
      const giveUp = () => socket.destroy(new Error("given up"));
      signal.addEventListener("abort", giveUp);
      const done = () => signal.removeEventListener("abort", giveUp);
      socket.once("error", (error) => {
        done();
        reject(error);
      });
      socket.once("connect", () => {
        done();
        socket.setNoDelay(true);
        resolve(new BoundSocket(socket));
      });
    });
  }

  /** `ADDRESS:PORT` of this end. */
  get localPort(): number {
    return this.#socket.localPort!;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    for (;;) {
      const waiting = this.#socket.readableLength;
      if (waiting > 0) {
        const bytes = this.#socket.read(Math.min(waiting, buffer.length)) as Uint8Array | null;
        if (bytes !== null) {
          buffer.set(bytes);
          return bytes.length;
        }
      }
      if (this.#error !== null) throw this.#error;
      if (this.#isEnded) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        // Without this nothing more is read from the system.
        this.#socket.read(0);
      });
    }
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      // The caller uses its bytes again.
      this.#socket.write(bytes.slice(), (error) => error ? reject(error) : resolve(bytes.length));
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(() => resolve()));
  }

  close(): void {
    this.#socket.destroy();
    this.#end(null);
  }

  #end(error: Error | null) {
    this.#isEnded = true;
    this.#error ??= error;
    this.#look();
  }

  #look() {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
