import assert from "node:assert/strict";
import { hookAccess } from "../support/access.ts";
import { conformance } from "../support/conformance.ts";
import {
  expectClosedSilently,
  expectRefused,
  lasting,
  payloads,
  text,
  valueOf,
  valuesOf,
} from "../support/messages.ts";
import {
  concat,
  connect,
  type ConnectFields,
  disconnect,
  hex,
  Property,
  property,
  subscribe,
  type WillFields,
} from "../support/packets.ts";
import { type FakeClient, World } from "../support/world.ts";

const plain: WillFields = { topic: "will", payload: "gone" };

function delayed(seconds: number, ...more: Uint8Array[]): WillFields {
  return { ...plain, properties: concat(property(Property.willDelayInterval, seconds), more) };
}

/** A world with one who watches for wills. */
function watched(options?: ConstructorParameters<typeof World>[0]): [World, FakeClient] {
  const world = new World(options);
  const watcher = world.connect(5, { clientId: "watcher", keepAliveSeconds: 0 });
  watcher.subscribe("will", 2);
  return [world, watcher];
}

const unlimited: ConnectFields = { keepAliveSeconds: 0 };

for (const version of [3, 4, 5] as const) {
  conformance(
    ["MQTT-3.1.2-7", "MQTT-3.1.2-8", "MQTT-3.1.2-8 v3"],
    `a connection that ends without DISCONNECT leaves its will, version ${version}`,
    () => {
      const endings: [string, (client: FakeClient) => void][] = [
        ["the peer is gone", (client) => client.vanish()],
        ["a malformed packet", (client) => void client.publish({ topic: "#" })],
        ["Keep Alive", (client) => client.world.advanceSeconds(91)],
        ["a second CONNECT", (client) => void client.send(connect(version))],
      ];
      for (const [what, end] of endings) {
        const [world, watcher] = watched();
        const client = world.connect(version, { will: plain });
        watcher.expectNothing();
        end(client);
        client.expectClosed();
        assert.deepEqual(payloads(watcher), ["gone"], what);
      }
    },
  );

  conformance(
    ["MQTT-3.1.2-10", "MQTT-3.1.2-10 v3", "MQTT-3.1.2-8 v3"],
    `a will is published once, and not after DISCONNECT, version ${version}`,
    () => {
      const [world, watcher] = watched();
      const fields = { clean: version !== 4, will: plain };
      world.connect(version, fields).vanish();
      assert.deepEqual(payloads(watcher), ["gone"]);
      world.connect(version, { clean: version !== 4 }).vanish();
      world.connect(version, fields).send(disconnect());
      world.advanceSeconds(1000);
      watcher.receiveOf("publish").forEach((packet) => assert.fail(text(packet)));
    },
  );

  conformance(
    ["MQTT-3.1.2-11", "MQTT-3.1.2-13", "MQTT-3.1.2-11 v3"],
    `without Will Flag a Will QoS or Will Retain closes, version ${version}`,
    () => {
      const world = new World();
      for (const flags of [0x0a, 0x12, 0x22]) {
        expectClosedSilently(world.open(version).send(connect(version, { flags })));
      }
    },
  );

  conformance("MQTT-3.1.2-12", `Will QoS 3 closes, others are kept, version ${version}`, () => {
    const [world, watcher] = watched();
    const will = { ...plain, qos: 3 };
    expectClosedSilently(world.open(version).send(connect(version, { will })));
    watcher.expectNothing();
    for (const qos of [0, 1, 2]) {
      world.connect(version, { will: { ...plain, qos } }).vanish();
      assert.equal(watcher.expect("publish").qos, qos);
    }
  });

  conformance(
    ["MQTT-3.1.2-14", "MQTT-3.1.2-15"],
    `Will Retain says whether the will is retained, version ${version}`,
    () => {
      const [world, watcher] = watched();
      world.connect(version, { will: plain }).vanish();
      assert.equal(world.broker.retained.count, 0);
      world.connect(version, { will: { ...plain, retain: true } }).vanish();
      assert.deepEqual(watcher.receive().map(({ retain }) => retain), [false, false]);
      const late = world.connect(5, { clientId: "late" });
      late.send(subscribe(5, { filters: [["will", 0]] }));
      const [, message] = late.receive();
      assert.deepEqual([message.retain, text(message)], [true, "gone"]);
    },
  );
}

