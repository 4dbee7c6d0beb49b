import assert from "node:assert/strict";
import type { ServerPacket } from "../support/packet_decoder.ts";
import { ack, property, publish, type PublishFields, subscribe } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";
import { arrived, messages, withAndWithout } from "./with_and_without.ts";

/** What a client gets of its own messages, by its subscriptions. */
async function echoes(
  port: number,
  filters: readonly [string, number][],
  published: readonly PublishFields[],
): Promise<ServerPacket[]> {
  await using client = await TcpClient.connect(port, 4);
  void client.send(subscribe(4, { filters }));
  await client.next("suback");
  for (const [index, fields] of published.entries()) {
    void client.send(publish(4, { ...fields, ...(fields.qos && { packetId: index + 1 }) }));
  }
  return await messages(client);
}

/** What waits for a lasting session that is away while messages are published. */
async function queued(port: number, published: readonly PublishFields[]): Promise<number> {
  const clientId = `away-${crypto.randomUUID()}`;
  {
    await using client = await TcpClient.connect(port, 4, { clientId, clean: false });
    void client.send(subscribe(4, { filters: [["q", 1]] }));
    await client.next("suback");
  }
  {
    await using publisher = await TcpClient.connect(port, 4, { clientId: "publisher" });
    for (const [index, fields] of published.entries()) {
      void publisher.send(publish(4, { ...fields, ...(fields.qos && { packetId: index + 1 }) }));
    }
    await arrived(publisher);
  }
  await using client = await TcpClient.connect(port, 4, { clientId, clean: false });
  return (await messages(client)).length;
}

const OPTIONS = [
  ...["max_queued_messages 2", "max_queued_bytes 100", "queue_qos0_messages true"],
  ...["upgrade_outgoing_qos true", "allow_duplicate_messages true", "max_inflight_bytes 100"],
  ...["message_size_limit 200000", "max_retained_messages 1", "max_subscriptions_per_client 2"],
  ...["strict_receive_maximum true", "max_unreleased_bytes 65536", "sys_interval 0"],
  ...["max_inflight_messages 3", "max_topic_alias_broker 0"],
];

