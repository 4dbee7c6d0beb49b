import { CommandError, type CommandFields } from "./command_fields.ts";
import type { CommandContext, SecurityCommand } from "./commands.ts";
import { listing } from "./listing.ts";
import {
  type Group,
  newClient,
  type Priorities,
  type SecurityClient,
  type SecurityState,
} from "./security_state.ts";
import { clientMembers, type JsonObject, references } from "./write_state.ts";

/** The commands about clients. */
export const clientCommands: readonly SecurityCommand[] = [
  {
    name: "createClient",
    changes: true,
    async run(context, fields) {
      const { state } = context;
      const client = newClient(fields.newUserName());
      const password = fields.optionalString("password");
      client.clientId = fields.clientId("client id");
      client.textName = fields.optionalString("textname");
      client.textDescription = fields.optionalString("textdescription");
      if (state.clients.has(client.userName)) throw new CommandError("Client already exists");
      client.roles = fields.roles() ?? new Map();
      const groups = groupsOf(state, fields, "Group not found");
      if (password) await setPassword(context, client, password);
      state.clients.set(client.userName, client);
      for (const [group, priority] of groups ?? []) state.join(client, group, priority);
      const told = password === undefined ? "no password" : "*****";
      return { log: [`username=${client.userName}`, `password=${told}`] };
    },
  },
  {
    name: "deleteClient",
    changes: true,
    run({ state, kicks }, fields) {
      const client = fields.client();
      state.deleteClient(client);
      kicks.userNames.add(client.userName);
      return { log: [`username=${client.userName}`] };
    },
  },
  {
    name: "getClient",
    changes: false,
    run(context, fields) {
      const client = fields.client();
      return {
        data: { client: allMembers(context, client) },
        log: [`username=${client.userName}`],
      };
    },
  },
  {
    name: "listClients",
    changes: false,
    run: (context, fields) =>
      listing(
        "clients",
        context.state.clients,
        fields,
        ({ userName }) => userName,
        (client) => allMembers(context, client),
      ),
  },
  {
    name: "modifyClient",
    changes: true,
    async run(context, fields) {
      const { state, kicks } = context;
      const client = fields.client();
      const clientId = fields.lenientString("clientid");
      const password = fields.lenientString("password");
      const roles = fields.roles();
      const groups = modifiedGroups(state, fields);
      if (password) await setPassword(context, client, password);
      if (clientId !== undefined) client.clientId = clientId || undefined;
      client.textName = fields.lenientString("textname") ?? client.textName;
      client.textDescription = fields.lenientString("textdescription") ?? client.textDescription;
      if (roles !== undefined) client.roles = roles;
      if (groups !== undefined) replaceGroups(state, client, groups);
      kicks.userNames.add(client.userName);
      return { log: [`username=${client.userName}`] };
    },
  },
  {
    name: "setClientPassword",
    changes: true,
    async run(context, fields) {
      fields.checkNames("client");
      const password = fields.string("password");
      if (password === "") throw new CommandError("Empty password is not allowed");
      const client = fields.client();
      await setPassword(context, client, password);
      context.kicks.userNames.add(client.userName);
      return { log: [`username=${client.userName}`, "password=******"] };
    },
  },
  {
    name: "setClientId",
    changes: true,
    run({ kicks }, fields) {
      fields.checkNames("client");
      const clientId = fields.clientId("client ID");
      const client = fields.client();
      client.clientId = clientId;
      kicks.userNames.add(client.userName);
      return { log: [`username=${client.userName}`, `clientid=${clientId ?? "(null)"}`] };
    },
  },
  {
    name: "addClientRole",
    changes: true,
    run({ kicks }, fields) {
      fields.checkNames("client", "role");
      const client = fields.client(), role = fields.role(), priority = fields.priority();
      // Mosquitto has no better word for a client that has the role already.
      if (client.roles.has(role.name)) throw new CommandError("Internal error");
      client.roles.set(role.name, priority);
      kicks.userNames.add(client.userName);
      return {
        log: [`username=${client.userName}`, `rolename=${role.name}`, `priority=${priority}`],
      };
    },
  },
  {
    name: "removeClientRole",
    changes: true,
    run({ kicks }, fields) {
      fields.checkNames("client", "role");
      const client = fields.client(), role = fields.role();
      client.roles.delete(role.name);
      kicks.userNames.add(client.userName);
      return { log: [`username=${client.userName}`, `rolename=${role.name}`] };
    },
  },
  {
    name: "enableClient",
    changes: true,
    run(_, fields) {
      const client = fields.client();
      client.disabled = false;
      return { log: [`username=${client.userName}`] };
    },
  },
  {
    name: "disableClient",
    changes: true,
    run({ kicks }, fields) {
      const client = fields.client();
      client.disabled = true;
      kicks.userNames.add(client.userName);
      return { log: [`username=${client.userName}`] };
    },
  },
];

function allMembers(context: CommandContext, client: SecurityClient): JsonObject {
  const { userName, clientId } = client;
  const connections = [];
  for (const connection of context.connectionsOf(userName)) {
    if (clientId !== undefined && connection.clientId !== clientId) continue;
    connections.push({ address: connection.address });
  }
  return {
    ...clientMembers(client),
    groups: references("groupname", client.groups),
    connections,
  };
}

async function setPassword(context: CommandContext, client: SecurityClient, password: string) {
  const isEncoded = client.password?.isEncoded ?? false;
  client.password = { hash: await context.hashPassword(password), isEncoded };
  const replaced = ["password", "salt", "iterations", "encoded_password"];
  client.unknown = client.unknown.filter(([name]) => !replaced.includes(name));
}

/** Entries without a name are passed over. */
function groupsOf(
  state: SecurityState,
  fields: CommandFields,
  unknown: string,
): Map<Group, number> | undefined {
  const references = fields.references("groups");
  if (references === undefined) return undefined;
  const groups = new Map<Group, number>();
  for (const { name, priority } of references) {
    if (typeof name !== "string") continue;
    const group = state.groups.get(name);
    if (group === undefined) throw new CommandError(unknown);
    if (!groups.has(group)) groups.set(group, priority);
  }
  return groups;
}

function modifiedGroups(state: SecurityState, fields: CommandFields) {
  const references = fields.references("groups") ?? [];
  if (references.some(({ name }) => typeof name !== "string")) {
    throw new CommandError("'groups' contains an object with an invalid 'groupname'");
  }
  return groupsOf(
    state,
    fields,
    "'groups' contains an object with a 'groupname' that does not exist",
  );
}

function replaceGroups(
  state: SecurityState,
  client: SecurityClient,
  groups: ReadonlyMap<Group, number>,
) {
  const before: Priorities = new Map(client.groups);
  for (const name of before.keys()) state.leave(client, state.groups.get(name)!);
  for (const [group, priority] of groups) state.join(client, group, priority);
}
