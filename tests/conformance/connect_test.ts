import assert from "node:assert/strict";
import { hookAccess } from "../support/access.ts";
import { conformance } from "../support/conformance.ts";
import {
  expectClosedSilently,
  expectRefused,
  lasting,
  payloads,
  sessionPresent,
} from "../support/messages.ts";
import {
  connect,
  hex,
  pingreq,
  Property,
  property,
  publish,
  subscribe,
} from "../support/packets.ts";
import { World, type WorldOptions } from "../support/world.ts";

const versions = [3, 4, 5] as const;

/** A world whose only user is `u` with the password `p`. */
function guarded(options: WorldOptions = {}): World {
  const access = hookAccess(
    {
      authenticate: ({ userName }, password) =>
        userName === "u" && new TextDecoder().decode(password) === "p",
    },
    false,
    (error) => {
      throw error;
    },
  );
  return new World({ ...options, access });
}

for (const version of versions) {
  conformance("MQTT-3.1.0-2", `a second CONNECT closes, version ${version}`, () => {
    const world = new World();
    const watcher = world.connect(5, { clientId: "watcher" });
    watcher.subscribe("will");
    const client = world.connect(version, { will: { topic: "will", payload: "gone" } });
    expectClosedSilently(client.send(connect(version)));
    assert.deepEqual(payloads(watcher), ["gone"]);
  });

  conformance(
    ["MQTT-3.1.2-1", "MQTT-3.1.2-1 v3"],
    `a wrong protocol name closes without a word, level ${version}`,
    () => {
      const world = new World();
      for (const protocolName of ["MQTx", "mqtt", "MQISDP", "", "HTTP/1.1"]) {
        expectClosedSilently(world.open(version).send(connect(version, { protocolName })));
      }
    },
  );
}

conformance(["MQTT-3.1.2-2", "MQTT-3.1.2-2 v3"], "a level that is not spoken is refused", () => {
  const world = new World();
  const inMqtt5 = [0x20, 3, 0, 0x84, 0], inMqtt3 = [0x20, 2, 0, 1];
  for (
    const [protocolName, protocolLevel, answer] of [
      ["MQTT", 2, inMqtt5],
      ["MQTT", 3, inMqtt3],
      ["MQTT", 6, inMqtt5],
      ["MQIsdp", 2, inMqtt5],
      ["MQIsdp", 4, inMqtt3],
      ["MQIsdp", 6, inMqtt5],
    ] as const
  ) {
    const client = world.open(4).send(connect(4, { protocolName, protocolLevel }), pingreq());
    assert.deepEqual([...client.receiveBytes()], answer);
    client.expectClosed();
  }
});

conformance(
  ["MQTT-3.1.2-2", "MQTT-3.1.2-2 v3"],
  "a listener accepts the versions it is told",
  () => {
    for (const accepted of versions) {
      const world = new World({ listener: { acceptProtocolVersions: [accepted] } });
      for (const version of versions) {
        const client = world.open(version).send(connect(version));
        if (version === accepted) assert.equal(client.expect("connack").reason, 0);
        else expectRefused(client, version === 5 ? 0x84 : 1);
      }
    }
  },
);

conformance("MQTT-3.1.2-3", "the reserved flag closes; MQTT 3.1 does not know it", () => {
  const world = new World();
  for (const version of [4, 5] as const) {
    expectClosedSilently(world.open(version).send(connect(version, { flags: 3 })));
  }
  assert.equal(world.open(3).send(connect(3, { flags: 3 })).expect("connack").reason, 0);
});

conformance(["MQTT-3.1.2-4", "MQTT-3.2.2-2", "MQTT-3.1.4-4"], "Clean Start 1 begins anew", () => {
  const world = new World();
  const before = world.connect(5, lasting(1000));
  before.subscribe("t", 1);
  before.vanish();
  const publisher = world.connect(5, { clientId: "publisher" });
  publisher.publish({ topic: "t", qos: 1, payload: "waits" });
  const after = world.connect(5, { ...lasting(1000), clean: true });
  assert.equal(sessionPresent(after), false);
  publisher.publish({ topic: "t", qos: 1, payload: "comes" });
  after.expectNothing();
});

