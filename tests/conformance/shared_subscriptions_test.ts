/** Shared Subscriptions: MQTT 5.0 section 4.8.2. */
import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { connectLasting, heard, payloads, reconnect } from "../support/exchange.ts";
import { ack, disconnect, Property, property, subscribe, unsubscribe } from "../support/packets.ts";
import { type FakeClient, World } from "../support/world.ts";

/** Clients that have subscribed in this order. */
function members(world: World, filters: readonly string[], options = 2): FakeClient[] {
  return filters.map((filter, index) => {
    const client = world.connect(5, { clientId: `m${index}` });
    client.subscribe(filter, options);
    return client;
  });
}

/** Publishes "0", "1", … to a topic; returns who got what. */
function share(world: World, clients: FakeClient[], count: number, qos: 0 | 1 | 2 = 0): string[][] {
  for (let index = 0; index < count; index++) {
    const payload = new TextEncoder().encode(`${index}`);
    world.broker.publishMessage({ topic: "a", payload, qos });
  }
  world.run();
  return clients.map(payloads);
}

const bad = ["$share", "$share/", "$share//", "$share/g", "$share/g/", "$share//a", "$share///"];
const badNames = [
  "$share/+/a",
  "$share/#/a",
  "$share/g+/a",
  "$share/+g/a",
  "$share/g#/a",
  "$share/#",
];

conformance(
  ["MQTT-4.8.2-1", "MQTT-4.8.2-2"],
  "a ShareName has a character and no wildcard, and a filter follows it; else it is refused",
  () => {
    for (const version of [3, 4, 5] as const) {
      for (const filter of [...bad, ...badNames]) {
        const client = new World().connect(version);
        client.send(subscribe(version, { filters: [[filter, 0]] }));
        const answer = heard(client);
        if (client.isClosed) assert.deepEqual(answer, version === 5 ? ["DISCONNECT 0x81"] : []);
        else assert.deepEqual(answer, [version === 5 ? "SUBACK #1 8f" : "SUBACK #1 80"], filter);
        const { tree } = client.world.broker;
        assert.deepEqual([tree.count, tree.sharedCount], [0, 0], filter);
      }
      for (
        const filter of ["$share/g/a", "$share/g/#", "$share/ /+", "$share/g//", "$share/$g/$a"]
      ) {
        const client = new World().connect(version);
        assert.deepEqual(client.subscribe(filter, 1).reasons, [1], filter);
        client.send(unsubscribe(version, { filters: [filter] }));
        assert.deepEqual(client.receive().map(({ type }) => type), ["unsuback"]);
        assert.equal(client.world.broker.tree.sharedCount, 0, filter);
      }
    }
  },
);

conformance(
  ["MQTT-4.8.2-1", "MQTT-4.8.2-2"],
  "names that only begin like it are ordinary filters",
  () => {
    for (const filter of ["$shared/g/a", "$Share/g/a", "/$share/g/a", "x/$share/g/a"]) {
      const client = new World().connect(5);
      client.subscribe(filter);
      client.publish({ topic: filter, payload: "x" });
      assert.deepEqual(payloads(client), ["x"]);
    }
  },
);

conformance(
  "MQTT-4.8.2-1",
  "members take messages strictly in turn, in the order of their subscribing, at each QoS",
  () => {
    for (const qos of [0, 1, 2] as const) {
      const world = new World();
      const clients = members(world, Array(3).fill("$share/g/a"));
      assert.deepEqual(share(world, clients, 7, qos), [["0", "3", "6"], ["1", "4"], ["2", "5"]]);
      // The turn goes on where it was, through a renewed subscription and through a new member.
      clients[1].subscribe("$share/g/a", 2);
      assert.deepEqual(share(world, clients, 2, qos), [[], ["0"], ["1"]]);
      clients.push(world.connect(5, { clientId: "m3" }));
      clients[3].subscribe("$share/g/a", 2);
      assert.deepEqual(share(world, clients, 4, qos), [["0"], ["1"], ["2"], ["3"]]);
    }
  },
);

