import assert from "node:assert/strict";
import plugin from "./lint_plugin.ts";

const source = decodeURIComponent(new URL("../../src/", import.meta.url).pathname);

/** The rules that fire, in order, for `code` standing in the file `path` below `src/`. */
function fired(path: string, code: string): string[] {
  return Deno.lint.runPlugin(plugin, source + path, code).map((found) => found.id);
}

function check(rule: string, path: string, code: string) {
  assert.deepEqual(fired(path, code), [`sabethes/${rule}`], `${path}: ${code}`);
}

Deno.test("imports that point upwards or sideways are reported", () => {
  check("layers", "wire/publish.ts", `import { Session } from "../session/session.ts";`);
  check("layers", "store/lmdb_store.ts", `import { Publish } from "../wire/publish.ts";`);
  check("layers", "routing/topic.ts", `import type { Session } from "../session/session.ts";`);
  check("layers", "session/session.ts", `export { Broker } from "../broker/broker.ts";`);
  check("layers", "session/session.ts", `export * from "../transport/pump.ts";`);
  check("layers", "transport/tcp.ts", `const admin = await import("../admin/app.ts");`);
  check("layers", "admin/api.ts", `import { Session } from "../session/session.ts";`);
  check("layers", "system/signals.ts", `import { Broker } from "../broker/broker.ts";`);
  check("layers", "assert.ts", `import { Reason } from "./wire/reason.ts";`);
  check("layers", "broker/broker.ts", `import { main } from "../main.ts";`);
  check("layers", "wire/publish.ts", `import { World } from "../../tests/simulation/world.ts";`);
  check("layers", "elsewhere/file.ts", `import { Broker } from "../broker/broker.ts";`);
  check("layers", "access/hooks.ts", `import { Plugins } from "../plugins/plugins.ts";`);
  check("layers", "plugins/plugins.ts", `import { Server } from "../server/server.ts";`);
  check("layers", "server/server.ts", `import { run } from "../process/run.ts";`);
  check("layers", "server/server.ts", `import manifest from "../../deno.json";`);
});

Deno.test("a package is imported only by the layer that owns it", () => {
  check("layers", "session/session.ts", `import { open } from "lmdb";`);
  check("layers", "broker/broker.ts", `import { Hono } from "hono";`);
  check("layers", "routing/topic.ts", `import { readFileSync } from "node:fs";`);
  check("layers", "wire/publish.ts", `import net from "node:net";`);
});

Deno.test("the core knows no promise, timer, clock, chance or I/O", () => {
  for (
    const code of [
      "await 1;",
      "for await (const chunk of chunks) chunk;",
      "async function send() {}",
      "const send = async () => {};",
      "class Sender { async send() {} }",
      "type Answer = Promise<void>;",
      "setTimeout(close, 1);",
      "setInterval(close, 1);",
      "queueMicrotask(close);",
      "const now = Date.now();",
      "const now = new Date();",
      "const now = performance.now();",
      "const chance = Math.random();",
      "crypto.getRandomValues(bytes);",
      "let connection: Deno.Conn;",
      "globalThis.close();",
      "const clock = { Date };",
    ]
  ) {
    for (const layer of ["wire", "routing", "session", "broker"]) {
      check("synchronous-core", `${layer}/file.ts`, code);
    }
    assert.deepEqual(fired("transport/file.ts", code), [], code);
  }
});

Deno.test("only the log prints", () => {
  check("one-log", "main.ts", "console.error(message);");
  check("one-log", "transport/tcp.ts", "console.log(message);");
  check("one-log", "transport/tcp.ts", "const { log } = console;");
  assert.deepEqual(fired("log.ts", "console.error(message);"), []);
});

Deno.test("good code passes", () => {
  for (
    const [path, code] of [
      ["wire/publish.ts", `import { assert } from "../assert.ts";`],
      ["store/lmdb_store.ts", `import { open } from "lmdb"; import { log } from "../log.ts";`],
      ["session/session.ts", `import { Topic } from "../routing/topic.ts";`],
      ["session/session.ts", `import { Will } from "./will.ts";`],
      ["broker/broker.ts", `import { Session } from "../session/session.ts";`],
      ["admin/app.ts", `import { Hono } from "hono"; import { cors } from "hono/cors";`],
      ["config/ini.ts", `import { parse } from "@std/ini";`],
      ["process/run.ts", `import { Server } from "../server/server.ts";`],
      ["version.ts", `import manifest from "../deno.json" with { type: "json" };`],
      ["main.ts", `import { Broker } from "./broker/broker.ts"; await Broker.start();`],
      ["session/session.ts", "clock.performance; const times = { Date: 1 }; this.Deno = 2;"],
      ["session/session.ts", "interface Times { performance: number; Date(): number }"],
      ["broker/deadlines.ts", "const now = ports.clock.now(); const half = Math.floor(now / 2);"],
      ["transport/pump.ts", "const bytes = await connection.read(buffer);"],
    ]
  ) {
    assert.deepEqual(fired(path, code), [], `${path}: ${code}`);
  }
});

Deno.test("files outside src are left alone", () => {
  const file = decodeURIComponent(new URL("../bench/main.ts", import.meta.url).pathname);
  const code = `import { open } from "lmdb"; console.log(await open(), Date.now());`;
  assert.deepEqual(Deno.lint.runPlugin(plugin, file, code), []);
});
