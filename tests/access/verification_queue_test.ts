import assert from "node:assert/strict";
import { VerificationQueue } from "../../src/access/verification_queue.ts";

/** Jobs that end when they are told to. */
function jobs() {
  const started: string[] = [], ends = new Map<string, PromiseWithResolvers<boolean>>();
  const run = (name: string) => () => {
    started.push(name);
    const end = Promise.withResolvers<boolean>();
    ends.set(name, end);
    return end.promise;
  };
  return { started, run, ends };
}

Deno.test("as many run at a time as may, the others in their order", async () => {
  const { started, run, ends } = jobs();
  const queue = new VerificationQueue(2, 100);
  const answers = ["a", "b", "c", "d"].map((name) => queue.add(1, run(name)));
  assert.deepEqual(started, ["a", "b"]);
  ends.get("b")!.resolve(true);
  assert.equal(await answers[1], true);
  assert.deepEqual(started, ["a", "b", "c"]);
  ends.get("a")!.reject(new Error("broken"));
  await assert.rejects(answers[0]!, /broken/);
  assert.deepEqual(started, ["a", "b", "c", "d"]);
  for (const name of ["c", "d"]) ends.get(name)!.resolve(false);
  assert.deepEqual(await Promise.all(answers.slice(2)), [false, false]);
});

Deno.test("what would weigh too much is not taken, until something is done", async () => {
  const { run, ends } = jobs();
  const queue = new VerificationQueue(1, 10);
  const heavy = queue.add(1_000, run("heavy"));
  assert.notEqual(heavy, undefined, "alone, anything is taken");
  assert.equal(queue.add(1, run("more")), undefined);
  ends.get("heavy")!.resolve(true);
  await heavy;
  const rest = [6, 4, 1].map((weight) => queue.add(weight, run(`${weight}`)));
  assert.equal(rest[2], undefined);
  ends.get("6")!.resolve(true);
  await rest[0];
  ends.get("4")!.resolve(true);
  await rest[1];
});

Deno.test("closing answers what waits, and leaves what runs", async () => {
  const { started, run, ends } = jobs();
  const queue = new VerificationQueue(1, 10);
  const [running, waiting] = [queue.add(1, run("running")), queue.add(1, run("waiting"))];
  queue.close();
  assert.equal(await waiting, false);
  ends.get("running")!.resolve(true);
  assert.equal(await running, true);
  assert.deepEqual(started, ["running"]);
});