conformance(
  ["MQTT-4.8.2-1", "MQTT-3.10.4-1"],
  "a member that leaves, in whatever way, changes nothing in the turn of the others",
  () => {
    const leave: ((client: FakeClient) => void)[] = [
      (client) => client.send(unsubscribe(5, { filters: ["$share/g/a"] })),
      (client) => client.send(disconnect()),
      (client) => client.vanish(),
      ({ world }) => void world.connect(5, { clientId: "m1" }),
    ];
    for (const end of leave) {
      const world = new World();
      const clients = members(world, Array(4).fill("$share/g/a"));
      assert.deepEqual(share(world, clients, 2), [["0"], ["1"], [], []]);
      end(clients[1]);
      heard(clients[1]);
      assert.deepEqual(share(world, clients, 4), [["2"], [], ["0", "3"], ["1"]]);
    }
  },
);

conformance(
  "MQTT-4.8.2-1",
  "each group gets each message once, also where several groups and members overlap",
  () => {
    const world = new World();
    const filters = [
      "$share/g/a",
      "$share/h/a",
      "$share/g/a",
      "$share/h/a",
      "$share/g/+",
      "$share/g/#",
    ];
    const clients = members(world, filters);
    clients[0].subscribe("$share/h/a", 0);
    const [zero, one, two, three, plus, hash] = share(world, clients, 6);
    // g/a: 0 2 in turn; h/a: 1 3 0 in turn; g/+ and g/# are groups of their own.
    assert.deepEqual(zero, ["0", "2", "2", "4", "5"]);
    assert.deepEqual(one, ["0", "3"]);
    assert.deepEqual(two, ["1", "3", "5"]);
    assert.deepEqual(three, ["1", "4"]);
    for (const alone of [plus, hash]) assert.deepEqual(alone, ["0", "1", "2", "3", "4", "5"]);
  },
);

conformance(
  ["MQTT-4.8.2-1", "MQTT-3.8.4-3"],
  "a plain and a shared subscription of the same filter are two subscriptions",
  () => {
    const world = new World();
    const client = world.connect(5, { clientId: "m0" });
    client.subscribe("a", 0);
    client.subscribe("$share/g/a", 1);
    client.subscribe("$share/h/a", 2);
    client.publish({ topic: "a", payload: "x", qos: 1, packetId: 9 });
    const copies = ["PUBLISH a x q0", "PUBLISH a x q1 #1", "PUBLISH a x q1 #2", "PUBACK #9"];
    assert.deepEqual(heard(client), copies);
    client.send(unsubscribe(5, { filters: ["a"] }));
    assert.deepEqual(heard(client), ["UNSUBACK #1 00"]);
    client.publish({ topic: "a", payload: "x", qos: 1, packetId: 9 });
    assert.equal(heard(client).length, 3);
    client.send(unsubscribe(5, { filters: ["$share/g/a", "$share/i/a"] }));
    assert.deepEqual(heard(client), ["UNSUBACK #1 00 11"]);
    client.publish({ topic: "a", payload: "x", qos: 1, packetId: 9 });
    assert.equal(heard(client).length, 2);
  },
);

conformance(
  "MQTT-4.8.2-1",
  "members away are passed over while one is there; when all are away the messages wait",
  () => {
    for (const version of [4, 5] as const) {
      const world = new World();
      const clients = ["m0", "m1", "m2"].map((clientId) => {
        const client = connectLasting(world, version, clientId);
        client.subscribe("$share/g/a", 1);
        return client;
      });
      clients[0].vanish();
      assert.deepEqual(share(world, clients, 4, 1), [[], ["0", "2"], ["1", "3"]]);
      clients[1].vanish();
      clients[2].vanish();
      assert.deepEqual(share(world, clients, 6, 1), [[], [], []]);
      const waiting: string[] = [];
      for (const clientId of ["m0", "m1", "m2"]) {
        const again = reconnect(world, version, clientId);
        const fresh = again.receiveOf("publish").filter(({ dup }) => !dup);
        waiting.push(...fresh.map(({ payload }) => new TextDecoder().decode(payload)));
      }
      assert.deepEqual(waiting.sort(), ["0", "1", "2", "3", "4", "5"]);
    }
  },
);

