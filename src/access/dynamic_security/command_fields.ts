import { isTopicFilter, isUtf8String } from "../../wire/utf8.ts";
import { type ControlCommand, isObject, member } from "../control/control_request.ts";
import {
  type Acl,
  ACL_TYPES,
  type AclType,
  boundedPriority,
  type Group,
  type Priorities,
  PRIORITY_UNSET,
  type Role,
  type SecurityClient,
  type SecurityState,
  withAcl,
} from "./security_state.ts";

/** Why a command is not done, in Mosquitto's words. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}

/** A name as a command gives it: what it is called there and in what is said of it. */
interface NameKind {
  readonly member: string;
  readonly title: string;
}
const USER_NAME: NameKind = { member: "username", title: "Username" };
const GROUP_NAME: NameKind = { member: "groupname", title: "Group name" };
const ROLE_NAME: NameKind = { member: "rolename", title: "Role name" };

/** What a command says, checked where it is read. Every method throws {@linkcode CommandError}. */
export class CommandFields {
  readonly #command: ControlCommand;
  readonly #state: SecurityState;

  constructor(command: ControlCommand, state: SecurityState) {
    this.#command = command;
    this.#state = state;
  }

  client(): SecurityClient {
    const client = this.#state.clients.get(this.#name(USER_NAME));
    if (client === undefined) throw new CommandError("Client not found");
    return client;
  }

  group(): Group {
    const group = this.#state.groups.get(this.#name(GROUP_NAME));
    if (group === undefined) throw new CommandError("Group not found");
    return group;
  }

  role(otherwise = "Role not found"): Role {
    const role = this.#state.roles.get(this.#name(ROLE_NAME));
    if (role === undefined) throw new CommandError(otherwise);
    return role;
  }

  newUserName(): string {
    return this.#newName(USER_NAME);
  }

  newGroupName(): string {
    return this.#newName(GROUP_NAME);
  }

  newRoleName(): string {
    return this.#newName(ROLE_NAME);
  }

  /** Both names are checked before either is looked up. */
  checkNames(...kinds: ("client" | "group" | "role")[]): void {
    const all = { client: USER_NAME, group: GROUP_NAME, role: ROLE_NAME };
    for (const kind of kinds) this.#name(all[kind]);
  }

  /** Undefined: not given. @param title as it is called when it is no string */
  optionalString(name: string, title = name): string | undefined {
    const value = this.#command.member(name);
    if (value === undefined || typeof value === "string") return value;
    throw new CommandError(`Invalid/missing ${title}`);
  }

  string(name: string): string {
    const value = this.#command.member(name);
    if (typeof value === "string") return value;
    throw new CommandError(`Invalid/missing ${name}`);
  }

  /** What is no string counts as not given. */
  lenientString(name: string): string | undefined {
    const value = this.#command.member(name);
    return typeof value === "string" ? value : undefined;
  }

  /** Empty: any Client Identifier may be used, as if it was not given. */
  clientId(title: string): string | undefined {
    const clientId = this.optionalString("clientid", title);
    if (clientId !== undefined && !isText(clientId)) {
      throw new CommandError("Client ID not valid UTF-8");
    }
    return clientId || undefined;
  }

  optionalBoolean(name: string): boolean | undefined {
    const value = this.#command.member(name);
    if (value === undefined || typeof value === "boolean") return value;
    throw new CommandError(`Invalid ${name}`);
  }

  /** What is neither true nor false counts as not given. */
  boolean(name: string): boolean | undefined {
    const value = this.#command.member(name);
    return typeof value === "boolean" ? value : undefined;
  }

