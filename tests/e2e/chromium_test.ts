import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { BrokerProcess, eventually, freePort, withDirectory } from "../support/broker_process.ts";
import { Authority } from "../support/certificates.ts";
import { subscribe } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";

const CHROMIUM = "/usr/bin/chromium";
const BUNDLE = fileURLToPath(import.meta.resolve("mqtt/dist/mqtt.min"));

const hasChromium = (() => {
  try {
    return Deno.statSync(CHROMIUM).isFile;
  } catch {
    return false;
  }
})();
if (!hasChromium) console.warn(`${CHROMIUM} is not there: no browser is tested`);

/** More than a frame or a buffer holds. */
const LARGE = 300_000;

/**
 * What the page does, by mqtt.js from the same listener: publishes to itself and tells what came of it.
 * Runs in the browser: nothing of this file is there.
 */
const PAGE = `<!doctype html><meta charset="utf-8"><title>MQTT</title>
<script src="mqtt.min.js"></script>
<script>
async function talk(protocolVersion) {
  const url = location.origin.replace(/^http/, "ws") + "/mqtt";
  const clientId = "browser-" + protocolVersion;
  const client = await mqtt.connectAsync(url, { protocolVersion, clientId, reconnectPeriod: 0 });
  const came = [];
  let wake;
  client.on("message", (topic, payload, { qos }) => {
    came.push([topic, qos, payload.length, payload.every((byte) => byte === 0x78)]);
    wake?.();
  });
  await client.subscribeAsync("echo/#", { qos: 2 });
  for (const qos of [0, 1, 2]) {
    for (const length of [0, 10, ${LARGE}]) {
      await client.publishAsync("echo/" + qos, "x".repeat(length), { qos });
    }
  }
  while (came.length < 9) await new Promise((resolve) => wake = resolve);
  await client.publishAsync("verdict", JSON.stringify(came), { qos: 1 });
  await client.endAsync();
}
async function main() {
  for (const version of [4, 5]) await talk(version);
}
main().catch((error) => console.error("failed: " + error));
</script>`;

/** Chromium without a window, on a page. */
class Browser implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  readonly #profile = Deno.makeTempDirSync({ prefix: "chromium-" });
  /** What it wrote to stderr, and the page to its console. */
  output = "";

  constructor(url: string, ...more: readonly string[]) {
    this.#child = new Deno.Command(CHROMIUM, {
      args: [
        ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"],
        ...["--no-first-run", "--disable-background-networking", "--disable-component-update"],
        ...["--disable-sync", "--disable-dev-shm-usage", "--enable-logging=stderr"],
        // Otherwise it would end once the page is loaded.
        "--remote-debugging-port=0",
        ...[`--user-data-dir=${this.#profile}`, ...more, url],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      env: { TMPDIR: this.#profile },
    }).spawn();
    this.#reading = this.#read();
  }

  async #read() {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.output += text;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await Promise.all([this.#child.status, this.#reading]);
    // Its helpers may write to it a little longer.
    await eventually(() => {
      try {
        Deno.removeSync(this.#profile, { recursive: true });
        return true;
      } catch {
        return false;
      }
    }, () => `${this.#profile} cannot be removed`);
  }
}

for (const scheme of ["http", "https"] as const) {
  Deno.test({
    name: `mqtt.js in a browser talks over ${scheme === "http" ? "ws" : "wss"}://, page included`,
    ignore: !hasChromium,
    fn: () =>
      withDirectory(async (directory) => {
        const pages = `${directory}/pages`;
        Deno.mkdirSync(pages);
        Deno.writeTextFileSync(`${pages}/index.html`, PAGE);
        Deno.copyFileSync(BUNDLE, `${pages}/mqtt.min.js`);
        const port = freePort();
        const origin = `${scheme}://localhost:${port}`;
        const { certfile, keyfile } = new Authority(undefined, directory).issueServer();
        await using broker = await BrokerProcess.start(directory, {
          configuration: [
            "user root",
            `listener ${port} 127.0.0.1`,
            "protocol websockets",
            `websockets_origin ${origin}`,
            `http_dir ${pages}`,
            ...scheme === "https" ? [`certfile ${certfile}`, `keyfile ${keyfile}`] : [],
          ],
        });
        await using client = await TcpClient.connect(broker.port, 4);
        void client.send(subscribe(4, { filters: [["verdict", 0]] }));
        await client.next("suback");
        await using browser = new Browser(`${origin}/`, "--ignore-certificate-errors");
        const expected = [0, 1, 2].flatMap((qos) =>
          [0, 10, LARGE].map((length) => [`echo/${qos}`, qos, length, true])
        );
        for (const version of [4, 5]) {
          const { payload } = await client.next("publish").catch((error) => {
            throw new Error(`${error.message}\n${browser.output}\n${broker.lines.join("\n")}`);
          });
          assert.deepEqual(JSON.parse(new TextDecoder().decode(payload)), expected);
          await broker.line(
            new RegExp(`Client browser-${version} \\[127\\.0\\.0\\.1:\\d+\\] disconnected\\.$`),
          );
        }
        broker.assertNoDefect();
      }),
  });
}
