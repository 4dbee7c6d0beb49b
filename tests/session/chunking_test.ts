import assert from "node:assert/strict";
import fc from "fast-check";
import { casesFor, connectBefore } from "../support/packet_cases.ts";
import * as packets from "../support/packets.ts";
import { World } from "../support/world.ts";

/** One connection's bytes, from CONNECT on, in which packets of all kinds follow each other. */
function session(version: packets.Version): Uint8Array {
  const large = new Uint8Array(70_000).fill(7);
  return packets.concat(
    packets.connect(version, {
      clientId: "one",
      will: { topic: "will", payload: "gone", qos: 1 },
      properties: packets.property(packets.Property.topicAliasMaximum, 5),
    }),
    packets.subscribe(version, { packetId: 1, filters: [["a/#", 2], ["b", 1], ["will", 0]] }),
    packets.publish(version, { topic: "a/b", payload: "zero" }),
    packets.publish(version, { topic: "a/b", payload: "zero again" }),
    packets.publish(version, { topic: "b", payload: "one", qos: 1, packetId: 2 }),
    packets.ack("puback", 1),
    packets.publish(version, { topic: "a/c", payload: "two", qos: 2, packetId: 3 }),
    packets.ack("pubrel", 3),
    packets.ack("pubrec", 2),
    packets.ack("pubcomp", 2),
    packets.publish(version, { topic: "a", payload: large, qos: 1, packetId: 4 }),
    packets.publish(version, { topic: "a/r", payload: "kept", retain: true }),
    packets.subscribe(version, { packetId: 5, filters: [["+/r", 1]] }),
    packets.unsubscribe(version, { packetId: 6, filters: ["a/#", "nothing"] }),
    packets.pingreq(),
    packets.disconnect(),
  );
}

/** What the broker answers when the bytes come in these pieces. */
function answersTo(version: packets.Version, pieces: readonly Uint8Array[]): Uint8Array {
  const client = new World().open(version);
  for (const piece of pieces) {
    if (client.isClosed) break;
    // The transport reuses its buffer: nothing may be remembered in it.
    const borrowed = piece.slice();
    client.connection.receive(borrowed, borrowed.length);
    borrowed.fill(0xee);
    client.world.run();
  }
  assert.equal(client.world.broker.counters.faults, 0);
  return client.receiveBytes();
}

function cut(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const cuts = [0, ...[...at].sort((a, b) => a - b), bytes.length];
  return cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end));
}

for (const version of [3, 4, 5] as const) {
  Deno.test(`a connection of version ${version} gets the same bytes however its own are cut`, () => {
    const bytes = session(version);
    const whole = answersTo(version, [bytes]);
    assert.ok(whole.length > 70_000, "the large message came back");
    const same = (pieces: Uint8Array[]) =>
      assert.ok(asText(answersTo(version, pieces)) === asText(whole), "other bytes came back");
    const cuts = fc.array(fc.nat(bytes.length), { maxLength: 30 });
    fc.assert(
      fc.property(cuts, (cuts) => same(cut(bytes, cuts))),
      { numRuns: 15 },
    );
    // The small packets byte by byte, the payload of the large one in two pieces.
    const small = Array.from({ length: 400 }, (_, index) => index);
    same(cut(bytes, [...small, bytes.length - 100]));
  });

  Deno.test(`cases of version ${version} get the same answers byte by byte`, () => {
    for (const { name, phase, bytes } of casesFor(version)) {
      if (bytes.length > 1000) continue;
      const before = phase === "connected" ? [connectBefore(version)] : [];
      const whole = answersTo(version, [...before, bytes]);
      const bits = Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
      assert.deepEqual(answersTo(version, [...before, ...bits]), whole, name);
    }
  });
}

/** Comparing 70,000 numbers one by one takes long; a string is compared at once. */
function asText(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}
