import assert from "node:assert/strict";
import { SecurityPolicy } from "../../../src/access/dynamic_security/security_policy.ts";
import { parsePasswordHash, type PasswordHash } from "../../../src/access/password_hash.ts";
import { PasswordVerifier } from "../../../src/access/password_verifier.ts";
import { DEFER } from "../../../src/access/policy.ts";
import { Reason } from "../../../src/wire/reason.ts";
import { acl, identity, policyOf, SECRET, stateOf } from "./support.ts";

const secret = new TextEncoder().encode("secret");

/** The ways of asking, under the names of their ACL types. */
function asked(policy: SecurityPolicy, type: string, topic: string, userName?: string, id = "id") {
  const who = identity(userName, id);
  const request = { filter: topic, qos: 1 as const, noLocal: false, retainAsPublished: false };
  switch (type) {
    case "publishClientSend":
      return policy.mayPublish(who, topic);
    case "publishClientReceive":
      return policy.mayReceive(who, topic);
    case "subscribe": {
      const reason = policy.maySubscribe(who, { ...request, retainHandling: 0 });
      return reason === DEFER ? DEFER : reason === 1;
    }
    default: {
      const reason = policy.mayUnsubscribe(who, topic);
      return reason === DEFER ? DEFER : reason === Reason.Success;
    }
  }
}

/** Whether a client "u" with one role of these ACLs may. */
function withRole(acls: object[], type: string, topic: string, id?: string, role: object = {}) {
  const policy = policyOf({
    roles: [{ rolename: "r", acls, ...role }],
    clients: [{ username: "u", roles: [{ rolename: "r" }] }],
  });
  return asked(policy, type, topic, "u", id);
}

Deno.test("who may connect", async () => {
  const policy = policyOf({
    clients: [
      { username: "u", ...SECRET },
      { username: "bound", clientid: "one", ...SECRET },
      { username: "off", disabled: true, ...SECRET },
      { username: "bare" },
    ],
  });
  const rows: [user: string | undefined, id: string, password: Uint8Array | undefined, unknown][] =
    [
      ["u", "any", secret, Reason.Success],
      ["u", "any", new TextEncoder().encode("Secret"), Reason.NotAuthorized],
      ["u", "any", new Uint8Array(0), Reason.NotAuthorized],
      ["bound", "one", secret, Reason.Success],
      ["bound", "two", secret, Reason.NotAuthorized],
      ["off", "any", secret, Reason.NotAuthorized],
      ["bare", "any", secret, Reason.NotAuthorized],
      // Not its business: other policies are asked.
      ["u", "any", undefined, DEFER],
      ["nobody", "any", secret, DEFER],
      ["", "any", secret, DEFER],
      [undefined, "any", secret, DEFER],
      ["constructor", "any", secret, DEFER],
    ];
  for (const [user, id, password, expected] of rows) {
    const reason = await policy.authenticate(identity(user, id), password);
    assert.equal(reason, expected, `${user} as ${id}`);
  }
});

Deno.test("whoever is disabled while the password is compared does not get in", async () => {
  const client = { username: "u", ...SECRET };
  const policy = policyOf({ clients: [client] });
  const verdict = policy.authenticate(identity("u"), secret);
  policy.replace(stateOf({ clients: [{ ...client, disabled: true }] }));
  assert.equal(await verdict, Reason.NotAuthorized);
});

Deno.test("unknown names, and those that are refused anyway, cost a comparison as well", async () => {
  const policy = policyOf({
    clients: [{ username: "u", ...SECRET }, { username: "off", disabled: true, ...SECRET }],
  });
  for (const name of ["u", "off", "nobody"]) {
    const verdict = policy.authenticate(identity(name), new TextEncoder().encode("wrong"));
    assert.ok(verdict instanceof Promise, name);
    await verdict;
  }
});

Deno.test("the encoded password of Mosquitto 2.1 counts, before the three members of 2.0", async () => {
  const other = { ...SECRET, password: btoa("x".repeat(64)) };
  const encoded = `$7$101$${SECRET.salt}$${SECRET.password}`;
  const policy = policyOf({ clients: [{ username: "u", encoded_password: encoded, ...other }] });
  assert.equal(await policy.authenticate(identity("u"), secret), Reason.Success);
  assert.equal((parsePasswordHash(encoded) as PasswordHash).scheme, "sha512-pbkdf2");
});

Deno.test("busy with passwords, it says so", async () => {
  const client = { username: "u", ...SECRET };
  const verifier = new PasswordVerifier({ iterationsWaitingMaximum: 0, concurrent: 1 });
  const policy = new SecurityPolicy(stateOf({ clients: [client] }), verifier);
  const first = policy.authenticate(identity("u"), secret);
  assert.equal(policy.authenticate(identity("u"), secret), Reason.ServerBusy);
  assert.equal(await first, Reason.Success);
});

