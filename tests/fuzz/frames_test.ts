import assert from "node:assert/strict";
import { Chance } from "../simulation/chance.ts";
import { casesFor, connectBefore } from "../support/packet_cases.ts";
import * as packets from "../support/packets.ts";
import { World } from "../support/world.ts";

/** `SEED=n COUNT=1000000 deno test -A tests/fuzz` for other and more frames. */
const SEED = Number(Deno.env.get("SEED") ?? 1);
const COUNT = Number(Deno.env.get("COUNT") ?? 60_000);
const VERSIONS = [3, 4, 5] as const;
/** Connections before the next client is looked after. */
const PROBE_EVERY = 200;

/** Good packets, so that the fuzz reaches behind the first check; and all of the packet cases. */
function corpus(version: packets.Version): Uint8Array[] {
  const cases = casesFor(version).map(({ bytes }) => bytes);
  return [
    ...cases.filter((bytes) => bytes.length > 0 && bytes.length < 2000),
    packets.connect(version, {
      clientId: "fuzz",
      userName: "user",
      password: "secret",
      will: { topic: "w", payload: "will", qos: 2, retain: true },
    }),
    packets.publish(version, { topic: "a/b", payload: "text", qos: 2, packetId: 3 }),
    packets.publish(version, { topic: "a", payload: "text", qos: 1, packetId: 4, retain: true }),
    packets.subscribe(version, { packetId: 1, filters: [["#", 2], ["$share/g/a/+", 1]] }),
    packets.unsubscribe(version, { packetId: 2, filters: ["#", "a"] }),
    ...(["puback", "pubrec", "pubrel", "pubcomp"] as const).map((type) => packets.ack(type, 3)),
    packets.disconnect(),
  ];
}

/** Bytes changed, cut out, doubled, inserted; lengths that lie. */
function mutate(bytes: Uint8Array, chance: Chance): Uint8Array {
  let list = [...bytes];
  for (let count = chance.below(4); count > 0 && list.length > 0; count--) {
    const at = chance.below(list.length);
    const length = 1 + chance.below(4);
    chance.pick([
      () => void (list[at] = chance.below(256)),
      () => void (list[at] ^= 1 << chance.below(8)),
      () => void (list[at] = chance.pick([0, 1, 0x7f, 0x80, 0xff])),
      () => void list.splice(at, length),
      () => void list.splice(at, 0, ...list.slice(at, at + length)),
      () => void list.splice(at, 0, ...Array.from({ length }, () => chance.below(256))),
      () => void (list = list.slice(0, at)),
    ])();
  }
  // With a Remaining Length that fits, the mutation gets past the frame.
  if (list.length > 1 && list.length < 129 && chance.percent(60)) list[1] = list.length - 2;
  return Uint8Array.from(list);
}

/**
 * Throws frames at a broker and fails if it says that it has a defect, or does not serve the next
 * client. `plant` may break the broker first.
 */
function fuzz(seed: number, count: number, plant: (world: World) => void = () => {}) {
  const chance = new Chance(seed);
  const corpora = VERSIONS.map(corpus);
  const world = new World({ settings: { maxUnsentBytes: 100_000, maxQueuedMessages: 100 } });
  plant(world);
  for (let sent = 0, connections = 0; sent < count;) {
    const index = chance.below(VERSIONS.length);
    const version = VERSIONS[index];
    const client = world.open(version);
    if (chance.percent(85)) client.send(connectBefore(version));
    const history: string[] = [];
    for (let left = 1 + chance.below(6); left > 0 && !client.isClosed; left--, sent++) {
      const frame = mutate(chance.pick(corpora[index]), chance);
      history.push(hexOf(frame));
      client.send(frame);
    }
    const defect = world.log.find((line) => line.includes("defect"));
    const replay = `seed ${seed}, version ${version}, frames ${history.join(" | ")}`;
    assert.ok(defect === undefined, `${defect}\n${replay}`);
    assert.equal(world.broker.counters.faults, 0, replay);
    client.receiveBytes();
    if (!client.isClosed) client.vanish();
    world.log.length = 0;
    if (++connections % PROBE_EVERY === 0) assertServes(world, replay);
    if (chance.percent(5)) world.advanceSeconds(chance.below(100));
  }
  assertServes(world, `seed ${seed}`);
}

/** The next client publishes to itself. */
function assertServes(world: World, replay: string) {
  const client = world.connect(4, { clientId: "probe" });
  client.subscribe("probe/x", 1);
  client.publish({ topic: "probe/x", payload: "there", qos: 1 });
  const [publish] = client.receiveOf("publish");
  assert.equal(new TextDecoder().decode(publish?.payload), "there", replay);
  client.send(packets.disconnect());
  assert.equal(world.broker.connections.size, 0, `connections are left over: ${replay}`);
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

Deno.test(`${COUNT} mutated frames bring out no defect, and the next client is served`, () => {
  fuzz(SEED, COUNT);
});

Deno.test("the fuzzer notices an exception that was planted", () => {
  const plant = (world: World) => {
    const { broker } = world;
    const subscribe = broker.subscribe.bind(broker);
    broker.subscribe = (session, request, identifier) => {
      if (request.filter === "#") throw new TypeError("planted");
      return subscribe(session, request, identifier);
    };
  };
  assert.throws(() => fuzz(SEED, COUNT, plant), /a defect in the broker[^]*planted[^]*frames/);
});

Deno.test("the fuzzer notices a broker that serves nobody any more", () => {
  const plant = (world: World) => {
    world.broker.tree.route = () => ({ matches: [], groups: [] });
  };
  assert.throws(() => fuzz(SEED, 2000, plant), new RegExp(`seed ${SEED}`));
});