  integer(name: string, otherwise: number): number {
    return integerOf(this.#command.member(name), otherwise);
  }

  priority(): number {
    return this.integer("priority", PRIORITY_UNSET);
  }

  /** Undefined: not given. */
  roles(otherwise = "'roles' not an array or missing/invalid rolename"): Priorities | undefined {
    const list = this.#command.member("roles");
    if (list === undefined) return undefined;
    if (!Array.isArray(list)) throw new CommandError(otherwise);
    const roles: Priorities = new Map();
    for (const entry of list) {
      const name = isObject(entry) ? member(entry, "rolename") : undefined;
      if (typeof name !== "string") throw new CommandError(otherwise);
      if (!this.#state.roles.has(name)) throw new CommandError("Role not found");
      if (!roles.has(name)) roles.set(name, priorityOf(entry));
    }
    return roles;
  }

  /** Members of a list that name a group or a client; undefined: there is no such list. */
  references(list: "groups" | "clients"): { name: unknown; priority: number }[] | undefined {
    const entries = this.#command.member(list);
    if (!Array.isArray(entries)) return undefined;
    const kind = list === "groups" ? GROUP_NAME : USER_NAME;
    return entries.filter(isObject).map((entry) => ({
      name: member(entry, kind.member),
      priority: priorityOf(entry),
    }));
  }

  /** Those of them that can be used; undefined: not given. */
  acls(): Role["acls"] | undefined {
    const list = this.#command.member("acls");
    if (!Array.isArray(list)) return undefined;
    const acls = Object.fromEntries(
      ACL_TYPES.map((type) => [type, [] as readonly Acl[]]),
    ) as Role["acls"];
    for (const entry of list) {
      if (!isObject(entry)) continue;
      const type = aclType(member(entry, "acltype")), topic = member(entry, "topic");
      if (type === undefined || typeof topic !== "string" || topic === "") continue;
      if (acls[type].some((acl) => acl.topic === topic)) continue;
      const priority = integerOf(member(entry, "priority"), 0);
      const acl = { topic, priority, allow: member(entry, "allow") === true, unknown: [] };
      acls[type] = withAcl(acls[type], acl);
    }
    return acls;
  }

  aclType(): AclType {
    const type = aclType(this.string("acltype"));
    if (type === undefined) throw new CommandError("Unknown acltype");
    return type;
  }

  aclTopic(): string {
    const topic = this.string("topic");
    if (!isText(topic)) throw new CommandError("Topic not valid UTF-8");
    if (!isTopicFilter(topic)) throw new CommandError("Invalid ACL topic");
    return topic;
  }

  /** The list of `setDefaultACLAccess`. */
  defaultAccess(): { type: string; allow: boolean }[] {
    const list = this.#command.member("acls");
    if (!Array.isArray(list)) throw new CommandError("Missing/invalid actions array");
    return list.filter(isObject).flatMap((entry) => {
      const type = member(entry, "acltype"), allow = member(entry, "allow");
      return typeof type === "string" && typeof allow === "boolean" ? [{ type, allow }] : [];
    });
  }

  #newName(kind: NameKind): string {
    const name = this.string(kind.member);
    if (name === "") throw new CommandError(`Empty ${kind.member}`);
    return this.#name(kind);
  }

  #name({ member, title }: NameKind): string {
    const name = this.string(member);
    if (!isText(name)) throw new CommandError(`${title} not valid UTF-8`);
    return name;
  }
}

function aclType(text: unknown): AclType | undefined {
  const wanted = typeof text === "string" ? text.toLowerCase() : undefined;
  return ACL_TYPES.find((type) => type.toLowerCase() === wanted);
}

function priorityOf(entry: object): number {
  return integerOf(member(entry, "priority"), PRIORITY_UNSET);
}

function integerOf(value: unknown, otherwise: number): number {
  return typeof value === "number" ? boundedPriority(value) : otherwise;
}

/** What may be sent as a UTF-8 Encoded String. */
function isText(text: string): boolean {
  if (!text.isWellFormed()) return false;
  const bytes = new TextEncoder().encode(text);
  return bytes.length <= 0xffff && isUtf8String(bytes, 0, bytes.length);
}
