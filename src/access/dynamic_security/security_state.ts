import type { PasswordHash } from "../password_hash.ts";

/** The kinds of rules a role may hold, in the order in which they are written. */
export const ACL_TYPES = [
  "publishClientSend",
  "publishClientReceive",
  "subscribeLiteral",
  "subscribePattern",
  "unsubscribeLiteral",
  "unsubscribePattern",
] as const;
export type AclType = typeof ACL_TYPES[number];

/** What is decided by default, in the order in which it is written. */
export const DEFAULT_ACCESS_TYPES = [
  "publishClientSend",
  "publishClientReceive",
  "subscribe",
  "unsubscribe",
] as const;
export type DefaultAccessType = typeof DEFAULT_ACCESS_TYPES[number];

/** Members that nobody here knows; they are written back as they came. */
export type UnknownMembers = readonly (readonly [name: string, value: unknown])[];

/** Nothing was said of it: it comes after everything of which something was. */
export const PRIORITY_UNSET = -1;

/** Names with their priorities. */
export type Priorities = Map<string, number>;

export interface Acl {
  readonly topic: string;
  readonly priority: number;
  readonly allow: boolean;
  readonly unknown: UnknownMembers;
}

interface Described {
  textName: string | undefined;
  textDescription: string | undefined;
  unknown: UnknownMembers;
}

export interface Role extends Described {
  readonly name: string;
  /** False: no Topic Filter with a wildcard may be subscribed to, where this role is asked. */
  allowWildcardSubscriptions: boolean;
  acls: Record<AclType, readonly Acl[]>;
}

export interface StoredPassword {
  readonly hash: PasswordHash;
  /** Written as `encoded_password`, of Mosquitto 2.1, and not in the three members of 2.0. */
  readonly isEncoded: boolean;
}

/** A user name and what holds for whoever connects with it. */
export interface SecurityClient extends Described {
  readonly userName: string;
  /** The only Client Identifier that may use the name; undefined: any. */
  clientId: string | undefined;
  disabled: boolean;
  password: StoredPassword | undefined;
  roles: Priorities;
  /** Kept by {@linkcode SecurityState.join} and {@linkcode SecurityState.leave}. */
  readonly groups: Priorities;
}

export interface Group extends Described {
  readonly name: string;
  roles: Priorities;
  /** User names; kept as {@linkcode SecurityClient.groups} is. */
  readonly members: Priorities;
}

/** All that `dynamic-security.json` says. */
export class SecurityState {
  /** Counts changes. */
  changeIndex = 0;
  /** Without a word in the file everything is denied. */
  defaultAccess: Record<DefaultAccessType, boolean> = {
    publishClientSend: false,
    publishClientReceive: false,
    subscribe: false,
    unsubscribe: false,
  };
  readonly clients = new Map<string, SecurityClient>();
  readonly groups = new Map<string, Group>();
  readonly roles = new Map<string, Role>();
  /** The group of clients without a user name. */
  anonymousGroup: string | undefined;
  unknown: UnknownMembers = [];

  /** A copy that may be changed while this one is in force. */
  clone(): SecurityState {
    const copy = new SecurityState();
    copy.changeIndex = this.changeIndex;
    copy.defaultAccess = { ...this.defaultAccess };
    copy.anonymousGroup = this.anonymousGroup;
    copy.unknown = this.unknown;
    for (const [name, role] of this.roles) {
      copy.roles.set(name, { ...role, acls: { ...role.acls } });
    }
    for (const [name, client] of this.clients) {
      const roles = new Map(client.roles), groups = new Map(client.groups);
      copy.clients.set(name, { ...client, roles, groups });
    }
    for (const [name, group] of this.groups) {
      const roles = new Map(group.roles), members = new Map(group.members);
      copy.groups.set(name, { ...group, roles, members });
    }
    return copy;
  }

  join(client: SecurityClient, group: Group, priority: number): void {
    client.groups.set(group.name, priority);
    group.members.set(client.userName, priority);
  }

  leave(client: SecurityClient, group: Group): void {
    client.groups.delete(group.name);
    group.members.delete(client.userName);
  }

  deleteClient(client: SecurityClient): void {
    for (const name of [...client.groups.keys()]) this.leave(client, this.groups.get(name)!);
    this.clients.delete(client.userName);
  }

  /** Not the anonymous group. */
  deleteGroup(group: Group): void {
    for (const name of [...group.members.keys()]) this.leave(this.clients.get(name)!, group);
    this.groups.delete(group.name);
  }

  deleteRole(role: Role): void {
    for (const client of this.clients.values()) client.roles.delete(role.name);
    for (const group of this.groups.values()) group.roles.delete(role.name);
    this.roles.delete(role.name);
  }
}

export function newRole(name: string): Role {
  const acls = Object.fromEntries(ACL_TYPES.map((type) => [type, []])) as unknown as Role["acls"];
  return { name, ...undescribed(), allowWildcardSubscriptions: true, acls };
}

export function newClient(userName: string): SecurityClient {
  return {
    userName,
    ...undescribed(),
    clientId: undefined,
    disabled: false,
    password: undefined,
    roles: new Map(),
    groups: new Map(),
  };
}

export function newGroup(name: string): Group {
  return { name, ...undescribed(), roles: new Map(), members: new Map() };
}

function undescribed(): Described {
  return { textName: undefined, textDescription: undefined, unknown: [] };
}

/** The highest priority first, then by name: the order in which rules are asked and lists written. */
export function inOrder(priorities: Priorities): [name: string, priority: number][] {
  return [...priorities].sort(([a, first], [b, second]) => second - first || compareNames(a, b));
}

/** By name. */
export function byName<T>(entries: ReadonlyMap<string, T>): T[] {
  return [...entries].sort(([a], [b]) => compareNames(a, b)).map(([, entry]) => entry);
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The list with one more rule: before those of lower priority, behind those of the same. */
export function withAcl(acls: readonly Acl[], acl: Acl): Acl[] {
  const index = acls.findIndex(({ priority }) => priority < acl.priority);
  return index === -1 ? [...acls, acl] : acls.toSpliced(index, 0, acl);
}

/** A priority as C keeps it. */
export function boundedPriority(value: number): number {
  return Math.max(-0x8000_0000, Math.min(0x7fff_ffff, Math.trunc(value)));
}
