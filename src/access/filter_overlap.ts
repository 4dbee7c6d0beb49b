/**
 * The topics that two Topic Filters have in common, again as a filter; null if there are none. Such a
 * filter exists since `+` and `#` are wildcards for whole levels:
 *
 *     a/+/c/#   with  a/b/#      is  a/b/c/#
 *     a/#       with  +          is  a          (`#` stands for no level too)
 *     #         with  $SYS/#     is nothing     ([MQTT-4.7.2-1])
 */
export function overlap(a: readonly string[], b: readonly string[]): string[] | null {
  if (a[0].startsWith("$") !== b[0].startsWith("$")) return null;
  const common: string[] = [];
  for (let i = 0;; i++) {
    if (a[i] === "#") return [...common, ...b.slice(i)];
    if (b[i] === "#") return [...common, ...a.slice(i)];
    if (i === a.length || i === b.length) return a.length === b.length ? common : null;
    if (a[i] !== "+" && b[i] !== "+" && a[i] !== b[i]) return null;
    common.push(a[i] === "+" ? b[i] : a[i]);
  }
}
