import assert from "node:assert/strict";
import { RuntimeWebSocketStream } from "../../src/transport/runtime_web_socket_stream.ts";
import { TransportError } from "../../src/transport/stream_link.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/** A WebSocket in which nothing happens by itself. */
class FakeSocket {
  binaryType = "";
  readyState: number = WebSocket.OPEN;
  bufferedAmount = 0;
  readonly sent: string[] = [];
  readonly closes: (number | undefined)[] = [];
  onopen: () => void = () => {};
  onmessage: (event: { data: unknown }) => void = () => {};
  onclose: () => void = () => {};
  readonly stream: RuntimeWebSocketStream;

  constructor(isOpen = true) {
    if (!isOpen) this.readyState = WebSocket.CONNECTING;
    this.stream = new RuntimeWebSocketStream(this as unknown as WebSocket);
    if (isOpen) this.onopen();
  }

  send(bytes: Uint8Array) {
    this.sent.push(new TextDecoder().decode(bytes));
  }

  close(code?: number) {
    this.closes.push(code);
    this.readyState = WebSocket.CLOSING;
  }

  give(bytes: Uint8Array) {
    this.onmessage({ data: bytes.slice().buffer });
  }

  async read(length: number): Promise<string | null> {
    const buffer = new Uint8Array(length);
    const count = await this.stream.read(buffer);
    return count === null ? null : new TextDecoder().decode(buffer.subarray(0, count));
  }
}

Deno.test("messages are read as a stream of bytes, however large the buffer", async () => {
  const socket = new FakeSocket();
  const early = socket.read(2);
  socket.give(encode("abc"));
  socket.give(encode(""));
  socket.give(encode("de"));
  assert.equal(socket.binaryType, "arraybuffer");
  assert.deepEqual([await early, await socket.read(5), await socket.read(5)], ["ab", "c", "de"]);
  const end = socket.read(1);
  socket.onclose();
  assert.equal(await end, null);
  assert.equal(await socket.read(1), null);
});

Deno.test("what came before the end is read before it", async () => {
  const socket = new FakeSocket();
  socket.give(encode("last"));
  socket.onclose();
  assert.deepEqual([await socket.read(10), await socket.read(10)], ["last", null]);
});

Deno.test("a text message closes with 1003", async () => {
  const socket = new FakeSocket();
  socket.give(encode("before"));
  socket.onmessage({ data: "text" });
  assert.equal(await socket.read(10), "before");
  await assert.rejects(socket.stream.read(new Uint8Array(1)), TransportError);
  assert.deepEqual(socket.closes, [1003]);
});

Deno.test("a peer that is not read may send some megabytes, then it is closed with 1009", async () => {
  const socket = new FakeSocket();
  const megabyte = new Uint8Array(1_048_576);
  for (let count = 0; count < 5; count++) socket.give(megabyte);
  assert.deepEqual(socket.closes, []);
  socket.give(megabyte);
  assert.deepEqual(socket.closes, [1009]);
  const buffer = new Uint8Array(10_000_000);
  for (let count = 0; count < 5; count++) {
    assert.equal(await socket.stream.read(buffer), 1_048_576);
  }
  await assert.rejects(socket.stream.read(buffer), TransportError);
});

Deno.test("messages of one byte weigh more than that byte", async () => {
  const socket = new FakeSocket();
  const byte = new Uint8Array(1);
  let given = 0;
  for (; socket.closes.length === 0 && given < 100_000; given++) socket.give(byte);
  assert.deepEqual(socket.closes, [1009], `after ${given} messages`);
  const reading = new FakeSocket();
  for (let count = 0; count < 100_000; count++) {
    reading.give(byte);
    await reading.stream.read(new Uint8Array(10));
  }
  assert.deepEqual(reading.closes, []);
});

Deno.test("a write waits until the runtime has sent enough, and the bytes may be reused after it", async () => {
  const socket = new FakeSocket();
  socket.bufferedAmount = 1_000_000;
  const bytes = encode("one");
  let isDone = false;
  const write = socket.stream.write(bytes).then((length) => {
    isDone = true;
    return length;
  });
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(isDone, false);
  socket.bufferedAmount = 0;
  assert.equal(await write, 3);
  bytes.fill(0);
  assert.deepEqual(socket.sent, ["one"]);
});

Deno.test("a write to a peer that has gone fails as with a socket", async () => {
  const socket = new FakeSocket();
  socket.bufferedAmount = 1_000_000;
  const write = socket.stream.write(encode("a"));
  socket.onclose();
  await assert.rejects(write, Deno.errors.BrokenPipe);
});

Deno.test("closing sends one Close frame and ends the reading", async () => {
  const socket = new FakeSocket();
  await socket.stream.closeWrite();
  const reading = socket.read(1);
  socket.stream.close();
  assert.equal(await reading, null);
  assert.deepEqual(socket.closes, [1000]);
});

Deno.test("closed before it is open, it is closed when it is", async () => {
  const socket = new FakeSocket(false);
  socket.stream.close();
  assert.deepEqual([await socket.read(1), socket.closes], [null, []]);
  socket.readyState = WebSocket.OPEN;
  socket.onopen();
  assert.deepEqual(socket.closes, [1000]);
});
