/** Mosquitto and Sabethes on the same configuration and the same script: what clients see is the same. */
import assert from "node:assert/strict";
import { accessScenarios } from "./access_scenarios.ts";
import { BrokerPair } from "./broker_pair.ts";
import { whyNoMosquitto } from "./broker_under_test.ts";
import { Comparison, knownLines } from "./comparison.ts";
import { deliveryScenarios } from "./delivery_scenarios.ts";
import { knownDifferences } from "./known_differences.ts";
import { limitsScenarios } from "./limits_scenarios.ts";
import { sessionScenarios } from "./session_scenarios.ts";

const scenarios = [
  ...accessScenarios,
  ...limitsScenarios,
  ...deliveryScenarios,
  ...sessionScenarios,
];
const comparison = new Comparison();
const obstacle = whyNoMosquitto();
let compared = 0;

for (const { about, setting, scripts } of scenarios) {
  Deno.test({
    name: `as Mosquitto: ${about}${obstacle === null ? "" : ` (${obstacle})`}`,
    ignore: obstacle !== null,
    fn: async () => {
      await using pair = await BrokerPair.start(setting);
      const found: Record<string, readonly string[]> = {};
      const expected: Record<string, readonly string[]> = {};
      for (const [title, steps] of Object.entries(scripts)) {
        found[title] = comparison.compare(...await pair.run(steps));
        expected[title] = knownLines(`${about}: ${title}`);
      }
      assert.deepEqual(found, expected);
      compared++;
    },
  });
}

Deno.test("every known difference belongs to a script, and every rule is needed", () => {
  const titles = scenarios.flatMap(({ about, scripts }) =>
    Object.keys(scripts).map((title) => `${about}: ${title}`)
  );
  assert.equal(new Set(titles).size, titles.length, "titles are unique");
  const strays = knownDifferences.filter(({ script }) => !titles.includes(script));
  assert.deepEqual(strays.map(({ script }) => script), []);
  // Some may have been filtered out.
  if (compared < scenarios.length) return;
  assert.deepEqual(comparison.unneeded.map(({ reason }) => reason), []);
});
