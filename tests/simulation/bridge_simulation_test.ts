import assert from "node:assert/strict";
import { Broker } from "../../src/broker/broker.ts";
import { BridgeSimulation, type BridgeSimulationOptions } from "./bridge_simulation.ts";

/** How many worlds; `SEED=n` runs one of them, `SEEDS=1000` more. */
const seed = Deno.env.get("SEED");
const seeds = seed !== undefined
  ? [Number(seed)]
  : Array.from({ length: Number(Deno.env.get("SEEDS") ?? 30) }, (_, index) => index + 1);
const STEPS = Number(Deno.env.get("STEPS") ?? 500);

async function simulate(
  seed: number,
  options: BridgeSimulationOptions = {},
): Promise<BridgeSimulation> {
  const simulation = new BridgeSimulation(seed, options);
  try {
    for (let round = 0; round < 2; round++) await simulation.run(STEPS);
  } catch (error) {
    const replay = `SEED=${seed} STEPS=${STEPS} deno test -A tests/simulation`;
    throw new Error(`${(error as Error).message}; replay: ${replay}`, { cause: error });
  }
  return simulation;
}

Deno.test("a bridge loses and doubles nothing, through cut wires and crashes", async () => {
  let cuts = 0, crashes = 0, complete = 0;
  for (const seed of seeds) {
    const simulation = await simulate(seed);
    cuts += simulation.cuts;
    crashes += simulation.crashes;
    complete += simulation.complete;
  }
  if (seeds.length < 10) return;
  assert.ok(cuts > seeds.length * 5, `${cuts} cuts`);
  assert.ok(crashes > seeds.length * 2, `${crashes} crashes`);
  assert.ok(complete > seeds.length * 100, `${complete} messages`);
});

/** What is broken, and how the simulation notices it. */
const broken: [what: string, options: BridgeSimulationOptions, notices: RegExp][] = [
  [
    "a remote broker that does not know of the bridge",
    { bridge: { protocolVersion: 4, tryPrivate: false } },
    /came back/,
  ],
  [
    "a bridge whose session ends with its connection",
    { bridge: { cleanSession: true } },
    /never got|twice/,
  ],
  [
    "a bridge that keeps nothing while it is down",
    { bridge: { localCleanSession: true } },
    /never got/,
  ],
  [
    "acknowledgements that wait for no commit",
    { durability: "async" },
    /never got|twice|after \d+$|came back/,
  ],
  [
    "a remote broker that forgets QoS 2 messages that are not released",
    {
      defect: ({ broker }) => {
        broker.openSession = (connection, connect, clientId) => {
          broker.sessions.get(clientId)?.inbound?.clear();
          return Broker.prototype.openSession.call(broker, connection, connect, clientId);
        };
      },
    },
    /never got|twice/,
  ],
];

for (const [what, options, notices] of broken) {
  Deno.test(`the simulation of bridges notices ${what}`, async () => {
    for (let seed = 1; seed <= 20; seed++) {
      try {
        await simulate(seed, options);
      } catch (error) {
        return assert.match((error as Error).message, notices);
      }
    }
    assert.fail("nothing was noticed in 20 worlds");
  });
}
