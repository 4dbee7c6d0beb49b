import assert from "node:assert/strict";
import { selfFeedingMistakes } from "../../src/bridge/self_feeding.ts";
import type { BridgeSettings } from "../../src/bridge/settings.ts";
import { defaultBridge, topic } from "./support.ts";

function mistakes(...bridges: Partial<BridgeSettings>[]): string[] {
  return selfFeedingMistakes(
    bridges.map((bridge, index) => ({ ...defaultBridge, name: `b${index + 1}`, ...bridge })),
  ).map(({ message }) => message);
}

const unprotected = { tryPrivate: false };

Deno.test("without try_private a 3.x bridge must not get back what it sends", () => {
  const both = { topics: [topic("a/#", "both")] };
  assert.deepEqual(mistakes({ ...unprotected, ...both }), [
    "Bridge b1 would get back what it sends: a/# goes out as a/# and comes in as a/#.",
  ]);
  assert.deepEqual(mistakes(both), []);
  assert.deepEqual(mistakes({ ...unprotected, ...both, protocolVersion: 5 }), []);
});

Deno.test("two lines of one bridge that meet at the remote broker", () => {
  const out = topic("a/+", "out");
  assert.equal(mistakes({ ...unprotected, topics: [out, topic("+/1", "in")] }).length, 1);
  // It comes in under a name that does not go out.
  assert.deepEqual(mistakes({ ...unprotected, topics: [out, topic("+/1", "in", 0, "in/")] }), []);
  assert.deepEqual(mistakes({ ...unprotected, topics: [out, topic("b/#", "in")] }), []);
});

Deno.test("a name that grows with each round is found too", () => {
  const topics = [topic("#", "out", 0, "", "x/"), topic("#", "in", 0, "", "x/")];
  assert.equal(mistakes({ ...unprotected, topics }).length, 1);
});

Deno.test("two bridges to one address must not feed each other, whatever they speak", () => {
  const out = { protocolVersion: 5, topics: [topic("a/#", "out")] } as const;
  const back = { protocolVersion: 5, topics: [topic("#", "in")] } as const;
  const message =
    "Bridges b1 and b2 would feed each other through remote:1883: a/# goes out as a/# and " +
    "comes in as a/#.";
  assert.deepEqual(mistakes(out, back), [message]);
  const elsewhere = { ...back, addresses: [{ host: "other", port: 1883 }] };
  assert.deepEqual(mistakes(out, elsewhere), []);
  assert.deepEqual(mistakes(out, { ...back, topics: [topic("#", "in", 0, "in/")] }), []);
});

Deno.test("a bridge to the broker itself must not send what it has published", () => {
  const own = (...topics: BridgeSettings["topics"]) =>
    selfFeedingMistakes([{ ...defaultBridge, topics }], ({ port }) => port === 1883)
      .map(({ message }) => message);
  assert.deepEqual(own(topic("a/#", "both")), [
    "Bridge b would feed itself, as remote:1883 is this broker: a/# goes out as a/#.",
  ]);
  assert.equal(own(topic("#", "out", 0, "", "x/")).length, 1);
  assert.deepEqual(own(topic("#", "out", 0, "a/", "b/")), []);
  assert.deepEqual(own(topic("a/#", "in")), []);
});