/** Patterns of rules against Topic Names and Topic Filters, as client "id" with user name "u". */
const covered: [pattern: string, topic: string, covers: boolean][] = [
  ["a/b", "a/b", true],
  ["a/b", "a/c", false],
  ["a/b", "a/b/c", false],
  ["a/b/c", "a/b", false],
  ["#", "a", true],
  ["#", "a/b", true],
  ["#", "/", true],
  ["#", "$SYS/a", false],
  ["$SYS/#", "$SYS/a", true],
  ["$SYS/#", "$SYS", true],
  ["+/a", "$SYS/a", false],
  ["a/#", "a", true],
  ["a/#", "a/b/c", true],
  ["a/#", "ab", false],
  ["a/+", "a/b", true],
  ["a/+", "a", false],
  ["a/+", "a/", true],
  ["a/+", "a/b/c", false],
  ["a/+/#", "a/b", true],
  ["+", "a", true],
  // %c and %u stand for a whole level
  ["x/%c", "x/id", true],
  ["x/%c", "x/other", false],
  ["x/%c/#", "x/id/y", true],
  ["x/%c/#", "x/id", true],
  ["x/%u", "x/u", true],
  ["x/%u", "x/uu", false],
  ["x/%u", "x/", false],
  ["%c/%u", "id/u", true],
  ["x/a%c", "x/aid", false],
  ["x/a%c", "x/a%c", true],
  // what is no Topic Filter matches nothing
  ["a#", "a", false],
  ["a/#/b", "a/b/b", false],
];

Deno.test("patterns match Topic Names", () => {
  for (const [pattern, topic, expected] of covered) {
    // Both, since what cannot match is told of when it is read.
    const state = stateOf({ clients: [{ username: "u" }] });
    state.roles.set("r", roleWith(pattern));
    state.clients.get("u")!.roles.set("r", -1);
    const policy = new SecurityPolicy(state, new PasswordVerifier());
    for (const type of ["publishClientSend", "publishClientReceive", "subscribe", "unsubscribe"]) {
      const decided = asked(policy, type, topic, "u");
      assert.equal(decided, expected ? true : DEFER, `${type} ${pattern} on ${topic}`);
    }
  }
});

function roleWith(topic: string) {
  const role = stateOf({ roles: [{ rolename: "r" }] }).roles.get("r")!;
  const rules = [{ topic, priority: 0, allow: true, unknown: [] }];
  for (const type of ["publishClientSend", "publishClientReceive"] as const) {
    role.acls[type] = rules;
  }
  for (const type of ["subscribePattern", "unsubscribePattern"] as const) role.acls[type] = rules;
  return role;
}

/** Topic Filters are covered when all they can match is. */
const filters: [pattern: string, filter: string, covers: boolean][] = [
  ["#", "#", true],
  ["#", "+/+", true],
  ["#", "$SYS/#", false],
  ["a/#", "a/#", true],
  ["a/#", "a/+/#", true],
  ["a/#", "#", false],
  ["a/#", "+/b", false],
  ["a/+", "a/+", true],
  ["a/+", "a/#", false],
  ["a/+/#", "a/#", false],
  ["+/+", "a/+", true],
  ["a/b", "a/+", false],
  ["a/b", "a/#", false],
  ["+", "#", false],
  ["a", "$share/g/a", false],
  ["$share/g/#", "$share/g/a", true],
];

Deno.test("patterns cover Topic Filters", () => {
  for (const [pattern, filter, expected] of filters) {
    const decided = withRole([acl("subscribePattern", pattern, true)], "subscribe", filter);
    assert.equal(decided, expected ? true : DEFER, `${pattern} on ${filter}`);
  }
});

Deno.test("a name with a wildcard or a slash in it stands for nothing", () => {
  const rules = [acl("subscribePattern", "x/%c", true), acl("publishClientSend", "x/%c/y", true)];
  for (const id of ["+", "#", "a+", "a/b"]) {
    assert.equal(withRole(rules, "subscribe", `x/${id}`, id), DEFER);
  }
  assert.equal(withRole(rules, "publishClientSend", "x/a/b/y", "a/b"), DEFER);
  // Nor does the beginning of one.
  assert.equal(withRole(rules, "publishClientSend", "x/ab/y", "abc"), DEFER);
  assert.equal(withRole(rules, "publishClientSend", "x/abc/y", "ab"), DEFER);
});

Deno.test("literals are compared as they are, and before patterns", () => {
  const rules = [
    acl("subscribePattern", "a/#", false, 100),
    acl("subscribeLiteral", "a/+", true),
    acl("subscribeLiteral", "%c", true),
    acl("unsubscribeLiteral", "a/+", true),
  ];
  assert.equal(withRole(rules, "subscribe", "a/+"), true);
  assert.equal(withRole(rules, "subscribe", "a/b"), false);
  assert.equal(withRole(rules, "subscribe", "id"), DEFER);
  assert.equal(withRole(rules, "unsubscribe", "a/+"), true);
  assert.equal(withRole(rules, "unsubscribe", "a/b"), DEFER);
});

