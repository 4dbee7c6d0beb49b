import type { PasswordHash } from "../password_hash.ts";
import {
  type AclType,
  newClient,
  newGroup,
  newRole,
  PRIORITY_UNSET,
  SecurityState,
} from "./security_state.ts";

/** What a role allows, by Topic Filter. */
type Allowed = readonly (readonly [types: readonly AclType[], topic: string])[];

const READS: readonly AclType[] = ["publishClientReceive", "subscribePattern"];
const READS_AND_LEAVES: readonly AclType[] = [...READS, "unsubscribePattern"];
const EVERYTHING: readonly AclType[] = ["publishClientSend", ...READS_AND_LEAVES];

const ROLES: readonly (readonly [name: string, description: string, allowed: Allowed])[] = [
  ["client", "May read and write all topics of applications.", [[EVERYTHING, "#"]]],
  ["broker-admin", "May ask the broker about itself.", [[EVERYTHING, "$CONTROL/broker/#"]]],
  [
    "dynsec-admin",
    "May change clients, groups and roles.",
    [[EVERYTHING, "$CONTROL/dynamic-security/#"]],
  ],
  ["super-admin", "May administer everything.", [[EVERYTHING, "$CONTROL/#"]]],
  [
    "sys-notify",
    "For bridges: may publish the state of their connection.",
    [[["publishClientSend"], "$SYS/broker/connection/%c/state"]],
  ],
  ["sys-observe", "May read what the broker tells of itself.", [[READS, "$SYS/#"]]],
  ["topic-observe", "May read all topics of applications.", [[READS_AND_LEAVES, "#"]]],
];

/**
 * What holds when there is no file yet: an administrator, roles to give to others, and no rights for
 * anybody else. The names are Mosquitto 2.1's.
 *
 * @param demo without one there is no client for trying out
 */
export function initialState(admin: PasswordHash, demo: PasswordHash | undefined): SecurityState {
  const state = new SecurityState();
  state.defaultAccess = {
    publishClientSend: false,
    publishClientReceive: true,
    subscribe: false,
    unsubscribe: true,
  };
  for (const [name, description, allowed] of ROLES) {
    const role = newRole(name);
    role.textDescription = description;
    for (const [types, topic] of allowed) {
      for (const type of types) {
        role.acls[type] = [{ topic, priority: 0, allow: true, unknown: [] }];
      }
    }
    state.roles.set(name, role);
  }
  addClient(state, "admin", "Administrator", admin, "super-admin", "sys-observe", "topic-observe");
  if (demo !== undefined) addClient(state, "democlient", "For trying out", demo, "client");
  const group = newGroup("unauthenticated");
  group.textDescription = "The roles of clients that connect without a user name.";
  state.groups.set(group.name, group);
  state.anonymousGroup = group.name;
  return state;
}

function addClient(
  state: SecurityState,
  userName: string,
  textName: string,
  hash: PasswordHash,
  ...roles: string[]
) {
  const client = newClient(userName);
  client.textName = textName;
  client.password = { hash, isEncoded: false };
  for (const role of roles) client.roles.set(role, PRIORITY_UNSET);
  state.clients.set(userName, client);
}
