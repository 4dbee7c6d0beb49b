/** AUTH and enhanced authentication, of which no method is offered: MQTT 5.0 sections 3.15, 4.12. */
import assert from "node:assert/strict";
import { hookAccess } from "../support/access.ts";
import { conformance } from "../support/conformance.ts";
import { heard } from "../support/exchange.ts";
import { auth, concat, connect, hex, Property, property } from "../support/packets.ts";
import { World } from "../support/world.ts";

const method = property(Property.authenticationMethod, "SCRAM-SHA-1");
const data = property(Property.authenticationData, hex("00 ff"));

conformance("MQTT-3.15.1-1", "the flags of AUTH are 0; others close", () => {
  for (let flags = 1; flags < 16; flags++) {
    const client = new World().connect(5).send(auth({}, { header: 0xf0 | flags }));
    client.expectClosed();
    assert.deepEqual(heard(client), ["DISCONNECT 0x82"]);
  }
});

conformance("MQTT-4.12.0-1", "an authentication method that is not supported closes", () => {
  for (const properties of [method, concat(method, data)]) {
    const client = new World().open().send(connect(5, { properties }));
    assert.deepEqual(heard(client), ["CONNACK 0x8c"]);
    client.expectClosed();
  }
});

conformance(
  "MQTT-4.12.0-4",
  "a rejected authentication closes, after CONNACK with a reason",
  () => {
    const rejected = [[false, "0x87"], [0x86, "0x86"], [0x8a, "0x8a"]] as const;
    for (const [answer, told] of rejected) {
      const access = hookAccess({ authenticate: () => answer }, true, () => {});
      const client = new World({ access }).open().send(
        connect(5, { userName: "u", password: "p" }),
      );
      assert.deepEqual(heard(client), [`CONNACK ${told}`]);
      client.expectClosed();
    }
  },
);

conformance(
  "MQTT-4.12.0-6",
  "a client that named no method gets no AUTH and no method, and may send none",
  () => {
    const fields = [
      { reason: 0x00 },
      { reason: 0x18, properties: method },
      { reason: 0x19, properties: concat(method, data) },
      {},
    ];
    for (const sent of fields) {
      const client = new World().connect(5, { userName: "u", password: "p" });
      const told = client.connack!.properties.map(([id]) => id);
      assert.ok(!told.includes(Property.authenticationMethod));
      assert.ok(!told.includes(Property.authenticationData));
      client.send(auth(sent));
      assert.deepEqual(heard(client), ["DISCONNECT 0x82"]);
      client.expectClosed();
    }
  },
);

conformance(
  "MQTT-4.8.0-1 v3",
  "AUTH and what else MQTT 3.1.1 forbids closes without a word",
  () => {
    for (const version of [3, 4] as const) {
      for (
        const bytes of ["f0 00", "00 00", "20 02 00 00", "90 03 00 01 00", "b0 02 00 01", "d0 00"]
      ) {
        const client = new World().connect(version).send(hex(bytes));
        client.expectClosed();
        assert.deepEqual(heard(client), [], bytes);
      }
    }
  },
);
