import assert from "node:assert/strict";
import { within } from "../../support/broker_process.ts";
import { publish, subscribe, unsubscribe } from "../../support/packets.ts";
import { TcpClient } from "../../support/tcp_client.ts";
import { LiveBroker } from "./live_broker.ts";

const CTRL = "/usr/bin/mosquitto_ctrl", PASSWORD = "a long password";

/** A test with Mosquitto's own tool; without it there is nothing to test with. */
function testWithCtrl(name: string, test: (scene: Scene) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !isFile(CTRL),
    async fn() {
      const directory = await Deno.makeTempDir();
      try {
        const file = `${directory}/dynamic-security.json`;
        await run(CTRL, "dynsec", "init", file, "admin", PASSWORD);
        await test(new Scene(file));
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
  });
}

class Scene {
  constructor(readonly file: string) {}

  /** What the tool prints; it fails when the broker says that a command failed. */
  async ctrl(port: number, ...command: string[]): Promise<string> {
    const at = ["-h", "127.0.0.1", "-p", String(port), "-u", "admin", "-P", PASSWORD];
    return await run(CTRL, ...at, "dynsec", ...command);
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Runs a program to its end; both outputs, without the warning about encryption. */
async function run(program: string, ...args: string[]): Promise<string> {
  const command = new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const child = command.spawn();
  const { stdout, stderr } = await within(child.output(), () => {
    child.kill("SIGKILL");
    return `${program} ${args.join(" ")} does not end`;
  });
  const text = [stderr, stdout].map((bytes) => new TextDecoder().decode(bytes)).join("");
  return text.replace(/^Warning: You are running[^]*?\n\n/, "").trim();
}

/** Commands of the tool, and what it prints: nothing where a change was made. */
const dialogue: [command: string, printed: RegExp][] = [
  ["getDefaultACLAccess", /^publishClientSend +: deny\n[^]*unsubscribe +: allow$/],
  ["setDefaultACLAccess subscribe allow", /^$/],
  ["createRole reader", /^$/],
  ["createRole reader", /Error: Role already exists/],
  ["addRoleACL reader publishClientSend out/%u allow 5", /^$/],
  ["addRoleACL reader subscribePattern in/# allow", /^$/],
  ["addRoleACL reader publishClientSend a#b allow", /Error: Invalid ACL topic/],
  [
    "getRole reader",
    /^Rolename: reader\nACLs: +publishClientSend +: allow : out\/%u \(priority: 5\)/,
  ],
  ["removeRoleACL reader subscribePattern in/#", /^$/],
  ["createClient user -p secret -c id", /^$/],
  ["addClientRole user reader 3", /^$/],
  ["createGroup group", /^$/],
  ["addGroupClient group user 7", /^$/],
  ["addGroupRole group admin", /^$/],
  [
    "getClient user",
    /^Username: user\nClientid: id\nRoles: +reader \(priority: 3\)\nGroups: +group \(priority: 7\)/,
  ],
  ["getGroup group", /^Groupname: group\nRoles: +admin \(priority: -1\)\nClients: +user$/],
  ["listClients", /^admin\nuser$/],
  ["listGroups", /^group$/],
  ["listRoles 1 1", /^reader$/],
  ["setAnonymousGroup group", /^$/],
  ["getAnonymousGroup", /^group$/],
  ["deleteGroup group", /Error: Deleting the anonymous group is forbidden/],
  ["setClientPassword user another", /^$/],
  ["setClientId user", /^$/],
  ["disableClient user", /^$/],
  ["enableClient user", /^$/],
  ["removeGroupRole group admin", /^$/],
  ["removeGroupClient group user", /^$/],
  ["removeClientRole user reader", /^$/],
  ["deleteRole reader", /^$/],
  ["deleteClient user", /^$/],
  ["getClient user", /Error: Client not found/],
];

testWithCtrl(
  "mosquitto_ctrl administers the broker, and finds its changes after a restart",
  async (scene) => {
    {
      await using live = await LiveBroker.start(scene.file);
      for (const [command, printed] of dialogue) {
        assert.match(await scene.ctrl(live.port, ...command.split(" ")), printed, command);
      }
    }
    await using again = await LiveBroker.start(scene.file);
    assert.equal(await scene.ctrl(again.port, "getAnonymousGroup"), "group");
  },
);

testWithCtrl("clients are refused and kicked as their rights say", async (scene) => {
  await using live = await LiveBroker.start(scene.file);
  const { port } = live;
  await scene.ctrl(port, "createClient", "user", "-p", "secret");
  await scene.ctrl(port, "createRole", "role");
  await scene.ctrl(port, "addRoleACL", "role", "publishClientSend", "mine", "allow");
  await scene.ctrl(port, "addRoleACL", "role", "unsubscribeLiteral", "kept", "deny");
  await scene.ctrl(port, "addClientRole", "user", "role");
  const login = { clientId: "c5", userName: "user", password: "secret" };
  await using client = await TcpClient.connect(port, 5, login);
  await using older = await TcpClient.connect(port, 4, { ...login, clientId: "c4" });

  void client.send(publish(5, { topic: "mine", qos: 1, packetId: 1 }));
  assert.equal((await client.next("puback")).reason, 0x10);
  void client.send(publish(5, { topic: "yours", qos: 1, packetId: 2 }));
  assert.equal((await client.next("puback")).reason, 0x87);
  void client.send(publish(5, { topic: "$CONTROL/dynamic-security/v1", qos: 1, packetId: 3 }));
  assert.equal((await client.next("puback")).reason, 0x87);
  void client.send(subscribe(5, { packetId: 4, filters: [["mine", 0]] }));
  assert.deepEqual((await client.next("suback")).reasons, [0x87]);
  void client.send(unsubscribe(5, { packetId: 5, filters: ["kept"] }));
  assert.deepEqual((await client.next("unsuback")).reasons, [0x87]);
  void older.send(subscribe(4, { packetId: 1, filters: [["mine", 0]] }));
  assert.deepEqual((await older.next("suback")).reasons, [0x80]);

  await scene.ctrl(port, "addRoleACL", "role", "subscribeLiteral", "mine", "allow");
  assert.equal((await client.next("disconnect")).reason, 0x98);
  await client.ended();
  await older.ended();
  await using back = await TcpClient.connect(port, 5, login);
  void back.send(subscribe(5, { packetId: 4, filters: [["mine", 0]] }));
  assert.deepEqual((await back.next("suback")).reasons, [0]);

  await scene.ctrl(port, "setClientPassword", "user", "other");
  assert.equal((await back.next("disconnect")).reason, 0x98);
  await assert.rejects(TcpClient.connect(port, 5, login), /refused: 135/);
});

const BROKER = "/usr/sbin/mosquitto";
const PLUGIN = `/usr/lib/${Deno.build.arch}-linux-gnu/mosquitto_dynamic_security.so`;

Deno.test({
  name: "Mosquitto reads the file as we have written it",
  ignore: ![CTRL, BROKER, PLUGIN].every(isFile),
  async fn() {
    const directory = await Deno.makeTempDir();
    // Started by root it takes the rights of a user of its own.
    Deno.chmodSync(directory, 0o755);
    try {
      const scene = new Scene(`${directory}/dynamic-security.json`);
      await run(CTRL, "dynsec", "init", scene.file, "admin", PASSWORD);
      const ours = new Map<string, string>();
      const asked = ["listClients", "getClient user", "getGroup group", "getRole role"];
      {
        await using live = await LiveBroker.start(scene.file);
        await scene.ctrl(live.port, "setClientPassword", "admin", PASSWORD);
        await scene.ctrl(live.port, "createRole", "role");
        await scene.ctrl(live.port, "addRoleACL", "role", "subscribeLiteral", "a/b", "allow", "2");
        await scene.ctrl(live.port, "createClient", "user", "-p", "secret");
        await scene.ctrl(live.port, "addClientRole", "user", "role", "4");
        await scene.ctrl(live.port, "createGroup", "group");
        await scene.ctrl(live.port, "addGroupClient", "group", "user", "5");
        for (const what of asked) ours.set(what, await scene.ctrl(live.port, ...what.split(" ")));
      }
      Deno.chmodSync(scene.file, 0o644);
      await withMosquitto(directory, scene.file, async (port) => {
        for (const what of asked) {
          assert.equal(await scene.ctrl(port, ...what.split(" ")), ours.get(what), what);
        }
      });
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

/** Runs Mosquitto itself on that file. */
async function withMosquitto(
  directory: string,
  file: string,
  act: (port: number) => Promise<void>,
): Promise<void> {
  const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = probe.addr as Deno.NetAddr;
  probe.close();
  const lines = [
    `listener ${port} 127.0.0.1`,
    "allow_anonymous false",
    `plugin ${PLUGIN}`,
    `plugin_opt_config_file ${file}`,
  ];
  Deno.writeTextFileSync(`${directory}/mosquitto.conf`, lines.join("\n") + "\n");
  const args = ["-c", `${directory}/mosquitto.conf`];
  const broker = new Deno.Command(BROKER, { args, stdin: "null", stdout: "null", stderr: "piped" })
    .spawn();
  const said = broker.stderr.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let log = ""; !/ running/.test(log);) {
      const { value } = await within(said.read(), () => `Mosquitto does not start: ${log}`);
      assert.ok(value !== undefined, `Mosquitto has ended: ${log}`);
      log += value;
    }
    await act(port);
  } finally {
    broker.kill("SIGTERM");
    await said.cancel();
    await broker.status;
  }
}
