import { formatPasswordHash } from "../password_hash.ts";
import {
  ACL_TYPES,
  byName,
  DEFAULT_ACCESS_TYPES,
  type Group,
  inOrder,
  type Priorities,
  PRIORITY_UNSET,
  type Role,
  type SecurityClient,
  type SecurityState,
  type StoredPassword,
} from "./security_state.ts";

/** An object in the order in which it is written; `undefined` is left out. */
export type JsonObject = { readonly [name: string]: unknown };

/** The text of a `dynamic-security.json` that Mosquitto reads as well. */
export function writeState(state: SecurityState): string {
  const document: JsonObject = {
    changeIndex: state.changeIndex,
    defaultACLAccess: Object.fromEntries(
      DEFAULT_ACCESS_TYPES.map((type) => [type, state.defaultAccess[type]]),
    ),
    clients: byName(state.clients).map((client) => ({
      ...clientMembers(client),
      ...passwordMembers(client.password),
      ...Object.fromEntries(client.unknown),
    })),
    groups: byName(state.groups).map((group) => ({
      ...groupMembers(group),
      roles: roleReferences(group.roles),
      clients: references("username", group.members),
      ...Object.fromEntries(group.unknown),
    })),
    anonymousGroup: state.anonymousGroup,
    roles: byName(state.roles).map((role) => ({
      ...roleMembers(role, true),
      ...Object.fromEntries(role.unknown),
    })),
    ...Object.fromEntries(state.unknown),
  };
  return JSON.stringify(document, null, "\t") + "\n";
}

/** What is told and written of a client alike. */
export function clientMembers(client: SecurityClient): JsonObject {
  return {
    username: client.userName,
    clientid: client.clientId,
    textname: client.textName,
    textdescription: client.textDescription,
    disabled: client.disabled ? true : undefined,
    roles: roleReferences(client.roles),
  };
}

export function groupMembers(group: Group): JsonObject {
  return {
    groupname: group.name,
    textname: group.textName,
    textdescription: group.textDescription,
  };
}

/** @param withUnknown also what nobody here knows */
export function roleMembers(role: Role, withUnknown: boolean): JsonObject {
  return {
    rolename: role.name,
    textname: role.textName,
    textdescription: role.textDescription,
    allowwildcardsubs: role.allowWildcardSubscriptions,
    acls: ACL_TYPES.flatMap((acltype) =>
      role.acls[acltype].map(({ topic, priority, allow, unknown }) => ({
        acltype,
        topic,
        priority,
        allow,
        ...withUnknown ? Object.fromEntries(unknown) : {},
      }))
    ),
  };
}

export function roleReferences(roles: Priorities): JsonObject[] {
  return references("rolename", roles);
}

/** In the order in which they count; a priority that was never given is not written. */
export function references(nameMember: string, priorities: Priorities): JsonObject[] {
  return inOrder(priorities).map(([name, priority]) => ({
    [nameMember]: name,
    priority: priority === PRIORITY_UNSET ? undefined : priority,
  }));
}

function passwordMembers(password: StoredPassword | undefined): JsonObject {
  if (password === undefined) return {};
  const encoded = formatPasswordHash(password.hash);
  if (password.isEncoded || password.hash.scheme !== "sha512-pbkdf2") {
    return { encoded_password: encoded };
  }
  const [, , iterations, salt, hash] = encoded.split("$");
  return { password: hash, salt, iterations: Number(iterations) };
}
