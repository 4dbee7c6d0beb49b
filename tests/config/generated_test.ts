import assert from "node:assert/strict";
import type { Configuration } from "../../src/config/configuration.ts";
import { loadConfiguration } from "../../src/config/load_configuration.ts";
import { camelCase, type OptionRow } from "../../src/config/option_row.ts";
import { findOption, hasValue, isHonoured, OPTIONS } from "../../src/config/options.ts";
import { generatedFiles } from "../tools/write_conf.ts";

const root = new URL("../../", import.meta.url);
const path = (name: string) => decodeURIComponent(new URL(name, root).pathname);

Deno.test("conf/ and docs/configuration.md are what the option table says", async () => {
  for (const [name, text] of await generatedFiles()) {
    assert.equal(Deno.readTextFileSync(path(name)), text, `${name}: run tests/tools/write_conf.ts`);
  }
});

function loadShipped(name: string) {
  const loaded = loadConfiguration({ file: path(name) });
  assert("configuration" in loaded);
  return loaded.configuration;
}

Deno.test("the two files that ship say the same, and what they should", () => {
  const conf = loadShipped("conf/sabethes.conf");
  const ini = loadShipped("conf/sabethes.ini");
  assert.deepEqual(ini.global, conf.global);
  assert.deepEqual(ini.listeners, conf.listeners);
  assert.deepEqual([conf.notices, ini.notices], [[], []]);
  const { port, address } = conf.listeners[0];
  assert.deepEqual([conf.listeners.length, port, address], [1, 1883, "127.0.0.1"]);
  const { allowAnonymous, persistence, persistenceLocation, persistenceFile, durability } =
    conf.global;
  assert.deepEqual([allowAnonymous, persistence, durability], [true, true, "sync"]);
  assert.deepEqual([persistenceLocation, persistenceFile], ["./data", "sabethes.db"]);
  assert.deepEqual(conf.global.adminListener, { port: 18_083, address: "127.0.0.1" });
});

Deno.test("every option that is honoured stands in both files, and no other", () => {
  const conf = Deno.readTextFileSync(path("conf/sabethes.conf"));
  const ini = Deno.readTextFileSync(path("conf/sabethes.ini"));
  for (const row of OPTIONS) {
    const { name } = row;
    const escaped = name.replace(".", "\\.").replace("*", "KEY");
    const isThere = isHonoured(row);
    assert.equal(new RegExp(`^#?${escaped} \\S`, "m").test(conf), isThere, `conf: ${name}`);
    if (name === "listener" || name === "connection") continue;
    const setting = new RegExp(`^;?${escaped}(\\[\\])? = \\S`, "m");
    assert.equal(setting.test(ini), isThere, `ini: ${name}`);
  }
});

/** The commented-out setting of one line, or nothing. */
const SETTING = /^[#;]([a-zA-Z_0-9.]+)(\[\])? (= )?(.*)$/;

for (const name of ["conf/sabethes.conf", "conf/sabethes.ini"]) {
  Deno.test(`what is commented out in ${name} is right too, and mostly the default`, () => {
    const lines = Deno.readTextFileSync(path(name)).split("\n");
    const shipped = valuesOf(loadShipped(name));
    let seen = 0;
    for (const [index, line] of lines.entries()) {
      const match = SETTING.exec(line);
      const row = match === null ? undefined : findOption(match[1]);
      if (match === null || row === undefined || !isHonoured(row)) continue;
      seen++;
      const setting = line.slice(1).replace(/\bPORT\b/, "18083");
      const [above, below] = surroundingsOf(row, lines, index, name.endsWith(".ini"));
      const text = [...above, setting, ...below].join("\n");
      const loaded = loadConfiguration({ file: name }, {
        read: () => new TextEncoder().encode(text),
        list: () => [],
      });
      const number = above.length + 1;
      const wrong = "mistakes" in loaded
        ? loaded.mistakes.filter((mistake) => mistake.line === number)
        : [];
      // One without its companion (certfile, keyfile) is refused for that alone.
      assert.deepEqual(
        wrong.filter(({ message }) => !/must be provided|without|missing bridge_/.test(message)),
        [],
      );
      // Of a set of words each line is but one.
      const isDefault = row.example === undefined && hasValue(row) &&
        row.defaultText === undefined && row.kind !== "words";
      if (!isDefault || !("configuration" in loaded)) continue;
      const key = camelCase(row.name);
      const expected = row.scope === "bridge" ? row.default : shipped.get(key);
      assert.deepEqual(valuesOf(loaded.configuration).get(key), expected, line);
    }
    assert(seen > 40);
  });
}

function valuesOf({ global, listeners, bridges }: Configuration): Map<string, unknown> {
  return new Map([global, listeners[0], ...bridges].flatMap((values) => Object.entries(values)));
}

/** What must stand above and below an option for it to have a place: mostly the whole file. */
function surroundingsOf(
  row: OptionRow,
  lines: readonly string[],
  index: number,
  isIni: boolean,
): [above: string[], below: string[]] {
  const setting = (name: string, value: string) =>
    isIni ? `${name} = ${value}` : `${name} ${value}`;
  if (row.scope === "bridge") {
    const others = [setting("address", "h"), setting(isIni ? "topic[]" : "topic", "a")]
      .filter((other) => !other.startsWith(row.name));
    const isFirst = row.name === "connection";
    return isFirst ? [[], others] : [[isIni ? "[bridge c]" : "connection c", ...others], []];
  }
  const opening = row.name === "plugin_use"
    ? [setting("plugin_load", "NAME a.so")]
    : row.name === "plugin_opt_*" || row.name === "auth_plugin_deny_special_chars"
    ? [setting("plugin", "a.so")]
    : [];
  return [[...opening, ...lines.slice(0, index)], lines.slice(index + 1)];
}

Deno.test("the documentation has a row for every option", () => {
  const text = Deno.readTextFileSync(path("docs/configuration.md"));
  for (const { name, aliases = [] } of OPTIONS) {
    for (const each of [name, ...aliases]) assert(text.includes(`\`${each}\``), each);
  }
});
