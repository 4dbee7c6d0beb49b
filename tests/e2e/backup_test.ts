import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { backupsOf } from "../../src/store/backup_files.ts";
import {
  BrokerProcess,
  fingerprint,
  freePort,
  persistent,
  withDirectory,
} from "../support/broker_process.ts";
import { ack, Property, property, publish, subscribe } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";

const SLEEPER = {
  clientId: "sleeper",
  clean: false,
  properties: property(Property.sessionExpiryInterval, 3600),
};

async function send(client: TcpClient, topic: string, payload: string, retain = false) {
  void client.send(publish(5, { topic, payload, qos: 1, packetId: 1, retain }));
  await client.next("puback");
}

/** The path of a backup that was begun after the call. */
async function nextBackup(broker: BrokerProcess, client: TcpClient, store: string) {
  for (let change = 0;; change++) {
    const sinceMs = Date.now();
    const from = broker.lines.length;
    await send(client, "changes", `${change}`, true);
    const line = await broker.line(/ Backup \S+: \d+ records/, from);
    const backup = backupsOf(store).find(({ path }) => line.includes(`${path}:`));
    // One that was begun before and has ended now need not have it all.
    if (backup !== undefined && backup.timeMs >= sinceMs) return backup.path;
  }
}

interface Scene {
  readonly store: string;
  /** Has one message for the sleeper. */
  readonly first: string;
  /** Has two, as the store has. */
  readonly newest: string;
}

/** A broker with a subscriber that is away makes two backups and more, and is killed. */
async function makeBackups(directory: string): Promise<Scene> {
  const store = `${directory}/store`;
  await using broker = await BrokerProcess.start(directory, {
    configuration: [...persistent(directory), "backup_interval 1", "backup_keep 100"],
  });
  {
    await using sleeper = await TcpClient.connect(broker.port, 5, SLEEPER);
    void sleeper.send(subscribe(5, { filters: [["queue", 1]] }));
    await sleeper.next("suback");
  }
  await using client = await TcpClient.connect(broker.port, 5, { clientId: "publisher" });
  await send(client, "kept", "large ".repeat(10_000), true);
  await send(client, "queue", "first message");
  const first = await nextBackup(broker, client, store);
  await send(client, "queue", "second message");
  const newest = await nextBackup(broker, client, store);
  broker.assertNoDefect();
  await broker.end("SIGKILL");
  return { store, first, newest };
}

/** What the sleeper finds, and the retained message. */
async function found(port: number): Promise<{ queue: string[]; kept: number }> {
  await using sleeper = await TcpClient.connect(port, 5, SLEEPER);
  assert.equal(sleeper.connack.sessionPresent, true);
  void sleeper.send(subscribe(5, { packetId: 1, filters: [["kept", 0]] }));
  void sleeper.send(subscribe(5, { packetId: 2, filters: [["end", 0]] }));
  const queue: string[] = [];
  let kept = 0;
  await using client = await TcpClient.connect(port, 5, { clientId: "publisher" });
  for (;;) {
    const { type, topic, payload, packetId } = await sleeper.next();
    if (type === "suback") {
      if (packetId === 2) await send(client, "end", "of all that was there");
    } else if (topic === "end") {
      return { queue, kept };
    } else if (topic === "kept") {
      kept = payload!.length;
    } else {
      queue.push(new TextDecoder().decode(payload));
      void sleeper.send(ack("puback", packetId!));
    }
  }
}

function overwrite(path: string, at: number, bytes: Uint8Array): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(bytes);
}

/** Flips a bit wherever the first message is. */
function flipBits(path: string): void {
  const data = new TextDecoder("latin1").decode(Deno.readFileSync(path));
  for (let at = -1; (at = data.indexOf("first message", at + 1)) >= 0;) {
    overwrite(path, at, Uint8Array.of(data.charCodeAt(at) ^ 1));
  }
}

const DAMAGE: Record<string, (path: string) => void> = {
  "cut short": (path) => Deno.truncateSync(path, Deno.statSync(path).size - 4096),
  "its first page zeroed": (path) => overwrite(path, 0, new Uint8Array(4096)),
  "bits flipped in a record": flipBits,
};

function quarantines(store: string): string[] {
  return [...Deno.readDirSync(store)].map(({ name }) => `${store}/${name}`)
    .filter((path) => path.includes("/quarantine-"));
}

/** Copies the files of a store, so that it can be broken in several ways. */
function copyStore(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copyStore(`${from}/${name}`, `${to}/${name}`);
    else Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`);
  }
}

Deno.test("what is damaged is restored from the newest backup that is good, or refused", () =>
  withDirectory(async (parent) => {
    const { store: original, first, newest } = await makeBackups(parent);
    const restoring = (directory: string) => ({
      configuration: [...persistent(directory), "persistence_on_damage restore"],
    });
    const copy = (name: string) => {
      const directory = `${parent}/${name}`;
      const store = `${directory}/store`;
      copyStore(original, store);
      const inCopy = (path: string) => path.replace(original, store);
      return { directory, store, first: inCopy(first), newest: inCopy(newest) };
    };

    for (const [name, damage] of Object.entries(DAMAGE)) {
      const { directory, store, newest } = copy(name);
      damage(`${store}/data.mdb`);
      const damaged = Deno.readFileSync(`${store}/data.mdb`);
      await using broker = await BrokerProcess.start(directory, restoring(directory));
      await broker.line(new RegExp(`is restored from the backup ${newest}, which is \\d+ seconds`));
      assert.deepEqual(
        await found(broker.port),
        { queue: ["first message", "second message"], kept: 60_000 },
        name,
      );
      const [quarantine, ...others] = quarantines(store);
      assert.deepEqual(others, []);
      assert.deepEqual(Deno.readFileSync(`${quarantine}/data.mdb`), damaged);
      assert.equal(await broker.end(), 0);
      broker.assertNoDefect();
    }

    const { directory, store, first: older } = copy("damaged backups");
    DAMAGE["cut short"](`${store}/data.mdb`);
    for (const { path } of backupsOf(store)) {
      if (path !== older) flipBits(`${path}/data.mdb`);
    }
    {
      await using broker = await BrokerProcess.start(directory, restoring(directory));
      await broker.line(/The backup .*, \d+ seconds old, can not be used: .* wrong checksum/);
      await broker.line(new RegExp(`is restored from the backup ${older}`));
      assert.deepEqual(await found(broker.port), { queue: ["first message"], kept: 60_000 });
      assert.equal(await broker.end(), 0);
    }

    flipBits(`${older}/data.mdb`);
    DAMAGE["its first page zeroed"](`${store}/data.mdb`);
    const before = await fingerprint(store);
    await using refused = BrokerProcess.spawn({
      port: freePort(),
      args: ["-c", `${directory}/broker.conf`],
    });
    assert.equal(await refused.exitStatus(), 3);
    await refused.line(/none of the \d+ backups in .*\/backup can be used/);
    assert.deepEqual(await fingerprint(store), before, "nothing was changed");
    refused.assertNoDefect();
  }));

Deno.test("with backup_interval 0 there are no backups", () =>
  withDirectory(async (directory) => {
    await using broker = await BrokerProcess.start(directory, {
      configuration: [...persistent(directory), "backup_interval 0"],
    });
    await using client = await TcpClient.connect(broker.port, 5, { clientId: "publisher" });
    await send(client, "kept", "x", true);
    assert.equal(await broker.end(), 0);
    assert.equal(existsSync(`${directory}/store/backup`), false);
  }));