conformance(
  ["MQTT-3.1.2-5", "MQTT-3.2.2-3", "MQTT-3.1.4-4"],
  "Clean Start 0 goes on with subscriptions and messages",
  () => {
    const world = new World();
    const before = world.connect(5, lasting(1000));
    before.subscribe("t", 1);
    before.vanish();
    const publisher = world.connect(5, { clientId: "publisher" });
    publisher.publish({ topic: "t", qos: 1, payload: "waits" });
    const after = world.open(5).send(connect(5, lasting(1000)));
    const [connack, message] = after.receive();
    assert.equal(connack.sessionPresent, true);
    assert.deepEqual([message.type, message.dup], ["publish", false]);
    publisher.publish({ topic: "t", qos: 1, payload: "comes" });
    assert.deepEqual(payloads(after), ["comes"]);
  },
);

conformance(
  ["MQTT-3.1.2-6", "MQTT-3.2.2-3"],
  "Clean Start 0 makes a session where there is none",
  () => {
    const world = new World();
    const first = world.connect(5, lasting(1000));
    assert.equal(sessionPresent(first), false);
    first.vanish();
    assert.equal(sessionPresent(world.connect(5, lasting(1000))), true);
  },
);

conformance(
  ["MQTT-3.1.2-4 v3", "MQTT-3.1.2-5 v3"],
  "Clean Session 0 keeps subscriptions, QoS 1 and 2, and not QoS 0",
  () => {
    for (const version of [3, 4] as const) {
      const world = new World();
      const before = world.connect(version, { clean: false });
      assert.equal(sessionPresent(before), false);
      before.subscribe("t/+", 2);
      before.send(hex("e0 00"));
      const publisher = world.connect(4, { clientId: "publisher" });
      publisher.publish({ topic: "t/0", qos: 0, payload: "zero" });
      publisher.publish({ topic: "t/1", qos: 1, payload: "one" });
      publisher.publish({ topic: "t/2", qos: 2, payload: "two" }).send(hex("62 02 0001"));
      world.advanceSeconds(10_000_000);
      const after = world.open(version).send(connect(version, { clean: false }));
      const [connack, ...messages] = after.receive();
      // MQTT 3.1 has no Session Present: its byte is reserved.
      assert.equal(connack.raw[2], version === 3 ? 0 : 1);
      assert.deepEqual(messages.map(({ topic, qos }) => [topic, qos]), [["t/1", 1], ["t/2", 2]]);
    }
  },
);

conformance("MQTT-3.1.2-6 v3", "Clean Session 1 drops the session before it and its own", () => {
  const world = new World();
  const subscriber = world.connect(4, { clean: false });
  subscriber.subscribe("t", 1);
  subscriber.vanish();
  const clean = world.connect(4, { clean: true });
  assert.equal(sessionPresent(clean), false);
  world.connect(4, { clientId: "publisher" }).publish({ topic: "t", qos: 1 });
  clean.expectNothing();
  clean.subscribe("t", 1);
  clean.vanish();
  assert.equal(sessionPresent(world.connect(4, { clean: false })), false);
  assert.equal(world.broker.tree.count, 0);
});

conformance("MQTT-3.1.2-7 v3", "retained messages outlive the session that sent them", () => {
  const world = new World();
  const publisher = world.connect(4, { clientId: "publisher", clean: true });
  publisher.publish({ topic: "t", retain: true, payload: "stays" });
  publisher.send(hex("e0 00"));
  const subscriber = world.connect(4).send(subscribe(4, { filters: [["t", 0]] }));
  assert.deepEqual(payloads(subscriber), ["stays"]);
});

conformance("MQTT-3.1.2-16", "without User Name Flag a user name is a field too many", () => {
  const world = new World();
  const fields = { flags: 0x02, userName: "u" };
  expectRefused(world.open(5).send(connect(5, fields)), 0x81);
  expectClosedSilently(world.open(4).send(connect(4, fields)));
});

