import assert from "node:assert/strict";
import { type LinkHost, StreamLink } from "../../src/transport/stream_link.ts";
import {
  borrowBuffer,
  borrowIdleBuffer,
  LARGEST_BUFFER,
  returnBuffer,
  returnIdleBuffer,
} from "../../src/wire/buffer_pool.ts";
import { FakeStream, turn } from "./fake_stream.ts";
import { StandInConnection } from "./stand_in_broker.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/** A link, both its ends, and what it told. */
export interface LinkScene {
  readonly stream: FakeStream;
  readonly link: StreamLink;
  readonly core: StandInConnection;
  readonly faults: string[];
  readonly bytesSent: () => number;
  /** How often the link said that it is closed. */
  readonly closed: () => number;
  readonly running: Promise<void>;
  /** Appends to the outbox, and lets the turn end. */
  send(text: string): Promise<void>;
  /** The linger time of the link passes. */
  lingerEnds(): void;
}

/** A link that runs over a fake stream. Its timers are the test's. */
export async function linkScene(run: (scene: LinkScene) => Promise<void>): Promise<void> {
  const faults: string[] = [];
  let bytesSent = 0, closed = 0;
  const host: LinkHost = {
    bytesSent: (count) => bytesSent += count,
    linkClosed: (which) => {
      assert.equal(which, link);
      closed++;
    },
    fault: (error, doing) => void faults.push(`${doing}: ${(error as Error).message}`),
  };
  const stream = new FakeStream();
  const link = new StreamLink(stream, "peer:1", host);
  const core = new StandInConnection(link);
  const { setTimeout, clearTimeout } = globalThis;
  const timers = new Map<number, () => void>();
  let lastTimer = 0;
  const fakes = {
    setTimeout: (due: () => void) => (timers.set(++lastTimer, due), lastTimer),
    clearTimeout: (timer: number) => timers.delete(timer),
  };
  Object.assign(globalThis, fakes);
  const running = link.run(core);
  try {
    await run({
      stream,
      link,
      core,
      faults,
      bytesSent: () => bytesSent,
      closed: () => closed,
      running,
      send: async (text) => {
        core.send(encode(text));
        await turn();
      },
      lingerEnds: () => {
        assert.equal(timers.size, 1, "one timer runs");
        for (const due of timers.values()) due();
      },
    });
    link.destroy();
    await running;
    assert.equal(timers.size, 0, "no timer outlives the link");
    assert.equal(closed, 1, "linkClosed is told once");
    assert.equal(stream.closes, 1, "the stream is closed once");
    assert.equal(core.endings.length, 1, "the end is told once");
    assertReturned(stream);
  } finally {
    Object.assign(globalThis, { setTimeout, clearTimeout });
  }
}

/** The read buffers are in the pool again: those given back last are the first to be had. */
function assertReturned({ buffers }: FakeStream) {
  const idle = borrowIdleBuffer();
  returnIdleBuffer(idle);
  assert.equal(idle, buffers[0], "the small buffer was given back");
  const large = buffers.findLast(({ length }) => length === LARGEST_BUFFER);
  if (large !== undefined) assertInPool(large);
}

/** A write buffer that was given back last is the first to be had. */
export function assertInPool(buffer: Uint8Array) {
  const borrowed = borrowBuffer(buffer.buffer.byteLength);
  returnBuffer(borrowed);
  assert.equal(borrowed.buffer, buffer.buffer, "the buffer was given back");
}
