import assert from "node:assert/strict";
import { within } from "./broker_process.ts";
import { decodePackets, type ServerPacket, type ServerPacketType } from "./packet_decoder.ts";
import { connect, type ConnectFields, type Version } from "./packets.ts";

/**
 * A client on a real socket that does nothing by itself: it sends the bytes it is told and hands out
 * the packets that come. With a `handler` the packets go there instead.
 */
export class TcpClient implements AsyncDisposable {
  readonly version: Version;
  handler: ((packet: ServerPacket) => void) | null = null;
  readonly #connection: Deno.TcpConn;
  readonly #packets: ServerPacket[] = [];
  #reading: Promise<void> = Promise.resolve();
  #sending: Promise<void> = Promise.resolve();
  #isEnded = false;
  #isClosed = false;
  #onChange: () => void = () => {};
  /** What the broker sent wrong. */
  #failure: Error | null = null;

  private constructor(connection: Deno.TcpConn, version: Version) {
    this.#connection = connection;
    this.version = version;
  }

  /** A socket and nothing on it. `reads` false: nothing is ever read from it. */
  static async open(port: number, version: Version = 4, reads = true): Promise<TcpClient> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay(true);
    const client = new TcpClient(connection, version);
    if (reads) client.#reading = client.#read();
    return client;
  }

  /** A client that was accepted; its CONNACK is the first packet unless it is thrown away. */
  static async connect(
    port: number,
    version: Version,
    fields: ConnectFields = {},
  ): Promise<TcpClient & { connack: ServerPacket }> {
    const client = await TcpClient.open(port, version);
    try {
      void client.send(connect(version, fields));
      const connack = await client.next("connack");
      assert.equal(connack.reason, 0, `refused: ${connack.reason}`);
      return Object.assign(client, { connack });
    } catch (error) {
      await client[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Sends bytes behind those before. Never rejects: a broken connection is seen by reading. */
  send(bytes: Uint8Array): Promise<void> {
    return this.#sending = this.#sending.then(async () => {
      try {
        for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
      } catch {
        // Closed by either side: `ended` tells.
      }
    });
  }

  /** Half-closes: nothing more is sent. */
  async closeWrite(): Promise<void> {
    await this.#sending;
    await this.#connection.closeWrite();
  }

  /** The next packet, which has to be of this type. */
  async next(type?: ServerPacketType): Promise<ServerPacket> {
    await this.#until(() => this.#packets.length > 0 || this.#isEnded, type ?? "packet");
    const packet = this.#packets.shift();
    assert.ok(packet, `the connection ended before ${type ?? "a packet"}`);
    if (type !== undefined) assert.equal(packet.type, type, `reason ${packet.reason}`);
    return packet;
  }

  /** Packets that have come and were not taken. */
  get waiting(): number {
    return this.#packets.length;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Waits for the broker's end of the connection, and returns what came before it. */
  async ended(): Promise<ServerPacket[]> {
    await this.#until(() => this.#isEnded, "end");
    return this.#packets.splice(0);
  }

  /** Closes the socket without a word. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#reading;
    await this.#sending;
  }

  async #until(holds: () => boolean, what: string): Promise<void> {
    while (!holds()) {
      const changed = new Promise<void>((resolve) => this.#onChange = resolve);
      await within(changed, () => `no ${what} came`);
    }
    if (this.#failure !== null) throw this.#failure;
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    let bytes: Uint8Array = new Uint8Array();
    try {
      for (;;) {
        const length = await this.#connection.read(buffer);
        if (length === null) break;
        const all = new Uint8Array(bytes.length + length);
        all.set(bytes);
        all.set(buffer.subarray(0, length), bytes.length);
        const { packets, rest } = decodePackets(all, this.version);
        bytes = rest;
        for (const packet of packets) {
          if (this.handler === null) this.#packets.push(packet);
          else this.handler(packet);
        }
        this.#onChange();
      }
    } catch (error) {
      // Otherwise reset, or closed by the test.
      if (error instanceof assert.AssertionError || error instanceof SyntaxError) {
        this.#failure = error;
      }
    }
    this.#isEnded = true;
    this.#onChange();
  }
}
