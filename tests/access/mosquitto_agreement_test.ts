/** Mosquitto itself is asked what our rules and our password files come to. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseAclFile } from "../../src/access/acl_file.ts";
import type { AclAction, AclClient } from "../../src/access/acl_rule.ts";
import { passwdCommand } from "../../src/access/passwd_command.ts";
import { eventually, freePort, withDirectory } from "../support/broker_process.ts";
import { connect, hex, publish, subscribe } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";
import { FakeIo } from "./command_case.ts";

const MOSQUITTO = "/usr/sbin/mosquitto";
const PASSWORD = "päss word";
const USERS = 12;
const SEED = 20_261_123;

/** Rules in which Mosquitto 2.0 and 2.1 are of one mind: `%c` is a whole level. */
const level = fc.constantFrom("a", "b", "c1", "+", "x y");
const first = fc.oneof({ weight: 5, arbitrary: level }, fc.constant("$d"));
const filter = fc.tuple(first, fc.array(level, { maxLength: 2 }), fc.boolean())
  .map(([first, rest, hash]) => [first, ...rest, ...(hash ? ["#"] : [])].join("/"));
const access = fc.constantFrom("read", "write", "readwrite", "readwrite", "deny");
const topicLine = fc.tuple(access, filter).map(([access, filter]) => `topic ${access} ${filter}`);
const PATTERNS = `pattern read own/%c
pattern deny own/c3
pattern readwrite %u/#
pattern write +/%c/%u
`;
const TOPICS = ["a", "b", "c1", "x y", "$d", "own", "user3", "elsewhere"].flatMap((first) => [
  first,
  ...["a", "b", "c1", "c3", "x y", "elsewhere"].flatMap((second) => [
    `${first}/${second}`,
    ...["a", "user3", "x y"].map((third) => `${first}/${second}/${third}`),
  ]),
]);

interface Person extends AclClient {
  readonly password?: string;
}

const PEOPLE: Person[] = [
  ...Array.from({ length: USERS }, (_, number) => ({
    clientId: `c${number}`,
    userName: `user${number}`,
    password: PASSWORD,
  })),
  { clientId: "c1", userName: undefined },
  { clientId: "c+", userName: "user0", password: PASSWORD },
];

function aclText(): string {
  const lists = fc.sample(fc.array(topicLine, { minLength: 5, maxLength: 9 }), {
    numRuns: USERS,
    seed: SEED,
  });
  const anonymous = "topic read a/#\ntopic write b/+\ntopic deny a/b\n";
  // The last two users have no list, and are left to the patterns.
  const users = lists.slice(0, -2).map((lines, number) =>
    `user user${number}\n${lines.join("\n")}\n`
  );
  const reader = "user reader\ntopic readwrite #\ntopic readwrite $d/#\n";
  return anonymous + PATTERNS + users.join("") + reader;
}

async function passwordFile(): Promise<string> {
  const lines = ["reader", ...PEOPLE.flatMap(({ userName }) => userName ?? [])].map(
    async (name) => {
      const io = new FakeIo();
      const scheme = name.endsWith("1") ? ["-H", "sha512"] : [];
      await passwdCommand(["--mosquitto-2.0", ...scheme, "-c", "-b", "-", name, PASSWORD], io);
      return io.output;
    },
  );
  return [...new Set(await Promise.all(lines))].join("");
}

async function withMosquitto(test: (port: number) => Promise<void>): Promise<void> {
  await withDirectory(async (directory) => {
    const port = freePort();
    Deno.writeTextFileSync(`${directory}/acl`, aclText());
    Deno.writeTextFileSync(`${directory}/passwords`, await passwordFile());
    Deno.writeTextFileSync(
      `${directory}/conf`,
      `user root\nlistener ${port} 127.0.0.1\nallow_anonymous true\n` +
        `acl_file ${directory}/acl\npassword_file ${directory}/passwords\n`,
    );
    const args = ["-c", `${directory}/conf`];
    const child = new Deno.Command(MOSQUITTO, { args, stdout: "null", stderr: "null" }).spawn();
    try {
      const answers = () =>
        Deno.connect({ port }).then((connection) => (connection.close(), true), () => false);
      await eventually(answers, () => "Mosquitto does not listen");
      await test(port);
    } finally {
      child.kill();
      await child.status;
    }
  });
}

/** Everything that was sent before has been handled. */
async function ping(client: TcpClient): Promise<string[]> {
  void client.send(hex("c000"));
  const topics: string[] = [];
  for (;;) {
    const packet = await client.next();
    if (packet.type === "pingresp") return topics;
    if (packet.type === "publish") topics.push(packet.topic!);
  }
}

async function observe(port: number, person: Person): Promise<Record<AclAction, string[]>> {
  const subscribing = subscribe(4, { filters: [["#", 0], ["$d/#", 0]] });
  await using reader = await TcpClient.connect(port, 4, {
    ...{ clientId: "reader", userName: "reader", password: PASSWORD },
  });
  await using client = await TcpClient.connect(port, 4, person);
  for (const each of [reader, client]) {
    void each.send(subscribing);
    await each.next("suback");
  }
  for (const topic of TOPICS) void client.send(publish(4, { topic, payload: "x" }));
  await ping(client);
  const write = await ping(reader);
  for (const topic of TOPICS) void reader.send(publish(4, { topic, payload: "x" }));
  await ping(reader);
  return { write, read: await ping(client) };
}

Deno.test({
  name: "Mosquitto lets the same people read and write the same topics, by our password file",
  ignore: !isInstalled(),
  fn: () =>
    withMosquitto(async (port) => {
      const { value: acl } = parseAclFile(new TextEncoder().encode(aclText()), "F");
      let allowed = 0;
      for (const person of PEOPLE) {
        const observed = await observe(port, person);
        for (const action of ["read", "write"] as const) {
          const expected = TOPICS.filter((topic) => acl.allows(person, topic, action));
          assert.deepEqual(observed[action], expected, `${person.userName} ${action}`);
          allowed += expected.length;
        }
      }
      assert.ok(allowed > 200, `the rules allow too little: ${allowed}`);
      await using wrong = await TcpClient.open(port);
      void wrong.send(connect(4, { userName: "user1", password: PASSWORD.slice(1) }));
      assert.equal((await wrong.next("connack")).reason, 5);
    }),
});

function isInstalled(): boolean {
  try {
    return Deno.statSync(MOSQUITTO).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
