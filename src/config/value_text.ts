import type { Backoff, BridgeTopic, Endpoint, Probes } from "./option_row.ts";

/** A value as a line of a file would have it; empty for none. */
export function valueText(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(itemText).join(isWords(value) ? " " : ", ");
  if (typeof value !== "object") return String(value);
  if ("baseSeconds" in value) {
    const { baseSeconds, capSeconds, stableSeconds } = value as Backoff;
    return `${baseSeconds} ${capSeconds} ${stableSeconds}`;
  }
  if ("idleSeconds" in value) {
    const { idleSeconds, intervalSeconds, count } = value as Probes;
    return `${idleSeconds} ${intervalSeconds} ${count}`;
  }
  const { port, address } = value as Endpoint;
  return `${port} ${address}`;
}

function itemText(item: unknown): string {
  if (typeof item !== "object" || item === null) return String(item);
  if ("pattern" in item) {
    const { pattern, direction, qos, localPrefix, remotePrefix } = item as BridgeTopic;
    return [pattern, direction, qos, localPrefix, remotePrefix].map((part, index) =>
      part === "" ? '""' : index === 0 && String(part).includes(" ") ? `"${part}"` : part
    ).join(" ");
  }
  const { port, address } = item as Endpoint;
  return `${address}:${port}`;
}

/** Whether the items can stand side by side. */
function isWords(items: readonly unknown[]): boolean {
  return items.every((item) =>
    typeof item === "number" || (typeof item === "string" && !item.includes(" ")) ||
    (typeof item === "object" && item !== null && "address" in item)
  );
}
