/**
 * Starts the store in a directory with `persistence_on_damage restore`, and kills itself -9 before the
 * change of the file system with a given number. Run by `backup_restore_test.ts`:
 *
 *     restorer_process.ts DIRECTORY NUMBER
 *
 * Prints each change by name before it is made; without an end before, `done`.
 */
import { LmdbStore } from "../../src/store/lmdb_store.ts";

const [directory, last] = Deno.args;
let changes = 0;

for (
  const name of [
    "mkdir",
    "mkdirSync",
    "copyFile",
    "linkSync",
    "rename",
    "renameSync",
    "remove",
    "removeSync",
  ] as const
) {
  const change = Deno[name] as (...args: unknown[]) => unknown;
  Object.defineProperty(Deno, name, {
    value: (...args: unknown[]) => {
      if (changes++ === Number(last)) Deno.kill(Deno.pid, "SIGKILL");
      console.log(name);
      return change(...args);
    },
  });
}

if (import.meta.main) {
  const store = await LmdbStore.open({ directory, onDamage: "restore" });
  store.restore(() => {});
  await store.close();
  console.log("done");
}
