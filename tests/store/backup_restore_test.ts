import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { backupName, backupsDirectory } from "../../src/store/backup_files.ts";
import { StoreError } from "../../src/store/store.ts";
import { pattern, put } from "./contract.ts";
import { recordsIn, storeWith, withDirectory } from "./directories.ts";

const HOUR_MS = 3_600_000;
const RECORDS = 400;

/** So that each is in a page of its own in most cases. */
const value = (number: number) => `${number} `.repeat(100);

/** Adds a backup of the store, which is closed, as one that was made so long ago. */
function backUp(directory: string, ageMs: number): string {
  const path = `${backupsDirectory(directory)}/${backupName(Date.now() - ageMs)}`;
  Deno.mkdirSync(path, { recursive: true });
  Deno.copyFileSync(`${directory}/data.mdb`, `${path}/data.mdb`);
  return path;
}

/** A store with two backups: in the older are half of the records, in the newer all but the last. */
async function storeWithBackups(directory: string): Promise<{ older: string; newer: string }> {
  const records = Array.from({ length: RECORDS }, (_, number) => put(1, number, value(number)));
  await storeWith(directory, records.slice(0, RECORDS / 2));
  const older = backUp(directory, 26 * HOUR_MS);
  await storeWith(directory, records.slice(RECORDS / 2));
  const newer = backUp(directory, 2.5 * HOUR_MS);
  await storeWith(directory, [put(1, RECORDS, "since the last backup")]);
  return { older, newer };
}

function overwrite(path: string, at: number, bytes: Uint8Array): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(bytes);
}

/** Flips a bit in every place where `needle` is. */
function flipBits(path: string, needle: string): void {
  const data = new TextDecoder("latin1").decode(Deno.readFileSync(path));
  assert.ok(data.includes(needle));
  for (let at = data.indexOf(needle); at >= 0; at = data.indexOf(needle, at + 1)) {
    overwrite(path, at, new Uint8Array([data.charCodeAt(at) ^ 4]));
  }
}

const DAMAGE: Record<string, (path: string) => void> = {
  "cut to half": (path) => Deno.truncateSync(path, Deno.statSync(path).size / 2),
  "cut by one page": (path) => Deno.truncateSync(path, Deno.statSync(path).size - 4096),
  "empty": (path) => Deno.truncateSync(path),
  "missing": (path) => Deno.removeSync(path),
  "garbage": (path) => Deno.writeFileSync(path, pattern(50_000)),
  "first page zeroed": (path) => overwrite(path, 0, new Uint8Array(4096)),
  "a page in the middle zeroed": (path) =>
    overwrite(path, Math.floor(Deno.statSync(path).size / 8192) * 4096, new Uint8Array(4096)),
  "bits flipped in a record": (path) => flipBits(path, value(7)),
};

/** The directories of what was set aside. */
function quarantines(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => `${directory}/${name}`)
    .filter((path) => path.includes("/quarantine-"));
}

/** Everything below a directory but LMDB's and our lock, byte for byte. */
function snapshot(directory: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const { name, isDirectory } of Deno.readDirSync(directory)) {
    const path = `${directory}/${name}`;
    if (name === "lock.mdb" || name === "broker.lock") continue;
    if (isDirectory) Object.assign(files, snapshot(path));
    else files[path] = new TextDecoder("latin1").decode(Deno.readFileSync(path));
  }
  return files;
}

for (const [name, damage] of Object.entries(DAMAGE)) {
  Deno.test(`restore: data.mdb ${name}: the newest backup takes its place`, () =>
    withDirectory(async (directory) => {
      const { newer } = await storeWithBackups(directory);
      const path = `${directory}/data.mdb`;
      damage(path);
      const damaged = existsSync(path) ? Deno.readFileSync(path) : null;
      const backups = snapshot(backupsDirectory(directory));
      const lines: string[] = [];
      const log = (line: string) => void lines.push(line);

      const records = await recordsIn(directory, { onDamage: "restore", log });
      assert.equal(records.length, RECORDS);
      assert.deepEqual(records[7], [1, 7, value(7)]);
      const [quarantine, ...others] = quarantines(directory);
      assert.deepEqual(others, []);
      if (damaged !== null) {
        assert.deepEqual(Deno.readFileSync(`${quarantine}/data.mdb`), damaged);
      }
      const told = lines.at(-1)!;
      assert.ok(told.includes(`restored from the backup ${newer}, which is 2 hours old`), told);
      assert.ok(told.endsWith(`the damaged file is in ${quarantine}`), told);
      assert.deepEqual(snapshot(backupsDirectory(directory)), backups, "the backups stay");
      assert.equal(existsSync(`${directory}/restore`), false);
      assert.equal(Deno.readTextFileSync(`${directory}/state`).trim(), "clean");

      await storeWith(directory, [put(2, 1, "goes on")]);
      assert.equal((await recordsIn(directory)).length, RECORDS + 1, "without the option, too");
    }));
}