conformance("MQTT-3.1.2-18", "without Password Flag a password is a field too many", () => {
  const world = new World();
  const fields = { flags: 0x82, userName: "u", password: "p" };
  expectRefused(world.open(5).send(connect(5, fields)), 0x81);
  expectClosedSilently(world.open(4).send(connect(4, fields)));
});

conformance(["MQTT-3.1.2-17", "MQTT-3.1.2-19"], "a promised user name or password is there", () => {
  const world = new World();
  for (const version of [4, 5] as const) {
    expectClosedSilently(world.open(version).send(connect(version, { flags: 0x82 })));
    const noPassword = { flags: 0xc2, userName: "u" };
    expectClosedSilently(world.open(version).send(connect(version, noPassword)));
  }
});

conformance("MQTT-3.1.2-22 v3", "a password without a user name closes; MQTT 5 allows it", () => {
  const world = new World();
  expectClosedSilently(world.open(4).send(connect(4, { password: "p" })));
  assert.equal(world.open(5).send(connect(5, { password: "p" })).expect("connack").reason, 0);
});

conformance(
  "MQTT-3.1.3-1",
  "identifier, will, user name and password are read in their order",
  () => {
    for (const version of versions) {
      const world = guarded();
      const watcher = world.connect(5, { clientId: "watcher", userName: "u", password: "p" });
      watcher.subscribe("#");
      const client = world.connect(version, {
        clientId: "id",
        will: {
          topic: "will topic",
          payload: "will payload",
          properties: property(Property.contentType, "c"),
        },
        userName: "u",
        password: "p",
      });
      assert.equal(world.broker.sessions.get("id")?.userName, "u");
      client.vanish();
      const will = watcher.expect("publish");
      assert.equal(will.topic, "will topic");
      assert.deepEqual(will.properties, version === 5 ? [[Property.contentType, "c"]] : []);
      assert.equal(new TextDecoder().decode(will.payload), "will payload");
    }
  },
);

conformance("MQTT-3.1.3-2", "each identifier has a session of its own", () => {
  const world = new World();
  world.connect(5, { ...lasting(100), clientId: "one" }).vanish();
  assert.equal(sessionPresent(world.connect(5, { ...lasting(100), clientId: "One" })), false);
  assert.equal(sessionPresent(world.connect(5, { ...lasting(100), clientId: "one" })), true);
});

conformance("MQTT-3.1.3-3", "a CONNECT without a Client Identifier is malformed", () => {
  const world = new World();
  expectRefused(world.open(5).send(connect(5, {}, { cutTo: 11 })), 0x81);
  expectClosedSilently(world.open(4).send(connect(4, {}, { cutTo: 10 })));
});

conformance("MQTT-3.1.3-4", "an ill-formed Client Identifier is refused", () => {
  const world = new World();
  expectRefused(world.open(5).send(connect(5, { clientId: hex("ff") })), 0x85);
  expectClosedSilently(world.open(4).send(connect(4, { clientId: hex("ff") })));
});

conformance("MQTT-3.1.3-5", "identifiers of 1 to 23 letters and digits are accepted", () => {
  const world = new World();
  const characters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (const clientId of [...characters, characters.slice(0, 23), characters.slice(-23)]) {
    for (const version of versions) world.connect(version, { clientId });
  }
});

conformance("MQTT-3.1.3-5", "longer identifiers with other characters are accepted as well", () => {
  const world = new World();
  const clientId = "/+#$ ß𝄞".repeat(100);
  world.connect(5, { ...lasting(10), clientId }).vanish();
  assert.equal(sessionPresent(world.connect(5, { ...lasting(10), clientId })), true);
});

