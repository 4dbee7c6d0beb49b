import assert from "node:assert/strict";
import { closeEnvironment, entryCount, openEnvironment } from "../../src/store/environment.ts";
import { LmdbStore } from "../../src/store/lmdb_store.ts";
import { StoreError, type StoreErrorReason } from "../../src/store/store.ts";
import { StoreLock } from "../../src/store/store_lock.ts";
import { bytes, pattern, put, restored, text } from "./contract.ts";
import { storeWith, withDirectory } from "./directories.ts";

/** Runs `attempt`, which must fail with such a `StoreError`; returns its message. */
async function refusal(
  reason: StoreErrorReason,
  attempt: () => unknown | Promise<unknown>,
): Promise<string> {
  try {
    await attempt();
  } catch (error) {
    assert.ok(error instanceof StoreError, `${error}`);
    assert.equal(error.reason, reason, error.message);
    return error.message;
  }
  assert.fail("it should have been refused");
}

/** Everything below a directory, byte for byte. */
function snapshot(directory: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const { name, isDirectory } of Deno.readDirSync(directory)) {
    const path = `${directory}/${name}`;
    if (name === "lock.mdb" || name === "broker.lock") continue; // Rewritten by each opener.
    files[name] = isDirectory
      ? JSON.stringify(snapshot(path))
      : new TextDecoder("latin1").decode(Deno.readFileSync(path));
  }
  return files;
}

/** Opens, restores and closes: what a start does. */
async function start(
  directory: string,
  options: Partial<Parameters<typeof LmdbStore.open>[0]> = {},
) {
  const store = await LmdbStore.open({ directory, ...options });
  try {
    return restored(store);
  } finally {
    await store.close();
  }
}

const state = (directory: string) => Deno.readTextFileSync(`${directory}/state`).trim();

Deno.test("files are the owner's alone", () =>
  withDirectory(async (parent) => {
    const directory = `${parent}/deep/store`;
    await storeWith(directory, [put(1, 1, "a")]);
    assert.equal(Deno.statSync(directory).mode! & 0o777, 0o700);
    const files = [...Deno.readDirSync(directory)];
    assert.deepEqual(
      files.map(({ name }) => name).sort(),
      ["broker.lock", "data.mdb", "lock.mdb", "state"],
    );
    for (const { name } of files) {
      assert.equal(Deno.statSync(`${directory}/${name}`).mode! & 0o777, 0o600, name);
    }
  }));

Deno.test("the state file follows the store's life", () =>
  withDirectory(async (directory) => {
    const store = await LmdbStore.open({ directory });
    assert.equal(state(directory), "creating");
    store.restore(() => {});
    assert.equal(state(directory), "running");
    await store.close();
    assert.equal(state(directory), "clean");
    const again = await LmdbStore.open({ directory });
    assert.equal(state(directory), "loading");
    await again.close();
    assert.equal(state(directory), "clean", "it was not used");
  }));

Deno.test("a first start that died on its way is started again", () =>
  withDirectory(async (directory) => {
    Deno.writeTextFileSync(`${directory}/state`, "creating \n");
    assert.deepEqual(await start(directory), []);
    Deno.writeTextFileSync(`${directory}/state`, "creating \n");
    Deno.truncateSync(`${directory}/data.mdb`);
    assert.deepEqual(await start(directory), []);

    // Made by LMDB, but without our first record.
    Deno.removeSync(`${directory}/data.mdb`);
    await closeEnvironment(openEnvironment(directory, { readOnly: false }));
    Deno.writeTextFileSync(`${directory}/state`, "creating \n");
    assert.deepEqual(await start(directory), []);
    await storeWith(directory, [put(1, 1, "a")]);
    assert.deepEqual(await start(directory), [[1, 1, "a"]]);
  }));

Deno.test("a second broker in the process is refused, and changes nothing", () =>
  withDirectory(async (directory) => {
    const store = await LmdbStore.open({ directory });
    store.restore(() => {});
    await store.commit([put(1, 1, "a")]);
    const before = snapshot(directory);
    const message = await refusal("locked", () => LmdbStore.open({ directory }));
    assert.match(message, new RegExp(`another broker \\(pid ${Deno.pid}\\) holds`));
    assert.deepEqual(snapshot(directory), before);
    await store.commit([put(1, 2, "b")]);
    await store.close();
    assert.deepEqual(await start(directory), [[1, 1, "a"], [1, 2, "b"]]);
  }));

