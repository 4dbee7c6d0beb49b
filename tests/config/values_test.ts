import assert from "node:assert/strict";
import { camelCase, type OptionRow } from "../../src/config/option_row.ts";
import {
  BRIDGE_OPTIONS,
  GLOBAL_OPTIONS,
  hasValue,
  LISTENER_OPTIONS,
} from "../../src/config/options.ts";
import { load, mistakesIn } from "./support.ts";
import { type Case, ordinaryCase } from "./value_cases.ts";
import { BRIDGE_CASES } from "./value_cases_bridge.ts";
import { GLOBAL_CASES } from "./value_cases_global.ts";
import { LISTENER_CASES } from "./value_cases_listener.ts";

const CASES: Record<string, Case> = { ...GLOBAL_CASES, ...LISTENER_CASES, ...BRIDGE_CASES };
const rows: readonly OptionRow[] = [...GLOBAL_OPTIONS, ...LISTENER_OPTIONS, ...BRIDGE_OPTIONS]
  .filter((row) => hasValue(row) && row.status !== "refused");
/** What stands above an option, and where its values are. */
const SURROUNDINGS = {
  global: { above: [], prefix: "" },
  listener: { above: ["listener 1"], prefix: "listener[0]." },
  bridge: { above: ["connection c", "address h", "topic #"], prefix: "bridge[0]." },
  plugin: { above: [], prefix: "" },
};

Deno.test("every case in this test is one of an option", () => {
  const names = rows.map(({ name }) => name);
  assert.deepEqual(Object.keys(CASES).filter((name) => !names.includes(name)), []);
});

for (const row of rows) {
  const { name, scope } = row;
  const { above, prefix } = SURROUNDINGS[scope];
  const { taken, refused, companion = "" } = CASES[name] ?? ordinaryCase(row);
  const others = above.filter((line) => !line.startsWith(`${name} `));
  const textWith = (value: string) => [...others, `${name} ${value}`, companion].join("\n");
  const line = others.length + 1;

  Deno.test(`${name} takes the values it should`, () => {
    for (const [text, expected] of taken) {
      const { global, listeners, bridges, origins } = load({ "a.conf": textWith(text) });
      const values: object =
        { global, listener: listeners[0], bridge: bridges[0], plugin: {} }[scope];
      assert.deepEqual(new Map(Object.entries(values)).get(camelCase(name)), expected, text);
      assert.equal(origins.get(`${prefix}${name}`), `a.conf:${line}`);
    }
  });

  Deno.test(`${name} refuses the values it should`, () => {
    for (const [text, message] of refused) {
      const [first] = mistakesIn(textWith(text));
      assert.equal(first, `${line}: ${message}`);
    }
  });
}

Deno.test("an alias is the option itself", () => {
  assert.equal(load({ "a.conf": "retained_persistence true" }).global.persistence, true);
  assert.equal(load({ "a.conf": "listener 1\nmaximum_qos 1" }).listeners[0].maxQos, 1);
  assert.deepEqual(mistakesIn("listener 1\nmaximum_qos -1"), [
    "2: 'max_qos' must be between 0 and 2 inclusive.",
  ]);
});

Deno.test("what is lowered or ignored is noticed", () => {
  const { notices } = load({
    "a.conf": "listener 1\nretain_expiry_interval 99999999\npersistence true false\n" +
      "accept_protocol_versions 4 7\n",
  });
  assert.deepEqual(notices, [
    "Warning: 'retain_expiry_interval' is lowered to its maximum 10000000. (a.conf:2)",
    "Warning: 'false' at the end of the line is ignored. (a.conf:3)",
    "Warning: 'accept_protocol_versions' has no version 7: ignored. (a.conf:4)",
  ]);
});
