import assert from "node:assert/strict";
import {
  BrokerProcess,
  eventually,
  pause,
  persistent,
  withDirectory,
} from "../support/broker_process.ts";
import { LastingClient } from "../support/lasting_client.ts";
import type { Version } from "../support/packets.ts";

/** Messages that a publisher has on the way at a time. */
const WINDOW = 8;

/** Publishes numbered messages, one as soon as another is acknowledged, on a topic of its own. */
class Publisher implements AsyncDisposable {
  readonly client: LastingClient;
  readonly qos: 1 | 2;
  readonly topic: string;
  readonly #retains: boolean;
  sent = 0;
  readonly acknowledgedAtMs = new Map<number, number>();
  isRunning = false;

  constructor(version: Version, qos: 1 | 2, retains = false) {
    this.client = new LastingClient(version, `publisher${version}${qos}${retains}`);
    this.qos = qos;
    this.topic = `${retains ? "kept" : "load"}/${version}/${qos}`;
    this.#retains = retains;
  }

  /** The number of the newest message that was acknowledged. */
  get newest(): number {
    return Math.max(0, ...this.acknowledgedAtMs.keys());
  }

  run(): void {
    this.isRunning = true;
    while (this.client.unfinished < WINDOW) this.#next();
  }

  #next(): void {
    const number = ++this.sent;
    const { topic, qos } = this;
    this.client.publish({ topic, qos, payload: `${number}`, retain: this.#retains }, () => {
      this.acknowledgedAtMs.set(number, performance.now());
      if (this.isRunning && this.client.unfinished < WINDOW) this.#next();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
  }
}

/** What a subscriber took from a publisher, as numbers in the order of first receipt. */
function firstReceipts(subscriber: LastingClient, { topic }: Publisher): number[] {
  const numbers = subscriber.taken.filter((one) => one.topic === topic)
    .map(({ text }) => Number(text));
  return [...new Set(numbers)];
}

function isAscending(numbers: number[]): boolean {
  return numbers.every((number, index) => index === 0 || numbers[index - 1] < number);
}

const PROMISE = "nothing acknowledged is lost, QoS 2 comes once, order is kept";

Deno.test(`kill -9 under load: ${PROMISE}`, () => endUnderLoad("SIGKILL", 10));

Deno.test(`SIGTERM under load: status 0, ${PROMISE}`, () => endUnderLoad("SIGTERM", 3));

/** Ends a broker under load so many times, then compares what it has with what it promised. */
function endUnderLoad(signal: "SIGKILL" | "SIGTERM", rounds: number): Promise<void> {
  return withDirectory(async (directory) => {
    const configuration = [...persistent(directory), "max_queued_messages 0"];
    await using stack = new AsyncDisposableStack();
    const publishers = ([[3, 1], [4, 1], [4, 2], [5, 1], [5, 2]] as const).map(([version, qos]) =>
      stack.use(new Publisher(version, qos))
    );
    const retainers = ([[4, 1], [5, 2]] as const).map(([version, qos]) =>
      stack.use(new Publisher(version, qos, true))
    );
    const atLeastOnce = stack.use(new LastingClient(4, "at-least-once"));
    const exactlyOnce = stack.use(new LastingClient(5, "exactly-once"));
    const collector = stack.use(new LastingClient(5, "collector"));
    const clients = [atLeastOnce, exactlyOnce, collector];
    const all = [...clients, ...[...publishers, ...retainers].map(({ client }) => client)];
    /** Filters whose SUBACK has come. */
    const subscribed: string[] = [];
    let asked = 0;
    const subscribeOn = () => {
      const filter = `subscriptions/${++asked}`;
      collector.subscribe(filter, 1, () => {
        subscribed.push(filter);
        if (publishers[0].isRunning) subscribeOn();
      });
    };

    let port: number | undefined;
    for (let round = 1; round <= rounds; round++) {
      await using broker = await BrokerProcess.start(directory, { configuration, port });
      port = broker.port;
      for (const client of all) {
        const isPresent = await client.connect(port);
        if (round > 1) assert.ok(isPresent !== false, `${client.clientId} in round ${round}`);
      }
      if (round === 1) {
        await new Promise<void>((resolve) => atLeastOnce.subscribe("load/#", 1, resolve));
        await new Promise<void>((resolve) => exactlyOnce.subscribe("load/#", 2, resolve));
      }
      const before = publishers.map(({ acknowledgedAtMs }) => acknowledgedAtMs.size);
      for (const publisher of [...publishers, ...retainers]) publisher.run();
      subscribeOn();
      // Each round gets somewhere, and then ends at any moment.
      await eventually(
        () => publishers.every(({ acknowledgedAtMs }, at) => acknowledgedAtMs.size > before[at]),
        () => `round ${round} gets nowhere:\n${broker.lines.join("\n")}`,
      );
      await pause(Math.random() * 300);
      const status = await broker.end(signal);
      if (signal === "SIGTERM") assert.equal(status, 0);
      for (const publisher of [...publishers, ...retainers]) publisher.isRunning = false;
      for (const client of all) await client.ended();
      broker.assertNoDefect();
    }

    await using broker = await BrokerProcess.start(directory, { configuration, port });
    for (const client of all) assert.ok(await client.connect(broker.port) !== false);
    await eventually(
      () => all.every(({ unfinished }) => unfinished === 0),
      () => "what was unfinished is never acknowledged",
    );
    // Behind everything else on its way to the subscribers.
    const marks = [atLeastOnce, exactlyOnce].map((client) =>
      new Promise<void>((resolve) => {
        let missing = publishers.length;
        client.onTaken = ({ text }) => {
          if (text === "0" && --missing === 0) resolve();
        };
      })
    );
    for (const { client, topic, qos } of publishers) {
      client.publish({ topic, qos, payload: "0" }, () => {});
    }
    await Promise.all(marks);

    for (const publisher of publishers) {
      for (const subscriber of [atLeastOnce, exactlyOnce]) {
        const what = `${publisher.topic} at ${subscriber.clientId}`;
        const came = firstReceipts(subscriber, publisher);
        const missing = [...publisher.acknowledgedAtMs.keys()].filter((one) => !came.includes(one));
        assert.deepEqual(missing, [], `lost of ${what}`);
        assert.ok(isAscending(came.filter((number) => number > 0)), `order of ${what}`);
      }
      const copies = exactlyOnce.taken.filter(({ topic }) => topic === publisher.topic).length;
      const kinds = firstReceipts(exactlyOnce, publisher).length;
      if (publisher.qos === 2) assert.equal(copies, kinds, `copies of ${publisher.topic}`);
    }

    // Every subscription that was acknowledged is there.
    const probe = stack.use(new LastingClient(4, "probe"));
    await probe.connect(broker.port);
    await eachInTurn(
      subscribed,
      (filter, next) => probe.publish({ topic: filter, qos: 1, payload: "there" }, next),
    );
    const reached = () => new Set(collector.taken.map(({ topic }) => topic));
    await eventually(
      () => subscribed.every((filter) => reached().has(filter)),
      () =>
        `lost of ${subscribed.length} subscriptions: ${
          subscribed.filter((f) => !reached().has(f))
        }`,
    );

    // A retained message is at least as new as the newest acknowledged.
    const reader = stack.use(new LastingClient(5, "reader"));
    await reader.connect(broker.port);
    reader.subscribe("kept/#", 0);
    await eventually(() => reader.taken.length === retainers.length, () => "retained are missing");
    for (const retainer of retainers) {
      const [{ text }] = reader.taken.filter(({ topic }) => topic === retainer.topic);
      assert.ok(Number(text) >= retainer.newest, `${retainer.topic}: ${text} < ${retainer.newest}`);
    }

    for (const { clientId, complaints } of all) assert.deepEqual(complaints, [], clientId);
    broker.assertNoDefect();
    assert.equal(await broker.end(), 0);
  });
}

/** Does one after the other, each when the one before has called back. */
async function eachInTurn<T>(
  items: readonly T[],
  act: (item: T, next: () => void) => void,
): Promise<void> {
  for (const item of items) await new Promise<void>((resolve) => act(item, resolve));
}

Deno.test("durability async: kill -9 loses the newest at most, and no message from between", () =>
  withDirectory(async (directory) => {
    const configuration = [
      ...persistent(directory),
      "durability async",
      "max_queued_messages 0",
    ];
    await using subscriber = new LastingClient(4, "subscriber");
    await using publisher = new Publisher(5, 1);
    let killedAtMs: number;
    let port: number;
    {
      await using broker = await BrokerProcess.start(directory, { configuration });
      port = broker.port;
      await subscriber.connect(port);
      await new Promise<void>((resolve) => subscriber.subscribe("load/#", 1, resolve));
      await subscriber.disconnect();
      await publisher.client.connect(port);
      publisher.run();
      await pause(3000);
      killedAtMs = performance.now();
      await broker.end("SIGKILL");
      publisher.isRunning = false;
      await publisher.client.ended();
    }
    const known = [...publisher.acknowledgedAtMs];
    await using broker = await BrokerProcess.start(directory, { configuration, port });
    await subscriber.connect(port);
    await using other = new LastingClient(4, "other");
    await other.connect(port);
    const marked = new Promise<void>((resolve) => {
      subscriber.onTaken = ({ topic }) => topic === "load/mark" && resolve();
    });
    other.publish({ topic: "load/mark", qos: 1, payload: "0" }, () => {});
    await marked;
    const came = firstReceipts(subscriber, publisher);
    // 100 ms are promised; a busy machine may be later, but not by twenty times that.
    const old = known.filter(([, atMs]) => atMs < killedAtMs - 2000).map(([number]) => number);
    assert.ok(old.length > 0);
    assert.ok(came.length >= old.length, `${came.length} of ${old.length}`);
    assert.deepEqual(came, came.map((_, index) => index + 1), "what is lost is lost from the end");
    broker.assertNoDefect();
  }));

Deno.test("persistence false: a broker that was killed starts empty, without complaint", () =>
  withDirectory(async (directory) => {
    await using publisher = new Publisher(4, 1, true);
    await using subscriber = new LastingClient(5, "subscriber");
    {
      await using broker = await BrokerProcess.start(directory, { cwd: directory });
      await subscriber.connect(broker.port);
      await new Promise<void>((resolve) => subscriber.subscribe("#", 2, resolve));
      await publisher.client.connect(broker.port);
      publisher.run();
      await eventually(() => publisher.newest > 20, () => "nothing is acknowledged");
      publisher.isRunning = false;
      await broker.end("SIGKILL");
    }
    assert.deepEqual([...Deno.readDirSync(directory)].map(({ name }) => name), ["broker.conf"]);
    await using broker = await BrokerProcess.start(directory, { cwd: directory });
    assert.equal(await subscriber.connect(broker.port), false);
    const before = subscriber.taken.length;
    await using other = new LastingClient(4, "other");
    await other.connect(broker.port);
    await new Promise<void>((resolve) => subscriber.subscribe("kept/#", 0, resolve));
    await new Promise<void>((resolve) => {
      other.publish({ topic: "kept/mark", qos: 1, payload: "mark" }, resolve);
    });
    await eventually(() => subscriber.taken.length > before, () => "nothing came");
    assert.deepEqual(subscriber.taken.slice(before).map(({ text }) => text), ["mark"]);
    assert.ok(broker.lines.every((line) => !line.includes("Error")));
  }));

Deno.test("5,000 acknowledged messages for a client that is away outlive kill -9, in their order", () =>
  withDirectory(async (directory) => {
    const MESSAGES = 5000;
    const configuration = [...persistent(directory), "max_queued_messages 0"];
    await using subscriber = new LastingClient(4, "subscriber");
    let port: number;
    {
      await using broker = await BrokerProcess.start(directory, { configuration });
      port = broker.port;
      await subscriber.connect(port);
      await new Promise<void>((resolve) => subscriber.subscribe("many", 1, resolve));
      await subscriber.disconnect();
      await using publisher = new LastingClient(5, "publisher");
      await publisher.connect(port);
      let acknowledged = 0;
      await new Promise<void>((resolve) => {
        for (let number = 1; number <= MESSAGES; number++) {
          publisher.publish({ topic: "many", qos: 1, payload: `${number}` }, () => {
            if (++acknowledged === MESSAGES) resolve();
          });
        }
      });
      await broker.end("SIGKILL");
    }
    await using broker = await BrokerProcess.start(directory, { configuration, port });
    assert.equal(await subscriber.connect(port), true);
    await eventually(
      () => subscriber.taken.length >= MESSAGES,
      () => `${subscriber.taken.length} of ${MESSAGES}`,
    );
    const expected = Array.from({ length: MESSAGES }, (_, index) => `${index + 1}`);
    assert.deepEqual(subscriber.taken.map(({ text }) => text), expected);
    broker.assertNoDefect();
  }));