Deno.test("restore: a store that is sound stays", () =>
  withDirectory(async (directory) => {
    await storeWithBackups(directory);
    const before = snapshot(directory);
    assert.equal((await recordsIn(directory, { onDamage: "restore" })).length, RECORDS + 1);
    assert.deepEqual(snapshot(directory), before);
  }));

for (const name of ["cut to half", "missing", "bits flipped in a record"]) {
  Deno.test(`restore: with the newest backup ${name} the next older one is taken`, () =>
    withDirectory(async (directory) => {
      const { older, newer } = await storeWithBackups(directory);
      DAMAGE["first page zeroed"](`${directory}/data.mdb`);
      DAMAGE[name](`${newer}/data.mdb`);
      const lines: string[] = [];
      const log = (line: string) => void lines.push(line);
      const records = await recordsIn(directory, { onDamage: "restore", log });
      assert.equal(records.length, RECORDS / 2);
      const refused = lines.find((line) => line.startsWith(`The backup ${newer}`));
      assert.match(refused!, /2 hours old, can not be used: /);
      assert.ok(lines.at(-1)!.includes(`${older}, which is 26 hours old`));
      assert.ok(existsSync(newer), "it is not deleted");
    }));
}

async function refusal(directory: string): Promise<string> {
  const before = snapshot(directory);
  let message = "";
  await assert.rejects(recordsIn(directory, { onDamage: "restore" }), (error) => {
    assert.ok(error instanceof StoreError && error.reason === "damaged", `${error}`);
    message = error.message;
    return true;
  });
  assert.deepEqual(snapshot(directory), before, "nothing was changed");
  return message;
}

Deno.test("restore: without a backup that is good it is refused, and nothing is changed", () =>
  withDirectory(async (directory) => {
    const { older, newer } = await storeWithBackups(directory);
    DAMAGE["cut to half"](`${directory}/data.mdb`);
    DAMAGE["a page in the middle zeroed"](`${newer}/data.mdb`);
    DAMAGE["empty"](`${older}/data.mdb`);
    const message = await refusal(directory);
    assert.match(message, /none of the 2 backups in .*\/backup can be used/);
    assert.match(message, /persistence_on_damage salvage/);
    Deno.removeSync(backupsDirectory(directory), { recursive: true });
    assert.match(await refusal(directory), /there is no backup in .*\/backup\./);
  }));

Deno.test("restore: a database of something else is no backup", () =>
  withDirectory(async (directory) => {
    const { older, newer } = await storeWithBackups(directory);
    Deno.removeSync(older, { recursive: true });
    const { closeEnvironment, openEnvironment } = await import("../../src/store/environment.ts");
    Deno.removeSync(`${newer}/data.mdb`);
    // Sound, and empty: it would pass as a store that is new.
    await closeEnvironment(openEnvironment(newer, { readOnly: false }));
    DAMAGE["cut to half"](`${directory}/data.mdb`);
    assert.match(await refusal(directory), /none of the 1 backups/);
  }));

Deno.test("a refusal tells of backups, if there are any", () =>
  withDirectory(async (directory) => {
    await storeWithBackups(directory);
    DAMAGE["cut to half"](`${directory}/data.mdb`);
    const advice = /newest backup in .*\/backup, start with `persistence_on_damage restore`/;
    await assert.rejects(recordsIn(directory), advice);
    Deno.removeSync(backupsDirectory(directory), { recursive: true });
    await assert.rejects(recordsIn(directory), (error: Error) => !advice.test(error.message));
  }));

const PROGRAM = new URL("./restorer_process.ts", import.meta.url).href;

/** Runs a start that dies before its change with this number. Returns what it printed. */
async function dieAt(directory: string, change: number): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--cached-only", "--no-check", PROGRAM, directory, String(change)],
    stdin: "null",
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout).trim().split("\n");
}

for (const name of ["missing", "bits flipped in a record"]) {
  Deno.test(`restore: killed at any step (data.mdb ${name}), the next start goes on`, () =>
    withDirectory(async (directory) => {
      const seen = new Set<string>();
      for (let change = 0, done = false; !done; change++) {
        const store = `${directory}/${change}`;
        await storeWithBackups(store);
        DAMAGE[name](`${store}/data.mdb`);
        const damaged = name === "missing" ? null : Deno.readFileSync(`${store}/data.mdb`);
        const printed = await dieAt(store, change);
        done = printed.at(-1) === "done";
        for (const word of printed) seen.add(word);

        const records = await recordsIn(store, { onDamage: "restore" });
        assert.equal(records.length, RECORDS, `killed before change ${change}`);
        const kept = quarantines(store).filter((path) => existsSync(`${path}/data.mdb`));
        if (damaged !== null) assert.deepEqual(Deno.readFileSync(`${kept[0]}/data.mdb`), damaged);
        assert.equal(existsSync(`${store}/restore`), false, "nothing is left");
        assert.equal((await recordsIn(store)).length, RECORDS);
        Deno.removeSync(store, { recursive: true });
      }
      for (const step of ["mkdir", "copyFile", "mkdirSync", "linkSync", "renameSync", "remove"]) {
        assert.ok(seen.has(step), `${step} is a step`);
      }
    }));
}
