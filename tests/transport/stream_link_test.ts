import assert from "node:assert/strict";
import { IDLE_BUFFER_BYTES, LARGEST_BUFFER } from "../../src/wire/buffer_pool.ts";
import { turn } from "./fake_stream.ts";
import { assertInPool, type LinkScene, linkScene } from "./link_scene.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const reset = () => new Deno.errors.ConnectionReset("reset by peer");

const link = (title: string, run: (scene: LinkScene) => Promise<void>) =>
  Deno.test(`a link ${title}`, () => linkScene(run));

link("writes on where a write took less than asked", async ({ stream, core, send, bytesSent }) => {
  await send("one two three");
  await stream.take(4);
  await stream.take(0);
  await stream.take(4);
  assert.deepEqual([bytesSent(), core.drains], [0, 0], "nothing is told in the middle");
  await stream.take();
  assert.equal(stream.written, "one two three");
  assert.deepEqual([bytesSent(), core.drains, stream.writing], [13, 1, null]);
});

link("has one write in flight; what comes meanwhile goes in one", async ({ stream, send }) => {
  await send("a");
  const { writing } = stream;
  await send("b");
  await send("c");
  assert.equal(stream.writing, writing, "the first is not done");
  assert.equal(writing!.bytes.length, 1);
  await stream.take();
  assert.equal(stream.writing!.bytes.length, 2);
  await stream.take();
  assert.equal(stream.written, "abc");
});

link("writes what is appended when it says that there is room", async ({ stream, core, send }) => {
  const rest = ["b", "c", "d"];
  core.drained = () => {
    const next = rest.shift();
    if (next !== undefined) core.send(encode(next));
  };
  await send("a");
  for (let round = 0; round < 4; round++) await stream.take();
  assert.equal(stream.written, "abcd");
  assert.equal(stream.writing, null);
});

link("gives back the buffer it wrote from", async ({ stream, send }) => {
  await send("some words");
  const { bytes } = stream.writing!;
  await stream.take();
  assertInPool(bytes);
});

link("at the end writes what waits, half-closes and closes after the peer", async (scene) => {
  const { stream, link, send, closed } = scene;
  await send("a");
  await send("b");
  link.end();
  link.end();
  await stream.take();
  assert.equal(stream.halfCloses, 0);
  await stream.take();
  assert.deepEqual([stream.written, stream.halfCloses, stream.closes], ["ab", 1, 0]);
  await stream.give(encode("late"));
  await stream.give(encode("later"));
  assert.deepEqual([scene.core.length, closed()], [0, 0], "thrown away, and read on");
  await stream.giveEnd();
  assert.equal(closed(), 1);
});

link("that has nothing to write half-closes at once", async ({ stream, core, closed }) => {
  core.end();
  assert.deepEqual([stream.halfCloses, closed()], [1, 0]);
  await stream.giveEnd();
  assert.deepEqual([stream.halfCloses, closed()], [1, 1]);
});

link("writes what waits when the peer sends no more, then closes", async (scene) => {
  const { stream, core, send, closed, running } = scene;
  await send("a");
  await stream.giveEnd();
  assert.deepEqual([core.endings, closed()], [[undefined], 0]);
  await stream.take();
  assert.deepEqual([stream.written, closed()], ["a", 1]);
  await running;
});

link("is cut off when the peer does not close in time", async ({ stream, core, lingerEnds }) => {
  core.end();
  await stream.give(encode("still here"));
  lingerEnds();
  await turn();
  assert.equal(stream.closes, 1);
  assert.deepEqual(core.endings, [undefined], "that is no loss of the connection");
});

link("is cut off when the peer does not take what is left", async (scene) => {
  const { stream, core, send, lingerEnds, closed, faults } = scene;
  await send("x");
  await send("y");
  const { bytes } = stream.writing!;
  core.end();
  lingerEnds();
  await turn();
  assert.deepEqual([stream.written, stream.halfCloses, closed(), faults], ["", 0, 1, []]);
  assert.ok(core.outbox.isEmpty, "nothing is kept for it");
  assertInPool(bytes);
});

link("that is paused reads no further and loses nothing", async ({ stream, link, core }) => {
  core.onReceive = () => link.pause();
  await stream.give(encode("a"));
  assert.equal(stream.reading, null);
  link.resume();
  link.resume();
  link.pause();
  await turn();
  assert.equal(stream.reading, null, "paused again before it came to read");
  link.resume();
  await turn();
  await stream.give(encode("b"));
  assert.deepEqual([core.received, stream.reading], [encode("ab"), null]);
  core.onReceive = null;
  link.resume();
  await turn();
  assert.ok(stream.reading, "it reads on");
});

link("that is paused sees the peer's end once the core is done", async (scene) => {
  const { stream, link, core, closed } = scene;
  core.onReceive = () => link.pause();
  await stream.give(encode("a"));
  core.end();
  await turn();
  await stream.giveEnd();
  assert.equal(closed(), 1);
});

