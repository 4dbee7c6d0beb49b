/** How a client of the benchmark reaches the broker. */
export interface LoadAddress {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** MQTT over WebSocket. */
  readonly ws: boolean;
  /** Certificates in PEM that are trusted. */
  readonly caCerts: readonly string[];
}

/** What a client of the benchmark needs of its connection. */
export interface LoadStream {
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** Connects. @throws what the system says, or {@linkcode Error} when no WebSocket is opened */
export async function openLoadStream(address: LoadAddress): Promise<LoadStream> {
  const { host: hostname, port, tls, ws, caCerts } = address;
  const connection = tls
    ? await Deno.connectTls({ hostname, port, caCerts: [...caCerts] })
    : await Deno.connect({ hostname, port });
  // The runtime's TLS has no such switch.
  if ("setNoDelay" in connection) connection.setNoDelay(true);
  if (!ws) return connection;
  try {
    return await WebSocketLoadStream.open(connection, `${hostname}:${port}`);
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Of frames whose payload is at most 65,535 bytes: two bytes, a length of two and the mask. */
const FRAME_HEADER_MAXIMUM = 8;
const FRAME_MAXIMUM = 65_535;

/**
 * A WebSocket of a client that does as little as it can: its mask is zero, which changes nothing for
 * the server, and it sends each MQTT packet in a frame of its own, as clients do.
 */
class WebSocketLoadStream implements LoadStream {
  readonly #stream: LoadStream;
  #frames = new Uint8Array(1024);
  #header = new Uint8Array(10);
  #headerLength = 0;
  /** Payload of a frame that is still to come. */
  #left = 0;

  private constructor(stream: LoadStream) {
    this.#stream = stream;
  }

  static async open(stream: LoadStream, host: string): Promise<WebSocketLoadStream> {
    const lines = [
      "GET /mqtt HTTP/1.1",
      `Host: ${host}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Protocol: mqtt",
    ];
    await writeAll(stream, new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`));
    // Byte by byte: what follows the head belongs to the first frame.
    const byte = new Uint8Array(1);
    let head = "";
    while (!head.endsWith("\r\n\r\n")) {
      if (await stream.read(byte) === null) throw new Error("no answer to the upgrade");
      head += String.fromCharCode(byte[0]);
    }
    if (!head.startsWith("HTTP/1.1 101 ")) throw new Error(head.split("\r\n")[0]);
    return new WebSocketLoadStream(stream);
  }

  /** Payload is moved to the front of the buffer. */
  async read(buffer: Uint8Array): Promise<number | null> {
    for (;;) {
      const count = await this.#stream.read(buffer);
      if (count === null) return null;
      const payload = this.#unframe(buffer, count);
      if (payload > 0) return payload;
    }
  }

  /** Writes all: whole packets. */
  async write(packets: Uint8Array): Promise<number> {
    let length = 0;
    let packetEnd = 0;
    for (let start = 0; start < packets.length;) {
      if (start === packetEnd) packetEnd = endOfPacket(packets, start);
      const end = Math.min(packetEnd, start + FRAME_MAXIMUM);
      const size = end - start;
      if (length + FRAME_HEADER_MAXIMUM + size > this.#frames.length) {
        const larger = new Uint8Array((length + FRAME_HEADER_MAXIMUM + size) * 2);
        larger.set(this.#frames.subarray(0, length));
        this.#frames = larger;
      }
      const frames = this.#frames;
      frames[length++] = 0x82;
      if (size < 126) frames[length++] = 0x80 | size;
      else {
        frames[length++] = 0x80 | 126;
        frames[length++] = size >> 8;
        frames[length++] = size & 0xff;
      }
      frames.fill(0, length, length += 4);
      frames.set(packets.subarray(start, end), length);
      length += size;
      start = end;
    }
    await writeAll(this.#stream, this.#frames.subarray(0, length));
    return packets.length;
  }

  close(): void {
    this.#stream.close();
  }

  #unframe(buffer: Uint8Array, end: number): number {
    let at = 0, payload = 0;
    while (at < end) {
      if (this.#left === 0) {
        this.#header[this.#headerLength++] = buffer[at++];
        this.#left = this.#lengthInHeader();
        continue;
      }
      const count = Math.min(this.#left, end - at);
      buffer.copyWithin(payload, at, at + count);
      payload += count;
      at += count;
      this.#left -= count;
    }
    return payload;
  }

  /** 0: the header is not whole. Control frames are told by nobody in here. */
  #lengthInHeader(): number {
    const header = this.#header;
    if (this.#headerLength < 2) return 0;
    const short = header[1];
    const whole = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (this.#headerLength < whole) return 0;
    this.#headerLength = 0;
    if (short < 126) return short;
    let length = 0;
    for (let index = 2; index < whole; index++) length = length * 256 + header[index];
    return length;
  }
}

function endOfPacket(packets: Uint8Array, start: number): number {
  let length = 0, at = start + 1;
  for (let shift = 0;; shift += 7) {
    const byte = packets[at++];
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return at + length;
  }
}

async function writeAll(stream: LoadStream, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await stream.write(bytes.subarray(at));
}
