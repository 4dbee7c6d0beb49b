import assert from "node:assert/strict";
import { createAdminApp } from "../../src/admin/app.ts";
import { type ListingClock, Listings } from "../../src/admin/listings.ts";
import type { AdminSource } from "../../src/admin/source.ts";
import type { World } from "../support/world.ts";

// deno-lint-ignore no-explicit-any
export type Body = any;

/** What a request was answered with. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The text as JSON; undefined when it is none. */
  readonly body: Body;
}

/** Pauses at once and counts it; walks end when the test says so. */
export class FakeListingClock implements ListingClock {
  pauses = 0;
  /** Runs in each pause. */
  onPause: () => void = () => {};
  readonly #waiting = new Set<() => void>();

  pause(): Promise<void> {
    this.pauses++;
    this.onPause();
    return Promise.resolve();
  }

  after(_ms: number, run: () => void): { cancel(): void } {
    this.#waiting.add(run);
    return { cancel: () => void this.#waiting.delete(run) };
  }

  get timers(): number {
    return this.#waiting.size;
  }

  /** All the time there is passes. */
  elapse(): void {
    for (const run of [...this.#waiting]) {
      this.#waiting.delete(run);
      run();
    }
  }
}

/** The HTTP interface of a broker in its world, without a socket. */
export class Admin {
  readonly clock = new FakeListingClock();
  readonly listings = new Listings(this.clock);
  readonly source: AdminSource;
  readonly app: ReturnType<typeof createAdminApp>;
  readonly #world: World | null;

  /** @param world null: the broker is still starting */
  constructor(world: World | null, source: Partial<AdminSource> = {}) {
    this.#world = world;
    this.source = {
      broker: () => world?.broker ?? null,
      readiness: () => ({ ready: true, reason: "" }),
      configuration: () => [],
      reload: () => null,
      explainAcl: () => [],
      certificates: () => [],
      bridges: () => [],
      version: "1.2.3",
      token: null,
      webSocket: null,
      ...source,
    };
    this.app = createAdminApp(this.source, this.listings);
  }

  /** `request` is a method and a path: `GET /healthz`. */
  async ask(request: string, init: RequestInit = {}, env?: object): Promise<Answer> {
    const [method, path] = request.split(/ (.*)/s);
    const response = await this.app.request(
      `http://localhost${path}`,
      { method, ...init },
      env,
    );
    const text = await response.text();
    this.#world?.run();
    let body: unknown;
    const isJson = response.headers.get("content-type") === "application/json";
    if (isJson && method !== "HEAD") body = JSON.parse(text);
    return { status: response.status, headers: response.headers, text, body };
  }

  /** The JSON of an answer that must be 200. */
  async get(path: string): Promise<Body> {
    const answer = await this.ask(`GET ${path}`);
    assert.equal(answer.status, 200, answer.text);
    return answer.body;
  }

  publish(body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.ask("POST /api/v1/publish", {
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: { "content-type": "application/json", ...headers },
    });
  }

  /** Asserts what a request is refused with; returns the answer. */
  async refused(request: string, status: number, code: string, init?: RequestInit, env?: object) {
    const answer = await this.ask(request, init, env);
    assert.deepEqual([answer.status, answer.body?.error], [status, code], answer.text);
    assert.equal(typeof answer.body.message, "string");
    return answer;
  }

  /** All entries of a listing, page by page. */
  async walk(path: string, name: string): Promise<Body[][]> {
    const pages: Body[][] = [];
    const first = path.includes("?") ? path : `${path}?`;
    for (let cursor: string | null = ""; cursor !== null;) {
      const page: Body = await this.get(cursor === "" ? first : `${first}&cursor=${cursor}`);
      pages.push(page[name]);
      cursor = page.cursor;
    }
    return pages;
  }
}
