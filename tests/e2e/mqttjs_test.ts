import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient } from "mqtt";
import {
  BrokerProcess,
  freePort,
  persistent,
  withDirectory,
  within,
} from "../support/broker_process.ts";

type Version = 3 | 4 | 5;

/** A connected client of mqtt.js and what came to it, from the first packet on. */
async function connect(
  port: number,
  version: Version,
  options: IClientOptions = {},
): Promise<MqttClient & { inbox: Inbox }> {
  const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, {
    protocolVersion: version,
    protocolId: version === 3 ? "MQIsdp" : "MQTT",
    reconnectPeriod: 0,
    timerVariant: "native",
    ...options,
  });
  const inbox = new Inbox(client);
  const connected = new Promise<void>((resolve, reject) => {
    client.once("connect", () => resolve());
    // Stays: a broker that is killed is no news to a client that reconnects.
    client.on("error", reject);
  });
  await within(connected, () => "no CONNACK");
  return Object.assign(client, { inbox });
}

/** Messages that have come, and a way to wait for the next. */
class Inbox {
  readonly #messages: IPublishPacket[] = [];
  #onMessage: () => void = () => {};

  constructor(client: MqttClient) {
    client.on("message", (_topic, _payload, packet) => {
      this.#messages.push(packet);
      this.#onMessage();
    });
  }

