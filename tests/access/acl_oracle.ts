/** The rules of ACL files once more, word by word and slowly, to compare with. */

export interface OracleClient {
  readonly clientId: string;
  readonly userName: string | undefined;
}

interface OracleRule {
  readonly access: string;
  readonly filter: string;
}

/** A valid ACL file, without comments, as text. */
export function oracleAllows(
  file: string,
  { clientId, userName }: OracleClient,
  topicName: string,
  action: "read" | "write",
): boolean {
  const { lists, patterns } = readLists(file);
  if (clientId === "") return false;
  if (action === "write" && topicName.startsWith("$SYS")) {
    if (!oracleMatches("$SYS/broker/connection/+/state", topicName)) return false;
  }
  if (topicName.startsWith("$share")) return false;
  const own = walk(lists.get(userName ?? null) ?? [], topicName, action, (filter) => filter);
  if (own !== undefined) return own;
  if (patterns.length === 0) return false;
  if (/[+#]/.test(clientId) || /[+#]/.test(userName ?? "")) return false;
  return walk(patterns, topicName, action, (filter) => {
    const levels = filter.split("/");
    if (levels.includes("%u") && userName === undefined) return null;
    if (levels.includes("%c") && clientId.includes("/")) return null;
    if (levels.includes("%u") && userName!.includes("/")) return null;
    return levels.map((level) => level === "%c" ? clientId : level === "%u" ? userName! : level)
      .join("/");
  }) ?? false;
}

function readLists(file: string) {
  const lists = new Map<string | null, OracleRule[]>(), patterns: OracleRule[] = [];
  let user: string | null = null;
  for (const line of file.split("\n").filter((line) => line !== "")) {
    const [word, ...rest] = line.split(" ");
    if (word === "user") {
      user = rest[0];
      continue;
    }
    const [access, filter] = rest.length === 1 ? ["readwrite", rest[0]] : rest;
    if (!lists.has(user)) lists.set(user, []);
    const list = word === "pattern" ? patterns : lists.get(user)!;
    if (access === "deny") list.unshift({ access, filter });
    else list.push({ access, filter });
  }
  return { lists, patterns };
}

function walk(
  rules: readonly OracleRule[],
  topicName: string,
  action: string,
  substitute: (filter: string) => string | null,
): boolean | undefined {
  for (const { access, filter } of rules) {
    if (topicName.startsWith("$") && !filter.startsWith("$")) continue;
    const substituted = substitute(filter);
    if (substituted === null || !oracleMatches(substituted, topicName)) continue;
    if (access === "deny") return false;
    if (access === action || access === "readwrite") return true;
  }
  return undefined;
}

/** A subscription to the filter gets messages of the topic. */
export function oracleMatches(filter: string, topicName: string): boolean {
  if (topicName.startsWith("$") && /^[+#]/.test(filter)) return false;
  const matches = (filter: string[], levels: string[]): boolean => {
    if (filter[0] === "#") return true;
    if (filter.length === 0 || levels.length === 0) return filter.length === levels.length;
    return (filter[0] === "+" || filter[0] === levels[0]) &&
      matches(filter.slice(1), levels.slice(1));
  };
  const levels = topicName.split("/");
  // `a/#` matches `a`: the wildcard stands for the parent too.
  return matches(filter.split("/"), levels) ||
    filter.endsWith("/#") && matches(filter.split("/").slice(0, -1), levels);
}
