import assert from "node:assert/strict";
import { parseAclFile } from "../../src/access/acl_file.ts";
import { AclPolicy } from "../../src/access/acl_policy.ts";
import type { Identity } from "../../src/session/ports.ts";
import { Reason } from "../../src/wire/reason.ts";

function identity(clientId: string, userName?: string): Identity {
  return { clientId, userName } as Identity;
}

function policy(file: string, refuseHopelessSubscriptions = false) {
  const notices: string[] = [];
  const { value } = parseAclFile(new TextEncoder().encode(file), "F");
  const notice = (text: string) => void notices.push(text);
  return {
    notices,
    policy: new AclPolicy(value, { file: "acl", refuseHopelessSubscriptions, notice }),
  };
}

function subscribe(to: AclPolicy, filter: string) {
  return to.maySubscribe(identity("c"), {
    filter,
    ...{ qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 },
  });
}

Deno.test("reading and writing are granted apart", () => {
  const { policy: rules } = policy("topic read r\ntopic write w\n");
  const rights = ["r", "w"].map((topic) => [
    rules.mayReceive(identity("c"), topic),
    rules.mayPublish(identity("c"), topic),
  ]);
  assert.deepEqual(rights, [[true, false], [false, true]]);
});

Deno.test("every subscription is granted, unless hopeless ones are to be refused", () => {
  const file = "topic read a/+\ntopic deny a/secret\ntopic write w\n";
  const granting = policy(file).policy, refusing = policy(file, true).policy;
  for (const filter of ["a/x", "a/secret", "b", "w"]) assert.equal(subscribe(granting, filter), 1);
  const answers: Record<string, number> = {
    "a/x": 1,
    "#": 1,
    "+/+": 1,
    "a/#": 1,
    "a/secret": Reason.NotAuthorized,
    "a/x/#": 1, // a/x itself
    "a/x/y": Reason.NotAuthorized,
    "b/#": Reason.NotAuthorized,
    w: Reason.NotAuthorized,
    "$share/g/a/x": 1,
    "$share/g/a/secret": Reason.NotAuthorized,
  };
  for (const [filter, answer] of Object.entries(answers)) {
    assert.equal(subscribe(refusing, filter), answer, filter);
  }
});

Deno.test("looking for hopeless subscriptions lets others have their turn, and goes on behind them", async () => {
  const lines = Array.from(
    { length: 100 },
    (_, n) => `topic read a${n}/+/x/#\ntopic deny a${n}/#\n`,
  );
  const rules = policy(`${lines.join("")}topic read b\n`, true).policy;
  for (let round = 0; round < 2; round++) {
    let answer = subscribe(rules, "+/+/#");
    for (let count = 0; count < 100_000 && typeof answer === "number"; count++) {
      assert.equal(answer, Reason.NotAuthorized);
      answer = subscribe(rules, "+/+/#");
    }
    assert.ok(answer instanceof Promise, "it has never ended");
    const behind = subscribe(rules, "b");
    assert.deepEqual(await Promise.all([answer, behind]), [Reason.NotAuthorized, 1]);
  }
});

Deno.test("a dangerous client id is told once for each client", () => {
  const { policy: rules, notices } = policy("pattern readwrite %c\n");
  const dangerous = identity("a#");
  for (let i = 0; i < 3; i++) assert.equal(rules.mayPublish(dangerous, "a"), false);
  rules.mayReceive(identity("b+"), "b");
  rules.mayReceive(identity("b"), "c");
  assert.deepEqual(notices, [
    'ACL denying access to client with dangerous client id "a#"',
    'ACL denying access to client with dangerous client id "b+"',
  ]);
});
