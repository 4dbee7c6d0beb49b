import assert from "node:assert/strict";
import fc from "fast-check";
import { parseJson, plainValue } from "../../../src/access/dynamic_security/json_document.ts";
import { readState } from "../../../src/access/dynamic_security/read_state.ts";
import { writeState } from "../../../src/access/dynamic_security/write_state.ts";
import { acl, SECRET } from "./support.ts";

/** A text that is refused: where, and why. */
const refused: [text: string, line: number, column: number, why: RegExp][] = [
  ["no", 1, 1, /not valid JSON/],
  ["[]", 1, 1, /not a JSON object/],
  ['{\n  "clients": {}\n}', 2, 14, /clients is not an array/],
  ['{"roles": 1}', 1, 11, /roles is not an array/],
  ['{"groups": "g"}', 1, 12, /groups is not an array/],
  ['{"a": 1,}', 1, 9, /not valid JSON/],
  ['{"a": 1} x', 1, 10, /not valid JSON/],
  ['{"a": 01}', 1, 7, /not valid JSON/],
  ['{"a": "', 1, 7, /not valid JSON/],
  ['{"a" 1}', 1, 6, /not valid JSON/],
  ["{1: 1}", 1, 2, /not valid JSON/],
  ['{"a": tru}', 1, 7, /not valid JSON/],
  ["[".repeat(101), 1, 102, /not valid JSON/],
];

Deno.test("what is no file of dynamic security is refused, with its place", () => {
  for (const [text, line, column, why] of refused) {
    const { mistakes } = readState(text, "d.json");
    assert.equal(mistakes.length, 1, text);
    const [mistake] = mistakes;
    assert.deepEqual([mistake.file, mistake.line, mistake.column], ["d.json", line, column], text);
    assert.match(mistake.message, why);
  }
  assert.deepEqual(readState(" \n", "d.json").mistakes, []);
});

Deno.test("all that Mosquitto passes over in silence is told, with its place", () => {
  const text = `{
  "defaultACLAccess": { "subscribe": 1 },
  "anonymousGroup": "none",
  "roles": [
    1,
    { "rolename": "" },
    { "rolename": "r", "textname": 1, "allowwildcardsubs": 1, "acls": [
      1,
      { "acltype": "publish", "topic": "a" },
      { "acltype": "subscribePattern" },
      { "acltype": "subscribePattern", "topic": "a#" },
      { "acltype": "subscribePattern", "topic": "a#" },
      { "acltype": "subscribePattern", "topic": "b", "priority": "high", "allow": "yes" }
    ] },
    { "rolename": "r" }
  ],
  "clients": [
    { "username": "u", "roles": [{ "rolename": "none" }], "disabled": "yes", "clientid": 1 },
    { "username": "v", "password": "x" },
    { "username": "w", "password": "x", "salt": "x", "iterations": 1, "roles": {} }
  ],
  "groups": [{ "groupname": "g", "clients": [{ "username": "none" }, 1] }]
}`;
  const { mistakes, warnings, state } = readState(text, "d.json");
  assert.deepEqual(mistakes, []);
  assert.deepEqual(warnings.map(({ line, column, message }) => `${line}:${column} ${message}`), [
    "2:38 defaultACLAccess: subscribe is neither true nor false: ignored.",
    "5:5 An entry of roles is not an object: left out.",
    "6:5 An entry of roles has no rolename: left out.",
    "7:36 role 'r': textname is not a string: ignored.",
    "7:60 role 'r': allowwildcardsubs is neither true nor false: ignored.",
    "8:7 role 'r': an ACL is not an object: left out.",
    "9:7 role 'r': an ACL has no known acltype: left out.",
    "10:7 role 'r': an ACL has no topic: left out.",
    "11:49 role 'r': 'a#' never matches.",
    "12:7 role 'r': an ACL for subscribePattern 'a#' is there twice: left out.",
    "13:66 priority is not a number: it counts as not given.",
    "13:83 role 'r': allow is neither true nor false: ignored.",
    "15:19 rolename 'r' is there twice: the second is left out.",
    "18:71 client 'u': disabled is neither true nor false: ignored.",
    "18:90 client 'u': clientid is not a string: ignored.",
    "18:34 client 'u': a role that does not exist: left out.",
    "19:36 client 'v' cannot log in: its password is unusable.",
    "20:80 client 'w': roles is not an array: ignored.",
    "20:36 client 'w' cannot log in: its password is unusable.",
    "22:46 group 'g': a client that does not exist: left out.",
    "22:70 group 'g': a client that does not exist: left out.",
    "3:21 anonymousGroup: there is no group 'none'.",
  ]);
  assert.deepEqual([...state.clients.keys()], ["u", "v", "w"]);
});

Deno.test("what nobody here knows is written back as it came", () => {
  const members = {
    changeIndex: 3,
    defaultACLAccess: {
      publishClientSend: true,
      publishClientReceive: true,
      subscribe: true,
      unsubscribe: true,
    },
    clients: [
      { username: "u", roles: [], ...SECRET, note: { deep: [1, null] } },
      // A password that cannot be used is not lost.
      { username: "v", roles: [], password: "x", salt: "y" },
      {
        username: "w",
        roles: [],
        encoded_password: `$7$101$${SECRET.salt}$${SECRET.password}`,
      },
    ],
    groups: [{ groupname: "g", roles: [], clients: [], colour: "red" }],
    roles: [{
      rolename: "r",
      allowwildcardsubs: false,
      acls: [{ ...acl("publishClientSend", "a", true, 2), since: 2024 }],
      owner: "me",
    }],
    future: ["x"],
  };
  const { state, mistakes } = readState(JSON.stringify(members), "d.json");
  assert.deepEqual(mistakes, []);
  assert.deepEqual(JSON.parse(writeState(state)), members);
});

Deno.test("names of members count without regard to case, the first of several", () => {
  const text = '{"CLIENTS": [{"userName": "u", "textName": "first", "textname": "second"}]}';
  const { state } = readState(text, "d.json");
  assert.equal(state.clients.get("u")?.textName, "first");
});

Deno.test("a copy may be changed without the state that it was made of", () => {
  const text = JSON.stringify({
    roles: [{ rolename: "r", acls: [acl("subscribeLiteral", "a", true)] }],
    clients: [{ username: "u", roles: [{ rolename: "r" }] }],
    groups: [{ groupname: "g", roles: [{ rolename: "r" }], clients: [{ username: "u" }] }],
  });
  const { state } = readState(text, "d.json");
  const before = writeState(state);
  const copy = state.clone();
  copy.defaultAccess.subscribe = true;
  copy.roles.get("r")!.acls.subscribeLiteral = [];
  copy.deleteRole(copy.roles.get("r")!);
  copy.deleteClient(copy.clients.get("u")!);
  copy.deleteGroup(copy.groups.get("g")!);
  assert.equal(writeState(state), before);
});

Deno.test("any JSON text is read as JSON.parse reads it, and no other text is", () => {
  fc.assert(fc.property(fc.json({ maxDepth: 5 }), fc.nat(), fc.string(), (text, at, noise) => {
    assert.deepEqual(plainValue(parseJson(text)), JSON.parse(text));
    const changed = text.slice(0, at % (text.length + 1)) + noise;
    let expected: unknown, isJson = true;
    try {
      expected = JSON.parse(changed);
    } catch {
      isJson = false;
    }
    if (isJson) assert.deepEqual(plainValue(parseJson(changed)), expected);
    else assert.throws(() => parseJson(changed), { name: "JsonError" });
  }));
});
