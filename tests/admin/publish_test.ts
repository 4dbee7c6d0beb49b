import assert from "node:assert/strict";
import { FaultyStore } from "../support/faulty_store.ts";
import { property } from "../support/packets.ts";
import { World } from "../support/world.ts";
import { Admin, type Body } from "./support.ts";

Deno.test("a message goes to who has subscribed, with all that was said", async () => {
  const world = new World();
  const client = world.connect(5, { clientId: "a" });
  client.subscribe("t/#", 2);
  const answer = await new Admin(world).publish({
    topic: "t/ü",
    payload: "21.5 °C",
    qos: 1,
    retain: true,
    messageExpiryInterval: 60,
    payloadFormatIndicator: 1,
    contentType: "text/plain",
    responseTopic: "answer",
    correlationDataBase64: "AP8=",
    userProperties: [["z", "1"], ["a", "2"], ["z", ""]],
  });
  assert.deepEqual([answer.status, answer.body], [200, { matched: true }]);
  const publish = client.expect("publish");
  assert.equal(publish.topic, "t/ü");
  assert.equal(new TextDecoder().decode(publish.payload), "21.5 °C");
  assert.equal(publish.qos, 1);
  assert.equal(world.broker.retained.get("t/ü")?.publish.retain, true);
  const others = publish.properties.filter(([id]) => id !== 0x23);
  assert.deepEqual(others.toSorted(([a], [b]) => a - b), [
    [0x01, 1],
    [0x02, 60],
    [0x03, "text/plain"],
    [0x08, "answer"],
    [0x09, Uint8Array.of(0, 255)],
    [0x26, ["z", "1"]],
    [0x26, ["a", "2"]],
    [0x26, ["z", ""]],
  ]);
});

Deno.test("the answer tells whether anybody has subscribed", async () => {
  const world = new World();
  world.connect(5, { clientId: "a" }).subscribe("t");
  const admin = new Admin(world);
  assert.deepEqual((await admin.publish({ topic: "t" })).body, { matched: true });
  assert.deepEqual((await admin.publish({ topic: "u" })).body, { matched: false });
});

Deno.test("a payload may be any bytes, as base64, or none", async () => {
  const world = new World();
  const client = world.connect(5, { clientId: "a" });
  client.subscribe("t");
  const admin = new Admin(world);
  await admin.publish({ topic: "t", payloadBase64: "AAEC/w==" });
  assert.deepEqual(client.expect("publish").payload, Uint8Array.of(0, 1, 2, 255));
  await admin.publish({ topic: "t" });
  assert.deepEqual(client.expect("publish").payload, new Uint8Array());
});

Deno.test("an empty retained message removes the one before", async () => {
  const world = new World();
  const admin = new Admin(world);
  await admin.publish({ topic: "t", payload: "x", retain: true });
  assert.equal(world.broker.retained.count, 1);
  await admin.publish({ topic: "t", payload: "", retain: true });
  assert.equal(world.broker.retained.count, 0);
});

const WRONG: readonly [why: string, body: unknown][] = [
  ["no JSON", "{"],
  ["no object", "[]"],
  ["null", "null"],
  ["no topic", {}],
  ["a topic that is no text", { topic: 1 }],
  ["an empty topic", { topic: "" }],
  ["a wildcard in the topic", { topic: "a/+" }],
  ["a wildcard in the topic", { topic: "#" }],
  ["U+0000 in the topic", { topic: "a\u0000" }],
  ["a control character in the topic", { topic: "a\n" }],
  ["half a surrogate pair in the topic", { topic: "a\ud800" }],
  ["a topic over 65,535 bytes", { topic: "ü".repeat(32_768) }],
  ["a topic of too many levels", { topic: "/".repeat(201) }],
  ["a payload that is no text", { topic: "t", payload: 21.5 }],
  ["half a surrogate pair in the payload", { topic: "t", payload: "\udc00" }],
  ["two payloads", { topic: "t", payload: "a", payloadBase64: "YQ==" }],
  ["base64 that is none", { topic: "t", payloadBase64: "%" }],
  ["base64 that is no text", { topic: "t", payloadBase64: 1 }],
  ["QoS 3", { topic: "t", qos: 3 }],
  ["QoS as text", { topic: "t", qos: "1" }],
  ["half a QoS", { topic: "t", qos: 0.5 }],
  ["retain as a number", { topic: "t", retain: 1 }],
  ["an expiry below 0", { topic: "t", messageExpiryInterval: -1 }],
  ["an expiry over 32 bits", { topic: "t", messageExpiryInterval: 2 ** 32 }],
  ["another payload format", { topic: "t", payloadFormatIndicator: 2 }],
  ["a content type that is no text", { topic: "t", contentType: 1 }],
  ["a content type that is too long", { topic: "t", contentType: "x".repeat(65_536) }],
  ["a control character in a property", { topic: "t", contentType: "a\u0085" }],
  ["a non-character in a property", { topic: "t", contentType: "\uffff" }],
  ["an empty response topic", { topic: "t", responseTopic: "" }],
  ["a wildcard in the response topic", { topic: "t", responseTopic: "a/#" }],
  ["too long correlation data", { topic: "t", correlationDataBase64: "AAAA".repeat(21_846) }],
  ["user properties that are no list", { topic: "t", userProperties: { a: "b" } }],
  ["a user property of one text", { topic: "t", userProperties: [["a"]] }],
  ["a user property of a number", { topic: "t", userProperties: [["a", 1]] }],
  ["an unknown field", { topic: "t", QoS: 1 }],
  ["an unknown field", `{"topic":"t","__proto__":{}}`],
  ["an unknown field", { topic: "t", constructor: 1 }],
];