Deno.test("the rule of the highest priority decides; of the same, the first", () => {
  const rules = [
    acl("publishClientSend", "a/#", false, 1),
    acl("publishClientSend", "a/b", true, 2),
    acl("publishClientSend", "+/b", false, 2),
  ];
  assert.equal(withRole(rules, "publishClientSend", "a/b"), true);
  assert.equal(withRole(rules, "publishClientSend", "a/c"), false);
});

Deno.test("own roles are asked before those of groups, each by priority and name", () => {
  const rolesOf = (...names: (string | [string, number])[]) =>
    names.map((name) =>
      typeof name === "string" ? { rolename: name } : { rolename: name[0], priority: name[1] }
    );
  const policy = policyOf({
    roles: ["allows", "denies"].map((rolename) => ({
      rolename,
      acls: [acl("publishClientSend", "t", rolename === "allows")],
    })).concat({ rolename: "silent", acls: [] }),
    clients: [
      { username: "own", roles: rolesOf("allows") },
      { username: "by priority", roles: rolesOf("allows", ["denies", 1]) },
      { username: "by name", roles: rolesOf("denies", "allows") },
      { username: "by group", roles: rolesOf("silent") },
      { username: "by group priority" },
      { username: "in none" },
    ],
    groups: [
      {
        groupname: "first",
        roles: rolesOf("denies"),
        clients: [{ username: "own" }, { username: "by group" }, {
          username: "by group priority",
          priority: 1,
        }],
      },
      {
        groupname: "second",
        roles: rolesOf("allows"),
        clients: [{ username: "by group" }, { username: "by group priority", priority: 2 }],
      },
    ],
  });
  const decided = (name: string) => asked(policy, "publishClientSend", "t", name);
  assert.equal(decided("own"), true);
  assert.equal(decided("by priority"), false);
  assert.equal(decided("by name"), true);
  assert.equal(decided("by group"), false);
  assert.equal(decided("by group priority"), true);
  assert.equal(decided("in none"), DEFER);
  assert.equal(decided("unknown"), DEFER);
});

Deno.test("the default access decides where no rule does, but never about $CONTROL", () => {
  const types = ["publishClientSend", "publishClientReceive", "subscribe", "unsubscribe"];
  for (const type of types) {
    const policy = policyOf({ defaultACLAccess: { [type]: true }, clients: [{ username: "u" }] });
    for (const other of types) {
      assert.equal(asked(policy, other, "t", "u"), other === type ? true : DEFER, other);
      assert.equal(asked(policy, other, "t"), other === type ? true : DEFER, other);
      assert.equal(asked(policy, other, "$CONTROL/dynamic-security/v1", "u"), DEFER);
      assert.equal(asked(policy, other, "t", "unknown"), DEFER);
    }
  }
});

Deno.test("clients without a user name have the roles of the anonymous group", () => {
  const policy = policyOf({
    roles: [{ rolename: "r", acls: [acl("publishClientSend", "t", true)] }],
    clients: [{ username: "u" }],
    groups: [{ groupname: "nameless", roles: [{ rolename: "r" }] }],
    anonymousGroup: "nameless",
  });
  assert.equal(asked(policy, "publishClientSend", "t"), true);
  assert.equal(asked(policy, "publishClientSend", "x"), DEFER);
  assert.equal(asked(policy, "publishClientSend", "t", "u"), DEFER);
});

Deno.test("a role may deny subscriptions with wildcards", () => {
  const rules = [acl("subscribePattern", "a/#", true), acl("subscribeLiteral", "b/+", true)];
  const role = { allowwildcardsubs: false };
  assert.equal(withRole(rules, "subscribe", "a/b", "id", role), true);
  assert.equal(withRole(rules, "subscribe", "a/+", "id", role), false);
  assert.equal(withRole(rules, "subscribe", "b/+", "id", role), false);
  assert.equal(withRole(rules, "subscribe", "a/+", "id"), true);
});

Deno.test("a refused QoS is not granted: the reason is Not authorized", () => {
  const policy = policyOf({
    roles: [{ rolename: "r", acls: [acl("subscribePattern", "a", false)] }],
    clients: [{ username: "u", roles: [{ rolename: "r" }] }],
  });
  const request = {
    filter: "a",
    qos: 2,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0,
  } as const;
  assert.equal(policy.maySubscribe(identity("u"), request), Reason.NotAuthorized);
});

Deno.test("other rules hold once the state is replaced", () => {
  const members = (allow: boolean) => ({
    roles: [{ rolename: "r", acls: [acl("publishClientSend", "t", allow)] }],
    clients: [{ username: "u", roles: [{ rolename: "r" }] }],
  });
  const policy = policyOf(members(true));
  assert.equal(asked(policy, "publishClientSend", "t", "u"), true);
  policy.replace(stateOf(members(false)));
  assert.equal(asked(policy, "publishClientSend", "t", "u"), false);
});
