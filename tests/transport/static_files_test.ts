import assert from "node:assert/strict";
import { HttpError } from "../../src/transport/http_request.ts";
import { errorResponse } from "../../src/transport/http_response.ts";
import { StaticFiles } from "../../src/transport/static_files.ts";
import { webSockets } from "./listener_options.ts";
import { readAll, Scene } from "./listener_scene.ts";

/**
 * A directory with a page, what lies beside it, and links: `www` is served, `secret` is not.
 */
async function inSite(run: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    Deno.mkdirSync(`${root}/www/sub`, { recursive: true });
    Deno.mkdirSync(`${root}/www-secret`);
    Deno.writeTextFileSync(`${root}/secret`, "secret");
    Deno.writeTextFileSync(`${root}/www-secret/a.txt`, "secret");
    Deno.writeTextFileSync(`${root}/www/index.html`, "<p>page");
    Deno.writeTextFileSync(`${root}/www/sub/index.html`, "<p>sub");
    Deno.writeTextFileSync(`${root}/www/a b.JS`, "let a;");
    Deno.writeTextFileSync(`${root}/www/none`, "bytes");
    Deno.writeTextFileSync(`${root}/www/empty.css`, "");
    Deno.symlinkSync("none", `${root}/www/inside`);
    Deno.symlinkSync("../secret", `${root}/www/outside`);
    Deno.symlinkSync("..", `${root}/www/up`);
    Deno.symlinkSync("loop", `${root}/www/loop`);
    await run(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** Status, type and body of the answer to a path. */
async function ask(files: StaticFiles, path: string, method = "GET"): Promise<unknown[]> {
  // As it came: what normalises a URL is not to be what keeps a client inside.
  const request = { method, url: `http://localhost${path}` } as Request;
  const response = await files.respond(request).catch((error) => {
    if (error instanceof HttpError) return errorResponse(error);
    throw error;
  });
  return [response.status, response.headers.get("content-type"), await response.text()];
}

Deno.test("files are served with their types, and index.html for a directory", () =>
  inSite(async (root) => {
    const files = new StaticFiles(`${root}/www/.`);
    const page = [200, "text/html; charset=utf-8", "<p>page"];
    assert.deepEqual(await ask(files, "/"), page);
    assert.deepEqual(await ask(files, "/index.html?query"), page);
    assert.deepEqual(await ask(files, "/sub/"), [200, "text/html; charset=utf-8", "<p>sub"]);
    assert.deepEqual(await ask(files, "/a%20b.JS"), [
      200,
      "text/javascript; charset=utf-8",
      "let a;",
    ]);
    assert.deepEqual(await ask(files, "/none"), [200, "application/octet-stream", "bytes"]);
    assert.deepEqual(await ask(files, "/inside"), [200, "application/octet-stream", "bytes"]);
    assert.deepEqual(await ask(files, "/empty.css"), [200, "text/css; charset=utf-8", ""]);
    assert.deepEqual(await ask(files, "/", "HEAD"), [200, "text/html; charset=utf-8", ""]);
  }));

Deno.test("the directory is never left, and what is no file is not there", () =>
  inSite(async (root) => {
    const files = new StaticFiles(`${root}/www`);
    const paths = [
      "/../secret",
      "/%2e%2e/secret",
      "/..%2fsecret",
      "/sub/..%2f..%2fsecret",
      "/../www-secret/a.txt",
      "/..%2fwww-secret%2fa.txt",
      "/outside",
      "/up/secret",
      "/up/www-secret/a.txt",
      "/loop",
      "/sub",
      "/missing",
      "/none/",
      "/none/index.html",
      "/a%00.html",
      "/%ff",
      "/%",
      `/${"a".repeat(5000)}`,
      "//etc/passwd",
    ];
    for (const path of paths) {
      const [status, , body] = await ask(files, path);
      assert.deepEqual([status, body], [404, "Not found.\n"], path);
    }
    assert.equal((await ask(files, "/", "POST"))[0], 405);
  }));

Deno.test("a directory that is not there is an error at start", () => {
  assert.throws(() => new StaticFiles("/nonexistent"), Deno.errors.NotFound);
  assert.throws(() => new StaticFiles("/etc/passwd"), /is no directory/);
});

Deno.test("a listener for WebSockets serves files beside them", () =>
  inSite(async (root) => {
    const big = "x".repeat(1_000_000);
    Deno.writeTextFileSync(`${root}/www/big.txt`, big);
    const files = new StaticFiles(`${root}/www`);
    const handler = (request: Request) => files.respond(request);
    await using scene = await Scene.start({ http: { ...webSockets, handler } });
    const answer = async (head: string) => await readAll(await scene.send(`${head}\r\n\r\n`));
    const page = await answer("GET / HTTP/1.1\r\nHost: a");
    assert.match(page, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(page, /\r\ncontent-length: 7\r\n/);
    assert.match(page, /\r\nconnection: close\r\n/);
    assert.match(page, /\r\n\r\n<p>page$/);
    assert.equal((await answer("GET /big.txt HTTP/1.1")).split("\r\n\r\n")[1], big);
    assert.match(
      await answer("HEAD /big.txt HTTP/1.1"),
      /\r\ncontent-length: 1000000\r\n.*\r\n\r\n$/s,
    );
    assert.match(
      await answer("GET /missing HTTP/1.1"),
      /^HTTP\/1\.1 404 .*\r\n\r\nNot found\.\n$/s,
    );
    assert.match(await answer("GET /../secret HTTP/1.1"), /^HTTP\/1\.1 404 /);
    assert.match(await answer("GET http://a/ HTTP/1.1"), /^HTTP\/1\.1 200 /);
    assert.match(await answer("TRACE / HTTP/1.1"), /^HTTP\/1\.1 400 /);
    // A client that goes away in the middle of a file.
    const gone = await scene.send("GET /big.txt HTTP/1.1\r\n\r\n");
    await gone.read(new Uint8Array(10));
  }));
