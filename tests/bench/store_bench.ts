/**
 * What keeping costs: `deno run -A tests/bench/store_bench.ts [DIRECTORY]`. The directory decides which disk
 * is measured; by default a temporary one, which it removes.
 */
import { Journal } from "../../src/store/journal.ts";
import { LmdbStore } from "../../src/store/lmdb_store.ts";
import { MemoryStore } from "../../src/store/memory_store.ts";
import type { RecordChange, Store } from "../../src/store/store.ts";

const VALUE = new Uint8Array(100).fill(7);
const RECORD = { encode: () => VALUE };

function report(name: string, milliseconds: number, count: number, unit: string): void {
  const each = milliseconds * 1e6 / count;
  const perSecond = Math.round(count / milliseconds * 1000).toLocaleString("en");
  console.log(
    `${name.padEnd(52)} ${milliseconds.toFixed(1).padStart(9)} ms  ` +
      `${each.toFixed(0).padStart(7)} ns/${unit}  ${perSecond} ${unit}s/s`,
  );
}

function makeJournal(store: Store, onCommitted: () => void = () => {}): Journal {
  return new Journal(store, {
    durability: "sync",
    autosaveIntervalSeconds: 0,
    autosaveOnChanges: false,
    clock: { monotonicMs: () => performance.now() },
    onCommitted,
    onFatal: (error) => {
      throw error;
    },
    log: console.log,
  });
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The hot path of a durable message whose receiver is quick: kept, acknowledged, never written. */
async function createAndForget(): Promise<void> {
  const journal = makeJournal(new MemoryStore());
  let number = 0;
  for (let round = 0; round < 3; round++) {
    const started = performance.now();
    for (let batch = 0; batch < 20_000; batch++) {
      for (let i = 0; i < 50; i++) journal.create(1, number + i, RECORD);
      for (let i = 0; i < 50; i++) journal.forget(1, number + i);
      number += 50;
      journal.flush();
    }
    const took = performance.now() - started;
    if (round === 2) report("journal: create + forget, 50 open", took, 1_000_000, "record");
  }
  await journal.close();
}

/** Turns that keep `perTurn` records each, as fast as the disk takes them; each record removed later. */
async function throughput(directory: string, perTurn: number, total: number): Promise<void> {
  const store = await LmdbStore.open({ directory });
  store.restore(() => {});
  let commits = 0;
  const journal = makeJournal(store, () => commits++);
  const started = performance.now();
  let busyMs = 0;
  for (let number = 0; number < total; number += perTurn) {
    const busy = performance.now();
    for (let i = number; i < number + perTurn; i++) {
      journal.create(1, i, RECORD);
      if (i >= 10_000) journal.forget(1, i - 10_000);
    }
    journal.flush();
    busyMs += performance.now() - busy;
    await turn();
    while (journal.position - journal.committed > 1) await turn();
  }
  while (journal.committed < journal.position) await turn();
  const took = performance.now() - started;
  report(`lmdb: ${perTurn} kept a turn, older ones removed`, took, total, "record");
  console.log(
    `  ${commits} commits; flush of the turns took ${busyMs.toFixed(0)} ms of this thread`,
  );
  await journal.close();
  Deno.removeSync(directory, { recursive: true });
}

/** One record, committed, and the next: the latency of a commit. */
async function serial(directory: string): Promise<void> {
  const store = await LmdbStore.open({ directory });
  store.restore(() => {});
  const times: number[] = [];
  for (let number = 0; number < 500; number++) {
    const started = performance.now();
    await store.commit([{ kind: 1, number, value: VALUE }]);
    times.push(performance.now() - started);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(times.length * share)].toFixed(2);
  console.log(`lmdb: one record a commit: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
  await store.close();
  Deno.removeSync(directory, { recursive: true });
}

async function restoring(directory: string, count: number): Promise<void> {
  let started = performance.now();
  let store = await LmdbStore.open({ directory });
  store.restore(() => {});
  console.log(`lmdb: opening a new store: ${(performance.now() - started).toFixed(1)} ms`);
  const changes: RecordChange[] = [];
  for (let number = 0; number < count; number++) changes.push({ kind: 1, number, value: VALUE });
  started = performance.now();
  await store.commit(changes);
  report(`lmdb: ${count} records in one commit`, performance.now() - started, count, "record");
  await store.close();

  started = performance.now();
  store = await LmdbStore.open({ directory });
  const openedMs = performance.now() - started;
  let records = 0;
  store.restore(() => records++);
  report(`lmdb: restoring ${records} records`, performance.now() - started, records, "record");
  console.log(`  of that, opening took ${openedMs.toFixed(1)} ms`);
  started = performance.now();
  for (let i = 0; i < 100_000; i++) store.read(1, i * 7919 % count);
  report("lmdb: reading by key", performance.now() - started, 100_000, "record");
  await store.close();
  Deno.removeSync(directory, { recursive: true });
}

if (import.meta.main) {
  const parent = Deno.args[0] ?? Deno.makeTempDirSync({ prefix: "sabethes-bench-" });
  const directory = `${parent}/store`;
  await createAndForget();
  await serial(directory);
  await throughput(directory, 10, 20_000);
  await throughput(directory, 200, 400_000);
  await throughput(directory, 2000, 1_000_000);
  await restoring(directory, 100_000);
  await restoring(directory, 400_000);
  if (Deno.args[0] === undefined) Deno.removeSync(parent, { recursive: true });
}
