/** Sets of topics, told by their filters. */

/** Whether a Topic Name is in the set of a Topic Filter [MQTT-4.7.1-2] [MQTT-4.7.2-1]. */
export function isInFilter(filter: string, name: string): boolean {
  if (name.startsWith("$") && /^[+#]/.test(filter)) return false;
  const levels = filter.split("/"), names = name.split("/");
  for (let index = 0; index < levels.length; index++) {
    if (levels[index] === "#") return true;
    if (index === names.length) return false;
    if (levels[index] !== "+" && levels[index] !== names[index]) return false;
  }
  return levels.length === names.length;
}

/** The filter of the topics that are in both sets; null: there are none. */
export function commonFilter(a: string, b: string): string | null {
  if (hidesFrom(a, b) || hidesFrom(b, a)) return null;
  const inA = a.split("/"), inB = b.split("/");
  const common: string[] = [];
  for (let index = 0;; index++) {
    const left = inA[index], right = inB[index];
    if (left === undefined || right === undefined) {
      // `x/#` has `x` too.
      return (left ?? right ?? "#") === "#" ? common.join("/") : null;
    }
    if (left === "#") return [...common, ...inB.slice(index)].join("/");
    if (right === "#") return [...common, ...inA.slice(index)].join("/");
    if (left !== right && left !== "+" && right !== "+") return null;
    common.push(left === "+" ? right : left);
  }
}

/** Names that begin with `$` are not in a set that begins with a wildcard. */
function hidesFrom(filter: string, other: string): boolean {
  return filter.startsWith("$") && /^[+#]/.test(other);
}