  async next(): Promise<IPublishPacket> {
    while (this.#messages.length === 0) {
      const came = new Promise<void>((resolve) => this.#onMessage = resolve);
      await within(came, () => "no message came");
    }
    return this.#messages.shift()!;
  }
}

function text(
  message: IPublishPacket,
): [topic: string, payload: string, qos: number, retain: boolean] {
  return [message.topic, message.payload.toString(), message.qos, message.retain];
}

function withBroker(test: (broker: BrokerProcess) => Promise<void>): Promise<void> {
  return withDirectory(async (directory) => {
    await using broker = await BrokerProcess.start(directory, {
      configuration: persistent(directory),
    });
    await test(broker);
    broker.assertNoDefect();
    assert.equal(await broker.end(), 0);
  });
}

for (const version of [3, 4, 5] as const) {
  Deno.test(`mqtt.js ${version}: messages of every QoS, retained ones, unsubscribing`, () =>
    withBroker(async ({ port }) => {
      const client = await connect(port, version, { clientId: "both" });
      await client.subscribeAsync({ "a/+": { qos: 2 }, "b": { qos: 1 } });
      for (const qos of [0, 1, 2] as const) {
        await client.publishAsync("a/x", `qos ${qos}`, { qos });
        assert.deepEqual(text(await client.inbox.next()), ["a/x", `qos ${qos}`, qos, false]);
      }
      await client.publishAsync("b", "lowered", { qos: 2, retain: true });
      assert.deepEqual(text(await client.inbox.next()), ["b", "lowered", 1, false]);
      await client.unsubscribeAsync("a/+");
      await client.publishAsync("a/x", "unheard", { qos: 1 });
      await client.publishAsync("b", "heard", { qos: 1, retain: true });
      assert.deepEqual(text(await client.inbox.next()), ["b", "heard", 1, false]);

      const late = await connect(port, version, { clientId: "late" });
      await late.subscribeAsync("#", { qos: 0 });
      assert.deepEqual(text(await late.inbox.next()), ["b", "heard", 0, true]);
      await late.endAsync();
      await client.endAsync();
    }));

  Deno.test(`mqtt.js ${version}: a lasting session gets what came while its client was away`, () =>
    withBroker(async ({ port }) => {
      const lasting: IClientOptions = {
        clientId: "lasting",
        clean: false,
        ...(version === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {}),
      };
      const first = await connect(port, version, lasting);
      await first.subscribeAsync("away/#", { qos: 2 });
      await first.endAsync();
      const publisher = await connect(port, version, { clientId: "publisher" });
      for (const qos of [0, 1, 2] as const) {
        await publisher.publishAsync(`away/${qos}`, "meanwhile", { qos });
      }
      await publisher.endAsync();
      const second = await connect(port, version, lasting);
      // At QoS 2 as the last: mqtt.js hands those out when they are released.
      await second.publishAsync("away/now", "now", { qos: 2 });
      const seen = [];
      for (let count = 0; count < 3; count++) seen.push((await second.inbox.next()).topic);
      assert.deepEqual(seen, ["away/1", "away/2", "away/now"]);
      await second.endAsync();
    }));

  Deno.test(`mqtt.js ${version}: the Will of a client that vanishes is sent, and only then`, () =>
    withBroker(async ({ port }) => {
      const watcher = await connect(port, version, { clientId: "watcher" });
      await watcher.subscribeAsync("wills/#", { qos: 1 });
      const withWill = (clientId: string) =>
        connect(port, version, {
          clientId,
          will: { topic: `wills/${clientId}`, payload: Buffer.from("gone"), qos: 1, retain: false },
        });
      const polite = await withWill("polite");
      await polite.endAsync();
      const vanishing = await withWill("vanishing");
      vanishing.stream.destroy();
      assert.deepEqual(text(await watcher.inbox.next()), ["wills/vanishing", "gone", 1, false]);
      await vanishing.endAsync(true);
      await watcher.endAsync();
    }));

  Deno.test(`mqtt.js ${version}: payloads of 1 MiB in every QoS`, () =>
    withBroker(async ({ port }) => {
      const client = await connect(port, version, { clientId: "large" });
      await client.subscribeAsync("large", { qos: 2 });
      const payload = Buffer.alloc(1024 * 1024, "0123456789abcdef-");
      for (const qos of [0, 1, 2] as const) {
        await client.publishAsync("large", payload, { qos });
        assert.ok(payload.equals((await client.inbox.next()).payload as Buffer), `QoS ${qos}`);
      }
      await client.endAsync();
    }));
}

Deno.test("mqtt.js 5: properties arrive as they were sent", () =>
  withBroker(async ({ port }) => {
    const client = await connect(port, 5, { clientId: "properties" });
    await client.subscribeAsync("p", { qos: 1, properties: { subscriptionIdentifier: 12 } });
    const properties = {
      payloadFormatIndicator: true,
      contentType: "text/plain",
      responseTopic: "answers",
      correlationData: Buffer.from([1, 0, 255]),
      userProperties: { one: "1", two: ["2", "3"] },
    };
    await client.publishAsync("p", "x", { qos: 1, properties });
    const { properties: came } = await client.inbox.next();
    assert.deepEqual({ ...came, userProperties: { ...came!.userProperties } }, {
      ...properties,
      subscriptionIdentifier: 12,
    });
    await client.endAsync();
  }));

Deno.test("mqtt.js reconnects by itself to a broker that was killed, and its session goes on", () =>
  withDirectory(async (directory) => {
    const port = freePort();
    const options = { configuration: persistent(directory), port };
    await using first = await BrokerProcess.start(directory, options);
    const client = await connect(port, 5, {
      clientId: "staying",
      clean: false,
      reconnectPeriod: 50,
      resubscribe: false,
      properties: { sessionExpiryInterval: 3600 },
    });
    await client.subscribeAsync("news", { qos: 2 });
    await first.end("SIGKILL");
    const reconnected = new Promise<boolean>((resolve) =>
      client.once("connect", ({ sessionPresent }) => resolve(sessionPresent))
    );
    // Published while there is no broker: sent when there is one.
    const published = client.publishAsync("news", "kept by the client", { qos: 2 });
    await using second = await BrokerProcess.start(directory, options);
    assert.equal(await within(reconnected, () => "did not reconnect"), true);
    await published;
    assert.deepEqual(text(await client.inbox.next()), ["news", "kept by the client", 2, false]);
    await client.endAsync();
    second.assertNoDefect();
  }));

Deno.test("mqtt.js: 20 clients of all versions talk to each other", () =>
  withBroker(async ({ port }) => {
    const CLIENTS = 20, ROUNDS = 10;
    const clients = await Promise.all(
      Array.from(
        { length: CLIENTS },
        (_, index) =>
          connect(port, ([3, 4, 5] as const)[index % 3], { clientId: `client${index}` }),
      ),
    );
    await Promise.all(clients.map((client) => client.subscribeAsync("room/#", { qos: 2 })));
    await Promise.all(clients.map(async (client, index) => {
      for (let round = 0; round < ROUNDS; round++) {
        const qos = (index % 3) as 0 | 1 | 2;
        await client.publishAsync(`room/${index}`, `${round}`, { qos });
      }
    }));
    for (const { inbox } of clients) {
      const rounds = new Map<string, string[]>();
      for (let count = 0; count < CLIENTS * ROUNDS; count++) {
        const { topic, payload } = await inbox.next();
        rounds.set(topic, [...rounds.get(topic) ?? [], payload.toString()]);
      }
      assert.equal(rounds.size, CLIENTS);
      const all = Array.from({ length: ROUNDS }, (_, round) => `${round}`);
      for (const came of rounds.values()) assert.deepEqual(came, all);
    }
    await Promise.all(clients.map((client) => client.endAsync()));
  }));
