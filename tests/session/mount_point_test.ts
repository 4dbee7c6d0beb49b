import assert from "node:assert/strict";
import {
  ack,
  Property,
  property,
  publish,
  subscribe,
  unsubscribe,
  type Version,
} from "../support/packets.ts";
import { defaultListener, type FakeClient, World } from "../support/world.ts";

/** A client of a listener mounted at `site/`, and one of a plain listener. */
function scene(version: Version = 5) {
  const world = new World();
  const mounted = { ...defaultListener, number: 1, mountPoint: "site/" };
  const inside = world.connect(version, { clientId: "inside" }, mounted);
  const outside = world.connect(5, { clientId: "outside" });
  return { world, mounted, inside, outside };
}

const topics = (client: FakeClient) => client.receiveOf("publish").map(({ topic }) => topic);

Deno.test("what a mounted client publishes has the mount point in front", () => {
  for (const version of [3, 4, 5] as const) {
    const { inside, outside } = scene(version);
    outside.subscribe("#", 2);
    inside.publish({ topic: "a", payload: "m" });
    inside.publish({ topic: "b", qos: 1, packetId: 1, payload: "m" });
    inside.publish({ topic: "c", qos: 2, packetId: 2, payload: "m" }).send(ack("pubrel", 2));
    assert.deepEqual(topics(outside), ["site/a", "site/b", "site/c"]);
  }
});

Deno.test("a mounted client gets what is below its mount point, without it", () => {
  for (const version of [3, 4, 5] as const) {
    const { inside, outside } = scene(version);
    outside.publish({ topic: "site/kept", retain: true, payload: "m" });
    outside.publish({ topic: "kept", retain: true, payload: "m" });
    inside.send(subscribe(version, { filters: [["#", 1]] }));
    assert.deepEqual(topics(inside), ["kept"], "retained");
    outside.publish({ topic: "site/a/b", payload: "m" });
    outside.publish({ topic: "site/q", qos: 1, packetId: 1, payload: "m" });
    outside.publish({ topic: "elsewhere/a", payload: "m" });
    assert.deepEqual(topics(inside), ["a/b", "q"]);
  }
});

Deno.test("two messages in one chunk keep their own names behind a mount point", () => {
  const { inside, outside } = scene();
  inside.subscribe("#");
  outside.subscribe("#");
  const message = (topic: string) => publish(5, { topic, payload: "m" });
  outside.send(message("site/a"), message("site/b"));
  assert.deepEqual(topics(inside), ["a", "b"]);
  inside.send(message("a"), message("b"));
  assert.deepEqual(topics(inside), ["a", "b"]);
  assert.deepEqual(topics(outside), ["site/a", "site/b", "site/a", "site/b"]);
});

Deno.test("the filter of a shared subscription is mounted behind its name", () => {
  const { inside, outside, world } = scene();
  inside.subscribe("$share/g/+");
  assert.deepEqual([...world.broker.sessions.get("inside")!.subscriptions!.keys()], [
    "$share/g/site/+",
  ]);
  outside.publish({ topic: "site/a", payload: "m" });
  assert.deepEqual(topics(inside), ["a"]);
  inside.send(unsubscribe(5, { packetId: 2, filters: ["$share/g/+"] }));
  assert.deepEqual(inside.expect("unsuback").reasons, [0]);
  outside.publish({ topic: "site/a", payload: "m" });
  assert.deepEqual(topics(inside), []);
});

Deno.test("the Will of a mounted client is mounted", () => {
  const { world, mounted, outside } = scene();
  outside.subscribe("#");
  const will = { topic: "gone", payload: "m" };
  world.connect(5, { clientId: "mortal", will }, mounted).vanish();
  assert.deepEqual(topics(outside), ["site/gone"]);
});

Deno.test("a Topic Alias of a mounted client stands for the mounted topic", () => {
  const { inside, outside } = scene();
  outside.subscribe("#");
  inside.publish({ topic: "a", properties: property(Property.topicAlias, 1), payload: "1" });
  inside.publish({ topic: "", properties: property(Property.topicAlias, 1), payload: "2" });
  assert.deepEqual(topics(outside), ["site/a", "site/a"]);
});

Deno.test("a topic that is too long with its mount point is malformed", () => {
  const { inside } = scene();
  inside.publish({ topic: "a".repeat(65_532), payload: "m" });
  assert.equal(inside.expect("disconnect").reason, 0x81);
});