conformance(
  "MQTT-3.1.2-12 v3",
  "without Will Flag the end of a connection publishes nothing",
  () => {
    const world = new World();
    const watcher = world.connect(4, { clientId: "watcher" });
    watcher.subscribe("#");
    world.connect(4).vanish();
    world.connect(4, { clean: false }).vanish();
    watcher.expectNothing();
  },
);

conformance("MQTT-3.1.3-11", "an ill-formed Will Topic is refused", () => {
  const world = new World();
  for (const topic of [hex("ff"), hex("61 00"), "", "a/+", "#", "$CONTROL/x", "/".repeat(201)]) {
    expectRefused(world.open(5).send(connect(5, { will: { topic } })), 0x81);
    expectClosedSilently(world.open(4).send(connect(4, { will: { topic } })));
  }
});

Deno.test("a will with an empty payload is an empty message", () => {
  const [world, watcher] = watched();
  for (const version of [4, 5] as const) {
    world.connect(version, { will: { topic: "will", payload: "" } }).vanish();
    assert.equal(watcher.expect("publish").payload!.length, 0);
  }
});

Deno.test("an empty retained will removes the retained message", () => {
  const [world, watcher] = watched();
  watcher.publish({ topic: "will", payload: "kept", retain: true });
  assert.equal(world.broker.retained.count, 1);
  world.connect(5, { will: { topic: "will", payload: "", retain: true } }).vanish();
  assert.equal(world.broker.retained.count, 0);
});

conformance(
  "MQTT-3.1.3-10",
  "the will goes out with its properties, user properties in order",
  () => {
    const [world, watcher] = watched();
    const forwarded = concat(
      property(Property.userProperty, ["b", "1"]),
      property(Property.contentType, "text"),
      property(Property.userProperty, ["a", "2"]),
      property(Property.payloadFormatIndicator, 1),
      property(Property.userProperty, ["b", "1"]),
      property(Property.responseTopic, "answers"),
      property(Property.correlationData, hex("00 ff")),
    );
    const properties = concat(property(Property.willDelayInterval, 0), forwarded);
    world.connect(5, { will: { ...plain, properties } }).vanish();
    const will = watcher.expect("publish");
    assert.deepEqual(valuesOf(will, Property.userProperty), [["b", "1"], ["a", "2"], ["b", "1"]]);
    const at = will.raw.length - "gone".length - forwarded.length;
    assert.deepEqual(will.raw.subarray(at - 1, -4), concat(forwarded.length, forwarded));
  },
);

Deno.test("a will's Message Expiry begins when the will is published", () => {
  const [world, watcher] = watched();
  const will = { ...delayed(10, property(Property.messageExpiryInterval, 30)), qos: 1 };
  const waiting = world.connect(5, { ...lasting(1000), clientId: "waiting" });
  waiting.subscribe("will", 1);
  waiting.vanish();
  world.connect(5, { ...lasting(100), will }).vanish();
  world.advanceSeconds(10);
  assert.equal(valueOf(watcher.expect("publish"), Property.messageExpiryInterval), 30);
  world.advanceSeconds(12);
  const after = world.open(5).send(connect(5, { ...lasting(1000), clientId: "waiting" }));
  const [, message] = after.receive();
  assert.equal(valueOf(message, Property.messageExpiryInterval), 18);
});

// Will Delay

conformance(["MQTT-3.1.2-8", "MQTT-3.1.3-9"], "Will Delay is waited for, to the second", () => {
  const [world, watcher] = watched();
  world.connect(5, { ...lasting(100), will: delayed(10) }).vanish();
  world.advanceMs(9999);
  watcher.expectNothing();
  world.advanceMs(1);
  assert.deepEqual(payloads(watcher), ["gone"]);
  world.advanceSeconds(1000);
  watcher.expectNothing();
});

