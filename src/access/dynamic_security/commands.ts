import type { PasswordHash } from "../password_hash.ts";
import { clientCommands } from "./client_commands.ts";
import type { CommandFields } from "./command_fields.ts";
import { defaultCommands } from "./default_commands.ts";
import { groupCommands } from "./group_commands.ts";
import { roleCommands } from "./role_commands.ts";
import type { Group, Role, SecurityState } from "./security_state.ts";

/** What a command works on. */
export interface CommandContext {
  /** Changed only by a command that says so. */
  readonly state: SecurityState;
  readonly kicks: Kicks;
  hashPassword(password: string): Promise<PasswordHash>;
  /** Of connected clients with that user name: Client Identifier and address. */
  connectionsOf(userName: string): Iterable<{ clientId: string; address: string }>;
}

/** Whose rights have changed. */
export class Kicks {
  readonly userNames = new Set<string>();
  /** Clients without a user name. */
  anonymous = false;

  group(state: SecurityState, group: Group): void {
    if (state.anonymousGroup === group.name) this.anonymous = true;
    for (const userName of group.members.keys()) this.userNames.add(userName);
  }

  role(state: SecurityState, role: Role): void {
    for (const client of state.clients.values()) {
      if (client.roles.has(role.name)) this.userNames.add(client.userName);
    }
    for (const group of state.groups.values()) {
      if (group.roles.has(role.name)) this.group(state, group);
    }
  }
}

/** What has been done: what the client is told of it, and the log. */
export interface Done {
  readonly data?: unknown;
  /** `name=value` pairs. */
  readonly log?: readonly string[];
}

/** One of Mosquitto's commands. */
export interface SecurityCommand {
  readonly name: string;
  /** False: it only tells. */
  readonly changes: boolean;
  /** Changes nothing when it throws. @throws {CommandError} */
  run(context: CommandContext, fields: CommandFields): Done | Promise<Done>;
}

const commands = new Map<string, SecurityCommand>(
  [...clientCommands, ...groupCommands, ...roleCommands, ...defaultCommands]
    .map((command) => [command.name.toLowerCase(), command]),
);

/** A command by its name, whatever its case. */
export function commandNamed(name: string): SecurityCommand | undefined {
  return commands.get(name.toLowerCase());
}
