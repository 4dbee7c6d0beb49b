import assert from "node:assert/strict";
import { Kind } from "../../src/store/records.ts";
import { brokenBrokers } from "./broken_brokers.ts";
import { ForgetfulStore, HastyStore } from "./broken_stores.ts";
import { Simulation, type SimulationOptions } from "./simulation.ts";

/** How many worlds; `SEED=n` runs one of them, `SEEDS=1000` more. */
const seed = Deno.env.get("SEED");
const seeds = seed !== undefined
  ? [Number(seed)]
  : Array.from({ length: Number(Deno.env.get("SEEDS") ?? 80) }, (_, index) => index + 1);
const STEPS = Number(Deno.env.get("STEPS") ?? 700), ROUNDS = 3;

/** One world. `TRACE=1` tells all that happens in it. */
async function simulate(seed: number, options: SimulationOptions = {}): Promise<Simulation> {
  const simulation = new Simulation(seed, options);
  if (Deno.env.get("TRACE")) simulation.ledger.note = (line) => console.log(line);
  try {
    for (let round = 0; round < ROUNDS; round++) await simulation.run(STEPS);
  } catch (error) {
    const replay = `SEED=${seed} STEPS=${STEPS} deno test -A tests/simulation`;
    throw new Error(`${(error as Error).message}; replay: ${replay}`, { cause: error });
  }
  return simulation;
}

Deno.test("promises to honest clients are kept through faults and crashes", async () => {
  let crashes = 0, owed = 0, exactlyOnce = 0;
  for (const seed of seeds) {
    const simulation = await simulate(seed);
    crashes += simulation.crashes;
    owed += simulation.ledger.counts.owed;
    exactlyOnce += simulation.ledger.counts.exactlyOnce;
  }
  // A world in which little happens proves little.
  const text = `${seeds.length} worlds: ${crashes} crashes, ${owed} owed, ${exactlyOnce} once`;
  if (Deno.env.get("TRACE")) console.log(text);
  if (seeds.length < 10) return;
  assert.ok(crashes > seeds.length * 5, text);
  assert.ok(owed > seeds.length * 8, text);
  assert.ok(exactlyOnce > seeds.length * 12, text);
});

/** What a client or the ledger says of something that was acknowledged and then lost. */
const BROKEN_PROMISE =
  /never got|has lost its session|is retained for|twice at QoS 2|now ended|without a subscription/;

/** What is broken, and how the simulation notices it. */
const broken: [what: string, options: () => SimulationOptions, notices: RegExp][] = [
  [
    "a store that acknowledges before it keeps",
    () => ({ store: new HastyStore() }),
    BROKEN_PROMISE,
  ],
  [
    "acknowledgements that wait for no commit",
    () => ({ durability: "async" }),
    BROKEN_PROMISE,
  ],
  [
    "a store that loses subscriptions",
    () => ({
      store: new ForgetfulStore(({ kind, value }) => kind !== Kind.Subscription || value === null),
    }),
    /never got|on disk, in memory/,
  ],
  [
    "a store that does not remove what was delivered",
    () => ({
      store: new ForgetfulStore(({ kind, value }) => kind !== Kind.Entry || value !== null),
    }),
    /which is not in the store|twice at QoS 2/,
  ],
  [
    "a store that keeps no QoS 2 message between PUBLISH and PUBREL",
    () => ({ store: new ForgetfulStore(({ kind }) => kind !== Kind.Received) }),
    /nobody refers to it|never got/,
  ],
  [
    "a store that tears batches apart",
    () => ({
      store: new ForgetfulStore(({ kind, number }) => kind !== Kind.Message || number % 10 !== 0),
    }),
    /which is not in the store/,
  ],
];

for (const [what, options, notices] of broken) {
  Deno.test(`the simulation notices ${what}`, () => assertNoticed(options, notices));
}

for (const { what, dimensions, defect, notices } of brokenBrokers) {
  const options = () => ({ dimensions, defect });
  Deno.test(`the simulation notices ${what}`, () => assertNoticed(options, notices));
}

async function assertNoticed(options: () => SimulationOptions, notices: RegExp): Promise<void> {
  for (let seed = 1; seed <= 20; seed++) {
    try {
      await simulate(seed, { dimensions: {}, ...options() });
    } catch (error) {
      return assert.match((error as Error).message, notices);
    }
  }
  assert.fail("nothing was noticed in 20 worlds");
}