conformance("MQTT-3.1.3-9", "coming back within the Will Delay keeps the will unsent", () => {
  for (const will of [undefined, { ...plain, payload: "another" }]) {
    const [world, watcher] = watched();
    world.connect(5, { ...lasting(100), will: delayed(10) }).vanish();
    world.advanceMs(9999);
    world.connect(5, { ...lasting(100), ...unlimited, will });
    world.advanceSeconds(1000);
    watcher.expectNothing();
  }
});

conformance("MQTT-3.1.2-8", "a session that ends before the Will Delay sends the will", () => {
  const [world, watcher] = watched();
  world.connect(5, { ...lasting(5), will: delayed(10) }).vanish();
  world.advanceMs(4999);
  watcher.expectNothing();
  world.advanceMs(1);
  assert.deepEqual(payloads(watcher), ["gone"]);
  world.advanceSeconds(10);
  watcher.expectNothing();
});

conformance("MQTT-3.1.2-8", "with Session Expiry 0 no Will Delay is waited for", () => {
  const [world, watcher] = watched();
  world.connect(5, { will: delayed(10) }).vanish();
  assert.deepEqual(payloads(watcher), ["gone"]);
});

conformance("MQTT-3.1.2-8", "a Clean Start within the Will Delay sends the will at once", () => {
  const [world, watcher] = watched();
  world.connect(5, { ...lasting(100), will: delayed(10) }).vanish();
  world.advanceSeconds(3);
  world.connect(5, { clean: true, ...unlimited });
  assert.deepEqual(payloads(watcher), ["gone"]);
  world.advanceSeconds(1000);
  watcher.expectNothing();
});

// Take-over

Deno.test("a take-over sends the will if the old or the new connection is clean", () => {
  const clean: ConnectFields = { clean: true, ...unlimited };
  const kept: ConnectFields = { ...lasting(100), ...unlimited };
  for (
    const [before, after, expected] of [
      [clean, clean, ["gone"]],
      [clean, kept, ["gone"]],
      [kept, clean, ["gone"]],
      [kept, kept, []],
    ] as const
  ) {
    const [world, watcher] = watched();
    world.connect(5, { ...before, will: plain });
    world.connect(5, after);
    assert.deepEqual(payloads(watcher), expected);
    world.advanceSeconds(1000);
    watcher.expectNothing();
  }
});

Deno.test("a take-over with a Clean Start does not wait for the Will Delay", () => {
  const [world, watcher] = watched();
  world.connect(5, { ...lasting(100), will: delayed(10) });
  world.connect(5, { clean: true });
  assert.deepEqual(payloads(watcher), ["gone"]);
});

conformance("MQTT-3.1.3-9", "a take-over by a lasting session forgets a delayed will", () => {
  const [world, watcher] = watched();
  world.connect(5, { ...lasting(100), will: delayed(10) });
  world.connect(5, { ...lasting(100), ...unlimited });
  world.advanceSeconds(1000);
  watcher.expectNothing();
});

// DISCONNECT

conformance(
  ["MQTT-3.1.2-10", "MQTT-3.14.4-3"],
  "DISCONNECT with reason 0 discards the will, in every form it is written",
  () => {
    for (
      const bytes of [
        hex("e0 00"),
        hex("e0 01 00"),
        hex("e0 02 00 00"),
        hex("e0 07 00 05 11 00000064"),
      ]
    ) {
      const [world, watcher] = watched();
      const client = world.connect(5, { ...lasting(100), will: delayed(10) }).send(bytes);
      expectClosedSilently(client);
      world.advanceSeconds(1000);
      watcher.expectNothing();
    }
  },
);

