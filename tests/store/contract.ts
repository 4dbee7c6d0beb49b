import assert from "node:assert/strict";
import type { RecordChange, Store } from "../../src/store/store.ts";

/** Makes stores of one sort, each empty. */
export interface StoreFactory {
  name: string;
  open(): Promise<Store>;
  /** Closes the store, opens what is there again, if this sort of store survives. */
  reopen?(store: Store): Promise<Store>;
  dispose?(): void;
}

/** What holds for every store. */
export function storeContract(makeFactory: () => StoreFactory): void {
  const name = makeFactory().name;
  const check = (
    title: string,
    run: (store: Store, factory: StoreFactory) => Promise<Store | void>,
  ) =>
    Deno.test(`${name}: ${title}`, async () => {
      const factory = makeFactory();
      let store = await factory.open();
      try {
        store.restore(() => assert.fail("a new store is empty"));
        store = await run(store, factory) ?? store;
      } finally {
        await store.close();
        factory.dispose?.();
      }
    });

  check("reads what was committed", async (store) => {
    await store.commit([put(1, 7, "seven"), put(2, 7, "other kind")]);
    assert.deepEqual(text(store.read(1, 7)), "seven");
    assert.deepEqual(text(store.read(2, 7)), "other kind");
    assert.equal(store.read(1, 8), undefined);
    assert.equal(store.read(3, 7), undefined);
  });

  check("replaces and removes", async (store) => {
    await store.commit([put(1, 1, "a"), put(1, 2, "b")]);
    await store.commit([put(1, 1, "A"), { kind: 1, number: 2, value: null }]);
    assert.equal(text(store.read(1, 1)), "A");
    assert.equal(store.read(1, 2), undefined);
  });

  check("removing what is not there is no error", async (store) => {
    await store.commit([{ kind: 9, number: 1, value: null }]);
    await store.commit([{ kind: 9, number: 1, value: null }, put(9, 2, "x")]);
    assert.equal(text(store.read(9, 2)), "x");
  });

  check("takes a commit of nothing", async (store) => {
    await store.commit([]);
    await store.commit([put(1, 1, "a")]);
    assert.equal(text(store.read(1, 1)), "a");
  });

  check("keeps an empty value apart from none", async (store) => {
    await store.commit([put(1, 1, "")]);
    assert.deepEqual(store.read(1, 1)?.length, 0);
  });

  check("takes the smallest and largest kinds and numbers", async (store) => {
    const changes = [1, 200].flatMap((kind) =>
      [0, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER].map((number) =>
        put(kind, number, `${kind}/${number}`)
      )
    );
    await store.commit(changes);
    for (const { kind, number } of changes) {
      assert.equal(text(store.read(kind, number)), `${kind}/${number}`);
    }
  });

  check("gives bytes that are the caller's to keep", async (store) => {
    const value = bytes("mine");
    await store.commit([{ kind: 1, number: 1, value }]);
    value.fill(0);
    const read = store.read(1, 1)!;
    assert.equal(text(read), "mine");
    read.fill(0);
    await store.commit([put(1, 2, "next"), put(1, 3, "next")]);
    assert.equal(text(store.read(1, 1)), "mine");
    assert.deepEqual(read, new Uint8Array(4));
  });

  for (const length of [1, 1890, 1891, 1892, 3782, 3783, 70_000, 1024 * 1024]) {
    check(`keeps a value of ${length} bytes whole`, async (store) => {
      const value = pattern(length);
      await store.commit([{ kind: 4, number: 2, value }, put(4, 1, "before"), put(4, 3, "after")]);
      assert.ok(equal(store.read(4, 2)!, value));
      assert.equal(text(store.read(4, 1)), "before");
      assert.equal(text(store.read(4, 3)), "after");
    });
  }

  check("asserts one commit at a time", async (store) => {
    const first = store.commit([put(1, 1, "a")]);
    assert.throws(() => store.commit([put(1, 2, "b")]), /one commit is in flight/);
    await first;
  });

  check("asserts that no record is changed twice in a commit", async (store) => {
    const twice = [put(1, 1, "a"), put(2, 1, "a"), put(1, 1, "b")];
    assert.throws(() => store.commit(twice), /changed once/);
    assert.throws(() => store.commit([put(1, 5, "a"), put(1, 5, "b")]), /changed once/);
    await store.commit([put(1, 2, "c")]);
    assert.equal(store.read(1, 1), undefined);
  });

  for (const [kind, number] of [[0, 1], [201, 1], [1.5, 1], [1, -1], [1, 2 ** 53], [1, NaN]]) {
    check(`asserts the bounds of record ${kind}/${number}`, async (store) => {
      assert.throws(
        () => store.commit([put(1, 1, "a"), put(kind, number, "b")]),
        /(kind|number) is/,
      );
      await store.commit([put(1, 2, "c")]);
      assert.equal(store.read(1, 1), undefined);
    });
  }

  check("is writable", async (store) => {
    await store.commit([put(1, 1, "a")]);
    const { writable, reason } = store.health();
    assert.deepEqual({ writable, reason }, { writable: true, reason: "" });
  });

  if (makeFactory().reopen === undefined) return;

  check("restores all, by kind, then by number", async (store, factory) => {
    const numbers = [300, 2 ** 40, 1, 256, 65_536, 0];
    await store.commit(numbers.map((number) => put(2, number, `${number}`)));
    await store.commit([put(1, 9, "first"), put(200, 1, "last"), put(2, 1, "again")]);
    await store.commit([{ kind: 2, number: 256, value: null }]);
    const again = await factory.reopen!(store);
    assert.deepEqual(restored(again), [
      [1, 9, "first"],
      [2, 0, "0"],
      [2, 1, "again"],
      [2, 300, "300"],
      [2, 65_536, "65536"],
      [2, 2 ** 40, `${2 ** 40}`],
      [200, 1, "last"],
    ]);
    return again;
  });

  check("restores large values, and nothing of what they replaced", async (store, factory) => {
    await store.commit([1, 2, 3, 4].map((number) => ({ kind: 5, number, value: pattern(9000) })));
    await store.commit([
      { kind: 5, number: 1, value: null },
      { kind: 5, number: 2, value: pattern(10) },
      { kind: 5, number: 3, value: pattern(4000) },
      { kind: 5, number: 4, value: pattern(20_000) },
    ]);
    let again = await factory.reopen!(store);
    const lengths = () => {
      const found: [number, number][] = [];
      again.restore((_kind, number, value) => {
        assert.ok(equal(value, pattern(value.length)));
        found.push([number, value.length]);
      });
      return found;
    };
    assert.deepEqual(lengths(), [[2, 10], [3, 4000], [4, 20_000]]);
    // Also when the numbers of chunks are known from restoring alone.
    await again.commit([{ kind: 5, number: 4, value: pattern(1) }, {
      kind: 5,
      number: 3,
      value: null,
    }]);
    again = await factory.reopen!(again);
    assert.deepEqual(lengths(), [[2, 10], [4, 1]]);
    return again;
  });
}

export function put(kind: number, number: number, value: string): RecordChange {
  return { kind, number, value: bytes(value) };
}

export function bytes(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

export function text(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : new TextDecoder().decode(value);
}

/** Bytes of which no two stretches look alike. */
export function pattern(length: number): Uint8Array {
  const value = new Uint8Array(length);
  let state = 1;
  for (let at = 0; at < length; at++) {
    state = Math.imul(state, 1_103_515_245) + 12_345 >>> 0;
    value[at] = state >>> 16;
  }
  return value;
}

/** Faster than `assert.deepEqual` for long values. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** All that a store restores. */
export function restored(store: Store): [number, number, string][] {
  const records: [number, number, string][] = [];
  store.restore((kind, number, value) => records.push([kind, number, text(value)!]));
  return records;
}
