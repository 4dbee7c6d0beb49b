import fc from "fast-check";

/** Whether a valid filter, without `$share/…`, matches a Topic Name: section 4.7, word for word. */
export function filterMatches(filter: string, topicName: string): boolean {
  const wanted = filter.split("/"), given = topicName.split("/");
  // [MQTT-4.7.2-1]
  if (topicName.startsWith("$") && (wanted[0] === "+" || wanted[0] === "#")) return false;
  for (const [index, level] of wanted.entries()) {
    // [MQTT-4.7.1.2]: the parent as well, and any number of levels.
    if (level === "#") return given.length >= index;
    if (index >= given.length) return false;
    if (level !== "+" && level !== given[index]) return false;
  }
  return wanted.length === given.length;
}

/** Few different levels, so that names and filters meet; some are names of object properties. */
const level = fc.constantFrom("a", "b", "", "$", "$x", "é", "constructor", "__proto__");

export const topicName: fc.Arbitrary<string> = fc.array(level, { minLength: 1, maxLength: 4 })
  .map((levels) => levels.join("/"))
  .filter((name) => name !== "");

export const topicFilter: fc.Arbitrary<string> = fc.tuple(
  fc.array(fc.oneof(level, fc.constant("+")), { maxLength: 4 }),
  fc.boolean(),
).map(([levels, all]) => [...levels, ...(all ? ["#"] : [])].join("/"))
  .filter((filter) => filter !== "" && !filter.startsWith("$share/"));
