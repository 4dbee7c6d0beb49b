import assert from "node:assert/strict";
import fc from "fast-check";
import type { Acl } from "../../src/access/acl.ts";
import { parseAclFile } from "../../src/access/acl_file.ts";
import type { AclAction } from "../../src/access/acl_rule.ts";
import { oracleAllows, oracleMatches } from "./acl_oracle.ts";

function acl(file: string): Acl {
  const { value, mistakes } = parseAclFile(new TextEncoder().encode(file), "acl");
  assert.deepEqual(mistakes, []);
  return value;
}

const EXAMPLE = `topic read weather/#
user alice
topic readwrite home/#
topic deny home/alarm/code
topic read $SYS/#
pattern write sensors/%c/data
pattern read cmd/%u/#
`;

const ALICE = { clientId: "c1", userName: "alice" };
const ANONYMOUS = { clientId: "c1", userName: undefined };
const BOB = { clientId: "c1", userName: "bob" };

/** `r` and `w`: what is allowed. */
function expectRights(
  file: string,
  client: { clientId: string; userName: string | undefined },
  rights: Record<string, "" | "r" | "w" | "rw">,
): void {
  const rules = acl(file);
  for (const [topic, wanted] of Object.entries(rights)) {
    const actions = (["read", "write"] as AclAction[]).filter((action) =>
      rules.allows(client, topic, action)
    );
    assert.equal(actions.map((action) => action[0]).join(""), wanted, topic);
  }
}

Deno.test("rules before the first user are for clients without a user name alone", () => {
  expectRights(EXAMPLE, ANONYMOUS, { "weather/x": "r", "weather": "r", "home/x": "" });
  expectRights(EXAMPLE, ALICE, { "weather/x": "", "home/x": "rw" });
});

Deno.test("a denial beats the grants of its list, wherever it stands", () => {
  expectRights(EXAMPLE, ALICE, { "home/alarm/code": "", "home/alarm/state": "rw" });
});

Deno.test("a grant to the user beats the denial of a pattern", () => {
  const file = "pattern deny dev/+/x\nuser u\ntopic #\n";
  expectRights(file, { clientId: "c", userName: "u" }, { "dev/zz/x": "rw" });
});

Deno.test("patterns hold for all, also for users that the file does not name", () => {
  expectRights(EXAMPLE, BOB, {
    "sensors/c1/data": "w",
    "sensors/c2/data": "",
    "cmd/bob/x": "r",
    "cmd/alice/x": "",
  });
  expectRights(EXAMPLE, ANONYMOUS, { "sensors/c1/data": "w", "cmd//x": "", "cmd/%u/x": "" });
});

Deno.test("wildcards grant nothing below $SYS and other topics that begin with $", () => {
  expectRights("topic #\ntopic +/x\n", ANONYMOUS, { "$SYS/x": "", "$other/x": "", "x": "rw" });
  expectRights("topic $other/#\n", ANONYMOUS, { "$other/x": "rw" });
});

Deno.test("nobody writes to $SYS, but for a bridge's state, or has anything to do with $share", () => {
  expectRights("topic $SYS/#\ntopic $share/#\n", ANONYMOUS, {
    "$SYS/broker/uptime": "r",
    "$SYS/broker/connection/b/state": "rw",
    "$SYS/broker/connection/b/c/state": "r",
    "$share/g/t": "",
  });
});

Deno.test("what stands for %c and %u is no wildcard and never more than a level", () => {
  const file = "pattern readwrite d/%u/#\npattern readwrite c/%c\n";
  for (const name of ["#", "+", "+/x", "a/b", "%c", "%u", "a#b"]) {
    const client = { clientId: name, userName: name };
    const own: "" | "rw" = /^%[cu]$/.test(name) ? "rw" : "";
    expectRights(file, client, { "d/x/y": "", "d/a/b": "", "c/x": "", "c/a/b": "" });
    expectRights(file, client, { [`d/${name}/y`]: own, [`c/${name}`]: own });
  }
  expectRights(file, { clientId: "c", userName: "" }, { "d//y": "rw", "d/x/y": "" });
});

Deno.test("dangerous names have what the user was granted by name", () => {
  const file = "user a+b\ntopic own\npattern readwrite %u\n";
  expectRights(file, { clientId: "c", userName: "a+b" }, { own: "rw", "a+b": "" });
});

Deno.test("%c inside a level is text", () => {
  expectRights("pattern pre-%c/x\n", ANONYMOUS, { "pre-c1/x": "", "pre-%c/x": "rw" });
});

Deno.test("%c in a topic line is text", () => {
  expectRights("topic a/%c\n", ANONYMOUS, { "a/c1": "", "a/%c": "rw" });
});

Deno.test("a file without rules, and a client without an id, are denied everything", () => {
  for (const file of ["", "# only\n\n", "\ufeff", "user a\r\n"]) {
    expectRights(file, { clientId: "c", userName: "a" }, { x: "" });
  }
  expectRights("topic #\n", { clientId: "", userName: undefined }, { x: "" });
});