Deno.test("what a failed start made is removed, what was there stays", () =>
  withDirectory((parent) => {
    const lock = StoreLock.acquire(`${parent}/a/b`);
    lock.abandon();
    assert.deepEqual([...Deno.readDirSync(parent)], []);

    Deno.writeTextFileSync(`${parent}/theirs`, "x");
    const here = StoreLock.acquire(parent);
    here.abandon();
    assert.deepEqual([...Deno.readDirSync(parent)].map(({ name }) => name), ["theirs"]);
  }));

Deno.test({
  name: "a lock that only a dying process still has is waited for",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withDirectory(async (directory) => {
      const path = `${directory}/broker.lock`;
      // No process has this number: Linux ends below it.
      Deno.writeTextFileSync(path, "4194305\n");
      const holder = new Deno.Command("flock", {
        args: [path, "sh", "-c", "echo held; sleep 0.3"],
        stdin: "null",
        stdout: "piped",
      }).spawn();
      const reader = holder.stdout.getReader();
      await reader.read();
      const lock = StoreLock.acquire(directory);
      lock.release();
      await reader.cancel();
      await holder.status;
    }),
});

Deno.test("a start that fails after opening leaves nothing behind either", () =>
  withDirectory(async (parent) => {
    const store = await LmdbStore.open({ directory: `${parent}/store` });
    await store.close();
    assert.deepEqual([...Deno.readDirSync(parent)], []);
  }));

Deno.test("a relative directory works", () =>
  withDirectory(async (parent) => {
    const before = Deno.cwd();
    Deno.chdir(parent);
    try {
      await storeWith("data/x", [put(1, 1, "a")]);
      assert.deepEqual(await start("data/x"), [[1, 1, "a"]]);
    } finally {
      Deno.chdir(before);
    }
  }));

Deno.test("a database of Mosquitto's at the path is told and not touched", () =>
  withDirectory(async (parent) => {
    const path = `${parent}/mosquitto.db`;
    const file = new Uint8Array([0, 0xb5, 0, ...bytes("mosquitto db"), 0, 0, 0, 6]);
    Deno.writeFileSync(path, file);
    const message = await refusal("foreign", () => LmdbStore.open({ directory: path }));
    assert.match(message, /mosquitto\.db is a database of Mosquitto's/);
    assert.match(
      await refusal("foreign", () => LmdbStore.open({ directory: `${path}/below` })),
      /mosquitto\.db is a database/,
    );
    assert.deepEqual(Deno.readFileSync(path), file);
    Deno.writeFileSync(path, file.subarray(0, 3));
    assert.match(await refusal("foreign", () => StoreLock.acquire(path)), /is a file/);
  }));

Deno.test("an LMDB file of another program is refused as it is", () =>
  withDirectory(async (directory) => {
    const environment = openEnvironment(directory, { readOnly: false });
    environment.putSync(bytes("key"), bytes("value"));
    await closeEnvironment(environment);
    const before = snapshot(directory);
    assert.match(await refusal("foreign", () => LmdbStore.open({ directory })), /another program/);
    assert.deepEqual(snapshot(directory), before);
  }));

Deno.test("a store of a newer version is refused as it is", () =>
  withDirectory(async (directory) => {
    await storeWith(directory, [put(1, 1, "a")]);
    await editSchema(directory, "sabethes store/2");
    const before = snapshot(directory);
    assert.match(await refusal("newer", () => LmdbStore.open({ directory })), /schema 2/);
    assert.deepEqual(snapshot(directory), before);
  }));

/** Rewrites the first record, with a right checksum. */
async function editSchema(directory: string, value: string): Promise<void> {
  const { entryBytes, HEAD_KEY_BYTES, writeEntry } = await import(
    "../../src/store/record_codec.ts"
  );
  const environment = openEnvironment(directory, { readOnly: false });
  const key = new Uint8Array(HEAD_KEY_BYTES);
  const entry = new Uint8Array(entryBytes(value.length, 0));
  writeEntry(entry, key, bytes(value), 0);
  environment.putSync(key, entry);
  await closeEnvironment(environment);
}

/** Ways to break `data.mdb` that would end a process which maps it, or lose everything. */
const STRUCTURAL_DAMAGE: Record<string, (path: string, size: number) => void> = {
  "empty": (path) => Deno.truncateSync(path),
  "missing": (path) => Deno.removeSync(path),
  "cut to half": (path, size) => Deno.truncateSync(path, size / 2),
  "cut by one page": (path, size) => Deno.truncateSync(path, size - 4096),
  "cut by 100 bytes": (path, size) => Deno.truncateSync(path, size - 100),
  "one page only": (path) => Deno.truncateSync(path, 4096),
  "100 bytes only": (path) => Deno.truncateSync(path, 100),
  "garbage": (path, size) => Deno.writeFileSync(path, pattern(size)),
  "first page zeroed": (path) => overwrite(path, 0, new Uint8Array(4096)),
  "second page zeroed": (path) => overwrite(path, 4096, new Uint8Array(4096)),
};

function overwrite(path: string, at: number, value: Uint8Array): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(value);
}