link("moves to a larger buffer with each read that fills one, and back", async (scene) => {
  const { stream, core } = scene;
  const sizes = () => stream.buffers.map(({ length }) => length);
  const bytes = new Uint8Array(70_000).map((_, index) => index);
  for (let sent = 0; sent < bytes.length;) sent += await stream.give(bytes.subarray(sent));
  assert.deepEqual(core.received, bytes);
  assert.deepEqual(sizes(), [IDLE_BUFFER_BYTES, 1024, 8192, LARGEST_BUFFER, LARGEST_BUFFER]);
  const large = stream.buffers.at(-1)!;
  // Of eight reads in a row the longest says what is enough; the first of these was the rest above.
  for (let quiet = 0; quiet < 7; quiet++) await stream.give(Uint8Array.of(1));
  assert.equal(stream.buffers.at(-1), large);
  for (const [length, size] of [[8192, LARGEST_BUFFER], [1024, 8192], [1023, 1024]] as const) {
    await stream.give(bytes.subarray(0, length));
    for (let quiet = 0; quiet < 7; quiet++) await stream.give(Uint8Array.of(1));
    assert.equal(stream.buffers.at(-1)!.length, size);
  }
  assertInPool(large);
  for (let quiet = 0; quiet < 8; quiet++) await stream.give(new Uint8Array(IDLE_BUFFER_BYTES - 1));
  assert.equal(stream.buffers.at(-1), stream.buffers[0]);
});

link("holds a small buffer behind one long packet", async ({ stream }) => {
  await stream.give(new Uint8Array(IDLE_BUFFER_BYTES));
  await stream.give(new Uint8Array(500));
  assert.equal(stream.buffers.at(-1)!.length, 1024);
});

link("gives back a large buffer at its end as well", async ({ stream, core }) => {
  const sizes = [IDLE_BUFFER_BYTES, 1024, 8192, LARGEST_BUFFER];
  for (const size of sizes) await stream.give(new Uint8Array(size));
  assert.equal(core.length, sizes.reduce((sum, size) => sum + size));
  await stream.giveEnd();
});

const networkErrors: Error[] = [
  reset(),
  new Deno.errors.ConnectionAborted("aborted"),
  new Deno.errors.BrokenPipe("broken pipe"),
  new Deno.errors.BadResource("closed"),
  new Deno.errors.Interrupted("interrupted"),
  new Deno.errors.NotConnected("not connected"),
  new Deno.errors.TimedOut("timed out"),
  new Deno.errors.UnexpectedEof("eof"),
  Object.assign(new Error("no route to host"), { code: "EHOSTUNREACH" }),
  Object.assign(new Error("network is down"), { code: "ENETDOWN" }),
];
const defects: Error[] = [
  new TypeError("undefined is not a function"),
  Object.assign(new Error("no such file"), { code: "ENOENT" }),
  Object.assign(new Error("a number"), { code: 32 }),
];

Deno.test("a link ends when the connection is lost, without a fault", async () => {
  for (const error of networkErrors) {
    await linkScene(async ({ stream, core, faults, closed }) => {
      await stream.failRead(error);
      assert.deepEqual([core.endings, faults, closed()], [["connection lost"], [], 1]);
    });
    await linkScene(async ({ stream, core, send, faults, closed, bytesSent }) => {
      await send("x");
      const { bytes } = stream.writing!;
      await stream.failWrite(error);
      assert.deepEqual([faults, closed(), bytesSent()], [[], 1, 0]);
      assert.deepEqual(core.endings, ["connection lost"]);
      assertInPool(bytes);
    });
  }
});

Deno.test("a link ends at any other error too, and tells of it as a fault", async () => {
  for (const error of defects) {
    await linkScene(async ({ stream, faults, closed }) => {
      await stream.failRead(error);
      assert.deepEqual(faults, [`reading from a connection: ${error.message}`]);
      assert.equal(closed(), 1);
    });
    await linkScene(async ({ stream, send, faults, closed }) => {
      await send("x");
      await stream.failWrite(error);
      assert.deepEqual(faults, [`writing to a connection: ${error.message}`]);
      assert.equal(closed(), 1);
    });
  }
});

link("ends when the core throws, which is a fault", async ({ stream, core, faults, closed }) => {
  core.onReceive = () => {
    throw new Error("not handled");
  };
  await stream.give(encode("x"));
  assert.deepEqual(faults, ["reading from a connection: not handled"]);
  assert.equal(closed(), 1);
});

link("closes when the half-close fails", async ({ stream, core, faults, closed }) => {
  stream.failure = new Deno.errors.NotConnected("reset before");
  core.end();
  await turn();
  assert.deepEqual([faults, closed()], [[], 1], "nor does a close that fails matter");
  stream.failure = null;
  await stream.failRead(reset());
});

link("that is destroyed does nothing more", async ({ stream, link, core, send, closed }) => {
  await send("x");
  await send("y");
  link.destroy();
  link.destroy();
  link.end();
  await turn();
  core.outbox.packet(encode("z"));
  await turn();
  link.flush();
  assert.deepEqual([closed(), stream.written, stream.writes], [1, "", 1]);
  core.outbox.discard();
});

link("hands over nothing that came as it was destroyed", async ({ stream, link, core }) => {
  const { reading } = stream;
  reading!.bytes.set(encode("x"));
  stream.reading = null;
  link.destroy();
  reading!.resolve(1);
  await turn();
  assert.equal(core.length, 0);
});

link("says nothing of a write that ended as it was destroyed", async (scene) => {
  const { stream, link, core, send } = scene;
  await send("x");
  const { writing } = stream;
  stream.writing = null;
  writing!.resolve(1);
  link.destroy();
  await turn();
  assert.equal(core.drains, 0);
  assertInPool(writing!.bytes);
});

link("closes when the peer has, without a half-close before", async ({ stream, closed }) => {
  await stream.giveEnd();
  assert.deepEqual([stream.halfCloses, closed()], [0, 1]);
});
