import assert from "node:assert/strict";
import { Hono } from "hono";
import { Listings } from "../../src/admin/listings.ts";
import { readQuery } from "../../src/admin/requests.ts";
import { Session } from "../../src/session/session.ts";
import { World } from "../support/world.ts";
import { Admin, type Body, FakeListingClock } from "./support.ts";

const MANY = 100_000;
/** What one slice may look at. */
const SLICE = 50;

/** A list of numbers as an app serves it, and how many are looked at without a pause. */
class Numbers {
  readonly clock = new FakeListingClock();
  readonly listings = new Listings(this.clock);
  readonly numbers = new Map<number, { n: number; text?: string }>();
  longestSlice = 0;
  looked = 0;
  readonly #app = new Hono();
  #slice = 0;

  constructor(count: number) {
    for (let n = 0; n < count; n++) this.numbers.set(n, { n });
    this.clock.onPause = () => this.#slice = 0;
    this.#app.onError((error) =>
      Response.json({ error: error.message }, { status: (error as unknown as Body).status ?? 500 })
    );
    this.#app.get("/:list", (c) => {
      this.#slice = 0;
      const query = readQuery(c, ["limit", "cursor", "multiple"]);
      const multiple = Number(query.get("multiple") ?? 1);
      return this.listings.page(c, "numbers", query, () => ({
        entries: () => this.numbers.values(),
        view: (entry) => {
          this.looked++;
          this.longestSlice = Math.max(this.longestSlice, ++this.#slice);
          return entry.n % multiple === 0 ? entry : null;
        },
      }));
    });
  }

  async get(query: string, path = "/list"): Promise<Body> {
    return await (await this.#app.request(path + query)).json();
  }

  async status(query: string, path = "/list"): Promise<number> {
    const response = await this.#app.request(path + query);
    await response.body?.cancel();
    return response.status;
  }
}

Deno.test("a page has 100 entries, or what limit says up to 1000, and a cursor to the next", async () => {
  const list = new Numbers(2500);
  const first = await list.get("");
  assert.deepEqual(first.numbers.map(({ n }: Body) => n), [...Array(100).keys()]);
  const second = await list.get(`?limit=1000&cursor=${first.cursor}`);
  assert.deepEqual([second.numbers.length, second.numbers[0].n], [1000, 100]);
  const third = await list.get(`?limit=1000&cursor=${second.cursor}`);
  const last = await list.get(`?limit=1000&cursor=${third.cursor}`);
  assert.deepEqual([last.numbers.length, last.cursor], [400, null]);
});

Deno.test("a limit that is none is refused", async () => {
  const list = new Numbers(1);
  for (const limit of ["0", "1001", "-1", "1.5", "ten", "", "1e2", "00001"]) {
    assert.equal(await list.status(`?limit=${limit}`), 400, limit);
  }
});

Deno.test("a page that is deep costs no more than the first", async () => {
  const list = new Numbers(MANY);
  let cursor = (await list.get("?limit=1000")).cursor;
  for (let page = 1; page < 90; page++) {
    const before = list.looked;
    cursor = (await list.get(`?limit=1000&cursor=${cursor}`)).cursor;
    assert.equal(list.looked - before, 1000);
  }
});

Deno.test("a long search is made in slices, with a pause for everything else between them", async () => {
  const list = new Numbers(MANY);
  const { numbers, cursor } = await list.get("?multiple=1000000&limit=10");
  assert.deepEqual([numbers.length, cursor], [1, null]);
  assert.equal(list.looked, MANY);
  assert.equal(list.longestSlice, SLICE);
  assert.equal(list.clock.pauses, MANY / SLICE);
});

Deno.test("a page ends early when it becomes long", async () => {
  const list = new Numbers(0);
  for (let n = 0; n < 100; n++) list.numbers.set(n, { n, text: "x".repeat(65_535) });
  const page = await list.get("");
  assert.equal(page.numbers.length, 4);
  assert.notEqual(page.cursor, null);
});

Deno.test("a cursor is good once, for its own listing only", async () => {
  const list = new Numbers(1000);
  const { cursor } = await list.get("?multiple=2");
  assert.equal(await list.status(`?cursor=${cursor}`), 400);
  assert.equal(await list.status(`?multiple=2&cursor=${cursor}`, "/other"), 400);
  assert.equal(await list.status(`?limit=1&multiple=2&cursor=${cursor}`), 200);
  assert.equal(await list.status(`?multiple=2&cursor=${cursor}`), 410);
  assert.equal(await list.status("?cursor=constructor"), 410);
});

