import assert from "node:assert/strict";
import {
  BrokerProcess,
  eventually,
  pause,
  persistent,
  withDirectory,
} from "../support/broker_process.ts";
import { publish, subscribe } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";

/** Retains a message with `payload` under the topic "state". */
async function retain(broker: BrokerProcess, payload: string): Promise<void> {
  await using client = await TcpClient.connect(broker.port, 4, { clientId: "retainer" });
  void client.send(publish(4, { topic: "state", payload, qos: 1, retain: true }));
  await client.next("puback");
}

/** What is retained under the topic "state"; undefined: nothing. */
async function retained(broker: BrokerProcess): Promise<string | undefined> {
  await using client = await TcpClient.connect(broker.port, 4, { clientId: "reader" });
  void client.send(subscribe(4, { filters: [["state", 0], ["marker", 0]] }));
  await client.next("suback");
  void client.send(publish(4, { topic: "marker" }));
  const { topic, payload } = await client.next("publish");
  return topic === "marker" ? undefined : new TextDecoder().decode(payload);
}

/** Whether this process has a listener on the inspector's port, whatever others have there. */
function hasInspector(broker: BrokerProcess): boolean {
  const inodes = new Set<string>();
  for (const { name } of Deno.readDirSync(`/proc/${broker.pid}/fd`)) {
    try {
      const target = Deno.readLinkSync(`/proc/${broker.pid}/fd/${name}`);
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode !== undefined) inodes.add(inode);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  const LISTENING = "0A", INSPECTOR = (9229).toString(16).toUpperCase();
  for (const table of ["tcp", "tcp6"]) {
    for (const line of Deno.readTextFileSync(`/proc/${broker.pid}/net/${table}`).split("\n")) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      if (state !== LISTENING || !inodes.has(inode)) continue;
      if (local.endsWith(`:${INSPECTOR}`)) return true;
    }
  }
  return false;
}

const LINUX = Deno.build.os === "linux";

Deno.test({
  name: "durability autosave: kill -9 keeps what SIGUSR1 saved, and loses what came after it",
  ignore: !LINUX,
  fn: () =>
    withDirectory(async (directory) => {
      const configuration = [
        ...persistent(directory),
        "durability autosave",
        "autosave_interval 0",
      ];
      {
        await using broker = await BrokerProcess.start(directory, { configuration });
        await retain(broker, "never saved");
        await broker.end("SIGKILL");
      }
      {
        await using broker = await BrokerProcess.start(directory, { configuration });
        assert.equal(await retained(broker), undefined);
        await retain(broker, "saved");
        broker.signal("SIGUSR1");
        await broker.line(/Saving to disk/);
        // The line comes before the save; no other line tells of its end.
        await untilSaved(directory, "saved");
        await retain(broker, "after the save");
        await broker.end("SIGKILL");
      }
      await using broker = await BrokerProcess.start(directory, { configuration });
      assert.equal(await retained(broker), "saved");
      await retain(broker, "saved at the end");
      assert.equal(await broker.end(), 0);
      await using last = await BrokerProcess.start(directory, { configuration });
      assert.equal(await retained(last), "saved at the end");
    }),
});

/** Waits until the store's file has these bytes. */
async function untilSaved(directory: string, payload: string): Promise<void> {
  const file = `${directory}/store/data.mdb`;
  const isSaved = () => new TextDecoder("latin1").decode(Deno.readFileSync(file)).includes(payload);
  await eventually(isSaved, () => `"${payload}" was not saved`);
}

Deno.test({
  name: "SIGUSR1 opens no inspector, whenever it comes",
  ignore: !LINUX,
  fn: () =>
    withDirectory(async (directory) => {
      await using broker = await BrokerProcess.start(directory, {
        configuration: persistent(directory),
      });
      await using client = await TcpClient.connect(broker.port, 5, { clientId: "watching" });
      // Deno puts its own handler in place about 500 ms after the start; ours has to win each time.
      const startedAtMs = performance.now();
      for (const atMs of [0, 100, 300, 450, 500, 550, 600, 650, 1000, 1500, 2500]) {
        await pause(Math.max(0, startedAtMs + atMs - performance.now()));
        broker.signal("SIGUSR1");
        assert.equal(hasInspector(broker), false, `after a signal at ${atMs} ms`);
      }
      await broker.line(/Saving to disk/);
      await pause(700);
      assert.equal(hasInspector(broker), false);
      assert.equal(client.isEnded, false);
      assert.equal(broker.lines.some((line) => /Debugger|inspector/i.test(line)), false);
      assert.equal(await broker.end(), 0);
    }),
});
