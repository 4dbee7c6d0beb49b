import assert from "node:assert/strict";
import { configurationEntries, SECRET } from "../../src/config/entries.ts";
import { loadConfiguration } from "../../src/config/load_configuration.ts";
import { showConfiguration, showConfigurationAsJson } from "../../src/config/show.ts";
import { load, memoryFiles } from "./support.ts";

const BRIDGE = "connection c\naddress h:5 i\ntopic a both 1 l/\nremote_password pass word\n" +
  "remote_username ${USER_NAME}\nrestart_timeout 1 2 3\nbridge_tcp_keepalive 4 5 6\n";
const asked = { ports: [], verbose: false, quiet: false, expandEnv: false };

/** The texts by name. */
function textsOf(text: string): Map<string, string> {
  return new Map(
    configurationEntries(load({ "a.conf": text })).map(({ name, text, origin }) => [
      name,
      `${text} <- ${origin}`,
    ]),
  );
}

Deno.test("every value in force is listed, as a file would have it and with its origin", () => {
  const texts = textsOf(`sys_interval 3\nlistener 5 ::1\nmax_qos 1\nadmin_listener 80\n${BRIDGE}`);
  for (
    const [name, expected] of [
      ["sys_interval", "3 <- a.conf:1"],
      ["max_keepalive", "0 <- default"],
      ["log_type", "error warning notice information <- default"],
      ["admin_listener", "80 127.0.0.1 <- a.conf:4"],
      ["listener[0].port", "5 <- a.conf:2"],
      ["listener[0].address", "::1 <- a.conf:2"],
      ["listener[0].max_qos", "1 <- a.conf:3"],
      ["listener[0].accept_protocol_versions", "3 4 5 <- default"],
      ["bridge[0].connection", "c <- a.conf:5"],
      ["bridge[0].address", "h:5 i:1883 <- a.conf:6"],
      ["bridge[0].topic", 'a both 1 l/ "" <- a.conf:7'],
      ["bridge[0].restart_timeout", "1 2 3 <- a.conf:10"],
      ["bridge[0].bridge_tcp_keepalive", "4 5 6 <- a.conf:11"],
    ]
  ) assert.equal(texts.get(name), expected, name);
});

Deno.test("secrets are not listed, and what was filled in as it is written", () => {
  const loaded = loadConfiguration(
    { file: "a.conf", variable: () => "s3cret" },
    memoryFiles({
      "a.conf": `listener 5\nadmin_token t0ken\nauto_id_prefix \${PREFIX}-\n${BRIDGE}`,
    }),
  );
  assert("configuration" in loaded, JSON.stringify(loaded));
  const { configuration } = loaded;
  const values = new Map(
    configurationEntries(configuration).map(({ name, value }) => [name, value]),
  );
  assert.equal(values.get("admin_token"), SECRET);
  assert.equal(values.get("auto_id_prefix"), "${PREFIX}-");
  assert.equal(values.get("bridge[0].remote_password"), SECRET);
  assert.equal(values.get("bridge[0].remote_username"), "${USER_NAME}");
  for (const show of [showConfiguration, showConfigurationAsJson]) {
    const text = show(configuration, [], asked);
    assert(!/t0ken|s3cret|pass word/.test(text), text);
  }
});

Deno.test("the listing ends with a command line that a shell takes", () => {
  const configuration = load({ "a.conf": "listener 5 ::1\n" });
  const text = showConfiguration(configuration, ["--allow-net=[::1]:5"], {
    ...asked,
    file: "it's.conf",
    ports: [7],
    verbose: true,
    expandEnv: true,
  });
  assert.match(
    text,
    /^deno run --no-prompt '--allow-net=\[::1\]:5' \S+ -c 'it'\\''s\.conf' -p 7 -v --expand-env\n$/m,
  );
  const json = JSON.parse(showConfigurationAsJson(configuration, ["--allow-ffi"], asked));
  assert.deepEqual(json.command.slice(0, 4), ["deno", "run", "--no-prompt", "--allow-ffi"]);
  assert.deepEqual(
    json.values.find(({ name }: { name: string }) => name === "listener[0].port"),
    { name: "listener[0].port", value: 5, origin: "a.conf:1" },
  );
});
