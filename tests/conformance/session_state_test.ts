/** How long a session's state is kept: MQTT 5.0 section 4.1, with the transport of 4.2. */
import assert from "node:assert/strict";
import { createBroker } from "../../mod.ts";
import { conformance } from "../support/conformance.ts";
import { connectLasting, heard, reconnect } from "../support/exchange.ts";
import { decodePackets } from "../support/packet_decoder.ts";
import {
  ack,
  concat,
  connect,
  disconnect,
  pingreq,
  Property,
  property,
  publish,
  subscribe,
  type Version,
} from "../support/packets.ts";
import { World } from "../support/world.ts";

const expiry = (seconds: number) => property(Property.sessionExpiryInterval, seconds);

conformance(
  ["MQTT-4.1.0-1", "MQTT-4.1.0-1 v3"],
  "state is kept while the connection is open, however long that is, even if it will not outlive it",
  () => {
    for (const version of [3, 4, 5] as const) {
      const world = new World({ settings: { persistentClientExpiration: 60 } });
      const client = world.connect(version, { keepAliveSeconds: 0 });
      client.subscribe("a", 2);
      const publisher = world.connect(5, { clientId: "publisher", keepAliveSeconds: 0 });
      publisher.publish({ topic: "a", payload: "x", qos: 2 }).send(ack("pubrel", 1));
      client.publish({ topic: "a", payload: "own", qos: 2, packetId: 9 });
      assert.deepEqual(heard(client), ["PUBLISH a x q2 #1", "PUBREC #9"]);
      world.advanceSeconds(1_000_000);
      client.send(ack("pubrec", 1), ack("pubrel", 9));
      assert.deepEqual(heard(client), ["PUBREL #1", "PUBLISH a own q2 #2", "PUBCOMP #9"]);
    }
  },
);

conformance(
  ["MQTT-4.1.0-2", "MQTT-3.1.2-23", "MQTT-4.1.0-1 v3"],
  "state is discarded when the Session Expiry Interval has passed after the close, not before",
  () => {
    const after = (version: Version, seconds: number, ...properties: Uint8Array[]) => {
      const world = new World();
      const client = world.connect(version, { clientId: "c", clean: false, properties });
      client.subscribe("a", 1);
      client.vanish();
      world.advanceSeconds(seconds);
      const again = reconnect(world, version, "c");
      again.publish({ topic: "a", payload: "x" });
      return heard(again);
    };
    const kept = ["CONNACK 0x00 present", "PUBLISH a x q0"];
    assert.deepEqual(after(5, 9.9, expiry(10)), kept);
    assert.deepEqual(after(5, 10.1, expiry(10)), ["CONNACK 0x00"]);
    assert.deepEqual(after(5, 0, expiry(0)), ["CONNACK 0x00"]);
    assert.deepEqual(after(5, 0), ["CONNACK 0x00"]);
    const century = 100 * 365 * 86_400;
    assert.deepEqual(after(5, century, expiry(0xffff_fffe)), kept, "no timer overflows");
    assert.deepEqual(after(5, 2 * century, expiry(0xffff_ffff)), kept, "never");
    assert.deepEqual(after(4, century), kept);
  },
);

conformance(
  "MQTT-4.1.0-2",
  "persistent_client_expiration cuts what clients ask for",
  () => {
    const world = new World({ settings: { persistentClientExpiration: 60 } });
    for (const version of [4, 5] as const) {
      connectLasting(world, version, "kept").vanish();
      connectLasting(world, version, "ended").vanish();
      world.advanceSeconds(59);
      assert.deepEqual(heard(reconnect(world, version, "kept")), ["CONNACK 0x00 present"]);
      world.advanceSeconds(2);
      assert.deepEqual(heard(reconnect(world, version, "ended")), ["CONNACK 0x00"]);
    }
  },
);

conformance(
  ["MQTT-4.1.0-2", "MQTT-3.1.2-6 v3"],
  "going back and forth between lasting and clean leaves no residue",
  () => {
    for (const version of [4, 5] as const) {
      const world = new World();
      const publisher = world.connect(5, { clientId: "publisher" });
      for (let time = 0; time < 3; time++) {
        const lasting = connectLasting(world, version, "c");
        lasting.subscribe("a", 1);
        publisher.publish({ topic: "a", qos: 1 });
        lasting.vanish();
        publisher.publish({ topic: "a", qos: 1 });
        const clean = reconnect(world, version, "c", { clean: true, properties: [] });
        publisher.publish({ topic: "a", qos: 1 });
        assert.deepEqual(heard(clean), ["CONNACK 0x00"]);
        clean.send(disconnect());
      }
      const { subscriptions, clientsTotal, storeMessages } = world.broker.statistics();
      assert.deepEqual([subscriptions, clientsTotal, storeMessages], [0, 1, 0]);
    }
  },
);

conformance(
  "MQTT-4.2-1",
  "over TCP packets arrive whole and in order, however the stream is cut",
  async () => {
    await using broker = await createBroker({
      persistence: false,
      listeners: [{ port: 0, address: "127.0.0.1" }],
    });
    const { hostname, port } = broker.address();
    using socket = await Deno.connect({ hostname, port });
    const payload = ".".repeat(5000);
    const sent = concat(
      connect(4),
      subscribe(4, { filters: [["a", 0]] }),
      Array.from(
        { length: 20 },
        (_, index) => publish(4, { topic: "a", payload: `${index}${payload}` }),
      ),
      pingreq(),
    );
    const writing = (async () => {
      for (let at = 0, step = 1; at < sent.length; at += step, step = step * 3 % 4099) {
        const chunk = sent.subarray(at, at + step);
        for (let done = 0; done < chunk.length;) done += await socket.write(chunk.subarray(done));
      }
    })();
    let received: Uint8Array = concat();
    const buffer = new Uint8Array(1000);
    let packets = decodePackets(received, 4).packets;
    while (packets.at(-1)?.type !== "pingresp") {
      const count = await socket.read(buffer);
      assert.ok(count !== null, "the broker closed");
      received = concat(received, buffer.subarray(0, count));
      packets = decodePackets(received, 4).packets;
    }
    await writing;
    const numbers = packets.slice(2, -1).map(({ payload }) =>
      parseInt(new TextDecoder().decode(payload))
    );
    assert.deepEqual(numbers, Array.from({ length: 20 }, (_, index) => index));
  },
);
