import assert from "node:assert/strict";
import { citedIds, conformance } from "../support/conformance.ts";
import { reasons } from "./reasons.ts";
import { statementById, statements } from "./statements.ts";
import { untested } from "./untested.ts";

const here = new URL(".", import.meta.url);

/** Identifier → the conformance files that cite it. This file's own calls are examples. */
function citations(): Map<string, string[]> {
  const files = new Map<string, string[]>();
  for (const { name } of Deno.readDirSync(here)) {
    if (!name.endsWith("_test.ts") || name === "matrix_test.ts") continue;
    for (const id of citedIds(Deno.readTextFileSync(new URL(name, here)))) {
      files.set(id, [...(files.get(id) ?? []), name]);
    }
  }
  return files;
}

function duplicates(ids: readonly string[]): string[] {
  return ids.filter((id, index) => ids.indexOf(id) !== index);
}

const bindsServers = statements.filter((statement) => statement.role !== "client");

Deno.test("the table names each statement once, in the specification's form", () => {
  assert.deepEqual(duplicates(statements.map((statement) => statement.id)), []);
  for (const { id, version, about } of statements) {
    assert.match(id, version === 5 ? /^MQTT-\d(\.\d+)+-\d+$/ : /^MQTT-\d(\.\d+)+-\d+ v3$/);
    assert.ok(about.length > 0 && !/\bMUST\b/.test(about), `${id}: a paraphrase, not a quotation`);
  }
});

Deno.test("within a section of MQTT 5.0 the numbers leave no gap", () => {
  const sections = new Map<string, number[]>();
  for (const { id, version } of statements) {
    if (version !== 5) continue;
    const [, section, number] = id.match(/^MQTT-(.+)-(\d+)$/)!;
    sections.set(section, [...(sections.get(section) ?? []), Number(number)]);
  }
  for (const [section, numbers] of sections) {
    const first = section === "2.2.1" ? 2 : 1; // the specification has no 2.2.1-1
    assert.deepEqual(numbers, numbers.map((_, index) => index + first), section);
  }
});

Deno.test("a statement that binds servers has a test, a reason, or stands among the untested", () => {
  const tested = citations();
  const open = bindsServers.filter(({ id }) =>
    !tested.has(id) && !reasons.has(id) && !untested.includes(id)
  );
  assert.deepEqual(open.map(({ id, about }) => `${id}: ${about}`), []);
});

Deno.test("the tests cite statements that exist", () => {
  for (const [id, files] of citations()) assert.ok(statementById.has(id), `${id} in ${files}`);
});

Deno.test("the list of the untested only shrinks: no id with a test, a reason or no meaning", () => {
  const tested = citations();
  assert.deepEqual(duplicates(untested), []);
  for (const id of untested) {
    assert.ok(statementById.has(id), `${id} does not exist`);
    assert.notEqual(statementById.get(id)!.role, "client", `${id} binds clients only`);
    assert.ok(!tested.has(id), `${id} has a test now, in ${tested.get(id)}: take it off the list`);
    assert.ok(!reasons.has(id), `${id} has a reason: take it off the list`);
  }
});

Deno.test("a reason is given only where there is no test", () => {
  const tested = citations();
  for (const [id, reason] of reasons) {
    assert.ok(statementById.has(id), `${id} does not exist`);
    assert.notEqual(statementById.get(id)!.role, "client", `${id} needs no reason`);
    assert.ok(!tested.has(id), `${id} has a test now, in ${tested.get(id)}: drop its reason`);
    assert.ok(reason.length > 0, id);
  }
});

Deno.test("citations are read from the source, one id or many, over several lines", () => {
  const source = `
    conformance("MQTT-3.1.2-22", "closes", () => {});
    conformance(
      ["MQTT-3.1.4-3", "MQTT-3.1.4-2 v3"],
      "takes over", () => {});
    nonconformance("MQTT-3.1.0-1", "is another function", () => {});`;
  assert.deepEqual(citedIds(source), ["MQTT-3.1.2-22", "MQTT-3.1.4-3", "MQTT-3.1.4-2 v3"]);
});

Deno.test("an identifier that no statement has is refused", () => {
  assert.throws(() => conformance("MQTT-9.9.9-9", "nothing", () => {}), /MQTT-9\.9\.9-9/);
});