Deno.test("options of queueing and delivery", (t) =>
  withAndWithout(() => OPTIONS, async ({ set, plain }) => {
    /** The same done to both brokers. */
    const both = async <T>(act: (port: number) => Promise<T>) =>
      [await act(set.port), await act(plain.port)] as const;
    const four = [1, 2, 3, 4].map(() => ({ topic: "q", qos: 1, payload: "x" }));

    await t.step("max_queued_messages: no more wait for a client", async () => {
      assert.deepEqual(await both((port) => queued(port, four)), [2, 4]);
    });
    await t.step("max_queued_bytes: no more wait for a client", async () => {
      const two = four.slice(2).map((fields) => ({ ...fields, payload: "x".repeat(60) }));
      assert.deepEqual(await both((port) => queued(port, two)), [1, 2]);
    });
    await t.step("queue_qos0_messages: QoS 0 waits, too", async () => {
      assert.deepEqual(await both((port) => queued(port, [{ topic: "q" }])), [1, 0]);
    });
    await t.step("upgrade_outgoing_qos: a message gets the QoS of the subscription", async () => {
      const qos = async (port: number) => (await echoes(port, [["u", 1]], [{ topic: "u" }]))[0].qos;
      assert.deepEqual(await both(qos), [1, 0]);
    });
    await t.step("allow_duplicate_messages: a copy for each subscription", async () => {
      const copies = async (port: number) =>
        (await echoes(port, [["a/#", 0], ["a/+", 0]], [{ topic: "a/b" }])).length;
      assert.deepEqual(await both(copies), [2, 1]);
    });
    await t.step("max_inflight_messages: no more without acknowledgement", async () => {
      const inFlight = async (port: number) => (await echoes(port, [["q", 1]], four)).length;
      assert.deepEqual(await both(inFlight), [3, 4]);
    });
    await t.step("max_inflight_bytes: no more without acknowledgement", async () => {
      const two = four.slice(2).map((fields) => ({ ...fields, payload: "x".repeat(60) }));
      const inFlight = async (port: number) => (await echoes(port, [["q", 1]], two)).length;
      assert.deepEqual(await both(inFlight), [1, 2]);
    });
    await t.step("message_size_limit: larger payloads are dropped", async () => {
      const large = { topic: "m", payload: "x".repeat(200_001) };
      const come = async (port: number) => (await echoes(port, [["m", 0]], [large])).length;
      assert.deepEqual(await both(come), [0, 1]);
    });
    await t.step("max_retained_messages: a further topic is not retained", async () => {
      const retained = async (port: number) => {
        await using client = await TcpClient.connect(port, 4);
        for (const topic of ["r/1", "r/2"]) {
          void client.send(publish(4, { topic, payload: "x", retain: true }));
        }
        void client.send(subscribe(4, { filters: [["r/#", 0]] }));
        return (await messages(client)).length;
      };
      assert.deepEqual(await both(retained), [1, 2]);
    });
    await t.step("max_subscriptions_per_client: a further one is refused", async () => {
      const reasons = async (port: number) => {
        await using client = await TcpClient.connect(port, 4);
        void client.send(subscribe(4, { filters: [["a", 0], ["b", 0], ["c", 0]] }));
        return (await client.next("suback")).reasons;
      };
      assert.deepEqual(await both(reasons), [[0, 0, 0x80], [0, 0, 0]]);
    });
    await t.step("strict_receive_maximum: who exceeds it is disconnected", async () => {
      const overrun = async (port: number) => {
        await using client = await TcpClient.connect(port, 5);
        for (let packetId = 1; packetId <= 25; packetId++) {
          void client.send(publish(5, { topic: "s", qos: 2, packetId }));
        }
        for (;;) {
          const packet = await client.next();
          if (packet.type === "disconnect") return packet.reason;
          if (packet.type === "pubrec" && packet.packetId === 25) return undefined;
        }
      };
      assert.deepEqual(await both(overrun), [0x93, undefined]);
    });
    await t.step("max_unreleased_bytes: who leaves more unreleased is disconnected", async () => {
      const unreleased = async (port: number) => {
        await using client = await TcpClient.connect(port, 5);
        const payload = "x".repeat(40_000);
        for (const packetId of [1, 2]) {
          void client.send(publish(5, { topic: "u", qos: 2, packetId, payload }));
        }
        for (;;) {
          const packet = await client.next();
          if (packet.type === "disconnect") return packet.reason;
          if (packet.packetId === 2) {
            void client.send(ack("pubrel", 1));
            return packet.reason! < 0x80 ? undefined : packet.reason;
          }
        }
      };
      const [withIt, without] = await both(unreleased);
      assert.equal(without, undefined);
      assert.equal(withIt, 0x93);
    });
    await t.step("sys_interval: 0 publishes nothing below $SYS", async () => {
      const told = async (port: number) => {
        await using client = await TcpClient.connect(port, 4);
        void client.send(subscribe(4, { filters: [["$SYS/broker/version", 0]] }));
        return (await messages(client)).length;
      };
      assert.deepEqual(await both(told), [0, 1]);
    });
    await t.step("max_topic_alias_broker: 0 uses no aliases", async () => {
      const aliases = async (port: number) => {
        const TOPIC_ALIAS = 0x23, TOPIC_ALIAS_MAXIMUM = 0x22;
        await using client = await TcpClient.connect(port, 5, {
          properties: property(TOPIC_ALIAS_MAXIMUM, 5),
        });
        void client.send(subscribe(5, { filters: [["t", 0]] }));
        await client.next("suback");
        void client.send(publish(5, { topic: "t", payload: "1" }));
        void client.send(publish(5, { topic: "t", payload: "2" }));
        return (await messages(client)).some(({ properties }) =>
          properties.some(([id]) => id === TOPIC_ALIAS)
        );
      };
      assert.deepEqual(await both(aliases), [false, true]);
    });
  }));
