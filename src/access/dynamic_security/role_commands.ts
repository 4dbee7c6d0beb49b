import { CommandError } from "./command_fields.ts";
import type { SecurityCommand } from "./commands.ts";
import { listing } from "./listing.ts";
import { newRole, withAcl } from "./security_state.ts";
import { roleMembers } from "./write_state.ts";

/** The commands about roles. */
export const roleCommands: readonly SecurityCommand[] = [
  {
    name: "createRole",
    changes: true,
    run({ state }, fields) {
      const role = newRole(fields.newRoleName());
      role.textName = fields.optionalString("textname");
      role.textDescription = fields.optionalString("textdescription");
      role.allowWildcardSubscriptions = fields.optionalBoolean("allowwildcardsubs") ?? true;
      if (state.roles.has(role.name)) throw new CommandError("Role already exists");
      role.acls = fields.acls() ?? role.acls;
      state.roles.set(role.name, role);
      return { log: [`rolename=${role.name}`] };
    },
  },
  {
    name: "deleteRole",
    changes: true,
    run({ state, kicks }, fields) {
      const role = fields.role();
      kicks.role(state, role);
      state.deleteRole(role);
      return { log: [`rolename=${role.name}`] };
    },
  },
  {
    name: "getRole",
    changes: false,
    run(_, fields) {
      const role = fields.role();
      return { data: { role: roleMembers(role, false) }, log: [`rolename=${role.name}`] };
    },
  },
  {
    name: "listRoles",
    changes: false,
    run: ({ state }, fields) =>
      listing("roles", state.roles, fields, ({ name }) => name, (role) => roleMembers(role, false)),
  },
  {
    name: "modifyRole",
    changes: true,
    run({ state, kicks }, fields) {
      const role = fields.role("Role does not exist");
      role.textName = fields.lenientString("textname") ?? role.textName;
      role.textDescription = fields.lenientString("textdescription") ?? role.textDescription;
      const before = role.allowWildcardSubscriptions;
      role.allowWildcardSubscriptions = fields.boolean("allowwildcardsubs") ?? before;
      const acls = fields.acls();
      if (acls !== undefined) role.acls = acls;
      if (acls !== undefined || role.allowWildcardSubscriptions !== before) kicks.role(state, role);
      return { log: [`rolename=${role.name}`] };
    },
  },
  {
    name: "addRoleACL",
    changes: true,
    run({ state, kicks }, fields) {
      const role = fields.role(), type = fields.aclType(), topic = fields.aclTopic();
      if (role.acls[type].some((acl) => acl.topic === topic)) {
        throw new CommandError("ACL with this topic already exists");
      }
      const priority = fields.integer("priority", 0), allow = fields.boolean("allow") ?? false;
      role.acls[type] = withAcl(role.acls[type], { topic, priority, allow, unknown: [] });
      kicks.role(state, role);
      return {
        log: [
          `rolename=${role.name}`,
          `acltype=${type}`,
          `topic=${topic}`,
          `priority=${priority}`,
          `allow=${allow}`,
        ],
      };
    },
  },
  {
    name: "removeRoleACL",
    changes: true,
    run({ state, kicks }, fields) {
      const role = fields.role(), type = fields.aclType(), topic = fields.aclTopic();
      const rest = role.acls[type].filter((acl) => acl.topic !== topic);
      if (rest.length === role.acls[type].length) throw new CommandError("ACL not found");
      role.acls[type] = rest;
      kicks.role(state, role);
      return { log: [`rolename=${role.name}`, `acltype=${type}`, `topic=${topic}`] };
    },
  },
];
