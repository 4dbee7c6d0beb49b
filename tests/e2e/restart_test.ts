import assert from "node:assert/strict";
import { BrokerProcess, pause, persistent, withDirectory } from "../support/broker_process.ts";
import {
  ack,
  concat,
  connect,
  disconnect,
  Property,
  property,
  publish,
  subscribe,
  unsubscribe,
} from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";

/** A session that lasts for `seconds` after its connection. */
function lasting(clientId: string, seconds = 3600) {
  const properties = property(Property.sessionExpiryInterval, seconds);
  return { clientId, clean: false, properties };
}

const NO_LOCAL = 4, RETAIN_AS_PUBLISHED = 8;

/** Runs each part on a broker of its own, one after the other, on the same store. */
async function acrossRestarts(
  directory: string,
  signal: Deno.Signal,
  ...parts: ((port: number) => Promise<void>)[]
): Promise<void> {
  for (const part of parts) {
    await using broker = await BrokerProcess.start(directory, {
      configuration: persistent(directory),
    });
    await part(broker.port);
    await broker.end(signal);
    broker.assertNoDefect();
  }
}

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  Deno.test(`subscriptions keep their options and identifiers over ${signal}`, () =>
    withDirectory((directory) =>
      acrossRestarts(directory, signal, async (port) => {
        await using client = await TcpClient.connect(port, 5, lasting("subscriber"));
        void client.send(subscribe(5, {
          packetId: 1,
          filters: [["own/#", 1 | NO_LOCAL], ["as/published", 2 | RETAIN_AS_PUBLISHED]],
          properties: property(Property.subscriptionIdentifier, 77),
        }));
        void client.send(subscribe(5, { packetId: 2, filters: [["plain", 0], ["left", 1]] }));
        void client.send(unsubscribe(5, { packetId: 3, filters: ["left"] }));
        assert.deepEqual((await client.next("suback")).reasons, [1, 2]);
        assert.deepEqual((await client.next("suback")).reasons, [0, 1]);
        assert.deepEqual((await client.next("unsuback")).reasons, [0]);
      }, async (port) => {
        await using client = await TcpClient.connect(port, 5, lasting("subscriber"));
        assert.equal(client.connack.sessionPresent, true);
        void client.send(publish(5, { topic: "own/a", payload: "not to oneself" }));
        await using other = await TcpClient.connect(port, 5, { clientId: "other" });
        void other.send(concat(
          publish(5, { topic: "left", payload: "unsubscribed" }),
          publish(5, { topic: "own/a", payload: "1" }),
          publish(5, { topic: "as/published", payload: "2", retain: true }),
          publish(5, { topic: "plain", payload: "3", retain: true }),
        ));
        const seen = [];
        for (let count = 0; count < 3; count++) {
          const { topic, retain, properties } = await client.next("publish");
          seen.push([topic, retain, properties]);
        }
        const identified = [[Property.subscriptionIdentifier, 77]];
        assert.deepEqual(seen, [
          ["own/a", false, identified],
          ["as/published", true, identified],
          ["plain", false, []],
        ]);
      })
    ));
}

Deno.test("Packet Identifiers count on after a restart", () =>
  withDirectory((directory) => {
    const receive = async (client: TcpClient): Promise<number> => {
      void client.send(publish(4, { topic: "ids", qos: 1, packetId: 9 }));
      const { packetId } = await client.next("publish");
      void client.send(ack("puback", packetId!));
      await client.next("puback");
      return packetId!;
    };
    return acrossRestarts(directory, "SIGTERM", async (port) => {
      await using client = await TcpClient.connect(port, 4, lasting("counting"));
      void client.send(subscribe(4, { filters: [["ids", 1]] }));
      await client.next("suback");
      for (const expected of [1, 2, 3]) assert.equal(await receive(client), expected);
      void client.send(disconnect());
      await client.ended();
    }, async (port) => {
      await using client = await TcpClient.connect(port, 4, lasting("counting"));
      assert.equal(await receive(client), 4);
    });
  }));

Deno.test("what was in flight is sent again after kill -9, with DUP and its Packet Identifier", () =>
  withDirectory((directory) =>
    acrossRestarts(directory, "SIGKILL", async (port) => {
      await using client = await TcpClient.connect(port, 5, lasting("subscriber"));
      void client.send(subscribe(5, { filters: [["a", 1], ["b", 2]] }));
      await client.next("suback");
      await using publisher = await TcpClient.connect(port, 4, lasting("publisher"));
      void publisher.send(publish(4, { topic: "a", payload: "one", qos: 1, packetId: 1 }));
      await publisher.next("puback");
      void publisher.send(publish(4, { topic: "b", payload: "two", qos: 2, packetId: 2 }));
      await publisher.next("pubrec");
      void publisher.send(ack("pubrel", 2));
      await publisher.next("pubcomp");
      assert.equal((await client.next("publish")).packetId, 1);
      assert.equal((await client.next("publish")).packetId, 2);
      // The second is released: of it only PUBREL is left.
      void client.send(ack("pubrec", 2));
      await client.next("pubrel");
    }, async (port) => {
      await using client = await TcpClient.connect(port, 5, lasting("subscriber"));
      const again = await client.next("publish");
      assert.deepEqual([again.topic, again.packetId, again.dup], ["a", 1, true]);
      const released = await client.next("pubrel");
      assert.equal(released.packetId, 2);
    })
  ));

