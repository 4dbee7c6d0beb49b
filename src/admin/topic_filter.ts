/** A Topic Filter: wildcards fill a whole level [MQTT-4.7.1-2], `#` is last [MQTT-4.7.1-1]. */
export function isTopicFilter(filter: string): boolean {
  const levels = filter.split("/");
  return filter !== "" &&
    levels.every((level, index) =>
      !/[+#]/.test(level) || level === "+" || level === "#" && index === levels.length - 1
    );
}

/** The levels before the last one and before any wildcard. */
export function literalLevels(filter: string): string[] {
  const levels = filter.split("/");
  const wildcard = levels.findIndex((level) => level === "+" || level === "#");
  return levels.slice(0, wildcard < 0 ? -1 : wildcard);
}

/** Whether a filter matches a Topic Name; the filter is valid. */
export function matchesFilter(topicName: string, filter: string): boolean {
  // [MQTT-4.7.2-1]
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

function levelAt(text: string, at: number): string {
  const end = text.indexOf("/", at);
  return end < 0 ? text.slice(at) : text.slice(at, end);
}
