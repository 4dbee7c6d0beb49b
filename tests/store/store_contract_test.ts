import { LmdbStore } from "../../src/store/lmdb_store.ts";
import { MemoryStore } from "../../src/store/memory_store.ts";
import type { Store } from "../../src/store/store.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import { storeContract } from "./contract.ts";

storeContract(() => ({
  name: "MemoryStore",
  open: () => Promise.resolve(new MemoryStore()),
  reopen: (store: Store) => Promise.resolve(store),
}));

storeContract(() => ({
  name: "FaultyStore",
  open: () => Promise.resolve(new FaultyStore({ automatic: true })),
  reopen: (store: Store) => Promise.resolve((store as FaultyStore).crash()),
}));

storeContract(() => {
  let directory = "";
  return {
    name: "LmdbStore",
    open: () => {
      // A dot in the name, which lmdb takes for a file unless it is told.
      directory = Deno.makeTempDirSync() + "/mosquitto.db";
      return LmdbStore.open({ directory });
    },
    reopen: async (store: Store) => {
      await store.close();
      return await LmdbStore.open({ directory });
    },
    dispose: () => Deno.removeSync(directory + "/..", { recursive: true }),
  };
});
