import assert from "node:assert/strict";
import type { Broker } from "../../src/broker/broker.ts";
import type { ByteStream } from "../../src/transport/stream_link.ts";
import { eventually, within } from "../support/broker_process.ts";
import { concat } from "../support/packets.ts";
import { StandInBroker, type StandInConnection } from "./stand_in_broker.ts";

/** A listener of one sort, open and accepting. */
export interface OpenTransport {
  /** Connections whose streams are not closed yet. */
  readonly connections: number;
  /** The client's end of a new connection. */
  dial(): Promise<ByteStream>;
  /** Stops listening and cuts off what is left. */
  close(): Promise<void>;
}

/** Opens listeners of one sort. */
export interface TransportFactory {
  readonly name: string;
  open(broker: Broker): Promise<OpenTransport>;
}

/** One connection, seen from both ends. */
interface Scene {
  readonly broker: StandInBroker;
  readonly core: StandInConnection;
  readonly peer: Peer;
  /** Waits until the link has closed its stream. */
  closed(): Promise<void>;
}

/** What a `Link` does over every real stream. */
export function transportContract({ name, open }: TransportFactory): void {
  const check = (title: string, run: (scene: Scene) => Promise<void>) =>
    Deno.test(`${name}: ${title}`, async () => {
      const broker = new StandInBroker();
      const transport = await open(broker.broker);
      let peer: Peer | null = null;
      try {
        peer = new Peer(await transport.dial());
        const core = await broker.connection(0);
        const closed = () =>
          eventually(() => transport.connections === 0, () => "the link closes its stream");
        await run({ broker, core, peer, closed });
        assert.deepEqual(broker.faults, []);
      } finally {
        peer?.close();
        await transport.close();
      }
    });

  check("says who the peer is", async ({ core }) => {
    assert.notEqual(core.link.remoteAddress, "");
    await Promise.resolve();
  });

  check("hands over all bytes in order, however they are cut", async ({ core, peer }) => {
    const bytes = pattern(500_000);
    // Around the sizes of buffers, and whatever is left.
    const cuts = [0, 1, 3, 255, 256, 257, 512, 1024, 65_535, 65_536, 65_537, 200_000, 500_000];
    for (let index = 1; index < cuts.length; index++) {
      await peer.send(bytes.subarray(cuts[index - 1], cuts[index]));
    }
    await core.untilReceived(bytes.length);
    assertSame(core.received, bytes);
  });

  check("writes all bytes in order, and counts them", async ({ broker, core, peer }) => {
    const bytes = pattern(3_000_000);
    const cuts = [0, 1, 4, 1000, 9000, 80_000, 200_000, 2_900_000, 3_000_000];
    for (let index = 1; index < cuts.length; index++) {
      core.send(bytes.subarray(cuts[index - 1], cuts[index]));
    }
    assertSame(await peer.read(bytes.length), bytes);
    await core.until(() => core.outbox.isEmpty, "nothing waits any more");
    assert.ok(core.drains > 0, "told that there is room again");
    assert.equal(broker.counters.bytesSent, bytes.length);
  });

  check("carries both directions at once", async ({ core, peer }) => {
    core.onReceive = (chunk) => core.send(chunk);
    const bytes = pattern(1_000_000);
    const [echo] = await Promise.all([peer.read(bytes.length), peer.send(bytes)]);
    assertSame(echo, bytes);
  });

  check("reads no further while it is paused, and loses nothing by it", async ({ core, peer }) => {
    const bytes = pattern(1_000_000);
    core.onReceive = () => core.link.pause();
    const sending = peer.send(bytes);
    let length = 0;
    while (length < bytes.length) {
      await core.untilReceived(length + 1);
      const { length: before } = core;
      // What the core writes goes all the same, and its way there and back leaves time for a mistake.
      core.send(Uint8Array.of(1));
      await peer.read(1);
      assert.equal(core.length, before);
      length = before;
      core.link.resume();
    }
    await sending;
    assertSame(core.received, bytes);
  });

  check("at the end writes what waits, then closes", async ({ core, peer, closed }) => {
    const bytes = pattern(3_000_000);
    core.send(bytes);
    core.end();
    core.end();
    assertSame(await peer.rest(), bytes);
    peer.close();
    await closed();
    assert.equal(core.endings.length, 1);
  });

  check("at the end with nothing waiting closes", async ({ core, peer, closed }) => {
    core.end();
    assert.equal((await peer.rest()).length, 0);
    peer.close();
    await closed();
  });

  check("throws away what comes after the end, and the last words still arrive", async (scene) => {
    const { core, peer, closed } = scene;
    await peer.send(pattern(10));
    await core.untilReceived(10);
    core.send(pattern(1000));
    core.end();
    // Closing with this unread would reset the connection.
    await peer.send(pattern(1_000_000));
    assertSame(await peer.rest(), pattern(1000));
    peer.close();
    await closed();
    assert.equal(core.length, 10, "the core is done and sees none of it");
  });

  check("tells once that the peer has closed", async ({ core, peer, closed }) => {
    await peer.send(pattern(10));
    peer.close();
    await core.until(() => core.endings.length > 0, "the end");
    await closed();
    assert.equal(core.length, 10, "after what it sent last");
    assert.deepEqual(core.endings, [undefined]);
  });

  check("a peer that only stops sending gets what is being written", async (scene) => {
    const { core, peer, closed } = scene;
    const bytes = pattern(5_000_000);
    core.onReceive = () => core.send(bytes);
    await peer.send(pattern(1));
    await peer.closeWrite();
    assertSame(await peer.rest(), bytes);
    await closed();
    assert.deepEqual(core.endings, [undefined]);
  });

  check("a peer that vanishes in the middle of a write is no defect", async (scene) => {
    const { core, peer, closed } = scene;
    core.send(pattern(5_000_000));
    await peer.read(1);
    peer.close();
    await closed();
    await core.until(() => core.endings.length > 0, "the end");
    assert.equal(core.endings.length, 1);
    assert.ok(core.outbox.isEmpty, "what it did not take is let go of");
    core.send(pattern(10));
    core.link.flush();
    core.end();
  });

  check("destroyed, it is closed at once, whatever waits", async ({ core, peer, closed }) => {
    core.send(pattern(20_000_000));
    await peer.read(1);
    core.link.destroy();
    core.link.destroy();
    await closed();
    assert.ok((await peer.rest()).length < 19_999_999, "it was cut off");
    await core.until(() => core.endings.length > 0, "the end");
    assert.equal(core.endings.length, 1);
  });

  check("destroyed while paused, it ends too", async ({ core, peer, closed }) => {
    core.onReceive = () => core.link.pause();
    await peer.send(pattern(10));
    await core.untilReceived(10);
    core.link.destroy();
    await core.until(() => core.endings.length > 0, "the end");
    await closed();
  });
}

