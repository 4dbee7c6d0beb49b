import assert from "node:assert/strict";
import { LmdbStore } from "../../src/store/lmdb_store.ts";
import { StoreError } from "../../src/store/store.ts";
import { equal, pattern } from "./contract.ts";
import { withDirectory } from "./directories.ts";
import { BATCH_LENGTHS, MARKER_KIND, RECORD_KIND } from "./writer_process.ts";

const PROGRAM = new URL("./writer_process.ts", import.meta.url).href;

/** Starts the process and reads its lines until `enough` says so; kills it -9; returns the lines. */
async function runUntil(
  mode: string,
  directory: string,
  enough: (lines: string[]) => boolean | Promise<boolean>,
): Promise<string[]> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--cached-only", PROGRAM, mode, directory],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  let output = "";
  let killed = false;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    output += text;
    // What it had written before it died is read to its end: it was acknowledged.
    if (killed || !await enough(output.split("\n").slice(0, -1))) continue;
    child.kill("SIGKILL");
    killed = true;
  }
  await child.stdin.close();
  await child.status;
  return output.split("\n").slice(0, -1);
}

Deno.test("after kill -9 everything acknowledged is there, and no batch by half", () =>
  withDirectory(async (directory) => {
    let acknowledged = -1;
    for (const stopAfter of [1, 7, 30, 100]) {
      const lines = await runUntil("write", directory, (lines) => lines.length > stopAfter);
      acknowledged = Math.max(
        acknowledged,
        ...lines.filter((line) => /^\d+$/.test(line)).map(Number),
      );

      assert.equal(Deno.readTextFileSync(`${directory}/state`).trim(), "running");
      const store = await LmdbStore.open({ directory });
      const markers = new Set<number>();
      const records = new Set<number>();
      store.restore((kind, number, value) => {
        if (kind === MARKER_KIND) return void markers.add(number);
        assert.equal(kind, RECORD_KIND);
        assert.ok(equal(value, pattern(BATCH_LENGTHS[number % BATCH_LENGTHS.length])));
        records.add(number);
      });
      await store.close();
      for (let batch = 0; batch <= acknowledged; batch++) {
        assert.ok(markers.has(batch), `batch ${batch} was acknowledged`);
      }
      assert.equal(records.size, markers.size * BATCH_LENGTHS.length);
      for (const batch of markers) {
        for (let at = 0; at < BATCH_LENGTHS.length; at++) {
          assert.ok(records.has(batch * BATCH_LENGTHS.length + at), `batch ${batch} is whole`);
        }
      }
    }
  }));

Deno.test("a directory that another process holds is refused, until that one is killed", () =>
  withDirectory(async (directory) => {
    let message = "";
    await runUntil("hold", directory, async (lines) => {
      if (lines[0] !== "held") return false;
      await assert.rejects(() => LmdbStore.open({ directory }), (error) => {
        assert.ok(error instanceof StoreError && error.reason === "locked");
        message = error.message;
        return true;
      });
      return true;
    });
    assert.match(message, /another broker \(pid \d+\) holds/);
    assert.ok(!message.includes(`pid ${Deno.pid})`));
    assert.deepEqual([...Deno.readDirSync(directory)].map(({ name }) => name), ["broker.lock"]);
    const store = await LmdbStore.open({ directory });
    await store.close();
  }));

/** Mounts 16 MiB of memory; returns false where that is not allowed. */
function mountSmall(directory: string): boolean {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  const args = ["-t", "tmpfs", "-o", "size=16m", "tmpfs", directory];
  try {
    return new Deno.Command("mount", { args, stderr: "null" }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Mounting needs root and the right to it, which containers often lack: then there is nothing to test on. */
const CAN_MOUNT = (() => {
  const directory = Deno.makeTempDirSync();
  const can = mountSmall(directory);
  if (can) new Deno.Command("umount", { args: [directory] }).outputSync();
  Deno.removeSync(directory);
  return can;
})();

/** Runs `test` in a file system of 16 MiB, or is ignored: {@linkcode CAN_MOUNT}. */
function testOnSmallDisk(name: string, test: (directory: string) => Promise<void>): void {
  const fn = () =>
    withDirectory(async (directory) => {
      assert.ok(mountSmall(directory));
      try {
        await test(directory);
      } finally {
        new Deno.Command("umount", { args: ["-l", directory] }).outputSync();
      }
    });
  Deno.test({ name, ignore: !CAN_MOUNT, fn });
}

/** 8 MB of records. */
const MANY = Array.from({ length: 8000 }, (_, number) => ({
  kind: 2,
  number,
  value: pattern(1000),
}));

function fill(directory: string): void {
  Deno.writeFileSync(`${directory}/filler`, new Uint8Array(12 * 1024 * 1024));
}

async function rejection(promise: Promise<void>): Promise<StoreError> {
  const error = await promise.then(() => null, (error) => error);
  assert.ok(error instanceof StoreError, `${error}`);
  return error;
}

testOnSmallDisk(
  "a full disk rejects the commit, loses nothing, and is over when there is room",
  async (directory) => {
    const store = await LmdbStore.open({ directory: `${directory}/store` });
    store.restore(() => {});
    await store.commit([{ kind: 1, number: 0, value: pattern(1000) }]);
    fill(directory);
    assert.equal((await rejection(store.commit(MANY))).reason, "no room");
    assert.equal(store.health().writable, false);
    assert.ok(equal(store.read(1, 0)!, pattern(1000)));
    Deno.removeSync(`${directory}/filler`);
    await store.commit(MANY);
    assert.ok(equal(store.read(2, 7999)!, pattern(1000)));
    await store.close();
  },
);

testOnSmallDisk(
  "a write that fails where there is room is fatal; closing neither hangs nor ends the process",
  async (directory) => {
    const store = await LmdbStore.open({ directory: `${directory}/store`, minimumFreeBytes: 0 });
    store.restore(() => {});
    await store.commit([{ kind: 1, number: 0, value: pattern(1000) }]);
    fill(directory);
    assert.equal((await rejection(store.commit(MANY))).reason, "fatal");
    assert.equal(store.health().writable, false);
    assert.equal(
      (await rejection(store.commit([]))).reason,
      "fatal",
      "also when it is tried again",
    );
    await store.close();
    assert.equal(Deno.readTextFileSync(`${directory}/store/state`).trim(), "running");
  },
);
