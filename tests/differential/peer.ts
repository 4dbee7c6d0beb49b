import { within } from "../support/broker_process.ts";
import { decodePackets, type ServerPacket } from "../support/packet_decoder.ts";
import { ack, concat, pingreq, type Version } from "../support/packets.ts";

/**
 * A client's end of a connection that gathers what comes and answers only when it is told to, so
 * that chance has no say in the order of things.
 */
export class Peer implements AsyncDisposable {
  readonly version: Version;
  answers: boolean;
  readonly #connection: Deno.TcpConn;
  readonly #reading: Promise<void>;
  #packets: ServerPacket[] = [];
  #unanswered: ServerPacket[] = [];
  #pingresps = 0;
  #isEnded = false;
  #onChange: () => void = () => {};
  /** What was received that no server may send. */
  #failure: unknown = null;

  private constructor(connection: Deno.TcpConn, version: Version, answers: boolean) {
    this.#connection = connection;
    this.version = version;
    this.answers = answers;
    this.#reading = this.#read();
  }

  static async open(port: number, version: Version, answers: boolean): Promise<Peer> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay(true);
    return new Peer(connection, version, answers);
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Sends in one write; that the broker has closed meanwhile is seen by reading. */
  async send(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
    } catch (error) {
      if (!isBroken(error)) throw error;
    }
  }

  /** Resolves when the broker has handled all that was sent before, or has ended the connection. */
  async settle(): Promise<void> {
    const awaited = this.#pingresps + 1;
    await this.send(pingreq());
    await this.#until(() => this.#pingresps >= awaited);
  }

  /** Resolves when CONNACK has come, or the end. */
  async connack(): Promise<void> {
    await this.#until(() => this.#packets.some(({ type }) => type === "connack"));
  }

  /** Sends no more and waits until the broker has noticed. */
  async close(): Promise<void> {
    try {
      await this.#connection.closeWrite();
    } catch (error) {
      if (!isBroken(error)) throw error;
    }
    await this.ended();
  }

  async ended(): Promise<void> {
    await this.#until(() => this.#isEnded);
  }

  /** What has come since the last call. */
  take(): ServerPacket[] {
    const taken = this.#packets;
    this.#packets = [];
    this.#unanswered.push(...taken.filter(isToBeAnswered));
    return taken;
  }

  /** Acknowledges what was taken. Returns whether there was anything. */
  async answer(): Promise<boolean> {
    const waiting = this.#unanswered.splice(0);
    if (this.#isEnded || waiting.length === 0) return false;
    await this.send(concat(...waiting.map(answerTo)));
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.close();
    await this.#reading;
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds() && !this.#isEnded) {
      const change = new Promise<void>((resolve) => this.#onChange = resolve);
      await within(change, () => `nothing comes behind ${this.#packets.length} packets`);
    }
    if (this.#failure !== null) throw this.#failure;
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    let rest: Uint8Array = new Uint8Array();
    try {
      for (;;) {
        const length = await this.#connection.read(buffer);
        if (length === null) break;
        const decoded = decodePackets(concat(rest, buffer.subarray(0, length)), this.version);
        rest = decoded.rest;
        for (const packet of decoded.packets) {
          if (packet.type === "pingresp") this.#pingresps++;
          else this.#packets.push(packet);
        }
        this.#onChange();
      }
    } catch (error) {
      if (!isBroken(error)) this.#failure = error;
    }
    this.#isEnded = true;
    this.#onChange();
  }
}

function isToBeAnswered({ type, qos, reason }: ServerPacket): boolean {
  return type === "pubrel" || (type === "pubrec" && reason! < 0x80) ||
    (type === "publish" && qos! > 0);
}

function answerTo({ type, qos, packetId }: ServerPacket): Uint8Array {
  if (type === "publish") return ack(qos === 1 ? "puback" : "pubrec", packetId!);
  return ack(type === "pubrec" ? "pubrel" : "pubcomp", packetId!);
}

function isBroken(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.NotConnected || error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.BadResource || error instanceof Deno.errors.ConnectionAborted;
}
