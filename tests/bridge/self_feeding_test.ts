import assert from "node:assert/strict";
import { RoundTrip } from "../../src/bridge/round_trip.ts";
import { echoNotices, selfFeedingMistakes } from "../../src/bridge/self_feeding.ts";
import type { BridgeSettings } from "../../src/bridge/settings.ts";
import { matchesFilter } from "../../src/wire/topic_filter.ts";
import { BridgeWorld, defaultBridge, topic } from "./support.ts";

function settings(...bridges: Partial<BridgeSettings>[]): BridgeSettings[] {
  return bridges.map((bridge, index) => ({ ...defaultBridge, name: `b${index + 1}`, ...bridge }));
}

function mistakes(...bridges: Partial<BridgeSettings>[]): string[] {
  return selfFeedingMistakes(settings(...bridges)).map(({ message }) => message);
}

/** Of bridges to the broker itself. */
function mistakesOfOwn(...bridges: Partial<BridgeSettings>[]): string[] {
  return selfFeedingMistakes(settings(...bridges), ({ port }) => port === 1883)
    .map(({ message }) => message);
}

const unguarded = { tryPrivate: false };

Deno.test("one bridge is never refused: without try_private messages come back, but once", () => {
  const both = { ...unguarded, topics: [topic("a/#", "both")] };
  const notices = (...bridges: Partial<BridgeSettings>[]) =>
    echoNotices(settings(...bridges)).map(({ text }) => text);
  assert.deepEqual(mistakes(both), []);
  assert.deepEqual(notices(both), [
    "Messages of bridge b1 come back once: a/# goes out as a/# and comes in as a/#; with " +
    "'try_private true' or 'bridge_protocol_version mqttv50' they do not.",
  ]);
  assert.deepEqual(notices({ ...both, tryPrivate: true }), []);
  assert.deepEqual(notices({ ...both, protocolVersion: 5 }), []);
  const out = topic("a/+", "out");
  assert.equal(notices({ ...unguarded, topics: [out, topic("+/1", "in")] }).length, 1);
  assert.deepEqual(notices({ ...unguarded, topics: [out, topic("b/#", "in")] }), []);
  const grows = [topic("#", "out", 0, "", "x/"), topic("#", "in", 0, "y/", "x/")];
  assert.deepEqual(mistakes({ ...unguarded, topics: grows }), []);
});

Deno.test("an echo is not sent out again, whatever name it has", () => {
  const topics = [topic("#", "out"), topic("#", "in", 0, "back/")];
  const world = new BridgeWorld({ bridge: { ...unguarded, topics } });
  const remote = world.connected();
  remote.receive();
  const client = world.connect(5, { clientId: "c" });
  client.subscribe("#", 0);
  client.receive();
  client.publish({ topic: "a", payload: "1" });
  assert.deepEqual(remote.messages(), ["a 1"]);
  remote.publish({ topic: "a", payload: "1" });
  assert.deepEqual(remote.messages(), []);
  assert.deepEqual(client.receive().map((packet) => packet.topic), ["a", "back/a"]);
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

Deno.test("a name that changes at each turn is followed", () => {
  const pair = (out: BridgeSettings["topics"], back: BridgeSettings["topics"]) =>
    mistakes({ topics: out }, { topics: back }).length;
  const all = topic("#", "in");
  assert.equal(pair([topic("#", "out")], [topic("#", "in", 0, "x/")]), 1, "it grows");
  assert.equal(pair([topic("#", "out", 0, "x/")], [all]), 0, "it shrinks");
  const swapped = [topic("#", "out", 0, "a/", "b/"), topic("#", "out", 0, "b/", "a/")];
  assert.equal(pair(swapped, [all]), 1, "two names in turn");
  assert.equal(pair([topic("+", "out"), topic("x/+", "out")], [topic("+", "in", 0, "x/")]), 0);
});

Deno.test("a bridge to the broker itself must not fetch or send what it has published", () => {
  const own = (...topics: BridgeSettings["topics"]) => mistakesOfOwn({ topics });
  assert.deepEqual(own(topic("a/#", "both")), [
    "Bridge b1 would feed itself, as remote:1883 is this broker: a/# goes out as a/#.",
  ]);
  assert.deepEqual(own(topic("a/#", "in")), [
    "Bridge b1 would feed itself, as remote:1883 is this broker: a/# comes in as a/#.",
  ]);
  assert.equal(own(topic("#", "out", 0, "", "x/")).length, 1);
  assert.deepEqual(own(topic("#", "out", 0, "a/", "b/")), []);
  assert.deepEqual(own(topic("#", "in", 0, "a/", "b/")), []);
  const turned = [topic("#", "out", 0, "a/", "b/")], back = [topic("#", "out", 0, "b/", "a/")];
  assert.equal(mistakesOfOwn({ topics: turned }, { topics: back }).length, 2);
});

/** What the first bridge sends comes back by the second where that has subscribed to it, as often as told. */
function turnsOf(bridges: Partial<BridgeSettings>[], turns: number): number {
  const list = settings(...bridges).map((bridge) => ({ ...bridge, localClientId: bridge.name }));
  const world = new BridgeWorld({ bridge: list[0] });
  world.bridges.apply(list);
  world.run();
  const remotes = list.map(() => world.connected());
  remotes[0].receive();
  const filters = remotes[1].receiveOf("subscribe")
    .flatMap(({ subscriptions }) => subscriptions.map((one: { topic: string }) => one.topic));
  world.connect(5, { clientId: "p" }).publish({ topic: "a", payload: "1" });
  for (let turn = 0; turn < turns; turn++) {
    const sent = remotes[0].receiveOf("publish")
      .filter(({ topic }) => filters.some((filter) => matchesFilter(topic, filter)));
    if (sent.length === 0) return turn;
    for (const { topic } of sent) remotes[1].publish({ topic, payload: "1" });
  }
  return turns;
}

Deno.test("what is refused would go round for ever, and what is not does not", () => {
  const endless = [{ topics: [topic("#", "out")] }, { topics: [topic("#", "in")] }];
  const grows = [{ topics: [topic("#", "out")] }, { topics: [topic("#", "in", 0, "x/")] }];
  const ends = [
    { topics: [topic("+", "out"), topic("x/+", "out")] },
    { topics: [topic("+", "in", 0, "x/")] },
  ];
  assert.equal(turnsOf(endless, 1000), 1000);
  // Until its name has too many levels.
  assert.ok(turnsOf(grows, 1000) >= 200);
  for (const bridges of [endless, grows]) {
    assert.ok(new RoundTrip(settings(...bridges), () => false).neverEnds("a"));
  }
  assert.equal(new RoundTrip(settings(...ends), () => false).neverEnds("a"), false);
  assert.ok(turnsOf(ends, 1000) < 3);
  assert.deepEqual(mistakes(...ends), []);
});
