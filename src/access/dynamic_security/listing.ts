import type { CommandFields } from "./command_fields.ts";
import type { Done } from "./commands.ts";
import { byName } from "./security_state.ts";

/**
 * A page of clients, groups or roles, by name. A count of 0 gives one entry, as Mosquitto has it; below
 * 0, or not given, all.
 */
export function listing<T>(
  what: "clients" | "groups" | "roles",
  all: ReadonlyMap<string, T>,
  fields: CommandFields,
  name: (entry: T) => string,
  members: (entry: T) => unknown,
): Done {
  const verbose = fields.boolean("verbose") ?? false;
  const count = fields.integer("count", -1), offset = fields.integer("offset", 0);
  const start = Math.max(0, offset);
  const page = byName(all).slice(start, count < 0 ? undefined : start + Math.max(1, count));
  const data = { totalCount: all.size, [what]: page.map(verbose ? members : name) };
  return { data, log: [`verbose=${verbose}`, `count=${count}`, `offset=${offset}`] };
}
