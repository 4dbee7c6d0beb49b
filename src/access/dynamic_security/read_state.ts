import type { Mistake } from "../../mistake.ts";
import { isTopicFilter } from "../../wire/utf8.ts";
import { parsePasswordHash } from "../password_hash.ts";
import {
  type JsonError,
  type JsonMember,
  type JsonNode,
  parseJson,
  placeOf,
  plainValue,
} from "./json_document.ts";
import {
  ACL_TYPES,
  boundedPriority,
  DEFAULT_ACCESS_TYPES,
  type Group,
  newClient,
  newGroup,
  newRole,
  type Priorities,
  PRIORITY_UNSET,
  type Role,
  type SecurityClient,
  SecurityState,
  type UnknownMembers,
  withAcl,
} from "./security_state.ts";

/** What a file says, and what is wrong with it. */
export interface ReadState {
  /** Of use only without mistakes. */
  readonly state: SecurityState;
  /** The file cannot be used. */
  readonly mistakes: readonly Mistake[];
  /** What Mosquitto passes over in silence; so it is here, but said. */
  readonly warnings: readonly Mistake[];
}

/**
 * Reads the text of a `dynamic-security.json`. Names of members count without regard to case, and the
 * first of equal names, as Mosquitto reads them: its own tool writes `textName` and reads `textname`.
 * An empty text is a file that says nothing.
 */
export function readState(text: string, file: string): ReadState {
  const reader = new StateReader(text, file);
  if (text.trim() !== "") reader.read();
  return reader;
}

/** Members of an object by name; those nobody asked for are left over. */
class Members {
  readonly at: number;
  readonly #members: readonly JsonMember[];
  readonly #known = new Set<string>();

  constructor(node: JsonNode & { kind: "object" }) {
    this.at = node.at;
    this.#members = node.members;
  }

  get(name: string): JsonNode | undefined {
    const wanted = name.toLowerCase();
    this.#known.add(wanted);
    return this.#members.find((member) => member.name.toLowerCase() === wanted)?.value;
  }

  get unknown(): UnknownMembers {
    return this.#members.filter(({ name }) => !this.#known.has(name.toLowerCase()))
      .map(({ name, value }) => [name, plainValue(value)] as const);
  }
}