Deno.test("a walk that is left alone ends, and one at its end leaves nothing behind", async () => {
  const list = new Numbers(1000);
  const { cursor } = await list.get("");
  assert.deepEqual([list.listings.waiting, list.clock.timers], [1, 1]);
  list.clock.elapse();
  assert.deepEqual([list.listings.waiting, list.clock.timers], [0, 0]);
  assert.equal(await list.status(`?cursor=${cursor}`), 410);
  const next = await list.get("?limit=900");
  assert.equal((await list.get(`?cursor=${next.cursor}&limit=200`)).cursor, null);
  assert.deepEqual([list.listings.waiting, list.clock.timers], [0, 0]);
});

Deno.test("64 walks wait at most: the one that has waited longest makes room", async () => {
  const list = new Numbers(1000);
  const cursors: string[] = [];
  for (let walk = 0; walk < 64; walk++) cursors.push((await list.get("?limit=1")).cursor);
  const renewed = (await list.get(`?limit=1&cursor=${cursors[0]}`)).cursor;
  await list.get("?limit=1");
  assert.deepEqual([list.listings.waiting, list.clock.timers], [64, 64]);
  assert.equal(await list.status(`?cursor=${cursors[1]}&limit=1`), 410);
  assert.equal(await list.status(`?cursor=${cursors[2]}&limit=1`), 200);
  assert.equal(await list.status(`?cursor=${renewed}&limit=1`), 200);
});

Deno.test("100,000 sessions are listed once each, while others come and go", async () => {
  const world = new World();
  const { broker } = world;
  const add = (clientId: string) => {
    const session = new Session(broker, clientId);
    session.sessionExpirySeconds = 60;
    session.disconnectedAtMs = world.nowMs;
    broker.sessions.restoreSession(session);
  };
  for (let n = 0; n < MANY; n++) {
    add(`stays ${n}`);
    if (n % 10 === 0) add(`goes ${n}`);
  }
  const admin = new Admin(world);
  let changes = 0;
  admin.clock.onPause = () => {
    broker.sessions.end(broker.sessions.get(`goes ${MANY - 10 - 10 * changes}`)!);
    add(`comes ${changes++}`);
  };
  const pages = await admin.walk("/api/v1/sessions?limit=1000", "sessions");
  assert.ok(changes > 400);
  assert.ok(pages.every((page) => page.length <= 1000));
  const ids: string[] = pages.flat().map((session) => session.clientId);
  assert.equal(new Set(ids).size, ids.length);
  assert.equal(ids.filter((id) => id.startsWith("stays ")).length, MANY);
  assert.ok(admin.clock.pauses >= (ids.length / 1000 - 1) * (1000 / SLICE - 1));
});

Deno.test("100,000 retained messages are listed once each, while others come and go", async () => {
  const world = new World();
  const { broker } = world;
  const retain = (topic: string, payload = new Uint8Array(1)) =>
    broker.publishMessage({ topic, payload, retain: true });
  for (let n = 0; n < MANY; n++) {
    const site = `site ${n % 100}/device ${n}`;
    retain(`${site}/stays`);
    if (n % 10 === 0) retain(`${site}/goes`);
  }
  world.run();
  const admin = new Admin(world);
  let changes = 0;
  admin.clock.onPause = () => {
    // Before, behind and beside what is being walked: leaves, their parents, new branches.
    const n = MANY - 10 - 10 * changes;
    retain(`site ${n % 100}/device ${n}/goes`, new Uint8Array());
    retain(`site ${changes % 100}`);
    retain(`site ${changes % 100}/device ${changes}`);
    retain(`new ${changes % 7}/${changes++}`);
    world.run();
  };
  const pages = await admin.walk("/api/v1/retained?limit=1000", "retained");
  assert.ok(changes > 400);
  const topics: string[] = pages.flat().map((message) => message.topic);
  assert.equal(new Set(topics).size, topics.length);
  assert.equal(topics.filter((topic) => topic.endsWith("/stays")).length, MANY);
  admin.clock.onPause = () => {};
  admin.clock.pauses = 0;
  const found = await admin.walk("/api/v1/retained?filter=%2B/%2B/none", "retained");
  assert.deepEqual(found, [[]]);
  assert.ok(admin.clock.pauses >= MANY / SLICE - 1);
});

Deno.test("the real clock lets other work pass between slices", async () => {
  const world = new World();
  for (let n = 0; n < 1000; n++) {
    world.broker.publishMessage({ topic: `t/${n}`, payload: new Uint8Array(1), retain: true });
  }
  world.run();
  const admin = new Admin(world);
  let passed = 0, ended = false;
  const others = (async () => {
    while (!ended) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      passed++;
    }
  })();
  // Ends only if timers have their turn while the listing goes on and on.
  const listings = new Listings();
  const app = new Hono();
  app.get("/", (c) =>
    listings.page(c, "all", new Map(), () => ({
      entries: function* () {
        while (passed < 3) yield* admin.source.broker()!.retained.all();
      },
      view: () => null,
    })));
  const page = await (await app.request("/")).json();
  ended = true;
  await others;
  assert.deepEqual(page, { all: [], cursor: null });
});
