import assert from "node:assert/strict";
import fc from "fast-check";
import { OutgoingTopicAliases } from "../../src/session/topic_aliases.ts";
import { type Delivery, Outbox, type OutboxHost } from "../../src/wire/outbox.ts";
import { PacketType } from "../../src/wire/packet_type.ts";
import { Properties } from "../../src/wire/properties.ts";
import { Publish, type Qos, type TopicName } from "../../src/wire/publish.ts";
import { decodePackets, type ServerPacket } from "../support/packet_decoder.ts";
import { ack, Property, publish as publishPacket, type Version } from "../support/packets.ts";
import {
  bodyStartOf,
  forwardedProperties,
  generate,
  message,
  type MessageFields,
  parse,
  publishLength,
} from "./messages.ts";

const properties = new Properties();
const version = fc.constantFrom<Version>(3, 4, 5);

/** A host that settles borrowed runs when it is told to. */
class TestHost implements OutboxHost {
  readonly sent = { packets: new Float64Array(16), publishes: 0, publishBytes: 0 };
  touches = 0;
  readonly #borrowed = new Set<Outbox>();

  touched(outbox: Outbox): void {
    this.touches++;
    outbox.isTouched = true;
  }

  borrowed(outbox: Outbox): void {
    this.#borrowed.add(outbox);
  }

  settle(): void {
    for (const outbox of this.#borrowed) outbox.settle();
    this.#borrowed.clear();
  }
}

function takeAll(outbox: Outbox): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let part = outbox.take(); part !== null; part = outbox.take()) {
    parts.push(part.slice());
    outbox.written();
  }
  assert.ok(outbox.isEmpty);
  return parts.length === 1 ? parts[0] : concatBytes(parts);
}

/** For large parts, where a list of numbers would take too long. */
function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) (whole.set(part, at), at += part.length);
  return whole;
}

function topicOf(name: string): TopicName {
  return { name, bytes: new TextEncoder().encode(name) };
}

const delivery: fc.Arbitrary<Delivery> = fc.record({
  qos: fc.constantFrom<Qos>(0, 1, 2),
  retain: fc.boolean(),
  dup: fc.boolean(),
  packetId: fc.integer({ min: 1, max: 65_535 }),
  identifiers: fc.option(
    fc.array(fc.integer({ min: 1, max: 268_435_455 }), { minLength: 1, maxLength: 3 }),
  ),
  expirySeconds: fc.constantFrom<number[]>(-1, -1, 0, 7, 0xffff_ffff),
}).map((one) => ({
  ...one,
  dup: one.dup && one.qos > 0,
  packetId: one.qos === 0 ? 0 : one.packetId,
}));

interface Sent {
  readonly fields: MessageFields;
  readonly from: Version;
  readonly delivery: Delivery;
  /** Kept in a copy first, as in a queue. */
  readonly isCopied: boolean;
}
const sent: fc.Arbitrary<Sent> = fc.record({
  fields: message,
  from: version,
  delivery,
  isCopied: fc.boolean(),
});

/** Hands all messages over as the core does: several in one read buffer that is overwritten later. */
function send(host: TestHost, outbox: Outbox, all: readonly Sent[]): boolean[] {
  const packets = all.map(({ fields, from }) => generate(fields, from));
  const buffer = concatBytes(packets);
  let at = 0;
  const results = all.map(({ from, delivery, isCopied, fields }, index) => {
    const publish = new Publish();
    const start = at;
    at += packets[index].length;
    publish.read(buffer, start, start + bodyStartOf(packets[index]), at, from, properties);
    const topic = topicOf(fields.topic);
    return outbox.publish(isCopied ? publish.copy() : publish, topic, delivery);
  });
  host.settle();
  buffer.fill(0xee);
  return results;
}

function assertSame(packet: ServerPacket, to: Version, { fields, from, delivery }: Sent) {
  assert.equal(packet.type, "publish");
  assert.equal(packet.topic, fields.topic);
  assert.deepEqual(packet.payload, fields.payload);
  assert.deepEqual(
    [packet.qos, packet.dup, packet.retain, packet.packetId ?? 0],
    [delivery.qos, delivery.dup, delivery.retain, delivery.packetId],
  );
  if (to !== 5) return;
  const forwarded: [number, unknown][] = [];
  if (from === 5) {
    // mqtt-packet wrote the User Properties grouped by name.
    const names = [...new Set(fields.userProperties.map(([name]) => name))];
    const grouped = names.flatMap((wanted) =>
      fields.userProperties.filter(([name]) => name === wanted)
    );
    const bytes = forwardedProperties({ ...fields, userProperties: grouped });
    const probe = publishPacket(5, { topic: "a", properties: bytes });
    forwarded.push(...decodePackets(probe, 5).packets[0].properties as [number, unknown][]);
  }
  const others = packet.properties.filter(([id]) =>
    id !== Property.messageExpiryInterval && id !== Property.subscriptionIdentifier
  );
  assert.deepEqual(sorted(others), sorted(forwarded));
  const valuesOf = (wanted: number) =>
    packet.properties.filter(([id]) => id === wanted).map(([, value]) => value);
  const { expirySeconds, identifiers } = delivery;
  assert.deepEqual(
    valuesOf(Property.messageExpiryInterval),
    expirySeconds < 0 ? [] : [expirySeconds],
  );
  assert.deepEqual(valuesOf(Property.subscriptionIdentifier), identifiers ?? []);
}

