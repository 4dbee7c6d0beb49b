import assert from "node:assert/strict";
import mqtt from "mqtt";
import { eventually, freePort, within } from "../support/broker_process.ts";

Deno.test("`deno serve mod.ts` answers health and MQTT over WebSocket, and needs no permission for it", async () => {
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
  const client = mqtt.connect(`ws://127.0.0.1:${port}/mqtt`, {
    reconnectPeriod: 0,
    timerVariant: "native",
  });
  const connected = new Promise<void>((resolve, reject) => {
    client.once("connect", () => resolve());
    client.once("error", reject);
  });
  await within(connected, () => "no CONNACK over WebSocket");
  await client.endAsync();
  child.kill("SIGTERM");
  await child.status;
});
