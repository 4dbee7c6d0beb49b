import assert from "node:assert/strict";
import { answer, property, withAndWithout } from "./with_and_without.ts";

const SERVER_KEEP_ALIVE = 0x13, ASSIGNED_CLIENT_ID = 0x12, RECEIVE_MAXIMUM = 0x21;
const TOPIC_ALIAS_MAXIMUM = 0x22, MAXIMUM_QOS = 0x24, RETAIN_AVAILABLE = 0x25;
const MAXIMUM_PACKET_SIZE = 0x27;

/** Options, the property of CONNACK they show in, and its values with and without. */
const PROPERTIES: [title: string, id: number, set: unknown, plain: unknown][] = [
  ["max_packet_size: told in CONNACK", MAXIMUM_PACKET_SIZE, 50_000, 2_000_000],
  ["max_inflight_messages: told as Receive Maximum", RECEIVE_MAXIMUM, 5, 20],
  ["max_topic_alias: told in CONNACK", TOPIC_ALIAS_MAXIMUM, 3, 10],
  ["max_qos: told in CONNACK", MAXIMUM_QOS, 1, undefined],
  ["retain_available: told in CONNACK", RETAIN_AVAILABLE, 0, undefined],
  ["max_keepalive: told as Server Keep Alive", SERVER_KEEP_ALIVE, 30, undefined],
];

Deno.test("options that a client is told of", (t) =>
  withAndWithout(() => [
    ...["max_packet_size 50000", "max_inflight_messages 5", "max_topic_alias 3", "max_qos 1"],
    ...["retain_available false", "max_keepalive 30", "auto_id_prefix known-"],
  ], async ({ set, plain }) => {
    for (const [title, id, withIt, without] of PROPERTIES) {
      await t.step(title, async () => {
        assert.equal(property(await answer(set.port, 5), id), withIt);
        assert.equal(property(await answer(plain.port, 5), id), without);
      });
    }
    await t.step("max_keepalive: MQTT 3 clients that ask for more are refused", async () => {
      assert.equal((await answer(set.port, 4, { keepAliveSeconds: 31 }))?.reason, 2);
      assert.equal((await answer(plain.port, 4, { keepAliveSeconds: 31 }))?.reason, 0);
    });
    await t.step("auto_id_prefix: begins the Client Identifiers that are assigned", async () => {
      const idFrom = async (port: number) =>
        String(property(await answer(port, 5, { clientId: "" }), ASSIGNED_CLIENT_ID));
      assert.match(await idFrom(set.port), /^known-/);
      assert.match(await idFrom(plain.port), /^auto-/);
    });
  }));
