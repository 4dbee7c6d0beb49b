/** PINGREQ and PINGRESP: MQTT 5.0 sections 3.12 and 3.13. */
import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { heard } from "../support/exchange.ts";
import { pingreq } from "../support/packets.ts";
import { World } from "../support/world.ts";

conformance("MQTT-3.12.4-1", "each PINGREQ is answered by one PINGRESP of two bytes", () => {
  for (const version of [3, 4, 5] as const) {
    const client = new World().connect(version);
    client.send(pingreq());
    assert.deepEqual([...client.receiveBytes()], [0xd0, 0]);
    client.send(pingreq(), pingreq()).sendByteByByte(pingreq());
    assert.deepEqual(heard(client), ["PINGRESP", "PINGRESP", "PINGRESP"]);
  }
});

conformance("MQTT-3.12.4-1", "PINGREQ keeps the connection alive", () => {
  const client = new World().connect(5, { keepAliveSeconds: 10 });
  for (let seconds = 0; seconds < 100; seconds += 14) {
    client.world.advanceSeconds(14);
    client.send(pingreq());
    assert.deepEqual(heard(client), ["PINGRESP"]);
  }
  client.world.advanceSeconds(16);
  assert.deepEqual(heard(client), ["DISCONNECT 0x8d"]);
  client.expectClosed();
});