/** The client's end: sends and reads what it is told. */
class Peer {
  readonly #stream: ByteStream;
  #isClosed = false;

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  async send(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += await within(this.#stream.write(bytes.subarray(at)), () => "the link does not read");
    }
  }

  async read(length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const count = await within(this.#stream.read(bytes.subarray(at)), () => "nothing comes");
      assert.ok(count !== null, `it ended after ${at} of ${length} bytes`);
      at += count;
    }
    return bytes;
  }

  /** What comes until the end. A reset is an end; whatever it took with it is missing. */
  async rest(): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    const buffer = new Uint8Array(65_536);
    for (;;) {
      try {
        const count = await within(this.#stream.read(buffer), () => "no end comes");
        if (count === null) break;
        chunks.push(buffer.slice(0, count));
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
        break;
      }
    }
    return concat(...chunks);
  }

  closeWrite(): Promise<void> {
    return this.#stream.closeWrite();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stream.close();
  }
}

/** Bytes that show it when some are missing, doubled or in the wrong place. */
function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = at ^ at >> 8 ^ at >> 16;
  return bytes;
}

/** Unlike deepEqual quick for megabytes, and brief about a difference. */
function assertSame(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(actual.length, expected.length);
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  assert.equal(at, -1, `the first byte that differs is ${at}`);
}
