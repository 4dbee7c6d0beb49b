import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { backupsDirectory, backupsOf } from "../../src/store/backup_files.ts";
import {
  type BackupClock,
  type BackupOptions,
  Backups,
  type BackupSource,
} from "../../src/store/backups.ts";
import { checkInChild, type ChildFinding } from "../../src/store/child_walk.ts";
import { LmdbStore } from "../../src/store/lmdb_store.ts";
import { within } from "../support/broker_process.ts";
import { put } from "./contract.ts";
import { recordsIn, storeWith, withDirectory } from "./directories.ts";

const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2030, 0, 1);

/** Time that passes when a test says so. */
class FakeClock implements BackupClock {
  nowMs = START_MS;
  #timer: { atMs: number; run: () => void } | null = null;

  wallMs() {
    return this.nowMs;
  }

  wakeAfter(milliseconds: number, run: () => void) {
    assert.equal(this.#timer, null, "one timer is enough");
    this.#timer = { atMs: this.nowMs + milliseconds, run };
    return () => void (this.#timer = null);
  }

  /** Until the next timer; null when there is none. */
  get waitsMs(): number | null {
    return this.#timer === null ? null : this.#timer.atMs - this.nowMs;
  }

  /** Goes to the next timer, and runs it. */
  wake() {
    const timer = this.#timer!;
    this.#timer = null;
    this.nowMs = timer.atMs;
    timer.run();
  }
}

/** Backups of a small store that is not opened: copied as a file, and found good unless a test objects. */
class Scene {
  readonly clock = new FakeClock();
  readonly lines: string[] = [];
  readonly backups: Backups;
  copies = 0;
  finding: ChildFinding = { name: "sound", records: 1 };
  check = (_directory: string, _signal: AbortSignal) => Promise.resolve(this.finding);

  constructor(
    readonly directory: string,
    options: Partial<BackupOptions> = {},
    source: Partial<BackupSource> = {},
  ) {
    this.backups = new Backups({
      directory,
      minimumFreeBytes: 0,
      copyTo: async (target) => {
        this.copies++;
        await Deno.copyFile(`${directory}/data.mdb`, `${target}/data.mdb`);
      },
      check: (directory, signal) => this.check(directory, signal),
      ...source,
    }, {
      intervalSeconds: 3600,
      keep: 2,
      log: (type, line) => this.lines.push(`${type}: ${line}`),
      clock: this.clock,
      ...options,
    });
  }

  /** Lets the next backup be made, or not. */
  async wake() {
    this.clock.wake();
    await this.idle();
  }

  /** Until the next timer has been set. */
  async idle() {
    while (this.clock.waitsMs === null) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  get names(): string[] {
    return namesIn(backupsDirectory(this.directory));
  }
}

function namesIn(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
}

/** Runs `test` on a directory with a store that was closed. */
function onStore(test: (directory: string) => Promise<void>) {
  return withDirectory(async (directory) => {
    await storeWith(directory, [put(1, 1, "first")]);
    await test(directory);
  });
}

Deno.test("a backup comes after each interval in which something was changed", () =>
  onStore(async (directory) => {
    const scene = new Scene(directory);
    scene.backups.start();
    await scene.wake();
    assert.deepEqual(backupsOf(directory).map(({ timeMs }) => timeMs), [scene.clock.nowMs]);
    assert.match(scene.lines[0], /^information: Backup .*: 1 records, \d+ bytes, checked\.$/);

    assert.equal(scene.clock.waitsMs, HOUR_MS);
    await scene.wake();
    assert.equal(scene.copies, 1, "nothing was changed since");

    await storeWith(directory, [put(1, 2, "second")]);
    await scene.wake();
    assert.equal(scene.copies, 2);
    assert.deepEqual(
      backupsOf(directory).map(({ timeMs }) => scene.clock.nowMs - timeMs),
      [0, 2 * HOUR_MS],
    );
    await scene.backups.stop();
    assert.equal(scene.clock.waitsMs, null);
  }));

Deno.test("a start that changes nothing is no change of the store", () =>
  onStore(async (directory) => {
    const scene = new Scene(directory);
    scene.backups.start();
    await scene.wake();
    await recordsIn(directory);
    await scene.wake();
    assert.equal(scene.copies, 1);
    await scene.backups.stop();
  }));

Deno.test("the first one is due an interval after the newest, a minute after the start at the soonest", () =>
  onStore(async (directory) => {
    const MINUTE_MS = 60_000;
    const ages: [ageMs: number, dueMs: number][] = [
      [HOUR_MS / 4, 3 * HOUR_MS / 4],
      [HOUR_MS - 1000, MINUTE_MS],
      [50 * HOUR_MS, MINUTE_MS],
      [-HOUR_MS, HOUR_MS], // The clock was set back.
    ];
    for (const [ageMs, dueMs] of ages) {
      const time = new Date(START_MS - ageMs).toISOString().replaceAll(":", "");
      Deno.mkdirSync(`${directory}/backup/${time}`, { recursive: true });
      const scene = new Scene(directory);
      scene.backups.start();
      assert.equal(scene.clock.waitsMs, dueMs);
      await scene.backups.stop();
      Deno.removeSync(`${directory}/backup`, { recursive: true });
    }
    const often = new Scene(directory, { intervalSeconds: 5 });
    often.backups.start();
    assert.equal(often.clock.waitsMs, 5000, "of a store that is older than that");
    await often.backups.stop();
  }));

Deno.test("without a backup the store's own age counts", () =>
  onStore(async (directory) => {
    const birthMs = Deno.statSync(`${directory}/data.mdb`).birthtime?.getTime();
    const scene = new Scene(directory);
    // Not all file systems know it: then an interval is waited for.
    scene.clock.nowMs = (birthMs ?? START_MS) + HOUR_MS / 2;
    scene.backups.start();
    assert.equal(scene.clock.waitsMs, birthMs === undefined ? HOUR_MS : HOUR_MS / 2);
    await scene.backups.stop();
  }));

Deno.test("an interval longer than a timer can be is waited for whole", () =>
  onStore(async (directory) => {
    const intervalSeconds = 2_000_000;
    const scene = new Scene(directory, { intervalSeconds });
    scene.clock.nowMs = 0; // Before the store was made.
    scene.backups.start();
    assert.equal(scene.clock.waitsMs, 1e9);
    await scene.wake();
    assert.equal(scene.copies, 0);
    assert.equal(scene.clock.waitsMs, 1e9);
    await scene.wake();
    assert.equal(scene.copies, 1);
    await scene.backups.stop();
  }));

Deno.test("the oldest beyond backup_keep are removed, after a new one was found good", () =>
  onStore(async (directory) => {
    const scene = new Scene(directory, { keep: 3 });
    const seen: number[] = [];
    scene.check = () => {
      seen.push(backupsOf(directory).length);
      return Promise.resolve(scene.finding);
    };
    scene.backups.start();
    for (let number = 0; number < 5; number++) {
      await storeWith(directory, [put(2, number, "x")]);
      await scene.wake();
    }
    assert.deepEqual(seen, [0, 1, 2, 3, 3]);
    assert.deepEqual(
      backupsOf(directory).map(({ timeMs }) => scene.clock.nowMs - timeMs),
      [0, HOUR_MS, 2 * HOUR_MS],
    );
    assert.equal(scene.names.length, 3);
    await scene.backups.stop();
  }));

Deno.test("the newest stays the newest when the clock is set back", () =>
  onStore(async (directory) => {
    const scene = new Scene(directory, { keep: 1 });
    scene.backups.start();
    await scene.wake();
    const [first] = backupsOf(directory);
    await storeWith(directory, [put(1, 2, "later")]);
    scene.clock.nowMs -= 10 * HOUR_MS;
    scene.clock.wake();
    scene.clock.nowMs -= 10 * HOUR_MS;
    await scene.idle();
    const [second, ...others] = backupsOf(directory);
    assert.ok(second.timeMs > first.timeMs);
    assert.deepEqual(others, []);
    await scene.backups.stop();
  }));

Deno.test("until it was found good a backup has no good name", () =>
  onStore(async (directory) => {
    const scene = new Scene(directory);
    scene.check = (path) => {
      assert.deepEqual(backupsOf(directory), []);
      assert.match(path, /\/backup\/unfinished-[^/]+$/);
      return Promise.resolve(scene.finding);
    };
    scene.backups.start();
    await scene.wake();
    assert.equal(backupsOf(directory).length, 1);
    await scene.backups.stop();
  }));

Deno.test("a copy that is damaged is removed and told, and the older ones stay", () =>
  onStore(async (directory) => {
    const scene = new Scene(directory, { keep: 1 });
    scene.backups.start();
    await scene.wake();
    const before = scene.names;
    await storeWith(directory, [put(1, 2, "x")]);
    scene.finding = { name: "damaged", problem: "record 1/1 has a wrong checksum" };
    await scene.wake();
    assert.deepEqual(scene.names, before);
    assert.match(scene.lines[1], /^error: The backup was removed, it is damaged: record 1\/1 has/);
    scene.finding = { name: "sound", records: 2 };
    await scene.wake();
    assert.notDeepEqual(scene.names, before, "the next one is tried again");
    await scene.backups.stop();
  }));

Deno.test("a copy that is cut short is not even given to the child", () =>
  onStore(async (directory) => {
    const scene = new Scene(directory, {}, {
      copyTo: (target) =>
        Deno.writeFile(
          `${target}/data.mdb`,
          Deno.readFileSync(`${directory}/data.mdb`).subarray(0, 5000),
        ),
    });
    scene.check = () => assert.fail("it would end the child");
    scene.backups.start();
    await scene.wake();
    assert.deepEqual(scene.names, []);
    assert.match(scene.lines[0], /^error: .* is damaged: /);
    await scene.backups.stop();
  }));

Deno.test("what can not be checked is no backup", () =>
  onStore(async (directory) => {
    const scene = new Scene(directory);
    scene.finding = { name: "unavailable", why: "no child" };
    scene.backups.start();
    await scene.wake();
    await scene.wake();
    assert.deepEqual(scene.names, []);
    assert.deepEqual(scene.lines, [
      `error: No backup in ${directory}/backup: it cannot be checked: no child`,
    ], "told once");
    await scene.backups.stop();
  }));

Deno.test("there is no backup when it would leave less than the floor of free space", () =>
  onStore(async (directory) => {
    const scene = new Scene(directory, {}, { minimumFreeBytes: 2 ** 60 });
    scene.backups.start();
    await scene.wake();
    await scene.wake();
    assert.equal(scene.copies, 0);
    assert.equal(scene.lines.length, 1, "told once");
    assert.match(scene.lines[0], /^warning: No backup in .* are free .* have to stay free$/);
    await scene.backups.stop();
  }));

Deno.test("copying that fails is told, leaves nothing, and is tried again", () =>
  onStore(async (directory) => {
    let fails = true;
    const scene = new Scene(directory, {}, {
      copyTo: async (target) => {
        await Deno.copyFile(`${directory}/data.mdb`, `${target}/data.mdb`);
        if (fails) throw new Error("No space left on device");
      },
    });
    scene.backups.start();
    await scene.wake();
    assert.deepEqual(scene.names, []);
    assert.match(scene.lines[0], /^error: No backup in .*: No space left on device$/);
    fails = false;
    await scene.wake();
    assert.equal(scene.names.length, 1);
    await scene.backups.stop();
  }));

Deno.test("a place for backups that cannot be used is told, and nothing else", () =>
  onStore(async (directory) => {
    Deno.writeTextFileSync(`${directory}/backup`, "somebody's file");
    const scene = new Scene(directory);
    scene.backups.start();
    await scene.wake();
    assert.equal(scene.lines.length, 1, "told once");
    assert.match(scene.lines[0], /^error: No backup in .*Not a directory/);
    assert.equal(Deno.readTextFileSync(`${directory}/backup`), "somebody's file");
    await scene.backups.stop();
  }));

Deno.test("what a crash has left is no backup, and is removed at the next start", () =>
  onStore(async (directory) => {
    const left = `${directory}/backup/unfinished-2029-12-31T235900.000Z`;
    Deno.mkdirSync(left, { recursive: true });
    Deno.copyFileSync(`${directory}/data.mdb`, `${left}/data.mdb`);
    Deno.writeTextFileSync(`${directory}/backup/notes`, "the operator's own");
    assert.deepEqual(backupsOf(directory), []);
    const scene = new Scene(directory);
    scene.backups.start();
    await scene.wake();
    assert.deepEqual(scene.names.map((name) => name.slice(0, 5)), ["2030-", "notes"]);
    await scene.backups.stop();
  }));

Deno.test("a stop while the copy is checked ends the check and removes the copy", () =>
  onStore(async (directory) => {
    const scene = new Scene(directory);
    let checking = () => {};
    const isChecking = new Promise<void>((resolve) => checking = resolve);
    scene.check = (_, signal) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        checking();
      });
    scene.backups.start();
    scene.clock.wake();
    await isChecking;
    await scene.backups.stop();
    assert.deepEqual(scene.names, []);
    assert.deepEqual(scene.lines, []);
    assert.equal(scene.clock.waitsMs, null, "and nothing follows");
  }));

Deno.test("a stop while it is copied waits for the copy, and removes it unchecked", () =>
  onStore(async (directory) => {
    let copied = () => {};
    let copying = () => {};
    const isCopying = new Promise<void>((resolve) => copying = resolve);
    const scene = new Scene(directory, {}, {
      copyTo: (target) => {
        Deno.copyFileSync(`${directory}/data.mdb`, `${target}/data.mdb`);
        copying();
        return new Promise((resolve) => copied = resolve);
      },
    });
    scene.check = () => assert.fail("nobody waits for it");
    scene.backups.start();
    scene.clock.wake();
    await isCopying;
    let hasStopped = false;
    const stopped = scene.backups.stop().then(() => void (hasStopped = true));
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.equal(hasStopped, false, "the store must not be closed yet");
    copied();
    await stopped;
    assert.deepEqual(scene.names, []);
  }));

Deno.test({
  name: "the child that checks is killed when nobody waits for it",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withDirectory(async (directory) => {
      // Opening it has no end, so the child has none of its own.
      const made = await new Deno.Command("mkfifo", { args: [`${directory}/data.mdb`] }).output();
      assert.ok(made.success);
      const stopping = new AbortController();
      const finding = checkInChild(directory, stopping.signal);
      stopping.abort(new Error("stopped"));
      await assert.rejects(within(finding, () => "it goes on"), /stopped/);
      await assert.rejects(checkInChild(directory, stopping.signal), /stopped/);
    }),
});

Deno.test("a store that is written to all the time makes backups that are whole", () =>
  withDirectory(async (directory) => {
    const clock = new FakeClock();
    const lines: string[] = [];
    const log = (type: string, line: string) => void lines.push(`${type}: ${line}`);
    const backups = { intervalSeconds: 60, keep: 9, clock, log };
    const store = await LmdbStore.open({ directory, minimumFreeBytes: 0, backups });
    store.restore(() => {});
    // Of each pair both or none is there, and all pairs before it.
    let pairs = 0;
    const write = () => store.commit([put(1, pairs, "a".repeat(1500)), put(2, pairs++, "b")]);
    for (let backup = 0; backup < 3; backup++) {
      await write();
      const before = pairs;
      clock.wake();
      while (clock.waitsMs === null) {
        await write();
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      const [{ path }] = backupsOf(directory);
      assert.deepEqual(namesIn(path), ["data.mdb"]);
      assert.equal(Deno.statSync(`${path}/data.mdb`).mode! & 0o777, 0o600);
      assert.equal(Deno.statSync(path).mode! & 0o777, 0o700);
      const work = `${directory}/work`;
      Deno.mkdirSync(work);
      Deno.copyFileSync(`${path}/data.mdb`, `${work}/data.mdb`);
      const records = await recordsIn(work);
      const numbers = (kind: number) =>
        records.filter((record) => record[0] === kind).map(([, number]) => number);
      const [first, second] = [numbers(1), numbers(2)];
      assert.deepEqual(first, second);
      assert.ok(first.length >= before && first.length <= pairs);
      assert.deepEqual(first, Array.from(first, (_, number) => number));
      Deno.removeSync(work, { recursive: true });
    }
    await store.close();
    assert.equal(clock.waitsMs, null);
    assert.deepEqual(lines.map((line) => line.split(":")[0]), Array(3).fill("information"));
    assert.equal((await recordsIn(directory)).length, 2 * pairs);
  }));

Deno.test("a store that is closed while a backup is made leaves no half one", () =>
  withDirectory(async (directory) => {
    const clock = new FakeClock();
    const backups = { intervalSeconds: 60, keep: 2, clock };
    const store = await LmdbStore.open({ directory, minimumFreeBytes: 0, backups });
    store.restore(() => {});
    await store.commit(
      Array.from({ length: 3000 }, (_, number) => put(1, number, "x".repeat(900))),
    );
    clock.wake();
    while (!existsSync(backupsDirectory(directory))) {
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    await store.close();
    assert.deepEqual(namesIn(backupsDirectory(directory)), []);
    assert.equal(Deno.readTextFileSync(`${directory}/state`).trim(), "clean");
  }));
