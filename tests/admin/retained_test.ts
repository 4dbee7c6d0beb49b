import assert from "node:assert/strict";
import fc from "fast-check";
import { literalLevels, matchesFilter } from "../../src/wire/topic_filter.ts";
import { isTopicFilter } from "../../src/wire/utf8.ts";
import { concat, property } from "../support/packets.ts";
import { World } from "../support/world.ts";
import { Admin } from "./support.ts";

function worldWith(...topics: string[]): World {
  const world = new World();
  for (const topic of topics) {
    world.broker.publishMessage({ topic, payload: new Uint8Array(1), retain: true });
  }
  world.run();
  return world;
}

async function topicsOf(admin: Admin, query: string): Promise<string[]> {
  const pages = await admin.walk(`/api/v1/retained${query}`, "retained");
  return pages.flat().map((message) => message.topic);
}

Deno.test("a retained message is shown with its payload and its properties in their order", async () => {
  const world = new World();
  const client = world.connect(5, { clientId: "sender" });
  client.publish({
    topic: "a/b",
    payload: "21.5 °C",
    qos: 1,
    packetId: 1,
    retain: true,
    properties: concat(
      property(0x26, ["z", "1"]),
      property(0x02, 60),
      property(0x03, "text/plain"),
      property(0x01, 1),
      property(0x26, ["a", "ü"]),
      property(0x26, ["z", ""]),
      property(0x08, "answer/here"),
      property(0x09, Uint8Array.of(0, 255)),
    ),
  });
  world.advanceSeconds(10);
  const admin = new Admin(world);
  const listed = {
    topic: "a/b",
    qos: 1,
    payloadBytes: 8,
    messageExpiryInterval: 50,
    publisher: "sender",
  };
  assert.deepEqual((await admin.get("/api/v1/retained")).retained, [listed]);
  assert.deepEqual(await admin.get("/api/v1/retained/a/b"), {
    ...listed,
    payloadBase64: "MjEuNSDCsEM=",
    payloadText: "21.5 °C",
    properties: {
      payloadFormatIndicator: 1,
      contentType: "text/plain",
      responseTopic: "answer/here",
      correlationDataBase64: "AP8=",
      userProperties: [["z", "1"], ["a", "ü"], ["z", ""]],
    },
  });
});

Deno.test("a payload that is no UTF-8 has no text, and any is there as it is with raw", async () => {
  const world = new World();
  const admin = new Admin(world);
  const payload = Uint8Array.from({ length: 200_000 }, (_, index) => index * 7);
  world.broker.publishMessage({ topic: "bytes", payload, retain: true });
  const message = await admin.get("/api/v1/retained/bytes");
  assert.equal(message.payloadText, null);
  assert.deepEqual(Uint8Array.fromBase64(message.payloadBase64), payload);
  const raw = await admin.app.request("/api/v1/retained/bytes?raw=true");
  assert.equal(raw.headers.get("content-type"), "application/octet-stream");
  assert.equal(raw.headers.get("content-disposition"), "attachment");
  assert.deepEqual(await raw.bytes(), payload);
});

Deno.test("a payload over 256 KiB is left out of the JSON, and read with raw", async () => {
  const world = new World();
  const admin = new Admin(world);
  const payload = new Uint8Array(256 * 1024 + 1).fill(0x61);
  world.broker.publishMessage({ topic: "large", payload, retain: true });
  const message = await admin.get("/api/v1/retained/large");
  assert.deepEqual(
    [message.payloadBytes, message.payloadText, message.payloadBase64],
    [payload.length, null, null],
  );
  const raw = await admin.app.request("/api/v1/retained/large?raw=true");
  assert.deepEqual(await raw.bytes(), payload);
});

Deno.test("topics of any levels and characters are found in the path", async () => {
  const topics = [
    "/",
    "//",
    "/a",
    "a/",
    "a//b",
    "a/../b",
    "constructor",
    "__proto__/x",
    "50%",
    "ü b",
  ];
  const odd = ["a?b", "a#b".replace("#", "♯"), "a;b=c", "%41", "x\u2028y/z"];
  const world = worldWith(...topics, ...odd);
  const admin = new Admin(world);
  for (const topic of [...topics, ...odd]) {
    const path = `/api/v1/retained/${encodeURIComponent(topic)}`;
    assert.equal((await admin.get(path)).topic, topic);
    assert.equal((await admin.ask(`DELETE ${path}`)).status, 204);
    await admin.refused(`GET ${path}`, 404, "not_found");
  }
  assert.equal(world.broker.retained.count, 0);
});

Deno.test("slashes of a topic need not be encoded", async () => {
  const admin = new Admin(worldWith("/a//b/", "a"));
  assert.equal((await admin.get("/api/v1/retained//a//b/")).topic, "/a//b/");
  await admin.refused("GET /api/v1/retained/a/", 404, "not_found");
  await admin.refused("GET /api/v1/retained/%ff", 400, "bad_request");
});

