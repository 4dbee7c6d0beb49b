import { statementById } from "../conformance/statements.ts";

/**
 * A test that shows a normative statement to hold: `conformance("MQTT-3.1.2-22", "closes …", fn)`.
 *
 * The identifiers stand as literals in the call: the matrix test reads them from the source. One that
 * the table of statements does not know throws.
 */
export function conformance(
  ids: string | readonly string[],
  title: string,
  body: (context: Deno.TestContext) => void | Promise<void>,
): void {
  const cited = typeof ids === "string" ? [ids] : ids;
  for (const id of cited) {
    if (!statementById.has(id)) throw new RangeError(`no statement has the identifier ${id}`);
  }
  Deno.test(`${cited.map((id) => `[${id}]`).join(" ")} ${title}`, body);
}

/** The identifiers that the `conformance(…)` calls of a source text name, in their order. */
export function citedIds(source: string): string[] {
  const calls = source.matchAll(/\bconformance\(\s*(?:\[([^\]]*)\]|("[^"]*"))/g);
  return [...calls].flatMap(([, list, single]) =>
    [...(list ?? single).matchAll(/"([^"]*)"/g)].map(([, id]) => id)
  );
}
