import assert from "node:assert/strict";
import type { AclQuestion } from "../../src/access/acl_explanation.ts";
import { World } from "../support/world.ts";
import { Admin } from "./support.ts";

const answer = { allowed: false, file: "acl", line: 3, because: "topic deny t" };

Deno.test("GET /api/v1/acl/explain hands on the question and shows the answers", async () => {
  const asked: AclQuestion[] = [];
  const admin = new Admin(new World(), {
    explainAcl: (question) => {
      asked.push(question);
      return [answer];
    },
  });
  const path = "/api/v1/acl/explain?clientId=c&topic=a%2Fb&action=read";
  assert.deepEqual(await admin.get(`${path}&userName=u`), { answers: [answer] });
  await admin.get(path);
  assert.deepEqual(asked, [
    { clientId: "c", userName: "u", topic: "a/b", action: "read" },
    { clientId: "c", userName: undefined, topic: "a/b", action: "read" },
  ]);
});

Deno.test("a question that makes no sense is refused", async () => {
  const admin = new Admin(new World());
  const rows = [
    "topic=t&action=read",
    "clientId=c&action=read",
    "clientId=c&topic=%23&action=read",
    "clientId=c&topic=t&action=deny",
    "clientId=c&topic=t&action=read&user=u",
  ];
  for (const row of rows) await admin.refused(`GET /api/v1/acl/explain?${row}`, 400, "bad_request");
});
