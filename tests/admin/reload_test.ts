import assert from "node:assert/strict";
import { World } from "../support/world.ts";
import { Admin } from "./support.ts";

const change = { option: "max_qos", before: "2", now: "1", applied: true };

Deno.test("POST /api/v1/reload answers what changed", async () => {
  const admin = new Admin(new World(), { reload: () => Promise.resolve({ changes: [change] }) });
  const answer = await admin.ask("POST /api/v1/reload");
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.body, { changes: [change] });
});

Deno.test("a reload that is refused is answered with every mistake", async () => {
  const mistakes = [{ file: "a.conf", line: 3, message: "Unknown configuration variable 'x'." }];
  const admin = new Admin(new World(), { reload: () => Promise.resolve({ mistakes }) });
  const answer = await admin.ask("POST /api/v1/reload");
  assert.equal(answer.status, 422);
  assert.deepEqual(answer.body, { mistakes });
});

Deno.test("without a file there is nothing to reload", async () => {
  await new Admin(new World()).refused("POST /api/v1/reload", 409, "no_file");
});

Deno.test("a reload needs POST and the token", async () => {
  const admin = new Admin(new World(), {
    token: "secret",
    reload: () => assert.fail("reloaded"),
  });
  assert.equal((await admin.ask("POST /api/v1/reload")).status, 401);
  const open = new Admin(new World(), { reload: () => assert.fail("reloaded") });
  assert.equal((await open.ask("GET /api/v1/reload")).status, 405);
});