Deno.test("expiry of messages and sessions runs on while the broker is down", () =>
  withDirectory((directory) => {
    const expiring = (seconds: number, payload: string, packetId: number) =>
      publish(5, {
        topic: "t",
        payload,
        qos: 1,
        packetId,
        properties: property(Property.messageExpiryInterval, seconds),
      });
    return acrossRestarts(directory, "SIGTERM", async (port) => {
      for (const [clientId, seconds] of [["stays", 3600], ["goes", 1]] as const) {
        await using client = await TcpClient.connect(port, 5, lasting(clientId, seconds));
        void client.send(subscribe(5, { filters: [["t", 1]] }));
        await client.next("suback");
      }
      await using publisher = await TcpClient.connect(port, 5, { clientId: "publisher" });
      void publisher.send(concat(expiring(1, "short", 1), expiring(3600, "long", 2)));
      await publisher.next("puback");
      await publisher.next("puback");
    }, async (port) => {
      // Seconds have to pass; most of them have while the broker was down.
      await pause(1500);
      await using goes = await TcpClient.connect(port, 5, lasting("goes"));
      assert.equal(goes.connack.sessionPresent, false);
      await using stays = await TcpClient.connect(port, 5, lasting("stays"));
      assert.equal(stays.connack.sessionPresent, true);
      const { payload, properties } = await stays.next("publish");
      assert.equal(new TextDecoder().decode(payload), "long");
      const [[id, left]] = properties;
      assert.equal(id, Property.messageExpiryInterval);
      assert.ok(left as number < 3600 && left as number > 3000, `${left} seconds are left`);
    });
  }));

Deno.test("retained messages come back with all their properties and large payloads", () =>
  withDirectory((directory) => {
    const properties = concat(
      property(Property.payloadFormatIndicator, 1),
      property(Property.userProperty, ["b", "1"]),
      property(Property.contentType, "text/plain"),
      property(Property.userProperty, ["a", "2"]),
      property(Property.userProperty, ["b", "1"]),
      property(Property.responseTopic, "answers"),
      property(Property.correlationData, Uint8Array.of(0, 255)),
    );
    const large = crypto.getRandomValues(new Uint8Array(65_536));
    return acrossRestarts(directory, "SIGKILL", async (port) => {
      await using client = await TcpClient.connect(port, 5, { clientId: "publisher" });
      void client.send(publish(5, {
        topic: "with/properties",
        payload: "text",
        qos: 1,
        packetId: 1,
        retain: true,
        properties,
      }));
      void client.send(
        publish(5, { topic: "large", payload: large, qos: 2, packetId: 2, retain: true }),
      );
      await client.next("puback");
      await client.next("pubrec");
      void client.send(ack("pubrel", 2));
      await client.next("pubcomp");
    }, async (port) => {
      await using client = await TcpClient.connect(port, 5, { clientId: "subscriber" });
      void client.send(subscribe(5, { packetId: 1, filters: [["with/properties", 0]] }));
      await client.next("suback");
      const first = await client.next("publish");
      assert.equal(first.retain, true);
      assert.deepEqual(first.properties, [
        [Property.payloadFormatIndicator, 1],
        [Property.userProperty, ["b", "1"]],
        [Property.contentType, "text/plain"],
        [Property.userProperty, ["a", "2"]],
        [Property.userProperty, ["b", "1"]],
        [Property.responseTopic, "answers"],
        [Property.correlationData, Uint8Array.of(0, 255)],
      ]);
      void client.send(subscribe(5, { packetId: 2, filters: [["large", 0]] }));
      await client.next("suback");
      assert.deepEqual((await client.next("publish")).payload, large);
    });
  }));

Deno.test("a QoS 2 message that was not released before kill -9 is delivered once after it", () =>
  withDirectory((directory) =>
    acrossRestarts(directory, "SIGKILL", async (port) => {
      await using subscriber = await TcpClient.connect(port, 5, lasting("subscriber"));
      void subscriber.send(subscribe(5, { filters: [["once", 2]] }));
      await subscriber.next("suback");
      await using publisher = await TcpClient.connect(port, 5, lasting("publisher"));
      void publisher.send(publish(5, { topic: "once", payload: "it", qos: 2, packetId: 5 }));
      await publisher.next("pubrec");
    }, async (port) => {
      const publisher = await TcpClient.open(port, 5);
      await using _publisher = publisher;
      // PUBLISH again and PUBREL: the broker has to know that it has the message.
      void publisher.send(concat(
        connect(5, lasting("publisher")),
        publish(5, { topic: "once", payload: "it", qos: 2, packetId: 5, dup: true }),
        ack("pubrel", 5),
      ));
      assert.equal((await publisher.next("connack")).sessionPresent, true);
      await publisher.next("pubrec");
      await publisher.next("pubcomp");
      void publisher.send(publish(5, { topic: "once", payload: "mark", qos: 1, packetId: 6 }));
      await publisher.next("puback");
      await using subscriber = await TcpClient.connect(port, 5, lasting("subscriber"));
      const seen = [];
      for (let count = 0; count < 2; count++) {
        seen.push(new TextDecoder().decode((await subscriber.next("publish")).payload));
      }
      assert.deepEqual(seen, ["it", "mark"]);
    })
  ));
