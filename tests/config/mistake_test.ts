import assert from "node:assert/strict";
import { loadConfiguration } from "../../src/config/load_configuration.ts";
import { formatMistakes } from "../../src/mistake.ts";
import { nearestName } from "../../src/config/nearest_name.ts";
import { optionNames } from "../../src/config/options.ts";
import { mistakesOf } from "./support.ts";

/** What was typed, and the option that was meant. */
const NEAREST: [string, string | undefined][] = [
  ["max_inflght_messages", "max_inflight_messages"],
  ["max_infligth_messages", "max_inflight_messages"],
  ["persistance", "persistence"],
  ["allow_anonymus", "allow_anonymous"],
  ["Listener", "listener"],
  ["max-qos", "max_qos"],
  ["lisener", "listener"],
  ["durabilty", "durability"],
  ["user_name", "username"],
  ["completely_different_thing", undefined],
  ["x", undefined],
  ["", undefined],
  ["a".repeat(10_000), undefined],
];
for (const [typed, meant] of NEAREST) {
  Deno.test(`the nearest name to '${typed.slice(0, 30)}' is ${meant ?? "none"}`, () => {
    assert.equal(nearestName(typed, optionNames()), meant);
  });
}

Deno.test("mistakes are told in Mosquitto's words, with column and hint below", () => {
  const mistakes = mistakesOf({
    "main.conf": "  max_qoss 1\ninclude_dir d\nlog_type  erorr\n",
    "d/a.conf": "interface eth0\n",
  });
  assert.equal(
    formatMistakes(mistakes),
    `Error: Unknown configuration variable 'max_qoss'.
Error found at main.conf:1.
  main.conf:1:3: did you mean 'max_qos'?
Error: Unknown configuration variable 'interface'.
Error found at 'd/a.conf:1'.
Error found at main.conf:2.
  d/a.conf:1:1: its place was taken by 'listener' with an address, and by 'bind_interface'
Error: Invalid 'log_type' value (erorr).
Error found at main.conf:3.
  main.conf:3:11: did you mean 'error'?
`,
  );
});

Deno.test("a file that cannot be read, and a directory, are mistakes without a line", () => {
  const directory = Deno.makeTempDirSync();
  try {
    const told = (file: string) => {
      const loaded = loadConfiguration({ file });
      assert("mistakes" in loaded);
      return formatMistakes(loaded.mistakes);
    };
    assert.equal(
      told(`${directory}/a.conf`),
      `Error: Unable to open config file '${directory}/a.conf'.\n`,
    );
    assert.equal(told(directory), `Error: Config file '${directory}' is a directory.\n`);
  } finally {
    Deno.removeSync(directory);
  }
});

Deno.test("files are read and included from the disk", () => {
  const directory = Deno.makeTempDirSync();
  try {
    Deno.mkdirSync(`${directory}/d`);
    Deno.writeTextFileSync(`${directory}/d/a.conf`, "sys_interval 3\n");
    Deno.writeTextFileSync(`${directory}/a.conf`, `include_dir ${directory}/d\n`);
    const loaded = loadConfiguration({ file: `${directory}/a.conf` });
    assert("configuration" in loaded);
    assert.equal(loaded.configuration.global.sysInterval, 3);
    assert.equal(loaded.configuration.origins.get("sys_interval"), `${directory}/d/a.conf:1`);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