for (const [name, damage] of Object.entries(STRUCTURAL_DAMAGE)) {
  Deno.test(`data.mdb ${name}: refused in words, and left as it is`, () =>
    withDirectory(async (directory) => {
      const records = Array.from({ length: 200 }, (_, number) => put(1, number, "x".repeat(500)));
      await storeWith(directory, records);
      const path = `${directory}/data.mdb`;
      damage(path, Deno.statSync(path).size);
      const before = snapshot(directory);
      const message = await refusal("damaged", () => LmdbStore.open({ directory }));
      assert.ok(message.includes(path));
      assert.match(message, /persistence_on_damage salvage/);
      assert.deepEqual(snapshot(directory), before);
    }));
}

/** Flips a bit in the only place where `needle` is. */
function flipBit(directory: string, needle: string): void {
  const path = `${directory}/data.mdb`;
  const data = new TextDecoder("latin1").decode(Deno.readFileSync(path));
  const places = data.split(needle).length - 1;
  assert.ok(places > 0, "the record is in the file");
  for (let at = data.indexOf(needle); at >= 0; at = data.indexOf(needle, at + 1)) {
    overwrite(path, at, new Uint8Array([data.charCodeAt(at) ^ 4]));
  }
}

Deno.test("a bit that flipped is found at start, by name, and nothing is changed", () =>
  withDirectory(async (directory) => {
    await storeWith(directory, [put(1, 1, "a"), put(3, 77, "precious"), put(3, 78, "b")]);
    flipBit(directory, "precious");
    const before = snapshot(directory);
    const message = await refusal("damaged", () => start(directory));
    assert.match(message, /record 3\/77 has a wrong checksum/);
    assert.deepEqual(snapshot(directory), before);
  }));

Deno.test("a bit that flips later is found by reading", () =>
  withDirectory(async (directory) => {
    await storeWith(directory, [put(1, 1, "precious")]);
    const store = await LmdbStore.open({ directory });
    store.restore(() => {});
    assert.equal(text(store.read(1, 1)), "precious");
    flipBit(directory, "precious");
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.throws(() => store.read(1, 1), /record 1\/1 has a wrong checksum/);
    await store.close();
  }));

Deno.test("a missing chunk is found", () =>
  withDirectory(async (directory) => {
    await storeWith(directory, [{ kind: 1, number: 1, value: pattern(8000) }]);
    const environment = openEnvironment(directory, { readOnly: false });
    environment.removeSync(new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4]));
    await closeEnvironment(environment);
    assert.match(
      await refusal("damaged", () => start(directory)),
      /record 1\/1 lacks 1 of 4 chunks/,
    );
  }));

Deno.test("after dying while loading, a child looks first, and may die of what it finds", () =>
  withDirectory(async (directory) => {
    const path = await storeWithBadPage(directory);
    Deno.writeTextFileSync(`${directory}/state`, "loading  \n");
    const before = snapshot(directory);
    const message = await refusal("damaged", () => LmdbStore.open({ directory }));
    assert.ok(message.includes(path));
    assert.deepEqual(snapshot(directory), before);
  }));

Deno.test("after dying while loading, a sound store starts", () =>
  withDirectory(async (directory) => {
    await storeWith(directory, [put(1, 1, "a")]);
    Deno.writeTextFileSync(`${directory}/state`, "loading  \n");
    const lines: string[] = [];
    const log = (line: string) => void lines.push(line);
    assert.deepEqual(await start(directory, { log }), [[1, 1, "a"]]);
    assert.match(lines[0], /was checked: 2 records, no problem/);
    assert.equal(state(directory), "clean");
  }));

/** 2,000 records, and one page in the middle of the file zeroed. */
async function storeWithBadPage(directory: string): Promise<string> {
  const records = Array.from({ length: 2000 }, (_, number) => put(1, number, "x".repeat(300)));
  await storeWith(directory, records);
  const path = `${directory}/data.mdb`;
  const pages = Deno.statSync(path).size / 4096;
  overwrite(path, Math.floor(pages / 2) * 4096, new Uint8Array(4096));
  return path;
}