class StateReader implements ReadState {
  readonly state = new SecurityState();
  readonly mistakes: Mistake[] = [];
  readonly warnings: Mistake[] = [];
  readonly #text: string;
  readonly #file: string;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
  }

  read(): void {
    let document: JsonNode;
    try {
      document = parseJson(this.#text);
    } catch (error) {
      const { at, message } = error as JsonError;
      return this.#mistake(at, "File is not valid JSON.", message);
    }
    if (document.kind !== "object") {
      return this.#mistake(document.at, "File is not a JSON object.");
    }
    const { state } = this, members = new Members(document);
    const changeIndex = members.get("changeIndex");
    if (changeIndex?.kind === "number") state.changeIndex = Math.trunc(changeIndex.value);
    this.#defaultAccess(members.get("defaultACLAccess"));
    // Clients name roles, groups name both.
    this.#each(members, "roles", "rolename", (name, entry) => this.#role(name, entry));
    this.#each(members, "clients", "username", (name, entry) => this.#client(name, entry));
    this.#each(members, "groups", "groupname", (name, entry) => this.#group(name, entry));
    const anonymous = members.get("anonymousGroup");
    if (anonymous !== undefined) {
      const name = this.#string(anonymous, "anonymousGroup");
      if (name !== undefined && state.groups.has(name)) state.anonymousGroup = name;
      else if (name !== undefined) {
        this.#warning(anonymous.at, `anonymousGroup: there is no group '${name}'.`);
      }
    }
    state.unknown = members.unknown;
  }

  #defaultAccess(node: JsonNode | undefined) {
    if (node === undefined) return;
    if (node.kind !== "object") {
      return this.#warning(node.at, "defaultACLAccess is not an object: everything is denied.");
    }
    const members = new Members(node);
    for (const type of DEFAULT_ACCESS_TYPES) {
      const allowed = this.#boolean(members.get(type), `defaultACLAccess: ${type}`);
      if (allowed !== undefined) this.state.defaultAccess[type] = allowed;
    }
  }

  /** Reads a list of named objects. */
  #each(
    members: Members,
    list: "roles" | "clients" | "groups",
    nameMember: string,
    read: (name: string, entry: Members) => void,
  ) {
    const node = members.get(list);
    if (node === undefined) return;
    if (node.kind !== "array") return this.#mistake(node.at, `${list} is not an array.`);
    for (const item of node.items) {
      if (item.kind !== "object") {
        this.#warning(item.at, `An entry of ${list} is not an object: left out.`);
        continue;
      }
      const entry = new Members(item);
      const name = entry.get(nameMember);
      if (name?.kind !== "string" || name.value === "") {
        this.#warning(item.at, `An entry of ${list} has no ${nameMember}: left out.`);
      } else if (this.state[list].has(name.value)) {
        this.#warning(
          name.at,
          `${nameMember} '${name.value}' is there twice: the second is left out.`,
        );
      } else read(name.value, entry);
    }
  }

  #role(name: string, entry: Members) {
    const role = newRole(name);
    this.#describe(role, entry, `role '${name}'`);
    const wildcards = entry.get("allowwildcardsubs");
    role.allowWildcardSubscriptions =
      this.#boolean(wildcards, `role '${name}': allowwildcardsubs`) ?? true;
    for (const item of this.#array(entry.get("acls"), `role '${name}': acls`)) {
      this.#acl(role, item);
    }
    role.unknown = entry.unknown;
    this.state.roles.set(name, role);
  }

  #acl(role: Role, item: JsonNode) {
    const leftOut = (why: string) =>
      this.#warning(item.at, `role '${role.name}': an ACL ${why}: left out.`);
    if (item.kind !== "object") return leftOut("is not an object");
    const entry = new Members(item);
    const typeNode = entry.get("acltype"), topicNode = entry.get("topic");
    const typeText = typeNode?.kind === "string" ? typeNode.value.toLowerCase() : undefined;
    const type = ACL_TYPES.find((known) => known.toLowerCase() === typeText);
    if (type === undefined) return leftOut("has no known acltype");
    if (topicNode?.kind !== "string" || topicNode.value === "") return leftOut("has no topic");
    const topic = topicNode.value;
    if (role.acls[type].some((acl) => acl.topic === topic)) {
      return leftOut(`for ${type} '${topic}' is there twice`);
    }
    if (!type.endsWith("Literal") && !isTopicFilter(topic)) {
      this.#warning(topicNode.at, `role '${role.name}': '${topic}' never matches.`);
    }
    const priority = this.#priority(entry, 0);
    const allow = this.#boolean(entry.get("allow"), `role '${role.name}': allow`) ?? false;
    const acl = { topic, priority, allow, unknown: entry.unknown };
    role.acls[type] = withAcl(role.acls[type], acl);
  }

  #client(name: string, entry: Members) {
    const client = newClient(name);
    this.#describe(client, entry, `client '${name}'`);
    client.disabled = this.#boolean(entry.get("disabled"), `client '${name}': disabled`) ?? false;
    client.clientId = this.#string(entry.get("clientid"), `client '${name}': clientid`);
    this.#roles(entry, `client '${name}'`, client.roles);
    const unread = this.#password(client, entry);
    client.unknown = [...unread, ...entry.unknown];
    this.state.clients.set(name, client);
  }

  /** Members that say no password are kept as they are: whoever has them cannot log in. */
  #password(client: SecurityClient, entry: Members): UnknownMembers {
    const names = ["encoded_password", "password", "salt", "iterations"];
    const [encoded, password, salt, iterations] = names.map((name) => entry.get(name));
    let text: string | undefined;
    if (encoded?.kind === "string") text = encoded.value;
    else if (
      password?.kind === "string" && salt?.kind === "string" && iterations?.kind === "number"
    ) text = `$7$${Math.trunc(iterations.value)}$${salt.value}$${password.value}`;
    const nodes = [encoded, password, salt, iterations];
    const found = nodes.find((node) => node !== undefined);
    if (found === undefined) return [];
    const hash = text === undefined
      ? "salt, password and iterations go together"
      : parsePasswordHash(text);
    if (typeof hash !== "string") {
      client.password = { hash, isEncoded: encoded?.kind === "string" };
      return [];
    }
    this.#warning(
      found.at,
      `client '${client.userName}' cannot log in: its password is unusable.`,
      hash,
    );
    return names.flatMap((name, index) => {
      const node = nodes[index];
      return node === undefined ? [] : [[name, plainValue(node)] as const];
    });
  }

  #group(name: string, entry: Members) {
    const group: Group = newGroup(name);
    this.#describe(group, entry, `group '${name}'`);
    this.#roles(entry, `group '${name}'`, group.roles);
    for (const item of this.#array(entry.get("clients"), `group '${name}': clients`)) {
      const member = item.kind === "object" ? new Members(item) : undefined;
      const userName = member?.get("username");
      const client = userName?.kind === "string"
        ? this.state.clients.get(userName.value)
        : undefined;
      if (client === undefined || member === undefined) {
        this.#warning(item.at, `group '${name}': a client that does not exist: left out.`);
      } else if (!group.members.has(client.userName)) {
        this.state.join(client, group, this.#priority(member, PRIORITY_UNSET));
      }
    }
    group.unknown = entry.unknown;
    this.state.groups.set(name, group);
  }

  #roles(entry: Members, whose: string, roles: Priorities) {
    for (const item of this.#array(entry.get("roles"), `${whose}: roles`)) {
      const reference = item.kind === "object" ? new Members(item) : undefined;
      const name = reference?.get("rolename");
      if (reference === undefined || name?.kind !== "string" || !this.state.roles.has(name.value)) {
        this.#warning(item.at, `${whose}: a role that does not exist: left out.`);
      } else if (!roles.has(name.value)) {
        roles.set(name.value, this.#priority(reference, PRIORITY_UNSET));
      }
    }
  }

  #describe(entry: SecurityClient | Group | Role, members: Members, whose: string) {
    entry.textName = this.#string(members.get("textname"), `${whose}: textname`);
    entry.textDescription = this.#string(
      members.get("textdescription"),
      `${whose}: textdescription`,
    );
  }

  #priority(entry: Members, otherwise: number): number {
    const node = entry.get("priority");
    if (node === undefined) return otherwise;
    if (node.kind === "number") return boundedPriority(node.value);
    this.#warning(node.at, "priority is not a number: it counts as not given.");
    return otherwise;
  }

  #array(node: JsonNode | undefined, what: string): readonly JsonNode[] {
    if (node === undefined) return [];
    if (node.kind === "array") return node.items;
    this.#warning(node.at, `${what} is not an array: ignored.`);
    return [];
  }

  #string(node: JsonNode | undefined, what: string): string | undefined {
    if (node === undefined || node.kind === "string") return node?.value;
    this.#warning(node.at, `${what} is not a string: ignored.`);
    return undefined;
  }

  #boolean(node: JsonNode | undefined, what: string): boolean | undefined {
    if (node === undefined || node.kind === "boolean") return node?.value;
    this.#warning(node.at, `${what} is neither true nor false: ignored.`);
    return undefined;
  }

  #mistake(at: number, message: string, hint?: string) {
    this.mistakes.push(
      this.#place(at, `Error loading Dynamic security plugin config: ${message}`, hint),
    );
  }

  #warning(at: number, message: string, hint?: string) {
    this.warnings.push(this.#place(at, message, hint));
  }

  #place(at: number, message: string, hint: string | undefined): Mistake {
    return { file: this.#file, ...placeOf(this.#text, at), message, hint };
  }
}
