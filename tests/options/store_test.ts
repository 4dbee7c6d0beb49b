import assert from "node:assert/strict";
import { BrokerProcess, eventually, persistent, withDirectory } from "../support/broker_process.ts";
import { publish, subscribe } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";
import { messages } from "./with_and_without.ts";

/** Whether a retained message that was acknowledged is there after `kill -9`. */
async function outlives(lines: readonly string[], waitsForSave: boolean): Promise<boolean> {
  let isThere = false;
  await withDirectory(async (directory) => {
    const configuration = [...persistent(directory), ...lines];
    const writtenAt = () => Deno.statSync(`${directory}/store/data.mdb`).mtime?.getTime();
    {
      await using broker = await BrokerProcess.start(directory, { configuration });
      await using client = await TcpClient.connect(broker.port, 4);
      // A save has ended for certain when the next one begins.
      for (const topic of waitsForSave ? ["t", "u"] : ["t"]) {
        const before = writtenAt();
        void client.send(publish(4, { topic, payload: "x", qos: 1, retain: true }));
        await client.next("puback");
        if (waitsForSave) await eventually(() => writtenAt() !== before, () => "nothing was saved");
      }
      await broker.end("SIGKILL");
    }
    await using broker = await BrokerProcess.start(directory, { configuration });
    await using client = await TcpClient.connect(broker.port, 4);
    void client.send(subscribe(4, { filters: [["t", 0]] }));
    isThere = (await messages(client)).length === 1;
  });
  return isThere;
}

Deno.test("durability: sync keeps what was acknowledged, autosave may lose it", async () => {
  assert.equal(await outlives(["durability sync"], false), true);
  assert.equal(await outlives(["durability autosave", "autosave_interval 0"], false), false);
});

Deno.test("autosave_interval: saves now and then by itself, 0 does not", async () => {
  assert.equal(await outlives(["autosave_interval 1"], true), true);
  assert.equal(await outlives(["autosave_interval 0"], false), false);
});

Deno.test("autosave_on_changes: saves after so many changes, not seconds", async () => {
  assert.equal(await outlives(["autosave_interval 1", "autosave_on_changes true"], true), true);
  assert.equal(
    await outlives(["autosave_interval 1000", "autosave_on_changes true"], false),
    false,
  );
});