/** The one line that tells what became of a damaged store, and where it is now. */
function quarantined(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name)
    .filter((name) => name.startsWith("quarantine-"));
}

Deno.test("salvage keeps what is readable and sets the rest aside", () =>
  withDirectory(async (directory) => {
    const large = pattern(6000);
    await storeWith(directory, [
      put(1, 1, "first"),
      put(1, 2, "precious"),
      { kind: 2, number: 1, value: large },
      put(3, 1, "last"),
    ]);
    flipBit(directory, "precious");
    const damaged = Deno.readFileSync(`${directory}/data.mdb`);
    const lines: string[] = [];
    const log = (line: string) => void lines.push(line);
    const records = await start(directory, { onDamage: "salvage", log });
    assert.deepEqual(records.map(([kind, number]) => [kind, number]), [[1, 1], [2, 1], [3, 1]]);
    assert.match(lines.at(-1)!, /3 records were kept, 1 entries were wrong/);
    const [quarantine] = quarantined(directory);
    assert.deepEqual(Deno.readFileSync(`${directory}/${quarantine}/data.mdb`), damaged);
    assert.equal((await start(directory)).length, 3, "the new store is sound");
    assert.equal(state(directory), "clean");
  }));

Deno.test("salvage goes on behind a page that cannot be read", () =>
  withDirectory(async (directory) => {
    await storeWithBadPage(directory);
    const records = await start(directory, { onDamage: "salvage" });
    assert.ok(records.length > 1500 && records.length < 2000, `${records.length} of 2000`);
    assert.ok(records.some(([, number]) => number === 0));
    assert.ok(records.some(([, number]) => number === 1999));
  }));

Deno.test("salvage reads what is left of a file that was cut", () =>
  withDirectory(async (directory) => {
    const records = Array.from({ length: 2000 }, (_, number) => put(1, number, "x".repeat(300)));
    const store = await LmdbStore.open({ directory });
    store.restore(() => {});
    await store.commit(records);
    await store.commit([put(1, 0, "again")]); // So that the root is not among the last pages.
    await store.commit([put(1, 0, "again")]);
    await store.close();
    const path = `${directory}/data.mdb`;
    Deno.truncateSync(path, Deno.statSync(path).size - 8 * 4096);
    const kept = await start(directory, { onDamage: "salvage" });
    assert.ok(kept.length > 0 && kept.length <= 2000, `${kept.length} of 2000`);
    assert.equal(quarantined(directory).length, 1);
  }));

Deno.test("fresh starts empty and sets the damaged file aside", () =>
  withDirectory(async (directory) => {
    await storeWith(directory, [put(1, 1, "a")]);
    const path = `${directory}/data.mdb`;
    Deno.writeFileSync(path, pattern(10_000));
    assert.deepEqual(await start(directory, { onDamage: "fresh" }), []);
    const [quarantine] = quarantined(directory);
    assert.deepEqual(
      Deno.readFileSync(`${directory}/${quarantine}/data.mdb`),
      pattern(10_000),
    );
    await storeWith(directory, [put(1, 2, "b")]);
    assert.deepEqual(await start(directory, { onDamage: "fresh" }), [[1, 2, "b"]]);
    assert.equal(quarantined(directory).length, 1, "a sound store stays");
  }));

Deno.test("removing and replacing large values leaves no chunk behind", () =>
  withDirectory(async (directory) => {
    const store = await LmdbStore.open({ directory });
    store.restore(() => {});
    await store.commit([1, 2, 3].map((number) => ({ kind: 1, number, value: pattern(20_000) })));
    await store.commit([
      { kind: 1, number: 1, value: null },
      { kind: 1, number: 2, value: pattern(5) },
      { kind: 1, number: 3, value: pattern(2000) },
    ]);
    await store.close();
    const environment = openEnvironment(directory, { readOnly: true });
    assert.equal(entryCount(environment), 1 + 1 + 2, "schema, 2, and 3 with one chunk");
    await closeEnvironment(environment);
  }));

Deno.test("below the floor of free space the store says that it is not writable", () =>
  withDirectory(async (directory) => {
    const store = await LmdbStore.open({ directory, minimumFreeBytes: 2 ** 60 });
    store.restore(() => {});
    const { writable, reason, bytes } = store.health();
    assert.equal(writable, false);
    assert.match(reason, /free for .* are the minimum/);
    assert.ok(bytes > 0);
    await store.close();
  }));