/** mqtt-packet writes properties in an order of its own; that of ours is tested by itself. */
function sorted(list: readonly (readonly [number, unknown])[]): string[] {
  return list.map(([id, value]) => `${id} ${value}`).sort();
}

Deno.test("whatever is sent decodes to the same message, for each version and QoS", () => {
  fc.assert(
    fc.property(version, fc.array(sent, { minLength: 1, maxLength: 12 }), (to, all) => {
      // A message that had an expiry is sent with one.
      const list = all.map((one) => ({
        ...one,
        delivery: one.from === 5 && one.fields.messageExpirySeconds !== undefined
          ? { ...one.delivery, expirySeconds: one.fields.messageExpirySeconds }
          : one.delivery,
      }));
      const host = new TestHost();
      const outbox = new Outbox(host);
      outbox.version = to;
      assert.ok(send(host, outbox, list).every((result) => result));
      assert.equal(host.sent.publishes, list.length);
      const { packets, rest } = decodePackets(takeAll(outbox), to);
      assert.equal(rest.length, 0);
      assert.equal(packets.length, list.length);
      packets.forEach((packet, index) => {
        assertSame(packet, to, list[index]);
        const read = parse(packet.raw, to);
        assert.deepEqual([read.topic, read.qos], [list[index].fields.topic, packet.qos]);
      });
    }),
    { numRuns: 500 },
  );
});

Deno.test("acknowledgements and messages come out in the order they went in", () => {
  const item = fc.oneof(
    sent,
    fc.record({
      type: fc.constantFrom("puback", "pubrec", "pubrel", "pubcomp"),
      id: fc.integer({ min: 1, max: 65_535 }),
      reason: fc.constantFrom(0, 0x10, 0x92),
    }),
  );
  const types = {
    puback: PacketType.Puback,
    pubrec: PacketType.Pubrec,
    pubrel: PacketType.Pubrel,
    pubcomp: PacketType.Pubcomp,
  };
  fc.assert(fc.property(version, fc.array(item, { maxLength: 12 }), (to, items) => {
    const host = new TestHost();
    const outbox = new Outbox(host);
    outbox.version = to;
    for (const item of items) {
      if ("type" in item) {
        outbox.acknowledge(types[item.type as keyof typeof types], item.id, item.reason);
      } else send(host, outbox, [item]);
    }
    const { packets } = decodePackets(takeAll(outbox), to);
    assert.equal(packets.length, items.length);
    items.forEach((item, index) => {
      if (!("type" in item)) {
        return assert.deepEqual(packets[index].payload, item.fields.payload);
      }
      const reason = to === 5 && item.reason !== 0 ? { reason: item.reason } : {};
      assert.deepEqual(packets[index].raw, ack(item.type as keyof typeof types, item.id, reason));
    });
  }));
});

Deno.test("QoS 0 messages that stand one behind the other are one run, and yet what they were", () => {
  const host = new TestHost();
  const outbox = new Outbox(host);
  const plain = { qos: 0, retain: false, dup: false, packetId: 0, identifiers: null } as const;
  const all = Array.from({ length: 50 }, (_, index): Sent => ({
    fields: {
      topic: `t/${index % 3}`,
      payload: Uint8Array.of(index),
      qos: 0,
      dup: false,
      // One in the middle has another first byte, which ends the run.
      retain: index === 25,
      packetId: 0,
      userProperties: [],
    },
    from: 4,
    delivery: { ...plain, expirySeconds: -1 },
    isCopied: false,
  }));
  send(host, outbox, all);
  assert.equal(host.touches, 1);
  const { packets } = decodePackets(takeAll(outbox), 4);
  assert.deepEqual(packets.map(({ payload }) => payload![0]), all.map((_, index) => index));
  assert.ok(packets.every(({ retain }) => !retain));
});