Deno.test("a decision names the rule, or why there is none", () => {
  const rules = acl(EXAMPLE);
  const decided = (topic: string, client = ALICE, action: AclAction = "read") => {
    const decision = rules.decide(client, topic, action);
    return typeof decision === "object" ? decision.line : decision;
  };
  assert.equal(decided("home/alarm/code"), 4);
  assert.equal(decided("home/x"), 3);
  assert.equal(decided("cmd/alice/x"), 7);
  assert.equal(decided("weather/x"), "no rule");
  assert.equal(decided("$SYS/x", ALICE, "write"), "reserved topic");
  assert.equal(decided("x", { clientId: "a#", userName: "u" }), "dangerous client id");
  assert.equal(decided("x", { clientId: "", userName: "u" }), "no client id");
});

Deno.test("an empty topic makes no filter hopeful", () => {
  const rules = acl("topic read /#\ntopic deny /+/#\n");
  assert.equal(rules.mayEverRead(ANONYMOUS, "/#"), false);
  assert.equal(rules.mayEverRead(ANONYMOUS, "#"), false);
});

const level = fc.constantFrom("a", "b", "cc", "+", "%c", "%u", "x%c", "");
const first = fc.oneof({ weight: 6, arbitrary: level }, fc.constant("$SYS"), fc.constant("$d"));
const filter = fc.tuple(first, fc.array(level, { maxLength: 2 }), fc.boolean())
  .map(([first, rest, hash]) => [first, ...rest, ...(hash ? ["#"] : [])].join("/"))
  .filter((filter) => filter !== "");
const anyFilter = fc.oneof({ weight: 5, arbitrary: filter }, fc.constant("#"));
const line = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(
      fc.constantFrom("topic", "topic", "pattern"),
      fc.constantFrom("read ", "write ", "readwrite ", "deny ", ""),
      anyFilter,
    ).map(([kind, access, filter]) => `${kind} ${access}${filter}`),
  },
  fc.constantFrom("user a", "user uu", "user +"),
);
const file = fc.array(line, { maxLength: 9 }).map((lines) => lines.join("\n"));
const client = fc.record({
  clientId: fc.constantFrom("a", "cc", "a/b", "+", "#", "", "%u"),
  userName: fc.constantFrom(undefined, "a", "uu", "+", "a/b", ""),
});
const LEVELS = ["a", "b", "cc", "uu", "", "elsewhere"];
const topicOf = (levels: string[]) => levels.join("/");
const topic = fc.tuple(
  fc.constantFrom(...LEVELS, "$SYS", "$d", "$share", "x%c", "%c"),
  fc.array(fc.constantFrom(...LEVELS, "x%c", "%c", "+"), { maxLength: 3 }),
).map(([first, rest]) => topicOf([first, ...rest])).filter((topic) => topic !== "");

Deno.test("any client's rights are those of the rules taken word by word", () => {
  const action = fc.constantFrom<AclAction>("read", "write");
  fc.assert(
    fc.property(file, client, fc.array(topic, { minLength: 8, maxLength: 8 }), action, (...all) => {
      const [file, client, topics, action] = all;
      const rules = acl(file);
      for (const topic of topics) {
        assert.equal(
          rules.allows(client, topic, action),
          oracleAllows(file, client, topic, action),
          topic,
        );
      }
    }),
    { numRuns: 2000 },
  );
});

/** All topics of up to four levels: one more than any filter has without its `#`. */
const allTopics = (() => {
  let longest = ["a", "b", "cc", "", "elsewhere", "%c", "%u", "$SYS", "$d"].map((name) => [name]);
  const all = [...longest];
  for (let depth = 2; depth <= 4; depth++) {
    longest = longest.flatMap((levels) =>
      ["a", "b", "cc", "", "elsewhere", "%c", "%u"].map((level) => [...levels, level])
    );
    all.push(...longest);
  }
  return all.map(topicOf).filter((topic) => topic !== "");
})();

Deno.test("a filter is hopeless exactly if no topic under it may be read", () => {
  const client = fc.record({
    clientId: fc.constantFrom("a", "cc", "+"),
    userName: fc.constantFrom(undefined, "b", ""),
  });
  fc.assert(
    fc.property(
      file.map((text) => text.replaceAll("user uu", "user b").replaceAll("x%c", "b")),
      client,
      anyFilter.map((filter) => filter.replaceAll("x%c", "b")),
      (file, client, filter) => {
        const rules = acl(file);
        const readable = allTopics.find((topic) =>
          oracleMatches(filter, topic) && rules.allows(client, topic, "read")
        );
        assert.equal(rules.mayEverRead(client, filter), readable !== undefined, readable ?? filter);
      },
    ),
    { numRuns: 500 },
  );
});