conformance(
  ["MQTT-3.1.3-6", "MQTT-3.1.3-7", "MQTT-3.2.2-16"],
  "empty identifiers are replaced by unique ones, which the CONNACK names",
  () => {
    const world = new World();
    const assigned = new Set<string>();
    for (const clean of [true, false]) {
      const { connack } = world.connect(5, { clientId: "", clean });
      assert.equal(connack!.sessionPresent, false);
      const [id] = connack!.properties.filter(([id]) => id === Property.assignedClientIdentifier)
        .map(([, value]) => value as string);
      assert.match(id, /^auto-[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/);
      assert.ok(world.broker.sessions.get(id)?.connection);
      assigned.add(id);
    }
    world.connect(4, { clientId: "", clean: true });
    assert.equal(assigned.size, 2);
    assert.equal(world.broker.sessions.count, 3);
  },
);

conformance("MQTT-3.1.3-6", "auto_id_prefix begins the identifiers that are assigned", () => {
  const world = new World({ listener: { autoIdPrefix: "mine:" } });
  const { connack } = world.connect(5, { clientId: "" });
  const assigned = connack!.properties.find(([id]) => id === Property.assignedClientIdentifier);
  assert.match(assigned![1] as string, /^mine:[0-9A-F-]{36}$/);
});

conformance(
  ["MQTT-3.1.3-8", "MQTT-3.1.3-9 v3"],
  "without allow_zero_length_clientid an empty identifier is refused",
  () => {
    const world = new World({ listener: { allowZeroLengthClientid: false } });
    expectRefused(world.open(5).send(connect(5, { clientId: "" }), pingreq()), 0x80);
    expectRefused(world.open(4).send(connect(4, { clientId: "" }), pingreq()), 2);
    expectRefused(world.open(3).send(connect(3, { clientId: "" }), pingreq()), 2);
  },
);

conformance(
  "MQTT-3.1.3-8 v3",
  "an empty identifier with Clean Session 0 is refused by code 2",
  () => {
    const world = new World();
    expectRefused(world.open(4).send(connect(4, { clientId: "", clean: false })), 2);
    expectRefused(world.open(3).send(connect(3, { clientId: "", clean: true })), 2);
  },
);

conformance("MQTT-3.1.3-12", "an ill-formed user name closes without CONNACK", () => {
  const world = new World();
  for (const version of versions) {
    expectClosedSilently(world.open(version).send(connect(version, { userName: hex("c3 28") })));
  }
});

const unfit: readonly [what: string, bytes: (version: 4 | 5) => Uint8Array, reason: number][] = [
  ["bytes behind the last field", (v) => connect(v, {}, { trailing: 0 }), 0x81],
  ["a will without its payload", (v) => connect(v, { flags: 6, clientId: "c" }), 0x81],
  [
    "an identifier longer than the packet",
    (v) => connect(v, {}, { cutTo: v === 5 ? 13 : 12 }),
    0x81,
  ],
];
for (const [what, bytes, reason] of unfit) {
  conformance(["MQTT-3.1.4-1", "MQTT-3.1.4-1 v3"], `CONNECT with ${what} is not served`, () => {
    const world = new World();
    expectRefused(world.open(5).send(bytes(5)), reason);
    expectClosedSilently(world.open(4).send(bytes(4)));
  });
}

conformance("MQTT-3.2.2-6 v3", "where no return code fits, the connection just closes", () => {
  const world = new World({ settings: { globalMaxClients: 1, retainAvailable: false } });
  world.connect(4, { clientId: "first" });
  expectClosedSilently(world.open(4).send(connect(4, { clientId: "second" })));
  expectRefused(world.open(5).send(connect(5, { clientId: "second" })), 0x89);
  const will = { topic: "t", retain: true };
  expectClosedSilently(world.open(4).send(connect(4, { clientId: "first", will })));
});

conformance(
  ["MQTT-3.1.4-2", "MQTT-3.2.2-7", "MQTT-3.2.2-5 v3"],
  "wrong credentials are refused, and the connection closes",
  () => {
    const world = guarded();
    for (
      const fields of [{}, { userName: "u" }, { userName: "u", password: "x" }, { userName: "x" }]
    ) {
      expectRefused(world.open(5).send(connect(5, fields), pingreq()), 0x87);
      expectRefused(world.open(4).send(connect(4, fields), pingreq()), 5);
      expectRefused(world.open(3).send(connect(3, fields), pingreq()), 5);
    }
    assert.equal(world.broker.sessions.count, 0);
  },
);

conformance(
  "MQTT-3.1.4-2",
  "a refused CONNECT does not disturb the client of that identifier",
  () => {
    const world = guarded();
    const good = { userName: "u", password: "p" };
    const watcher = world.connect(5, { ...good, clientId: "watcher" });
    watcher.subscribe("will");
    const will = { topic: "will", payload: "gone" };
    const client = world.connect(5, { ...lasting(100), ...good, will });
    client.subscribe("t");
    expectRefused(world.open(5).send(connect(5, { clean: true, userName: "u" })), 0x87);
    client.expectOpen();
    watcher.expectNothing();
    watcher.publish({ topic: "t", payload: "m" });
    assert.deepEqual(payloads(client), ["m"]);
  },
);

conformance(
  ["MQTT-3.1.4-6", "MQTT-3.1.4-5 v3"],
  "what follows a refused CONNECT is not heard",
  () => {
    for (const version of versions) {
      const world = guarded();
      const watcher = world.connect(5, { clientId: "watcher", userName: "u", password: "p" });
      watcher.subscribe("#");
      const client = world.open(version).send(
        connect(version, { userName: "u", password: "wrong" }),
        publish(version, { topic: "t", payload: "sneaks in" }),
        pingreq(),
      );
      expectRefused(client, version === 5 ? 0x87 : 5);
      watcher.expectNothing();
    }
  },
);

conformance(
  "MQTT-3.1.4-6",
  "what follows CONNECT waits while authentication takes its time",
  async () => {
    let decide: (allowed: boolean) => void = () => {};
    const access = hookAccess(
      {
        authenticate: ({ clientId }) =>
          clientId === "watcher" || new Promise<boolean>((resolve) => void (decide = resolve)),
      },
      false,
      (error) => {
        throw error;
      },
    );
    for (const allowed of [true, false]) {
      const world = new World({ access });
      const watcher = world.connect(5, { clientId: "watcher" });
      watcher.subscribe("#");
      const client = world.open(5).send(connect(5), publish(5, { topic: "t", payload: "m" }));
      await world.settle();
      client.expectNothing();
      watcher.expectNothing();
      decide(allowed);
      await world.settle();
      if (allowed) assert.equal(client.expect("connack").reason, 0);
      else expectRefused(client, 0x87);
      assert.deepEqual(payloads(watcher), allowed ? ["m"] : []);
    }
  },
);

conformance("MQTT-3.1.4-5", "a good CONNECT is answered by CONNACK with reason 0", () => {
  const world = new World();
  for (const version of versions) {
    const connack = world.open(version).send(connect(version)).expect("connack");
    assert.deepEqual([connack.reason, connack.sessionPresent], [0, false]);
  }
});

conformance("MQTT-3.1.4-5", "a CONNECT that comes byte by byte is served the same", () => {
  const world = new World();
  const bytes = connect(5, {
    ...lasting(7),
    clientId: "",
    will: { topic: "t", payload: "m", qos: 2, retain: true },
    userName: "u",
    password: "p",
  });
  const connack = world.open(5).sendByteByByte(bytes).expect("connack");
  assert.equal(connack.reason, 0);
});

const wrongProperties: readonly [what: string, bytes: Uint8Array, reason: number][] = [
  ["Receive Maximum 0", property(Property.receiveMaximum, 0), 0x82],
  ["Maximum Packet Size 0", property(Property.maximumPacketSize, 0), 0x82],
  ["Request Problem Information 2", property(Property.requestProblemInformation, 2), 0x82],
  ["Request Response Information 2", property(Property.requestResponseInformation, 2), 0x82],
  ["Authentication Data alone", property(Property.authenticationData, "d"), 0x82],
  ["a Topic Alias", property(Property.topicAlias, 1), 0x82],
  ["an unknown property", hex("7f 00"), 0x81],
  ["an Authentication Method", property(Property.authenticationMethod, "SCRAM-SHA-1"), 0x8c],
];
for (const [what, properties, reason] of wrongProperties) {
  conformance("MQTT-3.1.4-2", `CONNECT with ${what} is refused by 0x${reason.toString(16)}`, () => {
    expectRefused(new World().open(5).send(connect(5, { properties })), reason);
  });
}
