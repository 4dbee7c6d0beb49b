import assert from "node:assert/strict";
import { eventually, freePort } from "../support/broker_process.ts";

Deno.test("`deno serve mod.ts` answers health, and needs no permission for it", async () => {
  const port = freePort();
  const mod = new URL("../../mod.ts", import.meta.url).pathname;
  await using child = new Deno.Command(Deno.execPath(), {
    args: ["serve", "--host", "127.0.0.1", "--port", String(port), mod],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await eventually(async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined);
    return (await answer?.text())?.trim() === "ok";
  }, () => "no answer from /healthz");
  const ready = await fetch(`http://127.0.0.1:${port}/readyz`);
  assert.deepEqual(await ready.json(), { ready: true, reason: "" });
  child.kill("SIGTERM");
  await child.status;
});