Deno.test("the list is chosen by a prefix of the topic, or by a Topic Filter", async () => {
  const admin = new Admin(
    worldWith("a", "a/b", "a/bc", "a/b/c", "a/d/c", "ab", "$SYS/x", "$own/x"),
  );
  for (
    const [query, expected] of [
      ["", ["a", "a/b", "a/b/c", "a/bc", "a/d/c", "ab", "$SYS/x", "$own/x"]],
      ["?prefix=a", ["a", "a/b", "a/b/c", "a/bc", "a/d/c", "ab"]],
      ["?prefix=a/", ["a/b", "a/b/c", "a/bc", "a/d/c"]],
      ["?prefix=a/b", ["a/b", "a/b/c", "a/bc"]],
      ["?prefix=a/b/", ["a/b/c"]],
      ["?prefix=$", ["$SYS/x", "$own/x"]],
      ["?prefix=%23", []],
      ["?prefix=a/%2B/", []],
      ["?filter=%23", ["a", "a/b", "a/b/c", "a/bc", "a/d/c", "ab"]],
      ["?filter=a/%23", ["a", "a/b", "a/b/c", "a/bc", "a/d/c"]],
      ["?filter=a/%2B/c", ["a/b/c", "a/d/c"]],
      ["?filter=a/b", ["a/b"]],
      ["?filter=$SYS/%23", ["$SYS/x"]],
      ["?filter=%2B/x", []],
    ] as const
  ) {
    assert.deepEqual((await topicsOf(admin, query)).sort(), [...expected].sort(), query);
  }
});

Deno.test("what is no Topic Filter is refused, and a prefix beside a filter", async () => {
  const admin = new Admin(new World());
  for (const filter of ["", "a%23", "%23/a", "a%2B", "a/%2Bb"]) {
    await admin.refused(`GET /api/v1/retained?filter=${filter}`, 400, "bad_request");
  }
  await admin.refused("GET /api/v1/retained?filter=a&prefix=b", 400, "bad_request");
});

const level = fc.constantFrom("a", "b", "", "$x", "+", "#", "a+");

Deno.test("a filter chooses what the core would send for it", () => {
  const names = fc.array(
    fc.array(fc.constantFrom("a", "b", "", "$x"), { minLength: 1, maxLength: 4 }),
    { maxLength: 12 },
  ).map((topics) => [...new Set(topics.map((levels) => levels.join("/")))].filter((t) => t !== ""));
  const filter = fc.array(level, { minLength: 1, maxLength: 4 })
    .map((levels) => levels.join("/")).filter(isTopicFilter);
  fc.assert(fc.property(names, filter, (topics, filter) => {
    const { retained } = worldWith(...topics).broker;
    const core = [...retained.matching(filter)].map((message) => message.topic.name).sort();
    const levels = literalLevels(filter);
    const entered = levels.length === 0
      ? retained.all()
      : retained.matching([...levels, "#"].join("/"));
    const ours = [...entered].map((message) => message.topic.name)
      .filter((name) => matchesFilter(name, filter)).sort();
    assert.deepEqual(ours, core);
  }));
});

Deno.test("an expired message is neither listed nor found", async () => {
  const world = new World();
  world.broker.publishMessage({
    topic: "a",
    payload: new Uint8Array(1),
    retain: true,
    messageExpirySeconds: 10,
  });
  world.run();
  const admin = new Admin(world);
  assert.equal((await admin.get("/api/v1/retained/a")).messageExpiryInterval, 10);
  world.advanceSeconds(11);
  await admin.refused("GET /api/v1/retained/a", 404, "not_found");
  assert.deepEqual(await topicsOf(admin, ""), []);
});

Deno.test("DELETE removes a retained message for later subscribers", async () => {
  const world = worldWith("a/b", "a");
  const admin = new Admin(world);
  assert.equal((await admin.ask("DELETE /api/v1/retained/a/b")).status, 204);
  await admin.refused("DELETE /api/v1/retained/a/b", 404, "not_found");
  const client = world.connect(5, { clientId: "late" });
  client.send((await import("../support/packets.ts")).subscribe(5, { filters: [["#", 0]] }));
  assert.deepEqual(client.receiveOf("publish").map((packet) => packet.topic), ["a"]);
});

Deno.test("what the broker retains in $SYS is not to be removed", async () => {
  const world = worldWith("$SYS/broker/version");
  await new Admin(world).refused(
    "DELETE /api/v1/retained/$SYS/broker/version",
    409,
    "belongs_to_broker",
  );
  assert.equal(world.broker.retained.count, 1);
});
