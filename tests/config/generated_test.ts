import assert from "node:assert/strict";
import { loadConfiguration } from "../../src/config/load_configuration.ts";
import { OPTIONS } from "../../src/config/options.ts";
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
  for (const { name, status } of OPTIONS) {
    const isHonoured = status === "honoured" || status === "own";
    const escaped = name.replace(/[.*]/g, "\\$&");
    assert.equal(new RegExp(`^#?${escaped} \\S`, "m").test(conf), isHonoured, `conf: ${name}`);
    if (name === "listener") continue;
    const setting = new RegExp(`^;?${escaped}(\\[\\])? = \\S`, "m");
    assert.equal(setting.test(ini), isHonoured, `ini: ${name}`);
  }
});

Deno.test("what is commented out in the files is right too, and mostly the default", () => {
  const texts = ["conf/sabethes.conf", "conf/sabethes.ini"].map((name) => {
    const text = Deno.readTextFileSync(path(name));
    // Not what reads other files, and not the older spelling of a listener.
    const uncommented = text.replace(
      /^[#;](?=[a-z_0-9]+(\[\])? )(?!include_dir|port|bind_address)/gm,
      "",
    )
      .replace(/PORT 127\.0\.0\.1/, "18083");
    assert.notEqual(uncommented, text);
    return [name, uncommented] as const;
  });
  for (const [name, text] of texts) {
    const loaded = loadConfiguration({ file: name }, {
      read: () => new TextEncoder().encode(text),
      list: () => [],
    });
    assert("configuration" in loaded, JSON.stringify(loaded));
    const { global } = loaded.configuration;
    const shipped = loadShipped(name).global;
    assert.deepEqual(global, {
      ...shipped,
      persistentClientExpiration: 1_209_600,
      retainExpiryInterval: 1,
      adminToken: "TOKEN",
    });
  }
});

Deno.test("the documentation has a row for every option", () => {
  const text = Deno.readTextFileSync(path("docs/configuration.md"));
  for (const { name, aliases = [] } of OPTIONS) {
    for (const each of [name, ...aliases]) assert(text.includes(`\`${each}\``), each);
  }
});
