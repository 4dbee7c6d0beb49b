import { assertOutcome, casesFor, connectBefore } from "../support/packet_cases.ts";
import { pingreq } from "../support/packets.ts";
import { World } from "../support/world.ts";

for (const version of [3, 4, 5] as const) {
  Deno.test(`malformed and forbidden packets of version ${version} get their answers`, async (t) => {
    const world = new World();
    for (const packetCase of casesFor(version)) {
      await t.step(`${packetCase.phase}: ${packetCase.name}`, () => {
        const client = world.open(version);
        if (packetCase.phase === "connected") {
          client.send(connectBefore(version));
          client.receive();
        }
        client.send(packetCase.bytes);
        if (!("close" in packetCase.expect) && !client.isClosed) client.send(pingreq());
        assertOutcome(packetCase, client.receiveBytes(), client.isClosed);
        if (!client.isClosed) client.vanish();
        // Whatever it was, the next client is served.
        world.connect(version, { clientId: "next" }).vanish();
      });
    }
  });
}
