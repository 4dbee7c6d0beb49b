import { CommandError, type CommandFields } from "./command_fields.ts";
import type { SecurityCommand } from "./commands.ts";
import { listing } from "./listing.ts";
import { type Group, newGroup, type SecurityClient, type SecurityState } from "./security_state.ts";
import { groupMembers, type JsonObject, roleReferences } from "./write_state.ts";

/** The commands about groups. */
export const groupCommands: readonly SecurityCommand[] = [
  {
    name: "createGroup",
    changes: true,
    run({ state }, fields) {
      const group = newGroup(fields.newGroupName());
      group.textName = fields.optionalString("textname");
      group.textDescription = fields.optionalString("textdescription");
      if (state.groups.has(group.name)) throw new CommandError("Group already exists");
      group.roles = fields.roles("Internal error") ?? new Map();
      state.groups.set(group.name, group);
      return { log: [`groupname=${group.name}`] };
    },
  },
  {
    name: "deleteGroup",
    changes: true,
    run({ state, kicks }, fields) {
      const group = fields.group();
      if (state.anonymousGroup === group.name) {
        throw new CommandError("Deleting the anonymous group is forbidden");
      }
      kicks.group(state, group);
      state.deleteGroup(group);
      return { log: [`groupname=${group.name}`] };
    },
  },
  {
    name: "getGroup",
    changes: false,
    run(_, fields) {
      const group = fields.group();
      return { data: { group: allMembers(group) }, log: [`groupname=${group.name}`] };
    },
  },
  {
    name: "listGroups",
    changes: false,
    run: ({ state }, fields) =>
      listing("groups", state.groups, fields, ({ name }) => name, allMembers),
  },
  {
    name: "modifyGroup",
    changes: true,
    run({ state, kicks }, fields) {
      const group = fields.group();
      const roles = fields.roles();
      const members = membersOf(state, fields);
      // Those who were in it, and those who will be.
      kicks.group(state, group);
      group.textName = fields.lenientString("textname") ?? group.textName;
      group.textDescription = fields.lenientString("textdescription") ?? group.textDescription;
      if (roles !== undefined) group.roles = roles;
      if (members !== undefined) {
        for (const name of [...group.members.keys()]) {
          state.leave(state.clients.get(name)!, group);
        }
        for (const [client, priority] of members) state.join(client, group, priority);
        kicks.group(state, group);
      }
      return { log: [`groupname=${group.name}`] };
    },
  },
  {
    name: "addGroupClient",
    changes: true,
    run({ state, kicks }, fields) {
      fields.checkNames("client", "group");
      const client = fields.client(), group = fields.group(), priority = fields.priority();
      if (group.members.has(client.userName)) {
        throw new CommandError("Client is already in this group");
      }
      state.join(client, group, priority);
      kicks.userNames.add(client.userName);
      return {
        log: [`groupname=${group.name}`, `username=${client.userName}`, `priority=${priority}`],
      };
    },
  },
  {
    name: "removeGroupClient",
    changes: true,
    run({ state, kicks }, fields) {
      fields.checkNames("client", "group");
      const client = fields.client(), group = fields.group();
      state.leave(client, group);
      kicks.userNames.add(client.userName);
      return { log: [`groupname=${group.name}`, `username=${client.userName}`] };
    },
  },
  {
    name: "addGroupRole",
    changes: true,
    run({ state, kicks }, fields) {
      fields.checkNames("group", "role");
      const group = fields.group(), role = fields.role(), priority = fields.priority();
      if (group.roles.has(role.name)) throw new CommandError("Group is already in this role");
      group.roles.set(role.name, priority);
      kicks.group(state, group);
      return {
        log: [`groupname=${group.name}`, `rolename=${role.name}`, `priority=${priority}`],
      };
    },
  },
  {
    name: "removeGroupRole",
    changes: true,
    run({ state, kicks }, fields) {
      fields.checkNames("group", "role");
      const group = fields.group(), role = fields.role();
      group.roles.delete(role.name);
      kicks.group(state, group);
      return { log: [`groupname=${group.name}`, `rolename=${role.name}`] };
    },
  },
  {
    name: "setAnonymousGroup",
    changes: true,
    run({ state, kicks }, fields) {
      const group = fields.group();
      state.anonymousGroup = group.name;
      kicks.anonymous = true;
      return { log: [`groupname=${group.name}`] };
    },
  },
  {
    name: "getAnonymousGroup",
    changes: false,
    run: ({ state }) => ({ data: { group: { groupname: state.anonymousGroup ?? "" } } }),
  },
];

function allMembers(group: Group): JsonObject {
  return {
    ...groupMembers(group),
    clients: [...group.members.keys()].sort().map((username) => ({ username })),
    roles: roleReferences(group.roles),
  };
}

function membersOf(
  state: SecurityState,
  fields: CommandFields,
): Map<SecurityClient, number> | undefined {
  const references = fields.references("clients");
  if (references === undefined) return undefined;
  const members = new Map<SecurityClient, number>();
  for (const { name, priority } of references) {
    if (typeof name !== "string") {
      throw new CommandError("'clients' contains an object with an invalid 'username'");
    }
    const client = state.clients.get(name);
    if (client === undefined) {
      throw new CommandError("'clients' contains an object with a 'username' that does not exist");
    }
    if (!members.has(client)) members.set(client, priority);
  }
  return members;
}
