import assert from "node:assert/strict";
import { type AclFileInForce, explainCommand } from "../../src/access/explain_command.ts";
import { FakeIo } from "./command_case.ts";

const ACL = `topic read weather/#
user alice
topic home/#
topic deny home/alarm/code
pattern write sensors/%c/data
`;

async function explain(words: string[], files: (directory: string) => AclFileInForce[]) {
  const directory = await Deno.makeTempDir();
  try {
    Deno.writeTextFileSync(`${directory}/acl`, ACL);
    Deno.writeTextFileSync(`${directory}/broken`, "topics x\ntopic a/#/b\n");
    const io = new FakeIo();
    const status = await explainCommand(
      words,
      io,
      (file) =>
        file === "conf" ? { files: files(directory) } : {
          mistakes: [{ file, line: 3, message: "Unknown configuration variable 'x'." }],
        },
    );
    const text = (text: string) => text.replaceAll(`${directory}/`, "");
    return { status, output: text(io.output), errors: text(io.errors) };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const one = (directory: string) => [{ path: `${directory}/acl` }];
const ask = (topic: string, action: string, user: string[] = ["--user", "alice"]) =>
  `-c conf --clientid c1 --topic ${topic} --action ${action}`.split(" ").concat(user);

const ANSWERS: [words: string[], answer: string][] = [
  [ask("home/x", "read"), "allowed: acl:3: topic readwrite home/#"],
  [ask("home/alarm/code", "write"), "denied: acl:4: topic deny home/alarm/code"],
  [ask("sensors/c1/data", "write", []), "allowed: acl:5: pattern write sensors/%c/data"],
  [ask("weather/x", "read", []), "allowed: acl:1: topic read weather/#"],
  [
    ask("weather/x", "write", []),
    "denied: acl: no rule for clients without a user name and no pattern lets the client write " +
    "this topic",
  ],
  [
    ask("weather/x", "read"),
    'denied: acl: no rule for the user "alice" and no pattern lets the client read this topic',
  ],
  [ask("$SYS/x", "write"), "denied: acl: only the broker writes to $SYS"],
];
for (const [words, answer] of ANSWERS) {
  Deno.test(`acl explain ${words.join(" ")}`, async () => {
    const { status, output, errors } = await explain(words, one);
    assert.deepEqual([status, output, errors], [0, `${answer}\n`, ""]);
  });
}

Deno.test("each listener with an ACL file of its own gets a line", async () => {
  const { output } = await explain(ask("weather/x", "read", []), (directory) => [
    { listener: "1883", path: `${directory}/acl` },
    { listener: "8883" },
  ]);
  assert.equal(
    output,
    "listener 1883: allowed: acl:1: topic read weather/#\n" +
      "listener 8883: allowed: no acl_file is set\n",
  );
});

Deno.test("mistakes of the ACL file and of the configuration are told instead of an answer", async () => {
  const acl = await explain(ask("x", "read"), (directory) => [{ path: `${directory}/broken` }]);
  assert.deepEqual([acl.status, acl.output], [3, ""]);
  assert.match(acl.errors, /Error found at broken:1\.[^]*Error found at broken:2\./);
  const words = ask("x", "read").map((word) => word === "conf" ? "other" : word);
  const configuration = await explain(words, one);
  assert.deepEqual([configuration.status, configuration.output], [3, ""]);
  assert.match(configuration.errors, /Error found at other:3\./);
});

Deno.test("-h tells how on stdout", async () => {
  const { status, output, errors } = await explain(["-h"], one);
  assert.deepEqual([status, errors], [0, ""]);
  assert.match(output, /^Usage: sabethes acl explain /);
});

Deno.test("words that make no question are refused", async () => {
  const cases: [words: string[], error: RegExp][] = [
    [[], /-c is missing/],
    [ask("x", "read").slice(2), /-c is missing/],
    [ask("a/#", "read"), /--topic is a topic, without wildcards/],
    [ask("x", "both"), /--action is read or write/],
    [[...ask("x", "read"), "--topic", "y"], /--topic is given twice/],
    [[...ask("x", "read"), "--colour"], /Unknown option '--colour'/],
    [[...ask("x", "read", []), "--user"], /--user argument given but no value/],
  ];
  for (const [words, error] of cases) {
    const { status, errors } = await explain(words, one);
    assert.equal(status, 3);
    assert.match(errors, error);
  }
});
