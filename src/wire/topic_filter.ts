/** Topic Filters as the sets of Topic Names that they match. All of them are valid. */

/** Whether a filter matches a Topic Name [MQTT-4.7.1-2] [MQTT-4.7.2-1]. */
export function matchesFilter(topicName: string, filter: string): boolean {
  if (topicName.startsWith("$") && /^[+#]/.test(filter)) return false;
  let nameAt = 0;
  for (let at = 0; at <= filter.length;) {
    const level = levelAt(filter, at);
    if (level === "#") return true;
    // `a/#` matches `a` as well.
    if (nameAt > topicName.length) return false;
    const name = levelAt(topicName, nameAt);
    if (level !== "+" && level !== name) return false;
    at += level.length + 1;
    nameAt += name.length + 1;
  }
  return nameAt > topicName.length;
}

/** The levels before the last one and before any wildcard. */
export function literalLevels(filter: string): string[] {
  const levels = filter.split("/");
  const wildcard = levels.findIndex((level) => level === "+" || level === "#");
  return levels.slice(0, wildcard < 0 ? -1 : wildcard);
}

/**
 * The topics that two filters have in common, again as a filter; null if there are none. Such a filter
 * exists since `+` and `#` are wildcards for whole levels:
 *
 *     a/+/c/#   with  a/b/#      is  a/b/c/#
 *     a/#       with  +          is  a          (`#` stands for no level too)
 *     #         with  $SYS/#     is nothing     ([MQTT-4.7.2-1])
 */
export function commonFilter(one: string, other: string): string | null {
  if (one.startsWith("$") !== other.startsWith("$")) return null;
  const a = one.split("/"), b = other.split("/");
  const common: string[] = [];
  for (let i = 0;; i++) {
    if (a[i] === "#") return [...common, ...b.slice(i)].join("/");
    if (b[i] === "#") return [...common, ...a.slice(i)].join("/");
    if (i === a.length || i === b.length) return a.length === b.length ? common.join("/") : null;
    if (a[i] !== "+" && b[i] !== "+" && a[i] !== b[i]) return null;
    common.push(a[i] === "+" ? b[i] : a[i]);
  }
}

function levelAt(text: string, at: number): string {
  const end = text.indexOf("/", at);
  return end < 0 ? text.slice(at) : text.slice(at, end);
}
