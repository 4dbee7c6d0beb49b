import type { Context } from "hono";
import { setImmediate } from "node:timers";
import { jsonText, RequestError } from "./answers.ts";
import { badRequest } from "./requests.ts";

const LIMIT_DEFAULT = 100;
const LIMIT_MAXIMUM = 1000;
/** A page ends early when it has become this long: names may have 65,535 bytes. */
const PAGE_CHARACTERS = 256 * 1024;
/** Entries that are looked at before others get their turn; some microseconds each. */
const SLICE_ENTRIES = 50;
/** Walks that wait for their next page. One more drops the one that has waited longest. */
const WALKS_MAXIMUM = 64;
/** How long a walk waits for its next page. */
const WALK_MS = 60_000;

/** What drives a listing from outside; a test has its own. */
export interface ListingClock {
  /** Lets everything else that waits have its turn. */
  pause(): Promise<void>;
  /** Calls once, unless it is cancelled before. Does not keep the process alive. */
  after(ms: number, run: () => void): { cancel(): void };
}

/** Where entries come from, and how one is shown. */
export interface Listed<T> {
  /** Begins with the first entry; stays right while entries come and go. */
  readonly entries: () => Iterator<T>;
  /** Null: the entry is not listed. */
  readonly view: (entry: T) => object | null;
}

interface Walk {
  /** What is walked, so that a cursor cannot go on with something else. */
  readonly scope: string;
  readonly entries: Iterator<unknown>;
  readonly view: (entry: unknown) => object | null;
}

/**
 * Lists what may be long, page by page. A cursor stands for an iterator that is kept here between two
 * pages: the next page costs what is on it, however deep it lies, and an entry that stays is seen
 * exactly once. An iterator left alone would hold on to every former state of a map that has been
 * rebuilt since, so walks are few and end by themselves.
 */
export class Listings {
  readonly #clock: ListingClock;
  /** By their cursors, which are good for one page; the one that has waited longest comes first. */
  readonly #walks = new Map<string, Walk>();
  readonly #timers = new Map<string, { cancel(): void }>();

  constructor(clock: ListingClock = realClock) {
    this.#clock = clock;
  }

  /** Walks that wait for their next page. */
  get waiting(): number {
    return this.#walks.size;
  }

  /**
   * Answers a page: `{"<name>": […], "cursor": …}`, the cursor null at the end.
   *
   * @param query `limit` and `cursor`, and what else chooses the entries
   * @throws {RequestError} 400, 410 for a cursor that was used before or has waited too long
   */
  async page<T>(
    c: Context,
    name: string,
    query: ReadonlyMap<string, string>,
    listed: () => Listed<T>,
  ): Promise<Response> {
    const limit = readLimit(query.get("limit"));
    const scope = scopeOf(c, query);
    const cursor = query.get("cursor");
    const walk = cursor === undefined ? begin(scope, listed()) : this.#take(cursor, scope);
    const items: string[] = [];
    let characters = 0, looked = 0;
    while (items.length < limit && characters < PAGE_CHARACTERS) {
      if (looked++ === SLICE_ENTRIES) {
        await this.#clock.pause();
        looked = 1;
      }
      const next = walk.entries.next();
      if (next.done) return jsonText(`{"${name}":[${items}],"cursor":null}`);
      const view = walk.view(next.value);
      if (view === null) continue;
      const item = JSON.stringify(view);
      characters += item.length;
      items.push(item);
    }
    return jsonText(`{"${name}":[${items}],"cursor":"${this.#keep(walk)}"}`);
  }

  #take(cursor: string, scope: string): Walk {
    const walk = this.#walks.get(cursor);
    if (walk === undefined) {
      throw new RequestError(
        410,
        "cursor_gone",
        "the cursor was used before or has waited too long; list again from the start",
      );
    }
    if (walk.scope !== scope) throw badRequest("the cursor belongs to another listing");
    this.#drop(cursor);
    return walk;
  }

  #keep(walk: Walk): string {
    for (const oldest of this.#walks.keys()) {
      if (this.#walks.size < WALKS_MAXIMUM) break;
      this.#drop(oldest);
    }
    const cursor = crypto.randomUUID();
    this.#walks.set(cursor, walk);
    this.#timers.set(cursor, this.#clock.after(WALK_MS, () => this.#drop(cursor)));
    return cursor;
  }

  #drop(cursor: string) {
    this.#walks.delete(cursor);
    this.#timers.get(cursor)?.cancel();
    this.#timers.delete(cursor);
  }
}

function begin<T>(scope: string, { entries, view }: Listed<T>): Walk {
  return { scope, entries: entries(), view: view as (entry: unknown) => object | null };
}

function scopeOf(c: Context, query: ReadonlyMap<string, string>): string {
  const chosenBy = [...query].filter(([name]) => name !== "limit" && name !== "cursor").sort();
  return JSON.stringify([new URL(c.req.url).pathname, chosenBy]);
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return LIMIT_DEFAULT;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > LIMIT_MAXIMUM) {
    throw badRequest(`'limit' is a number from 1 to ${LIMIT_MAXIMUM}`);
  }
  return limit;
}

const realClock: ListingClock = {
  // Behind the sockets' input, and without the millisecond or two that a timer costs.
  pause: () => new Promise((resolve) => void setImmediate(resolve)),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    Deno.unrefTimer(timer as unknown as number);
    return { cancel: () => clearTimeout(timer) };
  },
};
