/**
 * A process for the tests of crashes. `hold DIRECTORY` takes the lock and waits; `write DIRECTORY` opens the
 * store and commits numbered batches for ever, each of a marker and records of several sizes. A line goes
 * out for each step: `held`, `restored N`, and the batch's number when it was committed.
 */
import { LmdbStore } from "../../src/store/lmdb_store.ts";
import type { RecordChange } from "../../src/store/store.ts";
import { StoreLock } from "../../src/store/store_lock.ts";
import { pattern } from "./contract.ts";

/** Lengths of the records of a batch: small, inline at most, and cut. */
export const BATCH_LENGTHS = [10, 200, 1891, 5000];
export const MARKER_KIND = 1;
export const RECORD_KIND = 2;

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

async function write(directory: string): Promise<never> {
  const store = await LmdbStore.open({ directory });
  let batch = 0;
  store.restore((kind) => {
    if (kind === MARKER_KIND) batch++;
  });
  say(`restored ${batch}`);
  for (;; batch++) {
    const changes: RecordChange[] = [{
      kind: MARKER_KIND,
      number: batch,
      value: new Uint8Array(1),
    }];
    for (const [at, length] of BATCH_LENGTHS.entries()) {
      const number = batch * BATCH_LENGTHS.length + at;
      changes.push({ kind: RECORD_KIND, number, value: pattern(length) });
    }
    await store.commit(changes);
    say(`${batch}`);
  }
}

if (import.meta.main) {
  const [mode, directory] = Deno.args;
  if (mode === "write") await write(directory);
  StoreLock.acquire(directory);
  say("held");
  await Deno.stdin.read(new Uint8Array(1));
}