conformance("MQTT-3.1.2-8", "DISCONNECT with any other reason sends the will", () => {
  for (const reason of [0x04, 0x80, 0x81, 0x98]) {
    const [world, watcher] = watched();
    world.connect(5, { will: plain }).send(disconnect({ reason }));
    assert.deepEqual(payloads(watcher), ["gone"]);
  }
});

conformance("MQTT-3.1.2-8", "DISCONNECT 0x04 waits for the Will Delay", () => {
  const [world, watcher] = watched();
  world.connect(5, { ...lasting(100), will: delayed(10) }).send(disconnect({ reason: 4 }));
  world.advanceMs(9999);
  watcher.expectNothing();
  world.advanceMs(1);
  assert.deepEqual(payloads(watcher), ["gone"]);
});

conformance("MQTT-3.1.2-8", "DISCONNECT 0x04 that ends the session sends the will at once", () => {
  const [world, watcher] = watched();
  const properties = property(Property.sessionExpiryInterval, 0);
  world.connect(5, { ...lasting(100), will: delayed(10) })
    .send(disconnect({ reason: 4, properties }));
  assert.deepEqual(payloads(watcher), ["gone"]);
});

// The end of the broker

Deno.test("a broker that stops tells MQTT 5 clients and sends all wills, delayed ones too", () => {
  const world = new World();
  const waiting = world.connect(5, { ...lasting(1000), clientId: "waiting" });
  waiting.subscribe("will", 1);
  world.connect(5, { ...lasting(1000), clientId: "away", will: { ...delayed(500), qos: 1 } })
    .vanish();
  const online = world.connect(5, {
    clientId: "online",
    will: { ...plain, payload: "on", qos: 1 },
  });
  const old = world.connect(4, { clientId: "old", will: { ...plain, payload: "old", qos: 1 } });
  world.broker.stop();
  world.run();
  assert.deepEqual([...online.receiveBytes()], [0xe0, 1, 0x8b]);
  expectClosedSilently(old);
  waiting.expectClosed();
  assert.equal(world.broker.sessions.get("waiting")!.outbound.queued, 3);
});

// What may not be published cannot be a will either

Deno.test("a will to $SYS or $share is not published, but to a bridge's state it is", () => {
  const world = new World();
  const watcher = world.connect(5, { clientId: "watcher" });
  watcher.subscribe("$SYS/#");
  for (const topic of ["$SYS/broker/version", "$share/g/t", "$SYS"]) {
    world.connect(5, { will: { topic, payload: "forged", retain: true } }).vanish();
  }
  watcher.expectNothing();
  assert.equal(world.broker.retained.count, 0);
  world.connect(5, { will: { topic: "$SYS/broker/connection/b/state", payload: "0" } }).vanish();
  assert.deepEqual(payloads(watcher), ["0"]);
});

Deno.test("a will that its client may not publish is not published", async () => {
  for (const later of [false, true]) {
    const asked: string[] = [];
    const access = hookAccess(
      {
        authorizePublish: ({ clientId, userName }, { topic }) => {
          asked.push(`${clientId} ${userName} ${topic}`);
          return later ? Promise.resolve(topic === "will") : topic === "will";
        },
      },
      true,
      (error) => {
        throw error;
      },
    );
    const world = new World({ access });
    const watcher = world.connect(5, { clientId: "watcher" });
    watcher.subscribe("#");
    for (const topic of ["will", "secret"]) {
      world.connect(4, { clientId: "c", userName: "u", will: { topic, payload: topic } }).vanish();
      await world.settle();
    }
    assert.deepEqual(asked, ["c u will", "c u secret"]);
    assert.deepEqual(payloads(watcher), ["will"]);
  }
});

Deno.test("message_size_limit refuses a larger will", () => {
  const [world, watcher] = watched({ settings: { messageSizeLimit: 4 } });
  world.connect(5, { will: plain }).vanish();
  assert.deepEqual(payloads(watcher), ["gone"]);
  const will = { ...plain, payload: "gone!" };
  expectRefused(world.open(5).send(connect(5, { will })), 0x95);
  expectRefused(world.open(4).send(connect(4, { will })), 5);
});