Deno.test("payloads of 64 KiB and more are shared, and arrive whole at every receiver", () => {
  for (const length of [65_535, 65_536, 65_537, 300_000]) {
    for (const to of [4, 5] as const) {
      for (const qos of [0, 1] as const) {
        const payload = Uint8Array.from({ length }, (_, index) => index * 31);
        const frame = generate(
          {
            topic: "large",
            payload,
            qos,
            dup: false,
            retain: false,
            packetId: qos && 9,
            userProperties: [],
          },
          4,
        );
        const publish = new Publish();
        publish.read(frame, 0, bodyStartOf(frame), frame.length, 4, properties);
        publish.owned = true;
        const host = new TestHost();
        const outboxes = [new Outbox(host), new Outbox(host)];
        outboxes.forEach((outbox, index) => {
          outbox.version = to;
          outbox.publish(publish, topicOf("large"), {
            qos,
            retain: false,
            dup: false,
            packetId: qos === 0 ? 0 : 100 + index,
            identifiers: null,
            expirySeconds: -1,
          });
          outbox.acknowledge(PacketType.Puback, 1, 0);
        });
        host.settle();
        outboxes.forEach((outbox, index) => {
          const { packets } = decodePackets(takeAll(outbox), to);
          assert.equal(packets.length, 2);
          assert.equal(packets[0].packetId ?? 0, qos === 0 ? 0 : 100 + index);
          assert.equal(packets[0].topic, "large");
          assert.deepEqual(packets[0].payload, payload);
        });
      }
    }
  }
});

Deno.test("nothing above the client's Maximum Packet Size is sent, and what fits is", () => {
  fc.assert(fc.property(sent, version, fc.integer({ min: -3, max: 3 }), (one, to, difference) => {
    const host = new TestHost();
    const probe = new Outbox(host);
    probe.version = to;
    send(host, probe, [one]);
    const { length } = takeAll(probe);
    const outbox = new Outbox(host);
    outbox.version = to;
    outbox.maximumPacketSize = length + difference;
    assert.deepEqual(send(host, outbox, [one]), [difference >= 0]);
    assert.equal(takeAll(outbox).length, difference >= 0 ? length : 0);
  }));
});

Deno.test("a Topic Alias is set with the first message and stands for the topic afterwards", () => {
  const names = fc.array(fc.constantFrom("a", "b/b", "c", "d"), { minLength: 1, maxLength: 20 });
  fc.assert(fc.property(names, fc.integer({ min: 1, max: 3 }), (names, maximum) => {
    const host = new TestHost();
    const outbox = new Outbox(host);
    outbox.version = 5;
    outbox.aliases = new OutgoingTopicAliases(maximum);
    const fields = { qos: 0, dup: false, retain: false, packetId: 0, userProperties: [] } as const;
    const plain = { ...fields, identifiers: null, expirySeconds: -1 } as const;
    send(
      host,
      outbox,
      names.map((topic, index) => ({
        fields: { ...fields, topic, payload: Uint8Array.of(index) },
        from: 5,
        delivery: plain,
        isCopied: false,
      })),
    );
    const known = new Map<number, string>();
    const { packets } = decodePackets(takeAll(outbox), 5);
    packets.forEach(({ topic = "", properties, payload }, index) => {
      const alias = properties.find(([id]) => id === Property.topicAlias)?.[1] as
        | number
        | undefined;
      if (alias !== undefined) {
        assert.ok(alias >= 1 && alias <= maximum);
        if (topic === "") topic = known.get(alias)!;
        else known.set(alias, topic);
      }
      assert.equal(topic, names[index]);
      assert.equal(payload![0], index);
    });
    assert.equal(known.size, Math.min(maximum, new Set(names).size), "each alias is used once");
  }));
});

Deno.test("an alias that was new is taken back when its message is too large to be sent", () => {
  const host = new TestHost();
  const outbox = new Outbox(host);
  outbox.version = 5;
  outbox.aliases = new OutgoingTopicAliases(5);
  const fields = { qos: 0, dup: false, retain: false, packetId: 0, userProperties: [] } as const;
  const plain = { ...fields, identifiers: null, expirySeconds: -1 };
  const one = (payload: number): Sent => ({
    fields: { ...fields, topic: "topic", payload: new Uint8Array(payload) },
    from: 5,
    delivery: plain,
    isCopied: false,
  });
  const limit = publishLength(5, { topic: "topic", qos: 0, properties: 3, payload: 10 });
  outbox.maximumPacketSize = limit;
  assert.deepEqual(send(host, outbox, [one(11), one(10), one(10)]), [false, true, true]);
  const { packets } = decodePackets(takeAll(outbox), 5);
  assert.deepEqual(packets.map(({ topic }) => topic), ["topic", ""], "it was set after all");
});

Deno.test("what is appended while a write is in flight goes with the next", () => {
  const host = new TestHost();
  const outbox = new Outbox(host);
  outbox.packet(Uint8Array.of(1));
  const first = outbox.take()!;
  outbox.packet(Uint8Array.of(2));
  outbox.packet(Uint8Array.of(3));
  assert.deepEqual([...first], [1], "the bytes in flight stay untouched");
  assert.equal(outbox.waiting, 3);
  assert.throws(() => outbox.take(), /one write at a time/);
  outbox.written();
  assert.deepEqual([...takeAll(outbox)], [2, 3]);
  outbox.packet(Uint8Array.of(4));
  outbox.discard();
  assert.ok(outbox.isEmpty && outbox.take() === null);
});
