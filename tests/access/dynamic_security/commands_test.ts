import assert from "node:assert/strict";
import { acl, answerOf, SECRET, withSecurity } from "./support.ts";

const CONTROL = "$CONTROL/dynamic-security/#";

/** What `mosquitto_ctrl dynsec init` writes, with its spelling of `textName`. */
const INITIAL = {
  clients: [{ username: "admin", textName: "The one", ...SECRET, roles: [{ rolename: "admin" }] }],
  roles: [{
    rolename: "admin",
    acls: [
      ["publishClientSend", CONTROL],
      ["publishClientReceive", CONTROL],
      ["subscribePattern", CONTROL],
      ["publishClientReceive", "$SYS/#"],
      ["subscribePattern", "$SYS/#"],
      ["publishClientReceive", "#"],
      ["subscribePattern", "#"],
      ["unsubscribePattern", "#"],
    ].map(([acltype, topic]) => ({ acltype, topic, allow: true })),
  }],
  defaultACLAccess: {
    publishClientSend: false,
    publishClientReceive: true,
    subscribe: false,
    unsubscribe: true,
  },
};

Deno.test("every command answers as Mosquitto does, byte for byte", async () => {
  const lines = (await Deno.readTextFile(new URL("transcript.txt", import.meta.url)))
    .split("\n").filter((line) => line.startsWith("> ") || line.startsWith("< "));
  assert.equal(lines.length, 92);
  await withSecurity(INITIAL, async ({ security }) => {
    for (let index = 0; index < lines.length; index += 2) {
      const request = lines[index].slice(2);
      const answer = await answerOf(security, new TextEncoder().encode(request));
      assert.equal(answer, lines[index + 1].slice(2), request);
    }
  });
});

Deno.test("changes are in the file when they are answered, and read back from it", async () => {
  await withSecurity({}, async ({ ask, saved, file }) => {
    await ask(
      { command: "createRole", rolename: "r", acls: [acl("publishClientSend", "a", true, 3)] },
      { command: "createClient", username: "u", clientid: "c", roles: [{ rolename: "r" }] },
      { command: "createGroup", groupname: "g", textname: "G" },
      { command: "addGroupClient", groupname: "g", username: "u", priority: 4 },
      { command: "setAnonymousGroup", groupname: "g" },
      { command: "disableClient", username: "u" },
    );
    assert.deepEqual(saved(), {
      changeIndex: 6,
      defaultACLAccess: {
        publishClientSend: false,
        publishClientReceive: false,
        subscribe: false,
        unsubscribe: false,
      },
      clients: [{ username: "u", clientid: "c", disabled: true, roles: [{ rolename: "r" }] }],
      groups: [{
        groupname: "g",
        textname: "G",
        roles: [],
        clients: [{ username: "u", priority: 4 }],
      }],
      anonymousGroup: "g",
      roles: [{
        rolename: "r",
        allowwildcardsubs: true,
        acls: [{ acltype: "publishClientSend", topic: "a", priority: 3, allow: true }],
      }],
    });
    await withSecurity(Deno.readTextFileSync(file), async ({ ask: askAgain }) => {
      const commands = [
        { command: "getDetails", correlationData: "x" },
        { command: "listClients", verbose: true },
        { command: "listGroups", verbose: true },
        { command: "listRoles", verbose: true },
      ];
      const told = await ask(...commands);
      assert.deepEqual(await askAgain(...commands), told);
      assert.deepEqual(told[0], {
        command: "getDetails",
        data: { clientCount: 1, groupCount: 1, roleCount: 1, changeIndex: 6 },
        correlationData: "x",
      });
    });
  });
});

Deno.test("a request that cannot be saved changes nothing and says so", async () => {
  const members = { clients: [{ username: "u" }] };
  await withSecurity(members, async ({ ask, directory, kicked, lines, changes, saved }) => {
    // There is no directory to make the new file in.
    Deno.renameSync(directory, `${directory}-away`);
    const answers = await ask(
      { command: "deleteClient", username: "u" },
      { command: "createClient", username: "" },
      { command: "listClients" },
    );
    assert.deepEqual(answers.slice(0, 2), [
      { command: "deleteClient", error: "Internal error" },
      { command: "createClient", error: "Empty username" },
    ]);
    assert.deepEqual([kicked, changes()], [[], 0]);
    assert.match(lines[0], /^error: Error saving Dynamic security plugin config: /);
    Deno.renameSync(`${directory}-away`, directory);
    assert.deepEqual(saved(), members);
    assert.deepEqual(await ask({ command: "getClient", username: "u" }), [{
      command: "getClient",
      data: { client: { username: "u", roles: [], groups: [], connections: [] } },
    }]);
    assert.deepEqual(await ask({ command: "deleteClient", username: "u" }), [
      { command: "deleteClient" },
    ]);
    assert.deepEqual(saved().clients, []);
    assert.deepEqual([...Deno.readDirSync(directory)].map(({ name }) => name), [
      "dynamic-security.json",
    ]);
  });
});

Deno.test("a link to the file stays a link, and its mode stays", async () => {
  await withSecurity({}, async ({ ask, directory, file }) => {
    const target = `${directory}/elsewhere.json`;
    Deno.renameSync(file, target);
    Deno.chmodSync(target, 0o640);
    Deno.symlinkSync(target, file);
    await ask({ command: "createRole", rolename: "r" });
    assert.equal(Deno.lstatSync(file).isSymlink, true);
    assert.equal(Deno.statSync(target).mode! & 0o777, 0o640);
    assert.equal(JSON.parse(Deno.readTextFileSync(target)).roles[0].rolename, "r");
  });
});

