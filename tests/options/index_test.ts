import assert from "node:assert/strict";
import { isHonoured, OPTIONS } from "../../src/config/options.ts";
import { SHOWN_BY } from "./index.ts";

const tests = new URL("../", import.meta.url);

/** The options that titles in this folder begin with. */
function optionsInTitles(): Set<string> {
  const folder = new URL("./", import.meta.url);
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name.endsWith("_test.ts"));
  const text = names.map((name) => Deno.readTextFileSync(new URL(name, folder))).join("\n");
  const titles = [...text.matchAll(/["`]([a-z_0-9.*]+(?:(?:, | and )[a-z_0-9.*]+)*): /g)];
  return new Set(titles.flatMap(([, options]) => options.split(/, | and /)));
}

Deno.test("every option that is honoured has a test that shows its effect", () => {
  const inTitles = optionsInTitles();
  const missing = OPTIONS.filter(isHonoured).map(({ name }) => name).filter((name) =>
    !inTitles.has(name) && !(name in SHOWN_BY)
  );
  assert.deepEqual(
    missing,
    [],
    "write a test in tests/options titled 'NAME: …', or name one in tests/options/index.ts",
  );
});

Deno.test("the tests in the index are there under their titles", () => {
  for (const [option, [file, title]] of Object.entries(SHOWN_BY)) {
    const text = Deno.readTextFileSync(new URL(file, tests));
    assert(new RegExp(`["\`].*${escaped(title)}`).test(text), `${option}: '${title}' in ${file}`);
  }
});

Deno.test("the index names options that are honoured, each once", () => {
  const honoured = new Set(OPTIONS.filter(isHonoured).map(({ name }) => name));
  const inTitles = optionsInTitles();
  for (const name of Object.keys(SHOWN_BY)) {
    assert(honoured.has(name), `${name} is no honoured option`);
    assert(!inTitles.has(name), `${name} has a test in tests/options: take it off the index`);
  }
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