conformance(
  "MQTT-4.8.2-3",
  "a shared subscription delivers at the lower of its member's QoS and the message's",
  () => {
    const world = new World();
    const clients = [0, 1, 2].map((qos) => {
      const client = world.connect(5, { clientId: `m${qos}` });
      const properties = property(Property.subscriptionIdentifier, qos + 1);
      client.subscribe("$share/g/a", qos, { properties });
      return client;
    });
    for (const published of [0, 1, 2] as const) {
      for (let index = 0; index < 3; index++) {
        world.broker.publishMessage({ topic: "a", payload: new Uint8Array(1), qos: published });
      }
      world.run();
      for (const [granted, client] of clients.entries()) {
        const { qos, properties } = client.expect("publish");
        assert.equal(qos, Math.min(granted, published));
        assert.deepEqual(properties, [[Property.subscriptionIdentifier, granted + 1]]);
      }
    }
  },
);

conformance(
  "MQTT-4.8.2-4",
  "QoS 2 begun with a member that went away is finished with that member",
  () => {
    const world = new World();
    const [first, second] = ["m0", "m1"].map((clientId) => {
      const client = connectLasting(world, 5, clientId);
      client.subscribe("$share/g/a", 2);
      return client;
    });
    share(world, [], 1, 2);
    assert.deepEqual(heard(first), ["PUBLISH a 0 q2 #1"]);
    first.vanish();
    assert.deepEqual(heard(second), []);
    const again = reconnect(world, 5, "m0");
    assert.deepEqual(heard(again), ["CONNACK 0x00 present", "PUBLISH a 0 q2 #1 dup"]);
    again.send(ack("pubrec", 1)).vanish();
    const third = reconnect(world, 5, "m0").send(ack("pubcomp", 1));
    assert.deepEqual(heard(third), ["CONNACK 0x00 present", "PUBREL #1"]);
    assert.deepEqual(heard(second), []);
  },
);

conformance(
  "MQTT-4.8.2-5",
  "QoS 2 begun with a member whose session ends goes to no other",
  () => {
    for (const released of [false, true]) {
      const world = new World();
      const [first, second] = members(world, ["$share/g/a", "$share/g/a"]);
      share(world, [], 1, 2);
      assert.deepEqual(heard(first), ["PUBLISH a 0 q2 #1"]);
      if (released) first.send(ack("pubrec", 1));
      first.send(disconnect());
      assert.deepEqual(heard(second), []);
      world.advanceSeconds(60);
      assert.deepEqual(heard(second), []);
      assert.deepEqual(share(world, [second], 1), [["0"]]);
    }
  },
);

conformance(
  "MQTT-4.8.2-6",
  "a message that a member refuses goes to no other",
  () => {
    for (const [qos, type] of [[1, "puback"], [2, "pubrec"]] as const) {
      const world = new World();
      const [first, second] = members(world, ["$share/g/a", "$share/g/a"]);
      share(world, [], 1, qos);
      assert.deepEqual(heard(first), [`PUBLISH a 0 q${qos} #1`]);
      first.send(ack(type, 1, { reason: 0x83 }));
      assert.deepEqual(heard(first), []);
      assert.deepEqual(heard(second), []);
    }
  },
);

conformance(
  ["MQTT-4.8.2-1", "MQTT-3.3.1-9"],
  "a shared subscription brings no retained messages, and takes those published live",
  () => {
    const world = new World();
    const publish = () => {
      const payload = new TextEncoder().encode("x");
      world.broker.publishMessage({ topic: "a", payload, retain: true });
      world.run();
    };
    publish();
    const client = world.connect(5);
    client.send(subscribe(5, { filters: [["$share/g/a", 0], ["$share/g/#", 8]] }));
    assert.deepEqual(heard(client), ["SUBACK #1 00 00"]);
    publish();
    assert.deepEqual(heard(client).sort(), ["PUBLISH a x q0", "PUBLISH a x q0 retain"]);
  },
);
