import assert from "node:assert/strict";
import { BridgeWorld, type FakeRemote, topic } from "../bridge/support.ts";
import { Chance } from "../simulation/chance.ts";
import * as packets from "../support/packets.ts";
import { mutateBytes } from "./mutate_bytes.ts";

/** `SEED=n COUNT=100000 deno test -A tests/fuzz/bridge_test.ts` for other and more connections. */
const SEED = Number(Deno.env.get("SEED") ?? 1);
const COUNT = Number(Deno.env.get("COUNT") ?? 1500);

/** What a server sends, good; identifiers are those that a bridge uses first. */
function corpus(version: packets.Version): Uint8Array[] {
  const properties = version === 5 ? [0] : [];
  const publishes = [0, 1, 2].flatMap((qos) =>
    ["in/a", "x", "$SYS/broker/uptime", "$CONTROL/dynamic-security/v1", "in/" + "a/".repeat(150)]
      .map((topic) => packets.publish(version, { topic, payload: "p", qos, packetId: 1 + qos }))
  );
  return [
    packets.packet(0x20, [0, 0, ...properties]),
    packets.packet(0x90, [0, 1, ...properties, 0]),
    packets.packet(0xb0, [0, 1, ...properties, ...properties]),
    packets.packet(0xd0, []),
    packets.packet(0xe0, version === 5 ? [0x8b, 0] : []),
    ...publishes,
    ...(["puback", "pubrec", "pubrel", "pubcomp"] as const).flatMap((type) =>
      [1, 2, 3, 77].map((packetId) => packets.ack(type, packetId))
    ),
  ];
}

/** Sends nonsense in the place of a remote broker, until the bridge has enough of it. */
function talk(remote: FakeRemote, seeds: readonly Uint8Array[], chance: Chance): string {
  const said: string[] = [];
  for (let left = 1 + chance.below(12); left > 0 && !remote.isClosed; left--) {
    const good = chance.pick(seeds);
    const bytes = chance.percent(60) ? good : mutateBytes(good, chance);
    said.push(bytes.toHex());
    remote.send(bytes);
  }
  return said.join(" | ");
}

/**
 * Lets a bridge connect again and again to remote brokers that send nonsense. Fails when the broker says
 * that it has a defect, does not serve its clients, or the bridge does not come back. `plant` may break
 * something first.
 */
function fuzz(seed: number, count: number, plant: (world: BridgeWorld) => void = () => {}) {
  const chance = new Chance(seed);
  for (const version of [3, 4, 5] as const) {
    const seeds = corpus(version);
    const world = new BridgeWorld({
      settings: { maxQueuedMessages: 100 },
      bridge: {
        protocolVersion: version,
        topics: [topic("#", "both", 2, "here/", "in/"), topic("x", "in", 1), topic("y", "out", 2)],
        notifications: true,
      },
    });
    plant(world);
    for (let connection = 0; connection < count / 3; connection++) {
      world.advanceSeconds(40);
      const replay = `seed ${seed}, version ${version}, connection ${connection}`;
      assert.ok(world.attempts.length > 0, `the bridge does not come back: ${replay}`);
      const remote = world.accept();
      if (chance.percent(80)) remote.accept({ sessionPresent: chance.percent(50) });
      const said = talk(remote, seeds, chance);
      assert.equal(world.broker.counters.faults, 0, `${world.log.join("\n")}\n${replay}: ${said}`);
      if (connection % 20 === 0) assertServes(world, `${replay}: ${said}`);
      if (!remote.isClosed) remote.vanish();
      world.log.length = 0;
    }
  }
}

/** A client publishes to itself, and what it sends out waits for the bridge. */
function assertServes(world: BridgeWorld, replay: string) {
  const client = world.connect(4, { clientId: "probe" });
  client.subscribe("probe", 1);
  client.publish({ topic: "probe", payload: "there", qos: 1, packetId: 1 });
  client.publish({ topic: "here/out", payload: "there", qos: 2, packetId: 2 });
  const [message] = client.receiveOf("publish");
  assert.equal(new TextDecoder().decode(message?.payload), "there", replay);
  client.send(packets.disconnect());
}

Deno.test(`${COUNT} remote brokers that send nonsense to a bridge bring out no defect`, () => {
  fuzz(SEED, COUNT);
});

Deno.test("the fuzzer of bridges notices an exception that was planted", () => {
  const plant = ({ broker }: BridgeWorld) => {
    const route = broker.route.bind(broker);
    broker.route = (publish, topic, publisher, message) => {
      if (topic.name === "here/a") throw new TypeError("planted");
      return route(publish, topic, publisher, message);
    };
  };
  assert.throws(() => fuzz(SEED, 300, plant), /a defect in the broker[^]*planted[^]*seed/);
});