Deno.test("what is no message is refused, and nothing is published", async () => {
  const world = new World();
  const client = world.connect(5, { clientId: "a" });
  client.subscribe("#");
  const admin = new Admin(world);
  for (const [why, body] of WRONG) {
    const answer = await admin.publish(body);
    assert.deepEqual([answer.status, answer.body.error], [400, "bad_request"], why);
  }
  const illFormed = await admin.ask("POST /api/v1/publish", {
    body: Uint8Array.of(0x22, 0xff, 0x22),
    headers: { "content-type": "application/json" },
  });
  assert.equal(illFormed.status, 400);
  client.expectNothing();
});

Deno.test("what is shorter is taken, to the last byte", async () => {
  const admin = new Admin(new World());
  for (
    const body of [
      { topic: "x".repeat(65_535) },
      { topic: "t", contentType: "ü".repeat(32_767) },
      { topic: "t", correlationDataBase64: new Uint8Array(65_535).toBase64() },
      { topic: "t", messageExpiryInterval: 2 ** 32 - 1, qos: 2 },
      { topic: "$own/t" },
    ] as Body[]
  ) {
    assert.equal((await admin.publish(body)).status, 200, JSON.stringify(body).slice(0, 60));
  }
});

Deno.test("topics of the broker itself are refused", async () => {
  const admin = new Admin(new World());
  for (const topic of ["$SYS", "$SYS/broker/version", "$share/g/t"]) {
    const answer = await admin.publish({ topic });
    assert.deepEqual([answer.status, answer.body.error], [409, "belongs_to_broker"]);
  }
});

Deno.test("a body that is not declared as JSON is refused", async () => {
  const admin = new Admin(new World());
  const body = JSON.stringify({ topic: "t" });
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"]) {
    const answer = await admin.publish(body, { "content-type": type });
    assert.deepEqual([answer.status, answer.body.error], [415, "not_json"], type);
  }
  for (const type of ["application/json; charset=utf-8", "Application/JSON"]) {
    assert.equal((await admin.publish(body, { "content-type": type })).status, 200, type);
  }
});

Deno.test("a body over 1 MiB is refused, its length declared or not", async () => {
  const admin = new Admin(new World());
  const body = JSON.stringify({ topic: "t", payload: "x".repeat(1024 * 1024) });
  const declared = { "content-length": String(body.length) };
  assert.equal((await admin.publish(body, declared)).status, 413);
  let pulled = 0;
  const endless = new ReadableStream({
    pull(controller) {
      pulled += 65_536;
      controller.enqueue(new Uint8Array(65_536).fill(0x20));
    },
  });
  const headers = { "content-type": "application/json" };
  await admin.refused("POST /api/v1/publish", 413, "too_large", { body: endless, headers });
  assert.ok(pulled < 2 * 1024 * 1024);
  const most = JSON.stringify({ topic: "t", payload: "" }).length;
  const full = await admin.publish({ topic: "t", payload: "x".repeat(1024 * 1024 - most) });
  assert.equal(full.status, 200);
});

Deno.test("the broker's own limits hold for these messages too", async () => {
  const settings = { messageSizeLimit: 5, retainAvailable: false };
  const strict = new Admin(new World({ settings }));
  const large = await strict.publish({ topic: "t", payload: "123456" });
  assert.deepEqual([large.status, large.body.error], [413, "too_large"]);
  assert.equal((await strict.publish({ topic: "t", payload: "12345" })).status, 200);
  const retained = await strict.publish({ topic: "t", payload: "1", retain: true });
  assert.deepEqual([retained.status, retained.body.error], [409, "retain_not_available"]);

  const small = new Admin(new World({ settings: { maxRetainedMessages: 1 } }));
  const retain = async (topic: string, payload = "x") =>
    (await small.publish({ topic, payload, retain: true })).status;
  assert.deepEqual(
    [await retain("a"), await retain("b"), await retain("a"), await retain("b", "")],
    [200, 503, 200, 200],
  );
});

Deno.test("while the store takes nothing, nothing is published", async () => {
  const store = new FaultyStore();
  store.healthNow = { writable: false, reason: "no space", bytes: 1 };
  const admin = new Admin(new World({ store, durability: "sync" }));
  const answer = await admin.publish({ topic: "t" });
  assert.deepEqual([answer.status, answer.body.error], [503, "no_room"]);
  assert.deepEqual((await admin.get("/api/v1/stats")).store, store.healthNow);
});

Deno.test("what has to be kept is answered only when the disk has it", async () => {
  const store = new FaultyStore();
  const world = new World({ store, durability: "sync" });
  const settle = async () => {
    await world.settle();
    while (store.inFlight !== null) {
      store.settle();
      await world.settle();
    }
  };
  const away = world.connect(5, { clientId: "away", properties: property(0x11, 100) });
  away.send((await import("../support/packets.ts")).subscribe(5, { filters: [["t", 1]] }));
  await settle();
  away.vanish();
  await settle();
  const admin = new Admin(world);
  let answered = false;
  const published = admin.publish({ topic: "t", payload: "x", qos: 1 }).then((answer) => {
    answered = true;
    return answer;
  });
  await world.settle();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.notEqual(store.inFlight, null);
  assert.equal(answered, false);
  await settle();
  assert.deepEqual((await published).body, { matched: true });
  const after = new World({ store: store.crash("lost"), durability: "sync" });
  assert.equal(after.broker.sessions.get("away")?.outbound.queued, 1);
});