const CAST = {
  roles: ["direct", "grouped", "idle"].map((rolename) => ({ rolename })),
  clients: [
    { username: "a", roles: [{ rolename: "direct" }] },
    { username: "b" },
    { username: "c" },
  ],
  groups: [
    { groupname: "g", roles: [{ rolename: "grouped" }], clients: [{ username: "b" }] },
    { groupname: "nameless", roles: [{ rolename: "grouped" }] },
    { groupname: "empty" },
  ],
  anonymousGroup: "nameless",
};

/** Whom a change kicks: user names, and "" for those without one. */
const kicks: [command: Record<string, unknown>, kicked: string[]][] = [
  [{ command: "createClient", username: "d", roles: [{ rolename: "direct" }] }, []],
  [{ command: "deleteClient", username: "a" }, ["a"]],
  [{ command: "disableClient", username: "a" }, ["a"]],
  [{ command: "enableClient", username: "a" }, []],
  [{ command: "setClientId", username: "a", clientid: "x" }, ["a"]],
  [{ command: "setClientPassword", username: "a", password: "x" }, ["a"]],
  [{ command: "modifyClient", username: "a", textname: "x" }, ["a"]],
  [{ command: "addClientRole", username: "c", rolename: "idle" }, ["c"]],
  [{ command: "removeClientRole", username: "a", rolename: "direct" }, ["a"]],
  [{ command: "addGroupClient", groupname: "g", username: "c" }, ["c"]],
  [{ command: "removeGroupClient", groupname: "g", username: "b" }, ["b"]],
  [{ command: "addGroupRole", groupname: "g", rolename: "idle" }, ["b"]],
  [{ command: "removeGroupRole", groupname: "nameless", rolename: "grouped" }, [""]],
  [{ command: "deleteGroup", groupname: "g" }, ["b"]],
  [{ command: "modifyGroup", groupname: "g", clients: [{ username: "c" }] }, ["b", "c"]],
  [{ command: "setAnonymousGroup", groupname: "empty" }, [""]],
  [{ command: "deleteRole", rolename: "direct" }, ["a"]],
  [{ command: "deleteRole", rolename: "grouped" }, ["b", ""]],
  [{ command: "modifyRole", rolename: "grouped", textname: "x" }, []],
  [{ command: "modifyRole", rolename: "grouped", allowwildcardsubs: false }, ["b", ""]],
  [{ command: "modifyRole", rolename: "direct", acls: [] }, ["a"]],
  [{ command: "addRoleACL", rolename: "direct", acltype: "subscribeLiteral", topic: "t" }, ["a"]],
  [{ command: "setDefaultACLAccess", acls: [{ acltype: "subscribe", allow: true }] }, []],
];

Deno.test("whoever's rights have changed is kicked, and nobody else", async () => {
  for (const [command, expected] of kicks) {
    await withSecurity(CAST, async ({ ask, kicked, changes }) => {
      assert.deepEqual(await ask(command), [{ command: command.command }]);
      const found = kicked.flatMap(({ userNames, anonymous }) => [
        ...userNames,
        ...anonymous ? [""] : [],
      ]);
      assert.deepEqual(found.sort(), expected.sort(), JSON.stringify(command));
      assert.equal(changes(), 1);
    });
  }
});

Deno.test("the answer comes before the kick, so that administrators learn of their own", async () => {
  const order: string[] = [];
  const options = { disconnect: () => void order.push("kick") };
  await withSecurity(CAST, async ({ security }) => {
    const request = { commands: [{ command: "disableClient", username: "a" }] };
    await answerOf(security, new TextEncoder().encode(JSON.stringify(request)))
      .then(() => order.unshift("answer"));
    await security.idle();
    assert.deepEqual(order, ["answer", "kick"]);
  }, options);
});

Deno.test("requests are done one after the other", async () => {
  await withSecurity({}, async ({ ask }) => {
    const [created, deleted] = await Promise.all([
      ask({ command: "createClient", username: "u", password: "x" }),
      ask({ command: "deleteClient", username: "u" }),
    ]);
    assert.deepEqual([created, deleted], [
      [{ command: "createClient" }],
      [{ command: "deleteClient" }],
    ]);
  });
});

Deno.test("passwords never stand in the log", async () => {
  await withSecurity({}, async ({ ask, lines }) => {
    await ask(
      { command: "createClient", username: "u", password: "hunter2" },
      { command: "setClientPassword", username: "u", password: "hunter2" },
      { command: "modifyClient", username: "u", password: "hunter2" },
    );
    assert.deepEqual(lines, [
      "information: dynsec: id/admin | createClient | username=u | password=*****",
      "information: dynsec: id/admin | setClientPassword | username=u | password=******",
      "information: dynsec: id/admin | modifyClient | username=u",
    ]);
  });
});

Deno.test("getClient tells from where a client is connected", async () => {
  const connections = [{ clientId: "x", address: "10.0.0.1" }, { clientId: "y", address: "::1" }];
  const options = { connectionsOf: (name: string) => name === "u" ? connections : [] };
  await withSecurity({ clients: [{ username: "u" }] }, async ({ ask }) => {
    const addresses = async () => {
      const [answer] = await ask({ command: "getClient", username: "u" });
      return (answer as { data: { client: { connections: unknown } } }).data.client.connections;
    };
    assert.deepEqual(await addresses(), [{ address: "10.0.0.1" }, { address: "::1" }]);
    await ask({ command: "setClientId", username: "u", clientid: "y" });
    assert.deepEqual(await addresses(), [{ address: "::1" }]);
  }, options);
});
